"""Messages that Postfix gave up, put together from its log. The lines are from Postfix 3.7.11."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postfix import maillog
from postfix.maillog import Refusal

NOW = datetime(2026, 11, 28, 20, 0, tzinfo=UTC)
SMTPD, CLEANUP = "Nov 28 18:54:53 mx postfix/smtpd[12192]: ", "Nov 28 18:54:53 mx postfix/cleanup[13016]: "
OTHER = SMTPD.replace("12192", "12193")
CONNECT = SMTPD + "connect from unknown[192.0.2.7]"
TAKEN = SMTPD + "{}: info: RCPT from unknown[192.0.2.7]: envelope; from=<{}> to=<{}> proto=ESMTP helo=<client.example>"
JANE, RICHARD, OLGA = "jane@client.example", "richard@demo.example.net", "olga@demo.example.net"
FIRST = TAKEN.format("NOQUEUE", JANE, RICHARD)
CLIENT = SMTPD + "4jcA: client=unknown[192.0.2.7]"
MESSAGE_ID = CLEANUP + "4jcA: message-id=<hops@client.example>"
HOPS = CLEANUP + "warning: 4jcA: message rejected: hopcount exceeded"
LOST = SMTPD + "lost connection after DATA (86 bytes) from unknown[192.0.2.7]"
DISCONNECT = SMTPD + "disconnect from unknown[192.0.2.7] ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "postfix.log"


def _find(log: Path, text: str, *lines: str) -> list[Refusal]:
    log.write_text("".join(f"{line}\n" for line in lines))
    return maillog.find(log, text, NOW).refusals


CAUSES = {
    HOPS: ("END-OF-MESSAGE", "554 5.4.0 Error: too many hops"),
    SMTPD + "warning: 4jcA: queue file size limit exceeded": (
        "END-OF-MESSAGE",
        "552 5.3.4 Error: message file too big",
    ),
    CLEANUP + "warning: 4jcA: write queue file: No space left on device": (
        "END-OF-MESSAGE",
        "451 4.3.0 Error: queue file write error (No space left on device)",
    ),
    CLEANUP
    + f"warning: 4jcA: virtual_alias_maps map lookup problem for {RICHARD} -- message not accepted, try again later": (
        "END-OF-MESSAGE",
        f"451 4.3.0 Error: queue file write error (virtual_alias_maps map lookup problem for {RICHARD})",
    ),
    SMTPD + "warning: mail_stream_cleanup: close error": ("END-OF-MESSAGE", "451 4.3.0 Error: queue file write error"),
    SMTPD + r"improper command pipelining after DATA from unknown[192.0.2.7]: From: x\r\n\r\nhi\r\n.\r\n": (
        "DATA",
        "554 5.5.0 Error: SMTP protocol synchronization",
    ),
    SMTPD + "timeout after DATA (95 bytes) from unknown[192.0.2.7]": (
        "DATA",
        "421 4.4.2 Error: timeout exceeded (95 bytes)",
    ),
    LOST: ("DATA", "the connection was lost (86 bytes)"),
}


CAUSES |= {  # Postfix 3.10 gives the queue id here
    cause.replace(SMTPD, SMTPD + "4jcA: "): told for cause, told in CAUSES.items() if " after DATA (" in cause
}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("more", ["", ", sasl_method=PLAIN, sasl_username=richard@demo.example.net"])
@pytest.mark.parametrize("text", [JANE, RICHARD, "4jcA", "<hops@client.example>"])
def test_each_cause_is_found_by_all_that_a_message_is_known_by(log: Path, cause: str, more: str, text: str) -> None:
    (one,) = _find(log, text, CONNECT, FIRST, CLIENT + more, MESSAGE_ID, cause, DISCONNECT)
    assert (one.stage, one.reply) == CAUSES[cause]
    assert (one.queue_id, one.client, one.sender, one.recipient) == ("4jcA", "unknown[192.0.2.7]", JANE, RICHARD)
    assert one.is_broken_off is ("lost connection" in cause)
    assert one.is_for_good is one.reply.startswith("5")


def test_each_recipient_has_its_own(log: Path) -> None:
    lines = (CONNECT, FIRST, CLIENT, TAKEN.format("4jcA", JANE, OLGA), MESSAGE_ID, HOPS, DISCONNECT)
    assert {one.recipient for one in _find(log, JANE, *lines)} == {RICHARD, OLGA}
    assert [one.recipient for one in _find(log, OLGA, *lines)] == [OLGA]


def test_a_message_id_that_is_noted_after_the_loss_counts(log: Path) -> None:
    assert len(_find(log, "hops@client.example", CONNECT, FIRST, CLIENT, LOST, DISCONNECT, MESSAGE_ID)) == 1


def test_sessions_of_two_processes_dont_mix(log: Path) -> None:
    theirs = [
        line.replace("4jcA", "4jcB").replace("12192", "12193").replace(JANE, "b@b.example")
        for line in (CONNECT, FIRST, CLIENT)
    ]
    lines = (
        CONNECT,
        theirs[0],
        FIRST,
        theirs[1],
        CLIENT,
        theirs[2],
        LOST,
        OTHER + "disconnect from unknown[192.0.2.7]",
    )
    assert [one.queue_id for one in _find(log, JANE, *lines)] == ["4jcA"]
    assert _find(log, "b@b.example", *lines) == []


def test_the_messages_of_one_session_dont_mix(log: Path) -> None:
    """The second message is to the bare postmaster, which smtpd doesn't log. The first one was accepted."""
    second = (SMTPD + "4jcB: client=unknown[192.0.2.7]", HOPS.replace("4jcA", "4jcB"))
    lines = (CONNECT, FIRST, CLIENT, MESSAGE_ID, *second, DISCONNECT)
    assert _find(log, JANE, *lines) == []
    (one,) = _find(log, "4jcB", *lines)
    assert (one.sender, one.recipient, one.client) == (None, None, "unknown[192.0.2.7]")


