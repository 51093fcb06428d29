"""The private Dovecot in the data folder, which proves logins for Postfix: its folders, configuration and command.

Touches nothing of a Dovecot that the system has, and opens no port. Called by `mailweir up`, as root.
"""

import contextlib
import shutil
import stat
import subprocess
from pathlib import Path

from mailweir.settings import Settings
from postfix import rendering
from postfix.instance import CHECK_TIMEOUT_SECONDS, MAIL_OWNER, SEARCH_PATH, PostfixUnusable, make_folder

_SERVICES = ("dovecot", "doveconf")


class DovecotUnusable(PostfixUnusable):
    """Dovecot isn't installed, is another version, or doesn't like its configuration."""


def check_installed() -> None:
    """DovecotUnusable where Dovecot isn't there or is of a version that the template isn't for."""
    for program in _SERVICES:
        if shutil.which(program, path=SEARCH_PATH) is None:
            raise DovecotUnusable(
                f"the program '{program}' isn't here: install the Debian package 'dovecot-core' ('make setup' does)"
            )
    version = _run("dovecot", "--version").stdout.strip()
    if not version.startswith("2.3."):
        raise DovecotUnusable(f"Dovecot {version.split()[0] if version else '?'} won't do: 2.3 is needed")


class Dovecot:
    """One private instance. Its configuration is made anew by each `prepare`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = settings.data_dir / "dovecot"
        self._conf = rendering.Places.of(settings).dovecot_dir / "dovecot.conf"

    def prepare(self) -> None:
        """Makes folders and configuration, and lets Dovecot check them; DovecotUnusable where it complains."""
        run_dir = self._settings.auth_socket.parent
        for folder in (self._base, self._conf.parent, run_dir, self._base / "state"):
            make_folder(folder, 0o755)
        texts = rendering.render_dovecot(self._settings, MAIL_OWNER)
        for name, text in texts.items():
            (self._conf.parent / name).write_text(text, encoding="utf-8")
        done = _run("doveconf", "-c", str(self._conf), "-n")
        if done.returncode != 0:
            raise DovecotUnusable(f"Dovecot can't start from {self._conf}: {' '.join(done.stderr.split())}")
        with contextlib.suppress(FileNotFoundError):
            (run_dir / "master.pid").unlink()  # of a killed one: its number may be another process's by now

    def remove_sockets(self) -> None:
        """Removes the sockets that a stopped Dovecot leaves behind; it makes them anew."""
        for entry in self._settings.auth_socket.parent.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(entry.lstat().st_mode) or stat.S_ISFIFO(entry.lstat().st_mode):
                    entry.unlink()

    def command(self) -> list[str]:
        """Runs it in the foreground."""
        found = shutil.which("dovecot", path=SEARCH_PATH)
        return [found or "dovecot", "-F", "-c", str(self._conf)]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            arguments,
            env={"PATH": SEARCH_PATH, "LANG": "C.UTF-8"},
            cwd=Path("/"),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=CHECK_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DovecotUnusable(f"can't run {arguments[0]}: {error}") from error
