"""`[web]`: where the page is, and its defaults for accounts without choices of their own. Called by `settings`."""

from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from mailweir.settings_openid import OpenId, ProviderName
from mailweir.settings_values import BindAddress, Section


def _public_url(value: str) -> str:
    if not value:
        return value
    parts = urlsplit(value)
    is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/")
    if not is_whole or parts.query or parts.fragment or parts.username:
        raise ValueError("must be https://HOST, with nothing behind it")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1"):
        raise ValueError("must begin with https://; http:// is for localhost and 127.0.0.1")
    return value.rstrip("/")


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone's name, such as Europe/Berlin") from error
    return value


class Web(Section):
    """Where the web page listens, its public address, its identity providers, and the defaults of an account."""

    port: int = Field(8025, ge=0, le=65535)
    bind_address: BindAddress = "127.0.0.1"
    public_url: Annotated[str, AfterValidator(_public_url)] = ""
    processes: int = Field(1, ge=1, le=32)
    threads: int = Field(8, ge=1, le=64)
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    language: Literal["en", "de"] = "en"
    openid: dict[ProviderName, OpenId] = {}  # noqa: RUF012  pydantic gives each its own

    @property
    def url(self) -> str:
        """The page's public address, without a slash at its end."""
        return self.public_url or f"http://localhost:{self.port}"
