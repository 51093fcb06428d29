"""Passwords of logins: made up here, shown once, and kept as a hash that Dovecot reads.

ARGON2ID with little memory and time: a password of 160 random bits can't be guessed whatever its hash costs, and an expensive one
would let whoever guesses slow down everybody (64 MiB: 11 logins a second). Called by the command line.
"""

import secrets

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 characters, 5 bits each; none is taken for another one
PASSWORD_CHARS = 32
_MEMORY_KIB, _TIME, _LANES = 8_192, 1, 1


def generate() -> str:
    """A new password of 160 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_CHARS))


def digest(password: str) -> str:
    """Its hash with Dovecot's name of the scheme before it: `{ARGON2ID}$argon2id$…`."""
    from argon2 import PasswordHasher  # the command line starts without it

    hasher = PasswordHasher(time_cost=_TIME, memory_cost=_MEMORY_KIB, parallelism=_LANES)
    return "{ARGON2ID}" + hasher.hash(password)
