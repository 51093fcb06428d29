"""Passwords of logins: made up here, shown once, and kept as a hash.

ARGON2ID with little memory and time: a password of 160 random bits can't be guessed whatever its hash costs, and an expensive one
would let whoever guesses slow down everybody (64 MiB: 11 logins a second). Called by the command line and by `mailweir-auth`.
"""

import secrets

from argon2 import PasswordHasher, exceptions, low_level

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 characters, 5 bits each; none is taken for another one
PASSWORD_CHARS = 32
_MEMORY_KIB, _TIME, _LANES = 8_192, 1, 1
_SCHEME = "{ARGON2ID}"


def generate() -> str:
    """A new password of 160 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_CHARS))


def digest(password: str) -> str:
    """Its hash with the scheme's name before it (RFC 9106 in the form of crypt(5)): `{ARGON2ID}$argon2id$…`."""
    hasher = PasswordHasher(time_cost=_TIME, memory_cost=_MEMORY_KIB, parallelism=_LANES)
    return _SCHEME + hasher.hash(password)


def is_right(stored: str, password: bytes) -> bool:
    """Is this the password of which `digest` made that? ValueError where no hash of it is stored."""
    try:
        return low_level.verify_secret(stored.removeprefix(_SCHEME).encode(), password, low_level.Type.ID)
    except exceptions.VerifyMismatchError:
        return False
    except exceptions.VerificationError as error:
        raise ValueError("what is stored is no ARGON2ID hash") from error
