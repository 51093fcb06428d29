"""Gmail's API over HTTP: the one place that asks it. By google-api-python-client, from its static discovery document.

Never retries or sleeps, never asks in batches: whoever is refused goes back into the queue. `errors` says what can go wrong.
Called by `sweep` and the command line.
"""

import copy
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httplib2
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from gmail_sync import answers, faults, transport
from gmail_sync.answers import HistoryPage, ListPage, Metadata, Profile, RawMessage
from gmail_sync.errors import GmailError, HistoryExpired, MessageGone, Refused, Unreachable
from gmail_sync.tokens import Credentials
from mailweir import settings
from mailweir.errors import BadInput

MAX_URL_CHARS = 2_048  # with more, the client makes a POST of it, which Gmail's limits count otherwise
_ME = "me"
_ANYTHING = "ANYTHING"  # a place in an address
_PAGE = 500  # the most that Gmail gives at a time
_CHANGES = ("messageAdded", "labelAdded", "labelRemoved")
_HISTORY_FIELDS = (
    "history(messagesAdded/message(id,labelIds),labelsAdded(labelIds,message(id,labelIds)),"
    "labelsRemoved(labelIds,message(id,labelIds))),nextPageToken,historyId"
)
# All headers: Gmail compares names in `metadataHeaders` letter by letter, and mail comes with `FROM:` too
_METADATA_FIELDS = "id,labelIds,sizeEstimate,internalDate,payload/headers"
_RAW_FIELDS = "id,labelIds,internalDate,raw"

_Answer = TypeVar("_Answer")
Spend = Callable[[int], None]


class _Missing(GmailError):
    """404 of a method that Gmail has, and a test server may not."""


class _Question:
    """A question that is asked again and again about something else: to have the client make it anew costs as much as to send it.

    request: one that the client made about _ANYTHING.
    """

    def __init__(self, request: Any) -> None:
        self._request = request
        self._before, self._after = request.uri.split(_ANYTHING)

    def about(self, what: str) -> Any:
        """The same about this."""
        made = copy.copy(self._request)
        made.headers = dict(self._request.headers)  # the client adds to them
        made.uri = f"{self._before}{quote(what, safe='')}{self._after}"
        return made


class Api:
    """One for a process, for all its threads. Holds no user's credentials.

    SettingsError where tokens would go over a network in the clear.
    """

    def __init__(self, config: settings.Gmail) -> None:
        transport.refuse_insecure(config.api_endpoint, "gmail.api_endpoint")
        self.config = config
        self._thread = threading.local()
        options = {"api_endpoint": config.api_endpoint.rstrip("/") + "/"}
        service = build("gmail", "v1", http=httplib2.Http(), static_discovery=True, client_options=options)
        # made once: each of these costs as much as a request
        self.users = service.users()
        self.messages = self.users.messages()
        self.histories = self.users.history()
        self.ask_history = _Question(self.history_request(_ANYTHING, None))
        get = self.messages.get
        self.ask_metadata = _Question(get(userId=_ME, id=_ANYTHING, format="metadata", fields=_METADATA_FIELDS))
        self.ask_raw = _Question(get(userId=_ME, id=_ANYTHING, format="raw", fields=_RAW_FIELDS))

    def history_request(self, start: str, page: str | None) -> Any:
        """A page of what came since `start`; None: the first one."""
        return self.histories.list(
            userId=_ME,
            startHistoryId=start,
            historyTypes=list(_CHANGES),
            maxResults=_PAGE,
            pageToken=page,
            fields=_HISTORY_FIELDS,
        )

    def mailbox(self, credentials: Credentials, spend: Spend) -> "Mailbox":
        """A mailbox, for one thread at a time. spend: told before each request what it costs, in units of quota; may raise."""
        return Mailbox(self, credentials, spend)

    def connections(self) -> httplib2.Http:
        """This thread's connections."""
        made: httplib2.Http | None = getattr(self._thread, "connections", None)
        if made is None:
            made = self._thread.connections = transport.connections(
                self.config.timeout_seconds, self.config.idle_seconds
            )
        return made