def test_a_session_without_a_message_is_none(log: Path) -> None:
    assert _find(log, JANE, FIRST, CLIENT, DISCONNECT, CONNECT, LOST, DISCONNECT) == []
    assert _find(log, JANE, CONNECT, FIRST, CLIENT, SMTPD + "lost connection after RCPT from unknown[192.0.2.7]") == []


def test_the_cause_counts_and_not_what_follows_of_it(log: Path) -> None:
    size = CLEANUP + "warning: 4jcA: queue file size limit exceeded"
    (one,) = _find(log, JANE, CONNECT, FIRST, CLIENT, size, SMTPD + "warning: mail_stream_cleanup: close error")
    assert one.reply.startswith("552")


def test_what_begins_before_the_part_that_is_read_is_told_as_far_as_it_is_known(log: Path) -> None:
    (one,) = _find(log, "4jcA", MESSAGE_ID, HOPS)
    assert (one.client, one.sender, one.recipient) == ("", None, None)


def test_the_newest_comes_first_whatever_was_complete_first(log: Path) -> None:
    refused = SMTPD.replace("18:54:53", "18:55:10") + (
        f"NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 550 5.1.1 nobody; from=<{JANE}> to=<x@y.example> proto=ESMTP"
    )
    lines = (CONNECT, FIRST, CLIENT, HOPS.replace("18:54:53", "18:56:00"), refused)
    times = [f"{one.time:%H:%M:%S}" for one in _find(log, JANE, *lines)]
    assert times == sorted(times, reverse=True)
    assert len(times) == 2


FORGERIES = (
    SMTPD + "warning: non-SMTP command from unknown[192.0.2.7]: warning: 4jcA: message rejected: hopcount exceeded",
    SMTPD
    + "warning: Illegal address syntax from unknown[192.0.2.7] in MAIL command: x -- message not accepted, try again later",
    SMTPD
    + "improper command pipelining after EHLO from unknown[192.0.2.7]: lost connection after DATA (86 bytes) from x[1.2.3.4]",
    HOPS + " ",
    HOPS.replace("postfix/cleanup", "evil"),
    HOPS.replace("hopcount", "x" * 1000 + "hopcount"),
)


@pytest.mark.parametrize("line", FORGERIES)
def test_what_only_quotes_such_a_line_is_none(log: Path, line: str) -> None:
    assert _find(log, "4jcA", CONNECT, FIRST, CLIENT, line, DISCONNECT) == []
    assert _find(log, JANE, CONNECT, FIRST, CLIENT, line, DISCONNECT) == []


@given(said=st.text(st.sampled_from("<>;: =[]fromtoRCPTinfo@v.example5012"), max_size=60))
def test_whatever_a_client_says_the_addresses_are_those_that_postfix_wrote(
    tmp_path_factory: pytest.TempPathFactory, said: str
) -> None:
    log = tmp_path_factory.getbasetemp() / "said.log"
    for first in (TAKEN.format("NOQUEUE", said, RICHARD), TAKEN.format("NOQUEUE", JANE, said)):
        found = _find(log, "4jcA", CONNECT, first, CLIENT, HOPS)
        assert [(one.sender, one.recipient) for one in found] in ([(said, RICHARD)], [(JANE, said)], [(None, None)])
