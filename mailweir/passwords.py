"""Passwords, and their stored hashes (ARGON2ID).

Passwords of the relay's logins are generated here and shown once. Their hashes use little memory and time: a password of 160
random bits can't be guessed at any cost, and with an expensive hash, guessing would slow down everybody (64 MiB: 11 logins a
second). Passwords that people choose for the page can be guessed, so their hashes use much of both (RFC 9106, 4). Called by the
command line, by `mailweir-auth` and by the page's sign-in.
"""

import enum
import secrets
import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher, exceptions, low_level

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 characters, 5 bits each; none looks like another
PASSWORD_CHARS = 32
LEAST_CHARS, MOST_CHARS = 12, 200
_LEAST_DIFFERENT = 5
_SHORTEST_NAME = 4  # a shorter name is part of many words
_SCHEME = "{ARGON2ID}"


@dataclass(frozen=True, slots=True)
class Strength:
    """The cost of one guess."""

    memory_kib: int
    time: int
    lanes: int = 1


GENERATED = Strength(memory_kib=8_192, time=1)
CHOSEN = Strength(memory_kib=65_536, time=3)


class Fault(enum.StrEnum):
    """Why a password isn't allowed."""

    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    TOO_PLAIN = "too plain"
    HAS_NAME = "has the name"


def generate() -> str:
    """A new password of 160 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_CHARS))


def typed(password: str) -> bytes:
    """A typed password in one form: keyboards produce an `ü` as one character or as two (RFC 8265, 4.2)."""
    return unicodedata.normalize("NFC", password).encode(errors="replace")


def fault_of(password: str, name: str) -> Fault | None:
    """Why the account of this name can't have this password; None if it can."""
    if len(password) < LEAST_CHARS:
        return Fault.TOO_SHORT
    if len(password) > MOST_CHARS:
        return Fault.TOO_LONG
    if len(name) >= _SHORTEST_NAME and name.casefold() in password.casefold():
        return Fault.HAS_NAME
    return Fault.TOO_PLAIN if len(set(password)) < _LEAST_DIFFERENT else None


def digest(password: str | bytes, strength: Strength = GENERATED) -> str:
    """The password's hash, with the scheme's name before it (RFC 9106 in the form of crypt(5)): `{ARGON2ID}$argon2id$…`."""
    hasher = PasswordHasher(time_cost=strength.time, memory_cost=strength.memory_kib, parallelism=strength.lanes)
    return _SCHEME + hasher.hash(password)


def is_right(stored: str, password: bytes) -> bool:
    """Is this the password from which `digest` made the stored hash? ValueError if the stored text isn't a hash."""
    try:
        return low_level.verify_secret(stored.removeprefix(_SCHEME).encode(), password, low_level.Type.ID)
    except exceptions.VerifyMismatchError:
        return False
    except exceptions.VerificationError as error:
        raise ValueError("what is stored is no ARGON2ID hash") from error
