"""The client library of the sync, called directly: for the tests of the Gmail server itself."""

import json
from collections.abc import Callable
from typing import Any

import httplib2
import pytest
from google.auth.transport.requests import Request as AuthRequest
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from tests.gmail.server import GmailServer, Mailbox

JANE = b"From: Jane <jane@client.example>\r\nTo: richard@firm.example\r\nSubject: An offer\r\nMessage-ID: <1@client.example>\r\n"
ODD = JANE + b"X-Folded: a\r\n\tb\r\nFrom: two@client.example\r\n\r\nbare\rCR, bare\nLF, NUL \0, \xff\xfe and no end"


def mail(
    author: str, *, to: str = "richard@firm.example", number: int = 1, more: str = "", body: str = "hello"
) -> bytes:
    """A plain message."""
    head = f"From: {author}\r\nTo: {to}\r\nSubject: Number {number}\r\nMessage-ID: <{number}@client.example>\r\n{more}"
    return f"{head}\r\n{body}\r\n".encode()


Users = Callable[[Mailbox], Any]


def users_of(gmail: GmailServer, credentials: Credentials) -> Any:
    service = build(
        "gmail",
        "v1",
        http=AuthorizedHttp(credentials, http=httplib2.Http(timeout=30)),
        client_options={"api_endpoint": gmail.endpoint},
        static_discovery=True,
    )
    return service.users()


def refresh(credentials: Any) -> None:
    credentials.refresh(AuthRequest())


def ids_of(page: dict[str, Any]) -> list[str]:
    return [one["id"] for one in page.get("messages", [])]


def ids_found(api: Any, query: str, **more: Any) -> set[str]:
    return set(ids_of(api.messages().list(userId="me", q=query, **more).execute()))


def error_of(request: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as raised:
        request.execute(num_retries=0)
    (inner,) = json.loads(raised.value.content)["error"]["errors"]
    return raised.value.resp.status, inner["reason"]
