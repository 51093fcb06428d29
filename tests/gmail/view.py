"""A mailbox as Gmail shows it, built from the emulator's answers: profile, history, search, headers unchanged."""

import json
import re
import threading
import urllib.parse
import zlib
from dataclasses import dataclass, field
from typing import Any

from tests.gmail import search
from tests.gmail.google_errors import Answer, bad_request, not_found
from tests.gmail.upstream import Upstream, raw_bytes

_HIDDEN = frozenset({"SPAM", "TRASH"})
_MOST_A_PAGE = 500
_DEFAULT_A_PAGE = 100
_FOLD = re.compile(r"\r?\n[ \t]+")

Query = dict[str, list[str]]


@dataclass
class _Index:
    """The search index of a mailbox at a historyId."""

    as_of: str = "0"
    messages: dict[str, search.Found] = field(default_factory=dict)


class View:
    """All mailboxes of an emulator. page_limit: the longest page, whatever is requested (0: as requested)."""

    def __init__(self, upstream: Upstream) -> None:
        self.page_limit = 0
        self._upstream = upstream
        self._lock = threading.Lock()
        self._floors: dict[str, int] = {}
        self._headers: dict[str, list[tuple[str, str]]] = {}
        self._indexes: dict[str, tuple[threading.Lock, _Index]] = {}

    def newest(self, address: str) -> str:
        """The mailbox's newest historyId; "1" if nothing ever happened."""
        found = self._upstream.json(address, "history", {"startHistoryId": "0", "maxResults": "1"})["historyId"]
        return "1" if found == "0" else str(found)

    def total(self, address: str) -> int:
        """The number of messages in the mailbox, including spam and trash."""
        query = {"maxResults": "1", "includeSpamTrash": "true"}
        return int(self._upstream.json(address, "messages", query)["resultSizeEstimate"])

    def expire_history(self, address: str) -> None:
        """From now on, a cursor older than now is too old."""
        with self._lock:
            self._floors[address] = int(self.newest(address))

    def profile(self, address: str) -> Answer:
        """users.getProfile."""
        total = self.total(address)
        return answer_json(
            {
                "emailAddress": address,
                "messagesTotal": total,
                "threadsTotal": total,
                "historyId": self.newest(address),
            }
        )

    def show_headers(self, message_id: str, headers: list[tuple[str, str]]) -> None:
        """From now on, a message's metadata has these headers: Gmail decodes encoded words, and the emulator doesn't."""
        with self._lock:
            self._headers[message_id] = headers

    def history(self, address: str, query: Query, *, bare: bool) -> Answer:
        """users.history.list: 404 below the floor, no empty keys, and page tokens that are valid for their own query only."""
        start = _only(query, "startHistoryId")
        if not (start.isascii() and start.isdigit()):
            return bad_request("Invalid startHistoryId" if start else "Missing startHistoryId")
        with self._lock:
            floor = self._floors.get(address, 0)
        if int(start) < floor:
            return not_found()
        paged = self._paged(query)
        if paged is None:
            return bad_request("Invalid pageToken")
        asked, first = paged
        if bare and first:
            return answer_json({"nextPageToken": _page_token(query, 0), "historyId": self.newest(address)})
        found = self._upstream.json(address, "history", asked)
        _empty_keys_away(found, "history")
        if found["historyId"] == "0":
            found["historyId"] = "1"
        return answer_json(_own_page_token(found, query))

    def messages(self, address: str, query: Query, *, bare: bool) -> Answer:
        """users.messages.list."""
        paged = self._paged(query)
        if paged is None:
            return bad_request("Invalid pageToken")
        asked, first = paged
        if bare and first:
            return answer_json({"nextPageToken": _page_token(query, 0), "resultSizeEstimate": 1})
        if text := _only(query, "q").strip():
            try:
                found = self._search(address, search.parse(text), asked)
            except search.BadQuery as error:
                return bad_request(f"Invalid query: {error}")
        else:
            found = self._upstream.json(address, "messages", asked)
        _empty_keys_away(found, "messages")
        return answer_json(_own_page_token(found, query))

    def metadata(self, address: str, message_id: str, query: Query) -> Answer:
        """users.messages.get, format=metadata: all headers as they are in the message, including repeated ones, unfolded."""
        path = f"messages/{urllib.parse.quote(message_id)}"
        try:
            found = self._upstream.json(address, path, {"format": "metadata"})
            headers = self._headers_of(address, message_id, "DRAFT" in found["labelIds"])
        except LookupError:
            return not_found()
        wanted = {name.lower() for name in query.get("metadataHeaders", [])}
        shown = [{"name": name, "value": value} for name, value in headers if not wanted or name.lower() in wanted]
        found["payload"]["headers"] = shown
        found["payload"]["mimeType"] = found["payload"]["mimeType"] or "text/plain"
        return answer_json(found)

    def _headers_of(self, address: str, message_id: str, changes: bool) -> list[tuple[str, str]]:
        with self._lock:
            known = self._headers.get(message_id)
        if known is None or changes:  # a draft is rewritten under its id
            got = self._upstream.json(address, f"messages/{urllib.parse.quote(message_id)}", {"format": "raw"})
            known = headers_of(raw_bytes(got["raw"]))
            with self._lock:
                self._headers[message_id] = known
        return known

    def _paged(self, query: Query) -> tuple[dict[str, str | list[str]], bool] | None:
        asked: dict[str, str | list[str]] = dict(query)
        size = _only(query, "maxResults")
        wanted = min(int(size), _MOST_A_PAGE) if size.isdigit() and int(size) else _DEFAULT_A_PAGE
        asked["maxResults"] = str(min(wanted, self.page_limit or wanted))
        page = _only(query, "pageToken")
        if not page:
            return asked, True
        offset, _, _ = page.partition("-")
        if not offset.isdigit() or page != _page_token(query, int(offset)):
            return None
        asked["pageToken"] = offset
        return asked, False

    def _search(self, address: str, query: search.Query, asked: dict[str, str | list[str]]) -> dict[str, Any]:
        wide = query.wide or _only(asked, "includeSpamTrash") == "true"
        labels = set(asked.get("labelIds", []))
        hits = [
            one
            for one in self._indexed(address)
            if (wide or not one.labels & _HIDDEN) and labels <= one.labels and query.test(one)
        ]
        hits.sort(key=lambda one: -one.internal_ms)
        offset = int(_only(asked, "pageToken") or 0)
        size = int(_only(asked, "maxResults"))
        found: dict[str, Any] = {
            "messages": [{"id": one.message_id, "threadId": one.thread_id} for one in hits[offset : offset + size]],
            "resultSizeEstimate": len(hits),
        }
        if offset + size < len(hits):
            found["nextPageToken"] = str(offset + size)
        return found

    def _indexed(self, address: str) -> list[search.Found]:
        """Every message. Requests only messages that changed since the last search."""
        with self._lock:
            lock, index = self._indexes.setdefault(address, (threading.Lock(), _Index()))
        with lock:
            newest = self.newest(address)
            if newest != index.as_of:
                self._refresh(address, index)
                index.as_of = newest
            return list(index.messages.values())

    def _refresh(self, address: str, index: _Index) -> None:
        present = self.ids(address)
        changed = self._changed_since(address, index.as_of)
        changed |= {one.message_id for one in index.messages.values() if "DRAFT" in one.labels}
        names = {one["id"]: one["name"] for one in self._upstream.json(address, "labels")["labels"]}
        kept = {id_: one for id_, one in index.messages.items() if id_ in present and id_ not in changed}
        for id_ in present - kept.keys():
            kept[id_] = self._found(address, id_, names)
        index.messages = kept

    def ids(self, address: str) -> set[str]:
        """Every message of a mailbox, including spam and trash."""
        ids: set[str] = set()
        query = {"maxResults": str(_MOST_A_PAGE), "includeSpamTrash": "true"}
        while True:
            page = self._upstream.json(address, "messages", query)
            ids |= {one["id"] for one in page["messages"]}
            if "nextPageToken" not in page:
                return ids
            query["pageToken"] = page["nextPageToken"]

    def _changed_since(self, address: str, start: str) -> set[str]:
        ids: set[str] = set()
        query = {"startHistoryId": start, "maxResults": str(_MOST_A_PAGE)}
        while True:
            page = self._upstream.json(address, "history", query)
            ids |= {one["id"] for record in page["history"] for one in record["messages"]}
            if "nextPageToken" not in page:
                return ids
            query["pageToken"] = page["nextPageToken"]

    def _found(self, address: str, message_id: str, names: dict[str, str]) -> search.Found:
        got = self._upstream.json(address, f"messages/{urllib.parse.quote(message_id)}", {"format": "minimal"})
        headers: dict[str, list[str]] = {}
        for name, value in self._headers_of(address, message_id, "DRAFT" in got["labelIds"]):
            headers.setdefault(name.lower(), []).append(value)
        return search.Found(
            message_id,
            got["threadId"],
            frozenset(got["labelIds"]),
            int(got["internalDate"]),
            headers,
            names,
            str(got.get("snippet", "")).lower(),
        )


def headers_of(raw: bytes) -> list[tuple[str, str]]:
    """A message's headers in their order, with names as written, and unfolded values."""
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0].decode("utf-8", "replace")
    found = []
    for line in _FOLD.sub(" ", head).splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip():
            found.append((name.strip(), value.strip()))
    return found


def answer_json(body: object) -> Answer:
    """200 with JSON."""
    return Answer(200, json.dumps(body).encode())


def _only(query: Query | dict[str, str | list[str]], name: str) -> str:
    value = query.get(name, "")
    return value if isinstance(value, str) else value[0] if value else ""


def _page_token(query: Query, offset: int) -> str:
    """Valid for the same query only. For another query, Google returns an error or, worse, the wrong page."""
    rest = sorted((name, value) for name, value in query.items() if name not in ("pageToken", "maxResults"))
    return f"{offset}-{zlib.crc32(repr(rest).encode()):08x}"


def _own_page_token(found: dict[str, Any], query: Query) -> dict[str, Any]:
    if found.get("nextPageToken"):
        found["nextPageToken"] = _page_token(query, int(found["nextPageToken"]))
    return found


def _empty_keys_away(found: dict[str, Any], name: str) -> None:
    if not found.get(name):
        found.pop(name, None)
