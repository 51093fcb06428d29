"""The checks of `mailweir up` before it changes anything: each fault is one line that says what to do.

Never changes anything itself, and leaves no process behind. Called by `commands.up`.
"""

import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from admin_cli import data_folder
from admin_cli.processes import CannotStart
from mailweir import daemons
from mailweir.daemons import Daemon
from mailweir.errors import SettingsError
from mailweir.settings import Settings
from postfix import instance, rendering
from postfix.instance import MAIL_OWNER, Account

SETTINGS_NAME = "mailweir.toml"
_MAX_SOCKET_CHARS = 107  # unix(7): sun_path, less the NUL
_LONGEST_SOCKET = "/run/lookups.sock"
_PLAIN = re.compile(r"[A-Za-z0-9._/+@=~-]+")  # characters that need no quoting in Postfix's files
_PROBE_SECONDS = 30
_PORT_POLL_SECONDS = 0.05


def check_root(command: str = "'mailweir up'") -> None:
    """CannotStart for other users than root. Root starts Postfix's master and reads its key; the daemons run as another user."""
    if os.geteuid() != 0:
        raise CannotStart(f"{command} needs root (Postfix's master does): run it with sudo")


def check_programs() -> dict[str, str]:
    """The paths of the daemons' console scripts. CannotStart, PostfixUnusable if a program isn't installed."""
    instance.check_installed()
    beside = Path(sys.executable).parent
    for name in (one.name for one in daemons.ALL):
        if shutil.which(name, path=str(beside)) is None:
            raise CannotStart(f"the program '{name}' isn't in {beside}: install the project there ('make setup' does)")
    return {one.name: str(beside / one.name) for one in daemons.ALL}


def wanted(settings: Settings) -> tuple[Daemon, ...]:
    """The daemons that run with these settings: the sync only if Gmail is set up, the page if it has a port."""
    left_out = {
        daemons.SYNC: not settings.gmail.is_set_up,
        daemons.WEB: settings.web.port == 0,
    }
    return tuple(one for one in daemons.ALL if not left_out.get(one, False))


def check_folder(data_dir: Path) -> None:
    """May this folder be used: is it new, empty, or one of ours?"""
    if len(str(data_dir)) + len(_LONGEST_SOCKET) > _MAX_SOCKET_CHARS:
        raise CannotStart(f"the name of {data_dir} is too long for the sockets in it: choose a shorter one")
    if not _PLAIN.fullmatch(str(data_dir)):
        raise CannotStart(f"Postfix can't work in '{data_dir}': choose a name of letters, digits and . _ - +")
    try:
        used = data_dir.exists() and any(data_dir.iterdir())
    except NotADirectoryError as error:
        raise CannotStart(f"{data_dir} is a file: name a folder") from error
    # `mailweir up` makes root the folder's owner and sets its mode. Nobody wants that for /tmp or a home.
    if used and not (data_dir / SETTINGS_NAME).is_file():
        raise CannotStart(f"{data_dir} holds other files and no {SETTINGS_NAME}: name a new or an empty folder")


def check_parts(settings: Settings) -> None:
    """Is each part of the data folder absent, or of the right kind?"""
    for fault in data_folder.faults(settings):
        raise CannotStart(fault)


def check_account(name: str) -> Account:
    """The unprivileged user that the daemons run as."""
    try:
        account = Account.named(name)
    except KeyError as error:
        raise CannotStart(
            f"there is no user '{name}' (the setting run_as): 'make setup' makes the default one"
        ) from error
    if account.uid == 0:
        raise CannotStart("the setting run_as must name an unprivileged user, not root")
    return account


def check_reach(data_dir: Path, account: Account) -> None:
    """Can the unprivileged user and Postfix's user reach the data folder, and can the first one run this program?"""
    # DIR itself gets the right modes later; nothing above it is changed.
    above = [folder for folder in reversed(data_dir.parents) if folder.is_dir()]
    for user in (account, Account.named(MAIL_OWNER)):
        for folder in above:
            if not _succeeds(["/usr/bin/test", "-x", str(folder)], user):
                raise CannotStart(
                    f"the user '{user.name}' can't get to {data_dir}, because {folder} is closed to it: choose "
                    f"another folder, or 'chmod o+x {folder}'"
                )
    if not _succeeds([sys.executable, "-c", "import postfix, mailweir"], account):
        raise CannotStart(
            f"the user '{account.name}' can't run {sys.executable} with this program: "
            "install it where everybody may read ('make setup' chooses such a place)"
        )


def _succeeds(command: list[str], account: Account) -> bool:
    try:
        done = subprocess.run(
            command,
            cwd="/",
            env={"LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def check_database_folder(settings: Settings, account: Account) -> None:
    """The daemons write their database: can they, if it isn't in the data folder?"""
    database_url = settings.database_url
    if not isinstance(database_url, Path):
        return
    folder = database_url.parent
    if folder.is_relative_to(settings.data_dir):
        return
    if not folder.is_dir() or not _succeeds(["/usr/bin/test", "-O", str(folder), "-a", "-w", str(folder)], account):
        raise CannotStart(
            f"the user '{account.name}' can't write in the database's folder {folder}: make it, and give it to this user"
        )


def check_certificate(settings: Settings) -> None:
    """Do the named certificate and key exist?"""
    for file in (settings.smtp.tls_certificate_file, settings.smtp.tls_key_file):
        if file is not None and not file.is_file():
            raise SettingsError(f"there is no file {file}, which the settings name for TLS")


def check_names(settings: Settings, account: Account) -> None:
    """Can Postfix's files contain all names in the settings?"""
    rendering.render(settings, run_as_uid=account.uid, run_as_gid=account.gid)


def check_port(settings: Settings, *, wait_seconds: float = 0.0) -> None:
    """Are Postfix's three ports and the page's free, and different? Waits until an earlier run has freed them."""
    smtp, web = settings.smtp, settings.web
    places = {
        "--smtp-port": (smtp.bind_address, smtp.smtp_port),
        "--submission-port": (smtp.bind_address, smtp.submission_port),
        "--submissions-port": (smtp.bind_address, smtp.submissions_port),
        **({"--web-port": (web.bind_address, web.port)} if web.port else {}),
    }
    if len({port for _, port in places.values()}) < len(places):
        raise CannotStart("two of the ports are the same: choose different ones")
    deadline = time.monotonic() + wait_seconds
    for flag, (host, port) in places.items():
        while (why := _why_taken(host, port, flag)) is not None:
            if time.monotonic() >= deadline:
                raise CannotStart(f"can't listen on {host} port {port}: {why}")
            time.sleep(_PORT_POLL_SECONDS)


def _why_taken(host: str, port: int, flag: str) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Postfix does: a port in TIME_WAIT is free
        try:
            trial.bind((host, port))
            trial.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"another program uses it; stop that, or choose another port with {flag}"
            return error.strerror or str(error)
    return None
