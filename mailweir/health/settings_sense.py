"""The settings: do they make sense, and does the running stack use them?"""

import ipaddress
import pwd
from collections.abc import Iterator

from mailweir.health import advice
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings

AREA = "settings"


def check(settings: Settings, in_force: Settings) -> Iterator[Finding]:
    """settings: those in the admin's file. in_force: those that the running processes read at their start."""
    found = [*_account(settings), *_names(settings), *_age(settings, in_force)]
    yield from found or [ok(AREA, said("no problems found"), key="settings.fine")]


def _account(settings: Settings) -> Iterator[Finding]:
    try:
        uid = pwd.getpwnam(settings.run_as).pw_uid
    except KeyError:
        yield wrong(
            AREA,
            said("there is no user '{run_as}' (run_as)", run_as=settings.run_as),
            said("create it: 'make setup' creates the default one"),
            key="settings.no_account",
            account=settings.run_as,
        )
        return
    if uid == 0:
        yield wrong(AREA, said("run_as is root"), said("name an unprivileged user"), key="settings.account_is_root")


def _names(settings: Settings) -> Iterator[Finding]:
    is_open = not ipaddress.ip_address(settings.smtp.bind_address.strip("[]")).is_loopback
    if not is_open:
        yield note(
            AREA,
            said(
                "Postfix listens on {bind_address} only: mail from other hosts doesn't come in",
                bind_address=settings.smtp.bind_address,
            ),
            said('set smtp.bind_address (usually "0.0.0.0") and smtp.smtp_port (25), unless this is a trial'),
            key="settings.on_loopback",
            address=settings.smtp.bind_address,
        )
    if settings.hostname.startswith("localhost"):
        say = wrong if is_open else note
        yield say(
            AREA,
            said("hostname is {hostname}: no MX record can name it", hostname=settings.hostname),
            said("set it to this host's public name"),
            key="settings.hostname",
            hostname=settings.hostname,
        )
    if is_open and settings.smtp.smtp_port != 25:
        yield note(
            AREA,
            said("Postfix listens on port {smtp_port}: mail servers use 25", smtp_port=settings.smtp.smtp_port),
            said("set smtp.smtp_port, or redirect"),
            key="settings.port",
            port=settings.smtp.smtp_port,
        )


def _age(settings: Settings, in_force: Settings) -> Iterator[Finding]:
    changed = sorted(key for key, value in settings if value != getattr(in_force, key))
    if changed:
        yield note(
            AREA,
            said(
                "the running stack uses other values than the file: {changed} (its flags, or changed since)",
                changed=", ".join(changed),
            ),
            said("{take_up} to apply the file's values", take_up=advice.take_up_settings(settings)),
            key="settings.not_in_force",
            changed=", ".join(changed),
        )
