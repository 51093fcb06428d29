"""Every mail of the corpus, over real SMTP from a known contact: accepted, and recorded as sent except for Postfix's changes.

A sample with an ambiguous From is sent unchanged, which must leave a decision with that reason. It is sent again with a known
contact's From in front and without its own, so that its other bytes are compared, too. Lines are sent in SMTP's form (CRLF, also
for the last line: `wire.lines_of`), with bare CRs and NULs unchanged.
"""

import io
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from mailweir import headers
from mailweir.store.database.connection import Database
from mailweir.store.people import contacts, deployments
from tests.integration import postfix_changes, wire
from tests.integration.postfix_changes import Version

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

KNOWN = "known@client.example"
RICHARD = "richard@demo.example.net"
_CONNECTIONS = 4
_REST = b"X: a\r\n\r\nhi\r\n"
_FRONT = b"From: known@client.example\r\nMessage-ID: <%d@rules.example>\r\n"

# Each kind of change that Postfix makes: the name of the rule, bytes sent before `_FRONT` and after it. None: nothing is changed.
# If this Postfix doesn't have the rule, the expected result is known all the same.
CASES = [
    (None, b"", b"Bcc: x@y.example\r\nReturn-Path: <a@b.example>\r\nContent-Length: 4\r\nReceived: from x\r\n\tby y\r\n"
           b"X-None:\r\nX-Ends:  a \t\r\n \r\n\t b\r\nSubject: \xe9\r\n\r\n.\r\n..x\r\n\xff" + b"x" * 5_000 + b"\r\n\r\n"),
    ("bare_lf", b"", b"X: a\nY: b\r\n\r\nhi\nho\r\n"),
    ("bare_cr", b"", b"X: a\rb\r\r\n d\r\r\n\r\nhi\rho\r\r\n"),
    ("nul", b"", b"X: a\0b\r\n\r\nhi\0ho\r\n.\0\r\n"),
    ("from_line_in_front", b"From a@b.example Mon\r\n", _REST),
    ("from_line_in_front", b"From a@b.example Mon\r\n x\r\n", _REST),
    ("from_line_in_front", b">>From a@b.example Mon\r\n>From c\r\n", _REST),
    ("from_lines_in_front", b"From a@b.example Mon\r\n>From c\r\n", _REST),
    ("from_lines_in_front", b"From " + b"x" * 4_000 + b"\r\n>From c\r\n", _REST),
    ("white_space_behind_from_lines", b"From a@b.example Mon\r\n x\r\n", _REST),
    ("white_space_in_front", b" x\r\n", _REST),
    ("white_space_in_front", b"\tFrom a@b.example Mon\r\n", _REST),
    ("line_that_is_no_header", b"", b"X: a\r\n>From b\r\nY: c\r\n\r\nhi\r\n"),
    ("line_that_is_no_header", b"", b"X: a\r\n\xef\xbb\xbfY: c\r\n\r\nhi\r\n"),
    ("line_that_is_no_header", b"", b"X" * 3_000 + b": a\r\nY: c\r\n\r\nhi\r\n"),
    ("line_that_is_no_header", b"\0From a@b.example Mon\r\n", _REST),
    ("no_empty_line", b"", b"X: a\r\n"),
    ("white_space_before_colon", b"", b"X \t : a\r\nY :b\r\n\r\nhi\r\n"),
    ("long_header", b"", b"X: " + b"x" * 59_997 + b"\r\nY: " + b"x" * 59_998 + b"\r\nZ: " + b"x" * 200_000 + b"\r\n\r\nhi\r\n"),
    ("long_header", b"", b"X:" + b" x y\r\n" * 30_000 + b"\r\nhi\r\n"),
]  # fmt: skip


@dataclass(frozen=True)
class Mail:
    """A delivery. name: of the sample. author: as the filter should read it, or None."""

    name: str
    lined: bytes
    recorded: bytes
    changes: frozenset[str]
    author: str | None


def _mail(version: Version, name: str, lined: bytes) -> Mail:
    recorded, changes = postfix_changes.recorded(lined, version)
    author = headers.look(_header_lines(recorded)).author
    return Mail(name, lined, recorded, frozenset(changes), author)


def _header_lines(raw: bytes) -> list[headers.Header]:
    parts = (field[:-2].partition(b":") for field in postfix_changes.fields(postfix_changes.split(raw)[0]))
    return [(name, value) for name, _, value in parts]


def _mails(version: Version, corpus: list[Path]) -> Iterator[Mail]:
    for path in corpus:
        lined = wire.lines_of(path.read_bytes())
        as_it_is = _mail(version, f"{path.parent.name}/{path.name}", lined)
        yield as_it_is
        if as_it_is.author is None:
            head, rest = postfix_changes.split(lined)
            own = [
                field for field in postfix_changes.fields(head) if not field.lower().startswith((b"from:", b"from :"))
            ]
            # a second header, so that a first line of white space doesn't continue From
            front = b"From: known@client.example\r\nX-Sample: yes\r\n"
            yield _mail(version, f"{as_it_is.name} with a known From", front + b"".join(own) + rest)