class Mailbox:
    """Asks for one mailbox. Each method raises Throttled, Unreachable, NeedsReconnect and Refused beside what it names."""

    def __init__(self, api: Api, credentials: Credentials, spend: Spend) -> None:
        self._api = api
        self._credentials = credentials
        self._spend = spend

    def profile(self) -> Profile:
        """Whose it is, and where its history stands. Where getProfile is missing (404), by the newest message."""
        request = self._api.users.getProfile(userId=_ME, fields="emailAddress,historyId")
        try:
            return self._ask(request, self._api.config.profile_units, _of_json(answers.profile), missing=_Missing)
        except _Missing:
            return Profile(self._main_address(), self._newest_history_id())

    def history(self, start: str, page: str | None = None) -> HistoryPage:
        """What may have become relevant since `start`, of all labels.

        HistoryExpired, also where the mailbox's history is another one: it stands before `start`, or knows no such number.
        """
        api = self._api
        request = api.history_request(start, page) if page else api.ask_history.about(start)
        units = self._api.config.history_units
        try:
            found = self._ask(request, units, _of_json(answers.history_page), missing=HistoryExpired)
        except Refused as error:
            if error.status == HTTPStatus.BAD_REQUEST and page is None:
                raise HistoryExpired(str(error)) from error
            raise
        if int(found.history_id) < int(start):
            raise HistoryExpired("Gmail's history stands before the cursor")
        return found

    def list_ids(self, query: str, page: str | None = None, max_results: int = _PAGE) -> ListPage:
        """The messages that a query (Gmail's search) finds, without spam and trash, the newest first.

        BadInput where the query is too long for a URL.
        """
        fields = "messages/id,nextPageToken"
        request = self._api.messages.list(
            userId=_ME, q=query or None, pageToken=page, maxResults=max_results, fields=fields
        )
        if len(request.uri) > MAX_URL_CHARS:
            raise BadInput(
                f"a query of {len(query)} characters is too long for Gmail: ask for fewer addresses at a time"
            )
        return self._ask(request, self._api.config.list_units, _of_json(answers.list_page))

    def metadata(self, message_id: str) -> Metadata:
        """A message without its body. MessageGone."""
        request = self._api.ask_metadata.about(message_id)
        return self._message(request, message_id, _of_json(answers.metadata))

    def raw(self, message_id: str) -> RawMessage:
        """A whole message. MessageGone."""
        request = self._api.ask_raw.about(message_id)
        # base64 shrinks little; and an attachment of zeros shrinks so well that httplib2 takes the answer for an attack
        request.headers["accept-encoding"] = "identity"
        return self._message(request, message_id, answers.raw_message)

    def _message(self, request: Any, message_id: str, read: Callable[[bytes], _Answer]) -> _Answer:
        def read_this_one(content: bytes) -> _Answer:
            found: Any = read(content)
            if found.id != message_id:
                raise ValueError("the answer is about another message")
            return found  # type: ignore[no-any-return]

        return self._ask(request, self._api.config.get_units, read_this_one, missing=MessageGone)

    def _main_address(self) -> str:
        request = self._api.users.settings().sendAs().list(userId=_ME)
        try:
            return self._ask(request, self._api.config.profile_units, _of_json(answers.main_address))
        except Refused:
            return ""

    def _newest_history_id(self) -> str:
        newest = self.list_ids("", max_results=1).message_ids
        if not newest:
            return "1"
        request = self._api.messages.get(userId=_ME, id=newest[0], format="minimal", fields="historyId")
        return self._ask(request, self._api.config.get_units, _of_json(answers.history_id), missing=Unreachable)

    def _ask(
        self,
        request: Any,
        units: int,
        read: Callable[[bytes], _Answer],
        missing: type[GmailError] | None = None,
    ) -> _Answer:
        self._spend(units)
        request.postproc = _as_it_is  # the client would give back what is no JSON as a text
        connections = self._api.connections()
        try:
            authorized = AuthorizedHttp(self._credentials, http=connections, max_refresh_attempts=1)
            return read(request.execute(http=authorized, num_retries=0))
        except HttpError as error:
            if error.resp.status == 404 and missing is _Missing:
                raise _Missing from error
            answer = (error.resp.status, error.resp, error.content, datetime.now(UTC), missing)
            refusal = faults.of_answer(*answer, about_message=missing is MessageGone)
            raise refusal from error
        except BaseException as error:
            connections.close()  # nobody may read the rest of this answer for another one
            if isinstance(error, transport.FAULTS):
                raise transport.unreachable(error, request.uri) from error
            raise


def _of_json(read: Callable[[Any], _Answer]) -> Callable[[bytes], _Answer]:
    return lambda content: read(json.loads(content))


def _as_it_is(_: httplib2.Response, content: bytes) -> bytes:
    return content
