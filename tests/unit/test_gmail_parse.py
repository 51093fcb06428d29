"""Gmail's answers, parsed without a server: possible addresses in headers, raw messages, and relevant history."""

import base64
import itertools
import json
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mailweir.gmail import parse

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly


def test_whom_decoded_headers_may_concern() -> None:
    headers = (
        (b"From", b" Doe, Jane (Client; Ltd) <Jane@Client.example>, 'x@y.example'"),
        (b"CC", b' "a, b" <c@d.example>; <"odd name"@e.example>, evil@f.example@g.example'),
        (b"Subject", b" not@this.example"),
    )
    found = parse.possible_addresses(headers)
    assert found >= {"jane@client.example", "x@y.example", "c@d.example"}
    assert "not@this.example" not in found


@pytest.mark.slow
def test_whom_headers_may_concern_takes_linear_time(grows_linearly: "GrowsLinearly") -> None:
    for piece in ("a", "a@", "<a@b.example>,", "(", '"', "\\"):
        grows_linearly(_look_for_addresses(piece))


def _look_for_addresses(piece: str) -> Callable[[int], object]:
    return lambda size: parse.possible_addresses([(b"To", piece.encode() * size)])


@pytest.mark.parametrize(
    "text",
    ["_-8=", "_-8", "_-8\\u003d", "_-8\\u003D", "/+8=", "\\u005f-8="],
    ids=["padded", "not", "as Google escapes it", "or so", "standard alphabet", "escaped within"],
)
def test_raw_in_each_way_it_may_be_written(text: str) -> None:
    content = b'{"id":"m1",\n  "raw" : "%s", "internalDate": "0"}' % text.encode()
    assert parse.raw_message(content).raw == b"\xff\xef"


def test_a_large_message_takes_little_more_memory_than_itself() -> None:
    raw = bytes(range(256)) * (35 * 4096)
    content = b'{"id":"m1","internalDate":"0","raw":"' + base64.urlsafe_b64encode(raw) + b'"}'
    tracemalloc.start()
    try:
        assert parse.raw_message(content).raw == raw
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * len(raw)


def test_changes_of_labels_that_count_for_nothing_concern_no_message() -> None:
    """5,000 changes (read, unread, starred, categorised) ask for no message."""
    changed = [
        {kind: [{"message": {"id": f"m{number}", "labelIds": ["INBOX", label]}, "labelIds": [label]}]}
        for number, label in zip(range(5_000), itertools.cycle(["UNREAD", "STARRED", "CATEGORY_UPDATES", "Label_7"]))
        for kind in ("labelsAdded", "labelsRemoved")
    ]
    found = parse.history_page(json.dumps({"history": changed, "historyId": "9"}).encode())
    assert (found.message_ids, found.sent, found.drafts) == ((), frozenset(), ())
    sent = {"labelsAdded": [{"message": {"id": "a1"}, "labelIds": ["SENT"]}]}
    draft = {"labelsAdded": [{"message": {"id": "a2", "labelIds": ["DRAFT"]}, "labelIds": ["DRAFT"]}]}
    found = parse.history_page(json.dumps({"history": [sent, draft], "historyId": "9"}).encode())
    assert (found.message_ids, found.sent, found.drafts) == (("a1",), frozenset({"a1"}), ("a2",))
