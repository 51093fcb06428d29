"""The proxy's consents and tokens: the user of each, its scopes, and whether it is still valid."""

import threading
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Consent:
    """A code that waits to be exchanged. offline: the client requested access_type=offline, so it gets a refresh token."""

    address: str
    scope: str
    redirect_uri: str
    offline: bool


@dataclass
class Grant:
    """A consent and all tokens made from it. refresh_token: None for a service account's and for an online consent. client_id: of
    its client; "" for a service account's."""

    address: str
    scope: str
    refresh_token: str | None = None
    access_tokens: set[str] = field(default_factory=set)
    client_id: str = ""

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes as a set."""
        return frozenset(self.scope.split())


class Tokens:
    """Everything that was issued through the proxy and not revoked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offline_states: set[str] = set()
        self._codes: dict[str, Consent] = {}
        self._refresh: dict[str, Grant] = {}
        self._access: dict[str, Grant] = {}

    def page_asked(self, state: str, *, offline: bool) -> None:
        """Notes that a consent page was shown for this state."""
        with self._lock:
            (self._offline_states.add if offline else self._offline_states.discard)(state)

    def consented(self, code: str, address: str, scope: str, redirect_uri: str, state: str) -> None:
        """Notes that the user agreed."""
        with self._lock:
            self._codes[code] = Consent(address, scope, redirect_uri, state in self._offline_states)

    def take_code(self, code: str) -> Consent | None:
        """The consent behind a code; works once."""
        with self._lock:
            return self._codes.pop(code, None)

    def issued(self, grant: Grant, access_token: str) -> None:
        """Notes an issued access token of a grant."""
        with self._lock:
            grant.access_tokens.add(access_token)
            self._access[access_token] = grant
            if grant.refresh_token is not None:
                self._refresh[grant.refresh_token] = grant

    def refreshable(self, refresh_token: str) -> Grant | None:
        """The grant of a valid refresh token."""
        with self._lock:
            return self._refresh.get(refresh_token)

    def holder(self, access_token: str) -> Grant | None:
        """The grant of a valid access token."""
        with self._lock:
            return self._access.get(access_token)

    def revoke(self, token: str) -> Grant | None:
        """Ends the grant of a token of either kind, with all its tokens, as Google does; None if unknown."""
        with self._lock:
            grant = self._refresh.get(token) or self._access.get(token)
            if grant is None:
                return None
            self._end(grant)
            return grant

    def revoke_all(self, address: str) -> list[Grant]:
        """Ends all grants of a user, as when he removes the app from his account; returns them."""
        with self._lock:
            ended = [grant for grant in self._refresh.values() if grant.address == address]
            for grant in ended:
                self._end(grant)
            return ended

    def grants_of(self, address: str) -> list[Grant]:
        """A user's valid grants."""
        with self._lock:
            return [grant for grant in self._refresh.values() if grant.address == address]

    def expire_access(self, address: str) -> None:
        """Ends the access tokens of a user; refresh tokens stay valid."""
        with self._lock:
            for token in [token for token, grant in self._access.items() if grant.address == address]:
                self._access.pop(token).access_tokens.discard(token)

    def _end(self, grant: Grant) -> None:
        if grant.refresh_token is not None:
            self._refresh.pop(grant.refresh_token, None)
        for token in grant.access_tokens:
            self._access.pop(token, None)
