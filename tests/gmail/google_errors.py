"""Error bodies as Google's servers write them: those of the Gmail API, and of the token endpoint (RFC 6749 5.2).

Source: developers.google.com/workspace/gmail/api/guides/handle-errors
"""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """A whole answer: status, body, and headers beside Content-Length."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json; charset=UTF-8"})


def api_error(
    code: int, message: str, reason: str, *, domain: str = "global", status: str = "", retry_after: str | None = None
) -> Answer:
    """An error of the API. retry_after: seconds or an HTTP date, as in the header."""
    inner = {"message": message, "domain": domain, "reason": reason}
    if code == 401:
        inner |= {"location": "Authorization", "locationType": "header"}
    error: dict[str, object] = {"code": code, "message": message, "errors": [inner]}
    if status:
        error["status"] = status
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return Answer(code, json.dumps({"error": error}, indent=2).encode(), headers)


def token_error(error: str, description: str, status: int = 400) -> Answer:
    """An error of the token endpoint."""
    return Answer(status, json.dumps({"error": error, "error_description": description}, indent=2).encode())


def not_found() -> Answer:
    """A message that doesn't exist, a history that doesn't reach back so far, or another's mailbox."""
    return api_error(404, "Requested entity was not found.", "notFound", status="NOT_FOUND")


def bad_request(message: str) -> Answer:
    """A request that can't be answered in this form."""
    return api_error(400, message, "invalidArgument", status="INVALID_ARGUMENT")


def unauthorized() -> Answer:
    """An access token that is unknown, revoked or expired."""
    return api_error(401, "Invalid Credentials", "authError", status="UNAUTHENTICATED")


def forbidden_scope(message: str = "Request had insufficient authentication scopes.") -> Answer:
    """The token's scopes don't allow the call."""
    return api_error(403, message, "insufficientPermissions", status="PERMISSION_DENIED")
