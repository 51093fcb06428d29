"""Gmail's API over HTTP: the only module that calls it.

Never sleeps, never sends batches, and repeats an answered request only with a new token (401): a refused mailbox goes back into
the queue. `errors` lists the errors. Used by the sync and the command line.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar

from mailweir import settings
from mailweir.errors import BadInput
from mailweir.gmail import error_mapping, parse, transport
from mailweir.gmail.errors import HistoryExpired, MessageGone, NotOffered, Refused, Unreachable
from mailweir.gmail.methods import Methods
from mailweir.gmail.parse import Garbled, HistoryPage, ListPage, Metadata, Profile, RawMessage
from mailweir.gmail.refusals import Asked
from mailweir.gmail.tokens import Credentials
from mailweir.gmail.transport import Answer, Connections
from mailweir.sentence import said

MAX_URL_CHARS = 2_048  # Google's own client sends a longer URL as a POST, which Gmail's limits count differently
_ME = "me"
_PAGE = 500  # the maximum that Gmail returns at a time
_CHANGES = ["messageAdded", "labelAdded", "labelRemoved"]
_HISTORY_FIELDS = (
    "history(messagesAdded/message(id,labelIds),labelsAdded(labelIds,message(id,labelIds)),"
    "labelsRemoved(labelIds,message(id,labelIds))),nextPageToken,historyId"
)
# Requests all headers: Gmail compares names in `metadataHeaders` case-sensitively, and some mail has `FROM:`.
_METADATA_FIELDS = "id,labelIds,sizeEstimate,internalDate,payload/headers"
_RAW_FIELDS = "id,labelIds,internalDate,raw"
# Google compresses only if the user agent contains `gzip`, too.
_PACKED = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "mailweir (gzip)"}
# base64 compresses little, and data that compresses much might be an attack.
_PLAIN = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "mailweir"}

_Found = TypeVar("_Found")
Spend = Callable[[int], None]


class Api:
    """One object serves all threads of a process. It holds no user's credentials.

    SettingsError if tokens would cross a network in the clear.
    """

    def __init__(self, config: settings.Gmail) -> None:
        transport.refuse_insecure(config.api_endpoint, "gmail.api_endpoint")
        self.config = config
        self.methods = Methods(config.api_endpoint)
        self._thread = threading.local()
        get = "users.messages.get"
        self.history_since = self.methods.about("users.history.list", "startHistoryId", **_history(None))
        self.metadata_of = self.methods.about(get, "id", userId=_ME, format="metadata", fields=_METADATA_FIELDS)
        self.raw_of = self.methods.about(get, "id", userId=_ME, format="raw", fields=_RAW_FIELDS)

    def mailbox(self, credentials: Credentials, spend: Spend) -> "MailboxReader":
        """A mailbox, for one thread at a time. spend: called before each request with its cost, in units of quota; may raise."""
        return MailboxReader(self, credentials, spend)

    def connections(self) -> Connections:
        """This thread's connections."""
        made: Connections | None = getattr(self._thread, "connections", None)
        if made is None:
            made = self._thread.connections = Connections(self.config.timeout_seconds, self.config.idle_seconds)
        return made


def _history(page: str | None) -> dict[str, Any]:
    """The parameters of a history request, except for its start. page: None for the first one."""
    asked = {"userId": _ME, "historyTypes": _CHANGES, "maxResults": _PAGE}
    return {**asked, "pageToken": page, "fields": _HISTORY_FIELDS}


