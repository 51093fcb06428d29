"""Where the database is: an SQLite file (a Path), or a database on a PostgreSQL server.

Opens nothing. Made by `settings`; read by `store`. Standard library only.
"""

import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mailweir.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Postgresql:
    """A database on a server. url: `postgresql://USER@HOST:PORT/NAME`, without a password; password_file: its mode is 0600."""

    url: str
    password_file: Path | None = None

    def __str__(self) -> str:
        return self.url

    def password(self) -> str | None:
        """The content of the password file, without its line end. SettingsError if the file can't be read, or others can read
        it."""
        if self.password_file is None:
            return None
        try:
            mode = self.password_file.stat().st_mode
            text = self.password_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"can't read the password of the database in {self.password_file}: {error}") from error
        if stat.S_IMODE(mode) & 0o077:
            raise SettingsError(f"{self.password_file} holds a password and others can read it: chmod 600 it")
        return text.rstrip("\r\n")


DatabaseUrl = Path | Postgresql


def fault_of(url: str) -> str | None:
    """The fault in the address of a database, or None."""
    if url.startswith("sqlite:/"):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme != "postgresql" or not parts.path.strip("/") or port == 0:
        return 'must be "sqlite:/absolute/path" or "postgresql://USER@HOST:PORT/NAME"'
    if parts.password is not None or "password=" in parts.query:
        return "must not hold the password: put that into the file that database_password_file names"
    return None