def _deliver(stack: "Stack", mails: list[Mail]) -> list[tuple[int, str]]:
    """Delivers all; returns the replies. Uses several connections, each with many messages in sequence."""
    parts = [mails[start::_CONNECTIONS] for start in range(_CONNECTIONS)]

    def deliver(part: list[Mail]) -> list[tuple[int, str]]:
        with wire.Connection(stack.smtp_port) as connection:
            return [connection.send("sender@client.example", RICHARD, mail.lined) for mail in part]

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        replies = list(pool.map(deliver, parts))
    return [replies[at % _CONNECTIONS][at // _CONNECTIONS] for at in range(len(mails))]


@pytest.fixture(scope="module")
def known(make_module_stack: "MakeStack") -> "Stack":
    stack = make_module_stack()
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
    stack.cli("user", "add", "richard", "--email", "richard@firm.example", check=True)
    stack.cli("contact", "add", "The client", KNOWN, check=True)
    return stack


@pytest.fixture(scope="module")
def version(known: "Stack") -> Version:
    """The version of the installed Postfix, on which its changes depend."""
    return postfix_changes.version_of(known.postfix("postconf", "-d", "-h", "mail_version").stdout.strip())


def _add_contacts(stack: "Stack", addresses: set[str]) -> None:
    with closing(Database(stack.settings.database_path)) as database:
        demo = deployments.find(database, "demo")
        for address in sorted(addresses - {KNOWN}):
            contacts.add(database, demo, "A sample's author", [address], None, datetime.now(UTC))


def _check(stack: "Stack", mails: list[Mail]) -> None:
    replies = _deliver(stack, mails)
    assert [(mail.name, *reply) for mail, reply in zip(mails, replies, strict=True) if reply[0] != 250] == []
    ids = [wire.queue_id(text) for _, text in replies]
    decided = {
        row[0]: row[1:]
        for row in stack.rows("SELECT source_id, outcome, reason, author FROM decisions WHERE source_id NOT LIKE '%:%'")
    }
    wrong = []
    with closing(sqlite3.connect(stack.settings.database_path)) as database:
        for mail, queue_id in zip(mails, ids, strict=True):
            if mail.author is None:
                fine = decided[queue_id][:2] == ("ignored", "unreadable author")
            else:
                captured = decided[queue_id] == ("captured", "author is a contact", mail.author)
                fine = captured and _is_on_record(database, queue_id, mail)
            wrong += [] if fine else [(mail.name, queue_id, decided[queue_id], sorted(mail.changes))]
    assert wrong == []
    log = stack.log("mailweir-milter")
    assert "unexpected" not in log
    assert "Traceback" not in log


def _is_on_record(database: sqlite3.Connection, queue_id: str, mail: Mail) -> bool:
    """Are its bytes on the record? If the body was there before, the first sighting's headers are kept (decision 0004)."""
    content, first = database.execute(
        "SELECT r.content_zstd, (SELECT f.source_id FROM sightings f WHERE f.raw_message_id = r.id ORDER BY f.id LIMIT 1)"
        " FROM sightings s JOIN raw_messages r ON r.id = s.raw_message_id WHERE s.source_id = ?",
        (queue_id,),
    ).fetchone()
    raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)).read()
    if first == queue_id:
        return raw == mail.recorded
    bodies = [postfix_changes.split(whole)[1].rstrip(b"\r\n") for whole in (raw, mail.recorded)]
    return bodies[0] == bodies[1]


def test_every_mail_of_the_corpus_is_on_the_record_with_its_bytes(
    known: "Stack", version: Version, corpus: list[Path]
) -> None:
    mails = list(_mails(version, corpus))
    _add_contacts(known, {mail.author for mail in mails if mail.author})
    _check(known, mails)


def test_each_change_that_postfix_makes_is_a_known_one(known: "Stack", version: Version) -> None:
    mails, rules = [], {rule.__name__ for rule in postfix_changes.rules(version)}
    for number, (rule, before, behind) in enumerate(CASES):
        mails.append(_mail(version, f"{number} {rule}", before + _FRONT % number + behind))
        assert rule in mails[-1].changes or rule not in rules
        assert rule is not None or not mails[-1].changes
    assert rules < {rule for rule, _, _ in CASES}
    _check(known, mails)


def test_each_version_has_its_rules() -> None:
    """CASES has a case for each rule of each version, including versions that aren't installed here."""
    for text, in_front in (("3.7.11", 3), ("3.10.12", 3), ("3.10.13", 2), ("3.11.6", 2), ("3.12-20260110", 2)):
        names = {rule.__name__ for rule in postfix_changes.rules(postfix_changes.version_of(text))}
        assert names < {rule for rule, _, _ in CASES}
        assert len({name for name in names if "front" in name or "behind" in name}) == in_front, text


@pytest.mark.parametrize("line_bytes", [1, 100, 900, 2_000, 2_048, 2_049, 5_000, 20_000, 40_000, 59_970, 120_000])
def test_an_author_whom_postfix_cut_is_nobody(known: "Stack", line_bytes: int) -> None:
    spaces = (b"\r\n" + b" " * line_bytes) * (70_000 // line_bytes + 1)
    comment = b"(" + b"x" * (postfix_changes.MAX_HEADER_BYTES - len(KNOWN) - 9) + b") "
    values = (KNOWN.encode() + spaces + b"<evil@x.example>", comment + KNOWN.encode() + b".other.example")
    with wire.Connection(known.smtp_port) as connection:
        for value in values:
            code, text = connection.send("a@x.example", RICHARD, b"From: " + value + b"\r\n\r\nhi\r\n")
            assert code == 250
            rows = known.rows("SELECT outcome, reason FROM decisions WHERE source_id = ?", wire.queue_id(text))
            assert rows == [("ignored", "unreadable author")]
