"""The files with our credentials at Google: an OAuth client, or a service account. As Google's console issues them, mode 0600.

Google's addresses are taken from these files, so that tests can point elsewhere. They have to be https, or this host's own.
Called by `tokens`.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from google.auth.crypt import RSASigner

from mailweir import secrets_file, settings
from mailweir.errors import SettingsError
from mailweir.gmail import transport
from mailweir.sentence import said

_MAX_FILE_BYTES = 100_000
_GOOGLE_REVOKES = "https://oauth2.googleapis.com/revoke"
_GUIDE = said("docs/admin/gmail.md says how to create it")


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """An app that users consent to. redirects: the addresses to which a client of type `web` may send the browser; else empty.
    The command line takes only those on this host."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_uri: str
    token_uri: str
    redirects: tuple[str, ...]

    @property
    def revoke_uri(self) -> str:
        """The address that revokes a token (RFC 7009): Google's, or the address beside the token endpoint."""
        host = f".{urlsplit(self.token_uri).hostname}"
        return (
            _GOOGLE_REVOKES if host.endswith((".google.com", ".googleapis.com")) else urljoin(self.token_uri, "revoke")
        )


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account that may read the Workspace's mailboxes. signer: its private key."""

    email: str
    client_id: str
    token_uri: str
    signer: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identities:
    """Our identities at Google. main: for mailboxes that the command line connects; web: for those of the page. At least one is
    set."""

    main: OAuthClient | ServiceAccount | None
    web: OAuthClient | None

    def of(self, client_id: str | None) -> OAuthClient | ServiceAccount | None:
        """The identity of a mailbox's token. client_id: as stored with the mailbox. For a client that the settings don't name:
        the main identity, if set; Google decides whether that works."""
        return self.web if self.is_web(client_id) else self.main

    def is_web(self, client_id: str | None) -> bool:
        """Is it the page's client?"""
        return self.web is not None and client_id == self.web.client_id


def load_all(config: settings.Gmail) -> Identities:
    """All identities in the settings. SettingsError if there is none, or a file can't be used."""
    web = load_web_client(Path(config.web_client_file)) if config.web_client_file else None
    main = load(config) if config.identity_file or web is None else None
    return Identities(main, web)


def load(config: settings.Gmail) -> OAuthClient | ServiceAccount:
    """The main identity in the settings. SettingsError if there is none, or the file can't be used."""
    if config.oauth_client_file:
        return load_client(Path(config.oauth_client_file))
    if config.service_account_file:
        return load_account(Path(config.service_account_file))
    raise SettingsError(
        said(
            "Gmail isn't set up: name the file of an OAuth client in gmail.oauth_client_file, or that of a service account in "
            "gmail.service_account_file; {guide}",
            guide=_GUIDE,
        )
    )


def load_client(file: Path) -> OAuthClient:
    """Reads `client_secret_….json`. SettingsError."""
    found = _read(file, said("client secret"))
    kind = next((kind for kind in ("installed", "web") if isinstance(found.get(kind), dict)), None)
    if kind is None:
        raise SettingsError(
            said("{file} is not a file of an OAuth client (installed or web); {guide}", file=file, guide=_GUIDE)
        )
    values = found[kind]
    redirects = _own_redirects(file, values) if kind == "web" else ()
    return OAuthClient(
        client_id=_text(file, values, "client_id"),
        client_secret=_text(file, values, "client_secret"),
        auth_uri=_address(file, values, "auth_uri"),
        token_uri=_address(file, values, "token_uri"),
        redirects=redirects,
    )


def load_web_client(file: Path) -> OAuthClient:
    """Reads the file of a client of the type Web application. redirects: all that it names. SettingsError."""
    found = _read(file, said("client secret"))
    values = found.get("web")
    if not isinstance(values, dict):
        raise SettingsError(
            said(
                "{file} is not a file of an OAuth client of the type Web application; {guide}", file=file, guide=_GUIDE
            )
        )
    given = values.get("redirect_uris")
    return OAuthClient(
        client_id=_text(file, values, "client_id"),
        client_secret=_text(file, values, "client_secret"),
        auth_uri=_address(file, values, "auth_uri"),
        token_uri=_address(file, values, "token_uri"),
        redirects=tuple(one for one in given if isinstance(one, str)) if isinstance(given, list) else (),
    )


def _own_redirects(file: Path, values: dict[str, Any]) -> tuple[str, ...]:
    given = values.get("redirect_uris")
    own = (
        [one for one in given if isinstance(one, str) and transport.is_own_host(one)] if isinstance(given, list) else []
    )
    if not own:
        raise SettingsError(
            said(
                "{file}: a consent can't come back to this host; create an OAuth client of the type Desktop app",
                file=file,
            )
        )
    return tuple(own)


def load_account(file: Path) -> ServiceAccount:
    """Reads a service account's key file. SettingsError."""
    found = _read(file, said("private key"))
    if found.get("type") != "service_account":
        raise SettingsError(said("{file} is not a key file of a service account; {guide}", file=file, guide=_GUIDE))
    _text(file, found, "private_key")
    try:
        signer = RSASigner.from_service_account_info(found)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError) as error:
        words = said("{file}: its private_key can't be read; {guide}", file=file, guide=_GUIDE)
        raise SettingsError(words) from error
    return ServiceAccount(
        email=_text(file, found, "client_email"),
        client_id=str(found.get("client_id") or ""),
        token_uri=_address(file, found, "token_uri"),
        signer=signer,
    )


def _read(file: Path, what: str) -> dict[str, Any]:
    content = secrets_file.read_private(file, what, _MAX_FILE_BYTES)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SettingsError(
            said("{file} holds no JSON as Google's console gives it out; {guide}", file=file, guide=_GUIDE)
        )
    return found


def _text(file: Path, values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise SettingsError(said("{file} lacks {key}; docs/admin/gmail.md says how to create it", file=file, key=key))
    return value


def _address(file: Path, values: dict[str, Any], key: str) -> str:
    value = _text(file, values, key)
    transport.refuse_insecure(value, f"{file}, {key}")
    return value
