"""Passwords, and the hashes that are kept of them (ARGON2ID).

Those of the relay's logins are made up here and shown once. They get little memory and time: a password of 160 random bits can't
be guessed whatever its hash costs, and an expensive one would let whoever guesses slow down everybody (64 MiB: 11 logins a
second). Those that people choose for the page can be guessed, and get much of both (RFC 9106, 4). Called by the command line, by
`mailweir-auth` and by the page's sign-in.
"""

import enum
import secrets
import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher, exceptions, low_level

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 characters, 5 bits each; none is taken for another one
PASSWORD_CHARS = 32
LEAST_CHARS, MOST_CHARS = 12, 200
_LEAST_DIFFERENT = 5
_SHORTEST_NAME = 4  # a shorter one is in many words
_SCHEME = "{ARGON2ID}"


@dataclass(frozen=True, slots=True)
class Strength:
    """What a guess costs."""

    memory_kib: int
    time: int
    lanes: int = 1


GENERATED = Strength(memory_kib=8_192, time=1)
CHOSEN = Strength(memory_kib=65_536, time=3)


class Fault(enum.StrEnum):
    """Why a person can't choose a password."""

    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    TOO_PLAIN = "too plain"
    HAS_NAME = "has the name"


def generate() -> str:
    """A new password of 160 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_CHARS))


def typed(password: str) -> bytes:
    """What a person typed, in one form: keyboards make an `ü` of one character or of two (RFC 8265, 4.2)."""
    return unicodedata.normalize("NFC", password).encode(errors="replace")


def fault_of(password: str, name: str) -> Fault | None:
    """Why the account of this name can't have this password; None where it can."""
    if len(password) < LEAST_CHARS:
        return Fault.TOO_SHORT
    if len(password) > MOST_CHARS:
        return Fault.TOO_LONG
    if len(name) >= _SHORTEST_NAME and name.casefold() in password.casefold():
        return Fault.HAS_NAME
    return Fault.TOO_PLAIN if len(set(password)) < _LEAST_DIFFERENT else None


def digest(password: str | bytes, strength: Strength = GENERATED) -> str:
    """Its hash with the scheme's name before it (RFC 9106 in the form of crypt(5)): `{ARGON2ID}$argon2id$…`."""
    hasher = PasswordHasher(time_cost=strength.time, memory_cost=strength.memory_kib, parallelism=strength.lanes)
    return _SCHEME + hasher.hash(password)


def is_right(stored: str, password: bytes) -> bool:
    """Is this the password of which `digest` made that? ValueError where no hash of it is stored."""
    try:
        return low_level.verify_secret(stored.removeprefix(_SCHEME).encode(), password, low_level.Type.ID)
    except exceptions.VerifyMismatchError:
        return False
    except exceptions.VerificationError as error:
        raise ValueError("what is stored is no ARGON2ID hash") from error
