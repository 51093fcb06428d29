"""Gmail's API: requests, and the parsing of answers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mailweir.errors import BadInput
from mailweir.gmail import parse
from mailweir.gmail.api import MailboxReader
from mailweir.gmail.errors import Unreachable
from tests.gmail_api import calls
from tests.scripted_http import Answer, Server, as_json, raw_answer, refusal


def test_profile(mailbox: MailboxReader, server: Server, spent: list[int]) -> None:
    server.script = [as_json({"emailAddress": "richard@firm.example", "historyId": "18446744073709551616"})]
    assert mailbox.profile() == parse.Profile("richard@firm.example", "18446744073709551616")
    assert (calls(server), spent) == (["/profile"], [1])
    assert server.asked[-1].headers["authorization"] == "Bearer first"


def test_profile_missing_the_newest_messages_history_counts(
    mailbox: MailboxReader, server: Server, spent: list[int]
) -> None:
    server.script = [
        Answer(404, b"404 Not Found"),
        as_json({"sendAs": [{"sendAsEmail": "x@y.example"}, {"sendAsEmail": "r@firm.example", "isPrimary": True}]}),
        as_json({"messages": [{"id": "m9"}], "nextPageToken": "2"}),
        as_json({"historyId": 41}),
    ]
    assert mailbox.profile() == parse.Profile("r@firm.example", "41")
    assert calls(server) == ["/profile", "/settings/sendAs", "/messages", "/messages/m9"]
    assert (server.asked[-2].one("maxResults"), server.asked[-1].one("format"), spent) == (
        "1",
        "minimal",
        [1, 1, 5, 20],
    )


def test_profile_missing_in_an_empty_mailbox(mailbox: MailboxReader, server: Server) -> None:
    server.script = [Answer(404, b"no"), refusal(404, "notFound"), as_json({})]
    assert mailbox.profile() == parse.Profile("", "1")


def test_history_asks_for_all_labels_and_keeps_its_start(
    mailbox: MailboxReader, server: Server, spent: list[int]
) -> None:
    server.script = [as_json({"nextPageToken": "p2", "historyId": "12"}), as_json({"historyId": "12"})]
    assert mailbox.history("5") == parse.HistoryPage((), "12", "p2")
    assert mailbox.history("5", "p2") == parse.HistoryPage((), "12", None)
    first, second = (asked.fields for asked in server.asked if asked.path != "/token")
    assert first["historyTypes"] == ["messageAdded", "labelAdded", "labelRemoved"]
    assert (first["startHistoryId"], second["startHistoryId"], second["pageToken"]) == (["5"], ["5"], ["p2"])
    assert (first["maxResults"], "labelId" in first, "pageToken" in first, spent) == (["500"], False, False, [2, 2])


def change(message_id: str, now: list[str] | None, labels: list[str] | None = None) -> dict[str, Any]:
    """A change in a history's record. now: the message's labels; labels: those that were added or removed."""
    message: dict[str, Any] = {"id": message_id, "threadId": "t"}
    if now is not None:
        message["labelIds"] = now
    return {"message": message, **({} if labels is None else {"labelIds": labels})}


@pytest.mark.parametrize(
    ("kind", "now", "labels", "heard"),
    [
        ("messagesAdded", ["INBOX", "UNREAD"], None, ("m1",)),
        ("messagesAdded", ["Label_7"], None, ("m1",)),  # a filter keeps it out of the inbox
        ("messagesAdded", [], None, ("m1",)),
        ("messagesAdded", None, None, ("m1",)),  # the message may be gone; the request for it will show that
        ("messagesAdded", ["SENT"], None, ("m1",)),
        ("messagesAdded", ["DRAFT"], None, ()),
        ("messagesAdded", ["DRAFT", "SENT"], None, ("m1",)),
        ("messagesAdded", ["SPAM"], None, ()),
        ("messagesAdded", ["TRASH", "INBOX"], None, ()),
        ("messagesAdded", ["CHAT"], None, ()),
        ("labelsAdded", ["SENT"], ["SENT"], ("m1",)),
        ("labelsAdded", ["INBOX", "UNREAD"], ["UNREAD", "INBOX"], ("m1",)),
        ("labelsAdded", ["INBOX", "STARRED"], ["STARRED"], ()),
        ("labelsAdded", ["TRASH"], ["TRASH"], ()),
        ("labelsRemoved", ["INBOX"], ["SPAM"], ("m1",)),
        ("labelsRemoved", [], ["TRASH"], ("m1",)),
        ("labelsRemoved", ["SENT"], ["DRAFT"], ("m1",)),
        ("labelsRemoved", ["INBOX"], ["UNREAD"], ()),
        ("labelsRemoved", ["TRASH"], ["SPAM"], ()),  # it is reported again when it leaves the trash
        ("messagesDeleted", None, None, ()),
    ],
)
def test_what_is_heard_of_history(
    mailbox: MailboxReader,
    server: Server,
    kind: str,
    now: list[str] | None,
    labels: list[str] | None,
    heard: tuple[str, ...],
) -> None:
    server.script = [as_json({"historyId": "9", "history": [{"id": "8", kind: [change("m1", now, labels)]}]})]
    assert mailbox.history("5").message_ids == heard


def test_history_names_each_message_once_and_in_order(mailbox: MailboxReader, server: Server) -> None:
    records = [
        {"id": "6", "messagesAdded": [change("b", ["INBOX"]), change("draft", ["DRAFT"])]},
        {"id": "7", "messagesAdded": [change("a", ["SPAM"])], "labelsAdded": [change("b", ["INBOX"], ["INBOX"])]},
        {"id": "8", "labelsRemoved": [change("a", ["INBOX"], ["SPAM"])]},
        {"id": "9", "labelsRemoved": [change("draft", ["SENT"], ["DRAFT"])]},
    ]
    server.script = [as_json({"historyId": "9", "history": records})]
    assert mailbox.history("5").message_ids == ("b", "a", "draft")


def test_list(mailbox: MailboxReader, server: Server, spent: list[int]) -> None:
    server.script = [as_json({"messages": [{"id": "m2"}, {"id": "m1"}], "nextPageToken": "n"}), as_json({})]
    assert mailbox.list_ids("after:1700000000") == parse.ListPage(("m2", "m1"), "n")
    assert mailbox.list_ids("after:1700000000", "n", 10) == parse.ListPage((), None)
    assert (server.asked[-1].one("q"), server.asked[-1].one("pageToken")) == ("after:1700000000", "n")
    assert (server.asked[-1].one("maxResults"), spent, "includeSpamTrash" in server.asked[-1].fields) == (
        "10",
        [5, 5],
        False,
    )


def test_a_query_never_becomes_a_post(mailbox: MailboxReader, server: Server, spent: list[int]) -> None:
    fits = "{" + " ".join(f"from:{n:04}@client.example to:{n:04}@client.example" for n in range(20)) + "}"
    server.script = [as_json({})]
    mailbox.list_ids(fits)
    assert server.asked[-1].method == "GET"
    with pytest.raises(BadInput, match="fewer addresses"):
        mailbox.list_ids("from:jane@client.example " * 100)
    assert (len(spent), calls(server)) == (1, ["/messages"])


def test_metadata(mailbox: MailboxReader, server: Server, spent: list[int]) -> None:
    headers = [
        {"name": "FROM", "value": "Jürgen <j@client.example>"},
        {"name": "To", "value": "a@firm.example,\r\n b@firm.example"},
        {"name": "X", "value": "lone \ud800 surrogate\nand a line"},
    ]
    answer = {"id": "m1", "labelIds": ["SENT"], "sizeEstimate": 12, "internalDate": "1700000000123"}
    server.script = [as_json({**answer, "payload": {"headers": headers}})]
    assert mailbox.metadata("m1") == parse.Metadata(
        "m1",
        frozenset({"SENT"}),
        12,
        datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC),
        (
            (b"FROM", " Jürgen <j@client.example>".encode()),
            (b"To", b" a@firm.example,\r\n b@firm.example"),
            (b"X", b" lone ? surrogate\r\n and a line"),
        ),
    )
    # Gmail compares these names letter by letter: FROM would not be found
    assert "metadataHeaders" not in server.asked[-1].fields
    assert (server.asked[-1].one("format"), spent) == ("metadata", [20])


def test_a_message_without_headers_is_no_stranger(mailbox: MailboxReader, server: Server) -> None:
    bare = {"id": "m1", "labelIds": ["INBOX"], "internalDate": "0"}
    server.script = [as_json(bare), as_json({**bare, "payload": {}}), as_json({**bare, "labelIds": ["CHAT"]})]
    for _ in range(2):
        with pytest.raises(Unreachable, match="no"):
            mailbox.metadata("m1")
    assert mailbox.metadata("m1").headers == ()


def test_a_number_that_is_none(mailbox: MailboxReader, server: Server) -> None:
    payload = b'"payload": {"headers": [{"name": "A", "value": "b"}]}'
    body = b'{"id": "m1", "labelIds": ["INBOX"], "internalDate": "0", "sizeEstimate": Infinity, %s}' % payload
    server.script = [Answer(200, body)]
    with pytest.raises(Unreachable, match="garbled"):
        mailbox.metadata("m1")


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 199_999, 200_000, 200_001])
def test_raw_is_the_message_byte_for_byte(mailbox: MailboxReader, server: Server, size: int) -> None:
    raw = (bytes(range(256)) * (size // 256 + 1))[:size]
    server.script = [raw_answer("m1", raw, ("SENT", "Label_1"))]
    assert mailbox.raw("m1") == parse.RawMessage(
        "m1", frozenset({"SENT", "Label_1"}), datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), raw
    )
    # base64 compresses little; data that compresses much may be an attack
    assert server.asked[-1].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("text", ["AAA*", "A", "AAAA=AAA", "AA\\nAA", "AA==A"])
def test_raw_that_is_garbled_is_no_shorter_message(mailbox: MailboxReader, server: Server, text: str) -> None:
    server.script = [Answer(200, b'{"id":"m1","internalDate":"0","raw":"%s"}' % text.encode())]
    with pytest.raises(Unreachable, match="garbled"):
        mailbox.raw("m1")


def test_an_answer_about_another_message(mailbox: MailboxReader, server: Server) -> None:
    server.script = [raw_answer("m2", b"x")]
    with pytest.raises(Unreachable, match="another message"):
        mailbox.raw("m1")


def test_an_ids_odd_characters_stay_in_the_path(mailbox: MailboxReader, server: Server) -> None:
    server.script = [raw_answer("../x?a=b", b"x")]
    assert mailbox.raw("../x?a=b").raw == b"x"
    assert calls(server) == ["/messages/..%2Fx%3Fa%3Db"]
