"""The key file for a command that seals something: it is read, or made if it was never needed before.

This is done as the folder's owner if root may step down, so that the daemons can read the file and root follows no link. Called
by `commands.domain`, `commands.gmail_connect` and `commands.up`.
"""

import os
import pwd
from contextlib import suppress
from pathlib import Path

from admin_cli import context
from admin_cli.ownership import acting_as_owner, make_folder
from mailweir import secrets_file
from mailweir.errors import SettingsError
from mailweir.secrets_file import Secrets
from mailweir.settings import Settings
from mailweir.store.gmail import gmail_mailboxes, sealing_keys
from mailweir.store.people import dkim_keys


def opened(settings: Settings) -> Secrets:
    """The key to seal with.

    SettingsError if it can't be read or made, or if it is missing and the database holds data sealed with it: a new key couldn't
    open that data.
    """
    file = settings.token_key_path
    try:
        missing = not file.is_symlink() and not file.exists()
    except PermissionError as error:
        raise SettingsError(f"no permission for {file}: run this as root") from error
    if missing:
        _refuse_lost(settings, file)
        _make(settings, file)
    with acting_as_owner(file.parent):
        return secrets_file.load(file)


def note_public_half(settings: Settings) -> None:
    """Makes the key file if there is none, and stores its public half: the page seals tokens with it. Errors: as for `opened`."""
    public = opened(settings).public_half
    with context.opened(settings) as database:
        sealing_keys.note(database, public, context.now())


def _refuse_lost(settings: Settings, file: Path) -> None:
    with context.opened(settings) as database:
        if dkim_keys.sealed_keys(database) or gmail_mailboxes.has_sealed(database):
            raise SettingsError(
                f"there is no key file {file}, but the database holds data sealed with it: copy the file from the "
                "host that made it, or from its backup"
            )


def _make(settings: Settings, file: Path) -> None:
    try:
        make_folder(file.parent, settings.run_as)
        with acting_as_owner(file.parent) as stepped_down:
            secrets_file.make(file)
        if not stepped_down and os.geteuid() == 0:
            _give(file, settings.run_as)
    except OSError as error:
        raise SettingsError(f"can't make the key file {file}: {error.strerror or error}; run this as root") from error


def _give(file: Path, owner: str) -> None:
    """The daemons must be able to read the file in a folder of root's, too, such as `/etc/mailweir`."""
    with suppress(KeyError):
        entry = pwd.getpwnam(owner)
        os.chown(file, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
