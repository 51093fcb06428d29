"""The settings: can they mean what they say, and are they those that the running stack goes by?"""

import ipaddress
import pwd
from collections.abc import Iterator

from mailweir.health import advice
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.settings import Settings

AREA = "settings"


def check(settings: Settings, in_force: Settings) -> Iterator[Finding]:
    """settings: of the admin's file. in_force: what the running processes read at their start."""
    found = [*_account(settings), *_names(settings), *_age(settings, in_force)]
    yield from found or [ok(AREA, "nothing odd in them", key="settings.fine")]


def _account(settings: Settings) -> Iterator[Finding]:
    try:
        uid = pwd.getpwnam(settings.run_as).pw_uid
    except KeyError:
        yield wrong(
            AREA,
            f"there is no user '{settings.run_as}' (run_as)",
            "make it: 'make setup' makes the default one",
            key="settings.no_account",
            account=settings.run_as,
        )
        return
    if uid == 0:
        yield wrong(AREA, "run_as is root", "name an unprivileged user", key="settings.account_is_root")


def _names(settings: Settings) -> Iterator[Finding]:
    is_open = not ipaddress.ip_address(settings.smtp.bind_address.strip("[]")).is_loopback
    if not is_open:
        yield note(
            AREA,
            f"Postfix listens on {settings.smtp.bind_address} only: mail from other hosts doesn't come in",
            'set smtp.bind_address (as a rule "0.0.0.0") and smtp.smtp_port (25), unless this is a trial',
            key="settings.on_loopback",
            address=settings.smtp.bind_address,
        )
    if settings.hostname.startswith("localhost"):
        say = wrong if is_open else note
        yield say(
            AREA,
            f"hostname is {settings.hostname}: no MX record can name it",
            "set it to this host's public name",
            key="settings.hostname",
            hostname=settings.hostname,
        )
    if is_open and settings.smtp.smtp_port != 25:
        yield note(
            AREA,
            f"Postfix listens on port {settings.smtp.smtp_port}: mail servers use 25",
            "set smtp.smtp_port, or redirect",
            key="settings.port",
            port=settings.smtp.smtp_port,
        )


def _age(settings: Settings, in_force: Settings) -> Iterator[Finding]:
    changed = sorted(key for key, value in settings if value != getattr(in_force, key))
    if changed:
        yield note(
            AREA,
            f"the running stack goes by other values than the file: {', '.join(changed)} (its flags, or changed since)",
            f"{advice.take_up_settings(settings)} for the file's values to count",
            key="settings.not_in_force",
            changed=", ".join(changed),
        )
