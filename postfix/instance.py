"""The private Postfix instance in the data folder: its folders, certificate and configuration, and the command that runs it.

Changes nothing in the system's own Postfix. Never starts or stops a process that outlives the call. Called by `mailweir up`, as
root.
"""

import contextlib
import datetime
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mailweir.errors import MailweirError
from mailweir.settings import Settings
from postfix import certificate, rendering

SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # an admin's PATH may lack sbin
OLDEST_VERSION = (3, 7)  # patterns within main.cf, which virtual_alias_maps needs
CHECK_TIMEOUT_SECONDS = 60
MAIL_OWNER = "postfix"


class PostfixUnusable(MailweirError):
    """Postfix isn't installed, is too old, or rejects its configuration."""


@dataclass(frozen=True)
class Account:
    """A user of the system."""

    name: str
    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> "Account":
        """KeyError if there is no such user."""
        entry = pwd.getpwnam(name)
        return cls(name, entry.pw_uid, entry.pw_gid)


def check_installed() -> None:
    """PostfixUnusable if Postfix is missing or older than the templates need."""
    for program in ("postfix", "postconf"):
        if shutil.which(program, path=SEARCH_PATH) is None:
            raise PostfixUnusable(
                f"the program '{program}' isn't here: install the Debian package 'postfix' ('make setup' does)"
            )
    version = _run("postconf", "-d", "-h", "mail_version").stdout.strip()
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < OLDEST_VERSION:
        raise PostfixUnusable(f"Postfix {version} is too old: 3.7 or newer is needed")


class Instance:
    """One private instance. Each `prepare` writes its configuration again."""

    def __init__(self, settings: Settings, run_as: Account) -> None:
        self._settings = settings
        self._run_as = run_as
        self._postfix = Account.named(MAIL_OWNER)
        self.places = rendering.Places.of(settings)

    def prepare(self, now: datetime.datetime) -> None:
        """Makes folders, certificate and configuration, and lets Postfix check them; PostfixUnusable if it reports faults."""
        configuration = rendering.render(self._settings, run_as_uid=self._run_as.uid, run_as_gid=self._run_as.gid)
        self._make_folders()
        certificate.ensure_self_signed(self.places.certificate_file, self._settings.hostname, now)
        rendering.write(configuration, self.places.config_dir)
        self._refuse_warnings()
        self.check()

    def _make_folders(self) -> None:
        places, run_as = self.places, self._run_as
        for folder in (places.config_dir.parent, places.config_dir, places.queue_dir):
            make_folder(folder, 0o755)
        make_folder(places.state_dir, 0o700, self._postfix)
        # While postlogd doesn't run, postsuper opens the log itself, as Postfix's user: it warns about files of a killed cleanup.
        make_folder(self._settings.log_dir, 0o710, Account("root", 0, self._postfix.gid))
        _make_file(self._settings.log_dir / "postfix.log", 0o640, self._postfix)
        make_folder(places.certificate_file.parent, 0o700)
        if self._settings.outbound == "outbox":
            for folder in (
                self._settings.outbox_dir,
                *(self._settings.outbox_dir / name for name in ("tmp", "new", "cur")),
            ):
                make_folder(folder, 0o700, run_as)
        make_run_folder(self._settings, run_as)

    def _refuse_warnings(self) -> None:
        # postconf warns of unknown and unused parameters, which Postfix would ignore silently.
        said = _run("postconf", "-c", str(self.places.config_dir), "-n").stderr
        said += _run("postconf", "-c", str(self.places.config_dir), "-M").stderr
        if said:
            raise PostfixUnusable(f"Postfix complains about its configuration: {' '.join(said.split())}")

    def check(self) -> None:
        """The steps of `postfix start` before it starts the master: creates the queue, repairs it after a crash."""
        done = _run("postfix", "-c", str(self.places.config_dir), "check")
        if done.returncode != 0:
            why = " ".join(done.stderr.split()) or f"see {self._settings.log_dir / 'postfix.log'}"
            raise PostfixUnusable(f"Postfix can't start from {self.places.config_dir}: {why}")

    def command(self) -> list[str]:
        """The command that runs the master in the foreground; run `check` first.

        `postfix start-fg` would put a shell between us and the master, and neither a signal to that shell nor its death would
        reach the master. This is the command that the shell would run.
        """
        config_dir = str(self.places.config_dir)
        daemon_dir = _run("postconf", "-c", config_dir, "-h", "daemon_directory").stdout.strip()
        return [f"{daemon_dir}/master", "-c", config_dir, "-s"]

    def remove_sockets(self) -> None:
        """Removes the sockets that a stopped Postfix leaves behind; it creates them again."""
        for folder in (self.places.queue_dir / "private", self.places.queue_dir / "public"):
            with contextlib.suppress(FileNotFoundError):
                for entry in folder.iterdir():
                    if stat.S_ISSOCK(entry.lstat().st_mode) or stat.S_ISFIFO(entry.lstat().st_mode):
                        entry.unlink(missing_ok=True)


def make_run_folder(settings: Settings, run_as: Account) -> None:
    """DIR/run: the daemons make sockets in it, which get its group (setgid) and so can be opened by Postfix."""
    make_folder(settings.milter_socket.parent, 0o2750, Account(run_as.name, run_as.uid, Account.named(MAIL_OWNER).gid))


def make_folder(folder: Path, mode: int, owner: Account | None = None) -> None:
    """Creates one folder, or corrects the owner and mode of an existing one. owner: root if None."""
    folder.mkdir(exist_ok=True)
    # Not through a link: a folder's owner could direct root to somebody else's folder.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, owner.uid if owner else 0, owner.gid if owner else 0)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _make_file(path: Path, mode: int, owner: Account) -> None:
    """Creates an empty file, or corrects the owner and mode of an existing one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    try:
        os.fchown(descriptor, owner.uid, owner.gid)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAIL_")}
    try:
        return subprocess.run(
            arguments,
            env=environment | {"PATH": SEARCH_PATH},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=CHECK_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PostfixUnusable(f"can't run {arguments[0]}: {error}") from error
