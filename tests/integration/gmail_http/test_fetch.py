"""One message of a mailbox: Gmail decodes names in headers, so the raw message decides. Over real HTTP."""

from datetime import UTC, datetime

import pytest

from gmail_sync.fetch import Fetch, fetch_one
from mailweir.decision import Outcome
from mailweir.directory import Directory, UserRef
from mailweir.gmail.api import Api
from mailweir.recording import Entry
from mailweir.settings import Gmail
from mailweir.store.gmail.gmail_leases import Leased
from mailweir.store.gmail.gmail_queue import Origin, Queued
from tests.gmail_api import reader
from tests.people import DEMO
from tests.scripted_http import Answer, Server, as_json, raw_answer

NOW = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
THEN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
RICHARD = UserRef(1, "richard", "richard@firm.example")
MAILBOX = Leased(
    7,
    1,
    DEMO,
    RICHARD,
    RICHARD.mailbox,
    True,
    True,
    "5",
    None,
    THEN,
    0,
    THEN,
    0,
    99,
    THEN,
    THEN,
    THEN,
    None,
    False,
    False,
)


def seen(headers: dict[str, str], label: str) -> Answer:
    """Gmail's first answer about the message."""
    named = [{"name": name, "value": value} for name, value in headers.items()]
    return as_json({"id": "m1", "labelIds": [label], "internalDate": "1700000000000", "payload": {"headers": named}})


def looked_at(server: Server, directory: Directory, raw: dict[str, str], decoded: dict[str, str], label: str) -> Entry:
    lines = "".join(f"{name}: {value}\r\n" for name, value in raw.items())
    server.script = [seen({**raw, **decoded}, label), raw_answer("m1", f"{lines}\r\nhello\r\n".encode(), (label,))]
    mailbox = reader(Api(Gmail(api_endpoint=server.url)), server, spent=[])
    entry = fetch_one(Fetch(MAILBOX, directory, NOW), Queued(1, "m1", Origin.HISTORY, 0), mailbox)
    assert isinstance(entry, Entry)
    return entry


def is_whole(server: Server) -> bool:
    """Was the whole message downloaded?"""
    return [asked.one("format") for asked in server.asked if asked.path != "/token"] == ["metadata", "raw"]


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        ("=?utf-8?q?Doe=2C_Jane?= <jane@client.example>", "Doe, Jane <jane@client.example>"),
        ("=?utf-8?q?jane=40client.example?= <jane@client.example>", "jane@client.example <jane@client.example>"),
        ("=?utf-8?q?M=C3=BCller_=28Client?= <jane@client.example>", "Müller (Client <jane@client.example>"),
        ("=?utf-8?q?Client=3A_Jane?= <jane@client.example>", "Client: Jane <jane@client.example>"),
        ("=?utf-8?q?19=22_Jane?= <jane@client.example>", '19" Jane <jane@client.example>'),
        ("Jane <jane@client.example>", "Jane <jane@client.example>"),
    ],
)
def test_a_contact_whose_name_reads_badly_once_it_is_decoded(
    server: Server, directory: Directory, raw: str, decoded: str
) -> None:
    headers = {"To": "richard@firm.example", "Message-ID": "<1@x.example>"}
    entry = looked_at(server, directory, {"From": raw, **headers}, {"From": decoded}, "INBOX")
    assert (entry.decision.outcome, entry.decision.author) == (Outcome.CAPTURED, "jane@client.example")
    sent = {"From": "richard@firm.example", "To": raw, "Message-ID": "<2@x.example>"}
    entry = looked_at(server, directory, sent, {"To": decoded}, "SENT")
    assert entry.decision.outcome is Outcome.CAPTURED
    assert [ref.address for ref in entry.decision.contacts] == ["jane@client.example"]


def test_a_stranger_whose_name_reads_as_a_contact_once_it_is_decoded(server: Server, directory: Directory) -> None:
    raw = "=?utf-8?q?Jane_=3Cjane=40client=2Eexample=3E=2C?= <evil@x.example>"
    headers = {"From": raw, "To": "richard@firm.example", "Message-ID": "<1@x.example>"}
    entry = looked_at(server, directory, headers, {"From": "Jane <jane@client.example>, <evil@x.example>"}, "INBOX")
    assert (entry.decision.outcome, entry.content) == (Outcome.IGNORED, None)


@pytest.mark.parametrize(
    "author", ["x@stranger.example", "Doe, X <x@stranger.example>", "x@stranger.example, y@stranger.example"]
)
def test_mail_of_strangers_is_never_downloaded(server: Server, directory: Directory, author: str) -> None:
    headers = {"From": author, "To": "richard@firm.example", "Message-ID": "<1@x.example>"}
    entry = looked_at(server, directory, headers, {}, "INBOX")
    assert (entry.decision.outcome, is_whole(server)) == (Outcome.IGNORED, False)


def test_law_2_what_the_relay_completed_is_one_activity_with_the_authors_own_copy(
    server: Server, directory: Directory
) -> None:
    submitted = {"From": "richard@firm.example", "To": "jane@client.example", "Subject": "An offer"}
    added = {"Message-ID": f"<mwr.{'a2' * 16}@firm.example>", "Date": "Tue, 24 Nov 2026 03:12:55 +0000 (MWR)"}
    identities = []
    for headers, label in ((submitted, "SENT"), (submitted | added, "INBOX")):
        content = looked_at(server, directory, headers, {}, label).content
        assert content is not None
        identities.append(content.identity)
    assert len(set(identities)) == 1
