"""Building blocks of the settings' sections: their base, and the types of values that several of them share.

Each rejects an invalid value with one line that says what it must be. Called by `settings` and the files of its sections.
"""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mailweir import address

Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A table of the file: an unknown key is rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _absolute(value: str) -> str:
    if value and not Path(value).is_absolute():
        raise ValueError("must be an absolute path")
    return value


def _domain(value: str) -> str:
    found = address.typed_domain(value)
    if found is None:
        raise ValueError("must be a domain")
    return found


def _domain_or_none(value: str) -> str:
    return _domain(value) if value else ""


def _bind_address(value: str) -> str:
    ipaddress.ip_address(value)
    return value


AbsolutePath = Annotated[str, AfterValidator(_absolute)]  # or ""
Domain = Annotated[str, AfterValidator(_domain)]
DomainOrNone = Annotated[str, AfterValidator(_domain_or_none)]
BindAddress = Annotated[str, AfterValidator(_bind_address)]
