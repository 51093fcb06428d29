"""`[web.openid.NAME]`: the identity providers. Called by `settings_web`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from mailweir.settings_values import AbsolutePath, DomainOrNone, Section


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be https://HOST or https://HOST/PATH, as the provider calls itself")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1"):
        raise ValueError("must begin with https://; http:// is for localhost and 127.0.0.1")
    return value


def _given(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


class OpenId(Section):
    """A provider of OpenID Connect, which authenticates people. hosted_domain: the Google Workspace of the accounts."""

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: Annotated[str, AfterValidator(_given)]
    client_secret_file: Annotated[AbsolutePath, AfterValidator(_given)]
    label: str = ""
    hosted_domain: DomainOrNone = ""


ProviderName = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$")]
