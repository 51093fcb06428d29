"""Which new lines in Postfix's log are refusals: the same that `why` reads from it, with the same keys."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mailweir.store.record.log_positions import LogPosition
from postfix import maillog, new_refusals
from postfix.log_tail import Tail
from postfix.maillog import Refusal

NOW = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
HEAD = "Nov 24 12:42:44 mx postfix/smtpd[13710]: "
UNKNOWN = (
    HEAD
    + "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 550 5.1.1 <nobody@demo.example.net>: Recipient address rejected:"
    " nobody by that name here; from=<jane@client.example> to=<nobody@demo.example.net> proto=ESMTP helo=<client.example>"
)
NO_RECIPIENT = (
    HEAD + "NOQUEUE: reject: MAIL from unknown[192.0.2.7]: 552 5.3.4 Message size exceeds fixed limit;"
    " from=<jane@client.example> proto=ESMTP helo=<client.example>"
)
BEGINNING = [
    HEAD + "connect from unknown[192.0.2.7]",
    HEAD
    + "NOQUEUE: info: RCPT from unknown[192.0.2.7]: envelope; from=<jane@client.example> to=<richard@demo.example.net>"
    " proto=ESMTP helo=<client.example>",
    HEAD + "4jYjJY2MJKz2FfBC: client=unknown[192.0.2.7]",
    "Nov 24 12:42:45 mx postfix/cleanup[13711]: 4jYjJY2MJKz2FfBC: message-id=<big@client.example>",
]
TOO_MANY_HOPS = (
    "Nov 24 12:42:46 mx postfix/cleanup[13711]: warning: 4jYjJY2MJKz2FfBC: message rejected: hopcount exceeded"
)
LOST = HEAD + "4jYjJY2MJKz2FfBC: lost connection after DATA (17 bytes) from unknown[192.0.2.7]"
AT_THE_END = (
    "Nov 24 12:42:47 mx postfix/cleanup[13711]: 4jYjJY2MJKz2FfBC: milter-reject: END-OF-MESSAGE from unknown[192.0.2.7]:"
    " 4.3.0 try again; from=<jane@client.example> to=<richard@demo.example.net> proto=ESMTP helo=<client.example>"
)


def _find(lines: list[str], context: list[str] | None = None) -> list[Refusal]:
    tail = Tail(
        [one.encode() for one in lines], [one.encode() for one in context or []], LogPosition(1, 1, b""), 0, False
    )
    return new_refusals.find(tail, NOW)


def _why(tmp_path: Path, lines: list[str]) -> list[Refusal]:
    log = tmp_path / "postfix.log"
    log.write_text("\n".join(lines) + "\n")
    return maillog.find(log, "jane@client.example", NOW).refusals


def test_they_are_those_that_why_finds_under_the_same_keys(tmp_path: Path) -> None:
    lines = [UNKNOWN, *BEGINNING, TOO_MANY_HOPS]
    found = _find(lines)
    assert [one.recipient for one in found] == ["nobody@demo.example.net", "richard@demo.example.net"]
    assert {one.key for one in found} == {one.key for one in _why(tmp_path, lines)}
    assert len({one.key for one in found}) == 2


def test_the_message_id_is_told_and_is_no_part_of_the_key() -> None:
    (found,) = _find([BEGINNING[-1], AT_THE_END])
    assert found.message_id == "<big@client.example>"
    assert found.key == _find([AT_THE_END])[0].key


def test_what_began_before_is_told_with_whom_it_was_to(tmp_path: Path) -> None:
    (found,) = _find([TOO_MANY_HOPS], BEGINNING)
    assert (found.recipient, found.sender, found.message_id) == (
        "richard@demo.example.net",
        "jane@client.example",
        "<big@client.example>",
    )
    assert [found.key] == [one.key for one in _why(tmp_path, [*BEGINNING, TOO_MANY_HOPS])]


def test_what_was_refused_before_is_not_told_again() -> None:
    assert _find([], [UNKNOWN, *BEGINNING, TOO_MANY_HOPS, AT_THE_END]) == []


def test_a_lost_connection_is_no_refusal_and_neither_is_what_has_no_recipient() -> None:
    assert _find([*BEGINNING, LOST]) == []
    assert _find([NO_RECIPIENT]) == []


@given(lines=st.lists(st.binary(max_size=200) | st.sampled_from([UNKNOWN.encode(), b"reject: ", b": message-id=<"])))
def test_whatever_stands_in_the_log_what_is_found_can_be_read_in_one_way(lines: list[bytes]) -> None:
    found = new_refusals.find(Tail(lines, lines, LogPosition(1, 1, b""), 0, False), NOW)
    assert len(found) == lines.count(UNKNOWN.encode())
