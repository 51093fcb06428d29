"""Verifies an ID token: was it made by the provider, for us, for this sign-in, and for now? (OpenID Connect Core 1.0, 3.1.3.7)

Only signatures with public keys count, and neither `none` nor signatures with a shared secret. Authlib checks the claims. It is
loaded when somebody signs in. Called by `provider`.
"""

from collections.abc import Sequence
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from mailweir.openid.refusals import ProviderRefusal, Why

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_KINDS = {"RSA", "EC"}
_LEEWAY_SECONDS = 60
_MOST_CHARS = 50_000


class UnknownKey(Exception):
    """The token names an unknown key: the provider may have a new one."""


def keys_of(document: dict[str, Any]) -> tuple[Key, ...]:
    """The public signing keys of a JWK set. An unreadable one is left out. ProviderRefusal if there is none."""
    given = document.get("keys")
    found = []
    for one in given if isinstance(given, list) else []:
        if not isinstance(one, dict) or one.get("kty") not in _KINDS or one.get("use", "sig") != "sig":
            continue
        try:
            found.append(JWKRegistry.import_key(one))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not found:
        raise ProviderRefusal(Why.UNREACHABLE, "the provider's key set has no key that can be read")
    return tuple(found)


def claims(
    token: str, keys: Sequence[Key], *, issuer: str, client_id: str, nonce: str, access_token: str | None, now: float
) -> dict[str, Any]:
    """The token's claims. now: seconds since 1970. UnknownKey; ProviderRefusal (TOKEN) for every other fault."""
    if len(token) > _MOST_CHARS:
        raise ProviderRefusal(Why.TOKEN, "the ID token is too long")
    try:
        header = jws.extract_compact(token.encode()).headers()
        read = jwt.decode(token, _key(keys, header), algorithms=ALGORITHMS)
        found = CodeIDToken(
            read.claims,
            read.header,
            options={"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}},
            params={"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        found.validate(now=int(now), leeway=_LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderRefusal(Why.TOKEN, f"the ID token isn't valid: {error}"[:200]) from error
    return dict(found)


def _key(keys: Sequence[Key], header: dict[str, Any]) -> Key:
    """The key that the header names; the only key, if it names none."""
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"the algorithm {algorithm!r} isn't taken")
    kind = "EC" if str(algorithm).startswith("ES") else "RSA"
    kid = header.get("kid")
    found = [one for one in keys if one.key_type == kind and (kid is None or one.kid == kid)]
    if kid is not None and not found:
        raise UnknownKey
    if len(found) != 1:
        raise ValueError("it names none of several keys")
    return found[0]