class MailboxReader:
    """Requests for one mailbox. Besides the errors that a method names, each may raise Throttled, Unreachable, NeedsReconnect,
    AppRefused and Refused."""

    def __init__(self, api: Api, credentials: Credentials, spend: Spend) -> None:
        self._api = api
        self._credentials = credentials
        self._spend = spend

    def profile(self) -> Profile:
        """The mailbox's address, and its current history id. If the server has no getProfile (404), the id is the newest
        message's."""
        url = self._api.methods.url("users.getProfile", userId=_ME, fields="emailAddress,historyId")
        try:
            return self._ask(Asked.PROFILE, url, self._api.config.profile_units, parse.profile)
        except NotOffered:
            return Profile(self._main_address(), self._newest_history_id())

    def history(self, start: str, page: str | None = None) -> HistoryPage:
        """Messages that may have become relevant since `start`, of all labels.

        HistoryExpired, also if this is another mailbox's history: it ends before `start`, or Gmail rejects that number.
        """
        api, units = self._api, self._api.config.history_units
        if page:
            url = api.methods.url("users.history.list", startHistoryId=start, **_history(page))
            found = self._ask(Asked.PAGE, url, units, parse.history_page)
        else:
            found = self._ask(Asked.HISTORY, api.history_since.url(start), units, parse.history_page)
        if int(found.history_id) < int(start):
            raise HistoryExpired(said("Gmail's history stands before the cursor"))
        return found

    def list_ids(self, query: str, page: str | None = None, max_results: int = _PAGE) -> ListPage:
        """The messages that match a query (Gmail's search), without spam and trash, the newest first.

        BadInput if the query is too long for a URL.
        """
        asked = {"userId": _ME, "q": query or None, "pageToken": page, "maxResults": max_results}
        url = self._api.methods.url("users.messages.list", **asked, fields="messages/id,nextPageToken")
        if len(url) > MAX_URL_CHARS:
            raise BadInput(
                said(
                    "a query of {number} characters is too long for Gmail: ask for fewer addresses at a time",
                    number=len(query),
                )
            )
        return self._ask(Asked.OTHER, url, self._api.config.list_units, parse.list_page)

    def metadata(self, message_id: str) -> Metadata:
        """A message without its body. MessageGone."""
        return self._message(self._api.metadata_of.url(message_id), message_id, parse.metadata)

    def raw(self, message_id: str) -> RawMessage:
        """A whole message. MessageGone."""
        return self._message(self._api.raw_of.url(message_id), message_id, parse.raw_message, _PLAIN)

    def _message(
        self, url: str, message_id: str, read: Callable[[bytes], _Found], headers: dict[str, str] = _PACKED
    ) -> _Found:
        def read_this_one(content: bytes) -> _Found:
            found: Any = read(content)
            if found.id != message_id:
                raise Garbled("the answer is about another message")
            return found  # type: ignore[no-any-return]

        return self._ask(Asked.MESSAGE, url, self._api.config.get_units, read_this_one, headers)

    def _main_address(self) -> str:
        url = self._api.methods.url("users.settings.sendAs.list", userId=_ME)
        try:
            return self._ask(Asked.OTHER, url, self._api.config.profile_units, parse.main_address)
        except Refused:
            return ""

    def _newest_history_id(self) -> str:
        newest = self.list_ids("", max_results=1).message_ids
        if not newest:
            return "1"
        asked = {"userId": _ME, "id": newest[0], "format": "minimal", "fields": "historyId"}
        url = self._api.methods.url("users.messages.get", **asked)
        try:
            return self._ask(Asked.MESSAGE, url, self._api.config.get_units, parse.history_id)
        except MessageGone as error:
            raise Unreachable(str(error)) from error

    def _ask(
        self,
        asked: Asked,
        url: str,
        units: int,
        read: Callable[[bytes], _Found],
        headers: dict[str, str] = _PACKED,
    ) -> _Found:
        self._spend(units)
        connections = self._api.connections()
        answer = self._got(connections, url, headers)
        if answer.status == HTTPStatus.UNAUTHORIZED:  # the token may have ended early
            self._credentials.refresh(connections)
            answer = self._got(connections, url, headers)
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise error_mapping.of_api(asked, answer, datetime.now(UTC))
        try:
            return read(answer.data)
        except Garbled as error:
            connections.close()  # this may be the answer to an earlier request, and the right one may still come
            raise transport.garbled(error.__cause__ or error, url) from error

    def _got(self, connections: Connections, url: str, headers: dict[str, str]) -> Answer:
        given = dict(headers)
        self._credentials.before_request(connections, "GET", url, given)  # type: ignore[no-untyped-call]
        return connections(url, headers=given)
