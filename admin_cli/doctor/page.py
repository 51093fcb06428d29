"""The page: does it answer under the name that browsers use, is TLS in front of it, and can it use its providers' credentials?

Called by `doctor.command`. The privileged chore doesn't ask the page: its unit has no network.
"""

import ipaddress
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from admin_cli.doctor import units
from mailweir import daemons, secrets_file
from mailweir.errors import SettingsError
from mailweir.gmail import oauth_files
from mailweir.health import advice
from mailweir.health.findings import Fact, Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings
from mailweir.settings_openid import OpenId
from mailweir.traces import OWN_KEY, Traces

Facts = dict[str, Fact]

AREA = "page"
_ANSWER_SECONDS = 4.0
_MAX_SECRET_BYTES = 10_000
_PATH = "/sign-in"  # a page that anybody may open
_GOOGLE_RETURNS_TO = "/integrations/google/return"


def is_here(settings: Settings) -> bool:
    """Should this host have a page? False also if systemd can't be asked, which `units.check` reports."""
    if settings.web.port == 0:
        return False
    try:
        return settings.run_by != "systemd" or daemons.WEB.unit in units.unit_files()
    except units.NoSystemd:
        return False


def check_answer(settings: Settings) -> Iterator[Finding]:
    """Requests the sign-in page, as the web server in front of it does."""
    host, port = _host(settings), settings.web.port
    where, name = f"{host} port {port}", urlsplit(settings.web.url).netloc
    see = said("see {log}", log=advice.log_of(settings, daemons.WEB.name))
    connection = HTTPConnection(host, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", _PATH, headers={"Host": name})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        sentence = said("no answer from the page on {where}: {why}", where=where, why=why)
        yield wrong(AREA, sentence, see, key="page.no_answer", host=host, port=port, why=why)
        return
    finally:
        connection.close()
    about: Facts = {"host": host, "port": port, "status": status}
    if status == 200:
        yield ok(
            AREA,
            said("the page answers on {where}, as {url}", where=where, url=settings.web.url),
            key="page.answers",
            **about,
        )
    elif status == 400:
        sentence = said(
            "the page on {where} doesn't accept the name {name}: it runs with other settings",
            where=where,
            name=name,
        )
        yield wrong(AREA, sentence, advice.take_up_settings(settings), key="page.other_name", **about)
    else:
        sentence = said(
            "the page on {where} answers with {status}, or another program has its port", where=where, status=status
        )
        yield wrong(AREA, sentence, see, key="page.odd_answer", **about)


def check_settings(settings: Settings) -> Iterator[Finding]:
    """TLS, the providers' secrets, and the page's part of Google's client."""
    yield from _address(settings)
    for name, provider in settings.web.openid.items():
        yield _secret(settings, name, provider)
    yield from _google(settings)
    yield from _traces(settings)


def _address(settings: Settings) -> Iterator[Finding]:
    web = settings.web
    if not ipaddress.ip_address(web.bind_address).is_loopback:
        about: Facts = {"address": web.bind_address, "port": web.port, "url": web.url}
        if not web.url.startswith("https://"):
            yield wrong(
                AREA,
                said(
                    "the page listens on {bind_address}, and its address is {url}: passwords and sessions cross the "
                    "network unencrypted",
                    bind_address=web.bind_address,
                    url=web.url,
                ),
                said(
                    "set web.public_url to https://HOST, and put a web server with a certificate before the page "
                    "(docs/admin/page.md)"
                ),
                key="page.without_tls",
                **about,
            )
        else:
            yield note(
                AREA,
                said(
                    "the page listens on {bind_address}: browsers can reach port {port} without the web server's TLS",
                    bind_address=web.bind_address,
                    port=web.port,
                ),
                said(
                    'set web.bind_address to "127.0.0.1", or let a firewall open port {port} only to that web server',
                    port=web.port,
                ),
                key="page.open",
                **about,
            )
    elif settings.run_by == "systemd" and not web.public_url:
        yield note(
            AREA,
            said("the page's address is {url}: browsers on other machines can't open it", url=web.url),
            said("set web.public_url, unless all users come by ssh (docs/admin/page.md)"),
            key="page.local",
            url=web.url,
        )


def _secret(settings: Settings, name: str, provider: OpenId) -> Finding:
    file = Path(provider.client_secret_file)
    about: Facts = {"provider": name, "file": str(file)}
    to_do = said(
        "write the client secret of {name} into it: owner {run_as}, mode 0600", name=name, run_as=settings.run_as
    )
    try:
        text = secrets_file.read_private(file, "client secret", _MAX_SECRET_BYTES).decode().strip()
        why = "" if text else said("{file} is empty", file=file)
    except SettingsError as error:
        why = str(error)
    except ValueError:
        why = said("{file} holds no text", file=file)
    if why:
        return wrong(
            AREA,
            said("nobody can sign in with {name}: {why}", name=name, why=why),
            to_do,
            key="page.secret_unusable",
            why=why,
            **about,
        )
    if foreign := secrets_file.foreign(file, settings.run_as):
        sentence = said("nobody can sign in with {name}: {foreign}", name=name, foreign=foreign)
        return wrong(
            AREA,
            sentence,
            said("chown {run_as} {file}", run_as=settings.run_as, file=file),
            key="page.secret_foreign",
            **about,
        )
    return ok(AREA, said("the client secret of {name} can be read", name=name), key="page.secret_fine", **about)


def _google(settings: Settings) -> Iterator[Finding]:
    """Does Google send browsers back to this page? The checks of Gmail report whether the file can be used."""
    if not settings.gmail.web_client_file:
        return
    wanted = settings.web.url + _GOOGLE_RETURNS_TO
    try:
        client = oauth_files.load_web_client(Path(settings.gmail.web_client_file))
    except SettingsError:
        return
    if wanted not in client.redirects:
        yield note(
            AREA,
            said(
                "{web_client_file} doesn't name {wanted}: Google refuses users who connect their Gmail on the page",
                web_client_file=settings.gmail.web_client_file,
                wanted=wanted,
            ),
            said(
                "add it in Google's console to the client's authorized redirect URIs, and download the file from there again"
            ),
            key="page.google_returns_elsewhere",
            url=wanted,
        )


def _traces(settings: Settings) -> Iterator[Finding]:
    """Under systemd, the page can't read the key file: the key of the digests must be in a file of its own. Another check reports
    faults of the key file."""
    if settings.run_by != "systemd":
        return
    try:
        is_apart = Traces(settings.token_key_path).is_apart()
    except SettingsError:
        return
    if not is_apart:
        file = settings.token_key_path.with_name(OWN_KEY)
        yield wrong(
            AREA,
            said(
                "{file} is missing, or belongs to another key file: the page can't find ignored mail by its recipient",
                file=file,
            ),
            said("run the playbook again: it creates the file"),
            key="page.traces_key",
            file=str(file),
        )


def _host(settings: Settings) -> str:
    """The address at which this host reaches the page."""
    address = settings.web.bind_address
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
