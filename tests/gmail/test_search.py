"""Search by itself: operator precedence, and hostile queries end with an error."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gmail.search import BadQuery, Found, parse

NOW = 1_795_600_000.0
JANE = Found(
    "1",
    "1",
    frozenset({"INBOX", "Label_7"}),
    int((NOW - 3_600) * 1000),
    {
        "from": ["Jane <Jane@client.example>"],
        "to": ["a@firm.example", "second@firm.example"],
        "subject": ["An offer for you"],
        "message-id": ["<A.1@client.example>"],
    },
    {"Label_7": "Key Clients"},
    "hello there",
)


@pytest.mark.parametrize(
    ("query", "hit"),
    [
        ("", True),
        ("from:jane@client.example", True),
        ("FROM:JANE@client.example", True),
        ("to:second@firm.example", True),
        ("from:zed OR from:jane in:inbox", True),
        ("from:jane OR from:zed in:sent", False),
        ("in:sent from:zed OR from:jane", False),
        ("(in:sent from:zed) OR from:jane", True),
        ("{from:zed to:zed (from:jane in:inbox)}", True),
        ("{from:zed (from:jane in:sent)}", False),
        ("-from:zed -{in:sent in:draft}", True),
        ("-(from:jane in:inbox)", False),
        ("-from:jane", False),
        ('subject:"offer for"', True),
        ('"offer for" hello', True),
        ('"for offer"', False),
        ("label:key-clients", True),
        ("is:read", True),
        ("is:unread", False),
        ("rfc822msgid:A.1@client.example", True),
        ("rfc822msgid:<a.1@client.example>", False),
        ("newer_than:2h", True),
        ("older_than:2h", False),
        ("newer_than:1d older_than:1h", False),
        (f"after:{int(NOW) - 3_601} before:{int(NOW)}", True),
        (f"after:{int(NOW) - 3_600}", False),
        ("has:attachment", False),
    ],
)
def test_what_is_found(query: str, hit: bool) -> None:
    assert parse(query, NOW).test(JANE) is hit


@pytest.mark.parametrize(
    ("query", "wide"), [("from:a", False), ("in:spam", True), ("-in:spam", False), ("{in:anywhere from:a}", True)]
)
def test_where_it_looks(query: str, wide: bool) -> None:
    assert parse(query).wide is wide


@pytest.mark.parametrize(
    "query",
    ["from:", "foo:bar", "(a", "{a", "a}", "a)", "after:2026/13/01", "after:x", "newer_than:1w", "has:x", '"a', "-"],
)
def test_what_cannot_be_read_is_told(query: str) -> None:
    with pytest.raises(BadQuery):
        parse(query, NOW)


@given(st.text(alphabet='ab:{}()-" ORfromafter0123456789/<>@.', max_size=60))
def test_any_text_is_read_or_refused(query: str) -> None:
    with contextlib.suppress(BadQuery):
        parse(query, NOW).test(JANE)
