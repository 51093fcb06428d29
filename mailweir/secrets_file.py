"""The key file, which encrypts secrets in the database: DKIM's private keys, and the tokens of Gmail mailboxes.

A copy of the database alone reveals none of these. The file (`token_key_file` of the settings, mode 0600, its owner `run_as`)
holds one line, 32 random bytes in base64. Hosts that share a database have the same file. AES-256-GCM (NIST SP 800-38D); each
value is bound to its purpose, so a value can't be moved to another row. A process that must not read the values that it seals has
the public half alone (`Sealer`, `sealed_box`). Called by the filter, the sync, the page and the command line; the command line
makes the file.
"""

import base64
import binascii
import hmac
import os
import pwd
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from mailweir.errors import SettingsError
from mailweir.sentence import Sentence, said

KEY_BYTES = 32
_NONCE_BYTES = 12  # random; one key may seal 2^32 values
_FORMAT = b"\x01"
_BOX_FORMAT = b"\x02"  # sealed with the public half
_MAX_KEY_FILE_BYTES = 1_000
LOOK_AGAIN_SECONDS = 60.0


class Seals(Protocol):
    """Seals short values."""

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """The value encrypted. purpose: its kind and owner, e.g. its table and its row's name."""


class Sealer:
    """Seals values without being able to open them. public: the public half of the key file's pair, 32 bytes."""

    def __init__(self, public: bytes) -> None:
        self._public = public

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """The value encrypted, for `Secrets.open`. SettingsError if the public half is invalid."""
        from mailweir import sealed_box

        try:
            return _BOX_FORMAT + sealed_box.seal(self._public, plain, purpose)
        except ValueError as error:
            words = said("the database's public key is malformed: restart mailweir-gmail-sync")
            raise SettingsError(words) from error


class Secrets:
    """Seals and opens short values. key: 32 bytes. file: its origin, for errors."""

    def __init__(self, key: bytes, file: Path) -> None:
        # Imported when needed: it costs a worker 9 MB.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)
        self._key = key
        self._file = file

    @property
    def public_half(self) -> bytes:
        """The 32 bytes that a `Sealer` needs. They can't open anything."""
        from mailweir import sealed_box

        return sealed_box.public_of(self._key)

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """The value encrypted. purpose: its kind and owner, e.g. its table and its row's name."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """The decrypted value, for both ways of sealing. SettingsError if it was sealed under another key or for another purpose,
        or was altered."""
        from cryptography.exceptions import InvalidTag

        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if sealed[:1] == _BOX_FORMAT:
                return self._unboxed(sealed[1:], purpose)
            if sealed[:1] != _FORMAT:
                raise InvalidTag
            return self._cipher.decrypt(nonce, text, purpose.encode())
        except (InvalidTag, ValueError):
            words = said(
                "{file} doesn't open the database's secrets ({purpose}): copy the file from the host that made it, or "
                "from its backup",
                file=self._file,
                purpose=purpose,
            )
            raise SettingsError(words) from None

    def _unboxed(self, box: bytes, purpose: str) -> bytes:
        from mailweir import sealed_box

        return sealed_box.unseal(self._key, box, purpose)


class PurposeKey:
    """A key for one purpose alone, derived from the file's key (HMAC-SHA-256). A missing file is looked for again at most once a
    minute."""

    def __init__(self, file: Path, purpose: bytes, own_file: Path | None = None) -> None:
        """own_file: holds this key alone, for a process that must not read the key file; see `keep_apart`."""
        self._file = file
        self._purpose = purpose
        self._own_file = own_file
        self._key: bytes | None = None
        self._look_at = 0.0

    def get(self) -> bytes | None:
        """32 bytes; None if there is no readable key file."""
        if self._key is None and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_AGAIN_SECONDS
            with suppress(SettingsError):
                self._key = self._made()
        return self._key

    def _made(self) -> bytes:
        try:
            return hmac.digest(load_key(self._file), self._purpose, "sha256")
        except SettingsError:
            if self._own_file is None:
                raise
            return load_key(self._own_file)

    def is_apart(self) -> bool:
        """Does `own_file` hold this key? SettingsError if the key file can't be read."""
        wanted = hmac.digest(load_key(self._file), self._purpose, "sha256")
        with suppress(SettingsError):
            return self._own_file is not None and load_key(self._own_file) == wanted
        return False

    def keep_apart(self) -> None:
        """Writes the key to `own_file`, which gets the key file's owner. SettingsError if the key file can't be read; OSError."""
        if self._own_file is None:
            raise ValueError("it has no file of its own")
        owner = self._file.stat()
        key = hmac.digest(load_key(self._file), self._purpose, "sha256")
        with _new_file(self._own_file, key) as part:
            os.chown(part, owner.st_uid, owner.st_gid)
            part.replace(self._own_file)


def load(file: Path) -> Secrets:
    """Reads the key file. Errors: those of `load_key`."""
    return Secrets(load_key(file), file)


def load_key(file: Path) -> bytes:
    """The key itself, 32 bytes. SettingsError if the file is missing, others can read it, or it holds no key."""
    text = read_private(file, said("key"), _MAX_KEY_FILE_BYTES)
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(
            said("{file} holds no key: it must be one line, {number} bytes in base64", file=file, number=KEY_BYTES)
        )
    return key


def read_private(file: Path, what: str, max_bytes: int) -> bytes:
    """The content of a private file, up to max_bytes; empty if it isn't a regular file.

    what: "key", for errors; a sentence if it is to be translated. SettingsError if the file is missing, or others can read it.
    """
    try:
        # Don't block on a FIFO, don't follow a link.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(stream.fileno())
            text = stream.read(max_bytes) if stat.S_ISREG(found.st_mode) else b""
    except OSError as error:
        raise SettingsError(_unread(error, file, what)) from error
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SettingsError(said("{file} holds a {what} and others can read it: chmod 600 it", file=file, what=what))
    return text


def _unread(error: OSError, file: Path, what: str) -> Sentence:
    """The error for an unreadable file. If permission is denied, the error names the right owner."""
    why = error.strerror or str(error)
    if not isinstance(error, PermissionError):
        return said("can't read the {what} file {file}: {error}", what=what, file=file, error=why)
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    return said(
        "can't read the {what} file {file}: {error}; it must belong to {owner}, who must also be able to reach its folder",
        what=what,
        file=file,
        error=why,
        owner=name,
    )


def make(file: Path) -> None:
    """Creates the file if there is none, in an existing folder; of two processes at once, one makes the key and both use it.
    Errors: OSError."""
    with _new_file(file, os.urandom(KEY_BYTES)) as part, suppress(FileExistsError):
        os.link(part, file)


@contextmanager
def _new_file(file: Path, key: bytes) -> Iterator[Path]:
    """A temporary file beside the target; removed afterwards."""
    part = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(base64.b64encode(key) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def foreign(file: Path, wanted: str) -> str | None:
    """Why the file's owner is wrong; None if the owner is right, or can't be determined. wanted: the one user who may read the
    file."""
    try:
        uid, owner = file.stat().st_uid, pwd.getpwnam(wanted)
    except (OSError, KeyError):
        return None
    if uid == owner.pw_uid:
        return None
    return said("{file} belongs to uid {uid}, not to {wanted}, who can't read it", file=file, uid=uid, wanted=wanted)
