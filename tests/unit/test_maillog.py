"""Postfix's log, read backwards: it finds refusals, and nobody can forge one."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postfix import log_lines, maillog

NOW = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
HEAD = "Nov 24 12:42:44 mx postfix/smtpd[13710]: "
UNKNOWN = (
    HEAD
    + "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 550 5.1.1 <nobody@demo.example.net>: Recipient address rejected:"
    " nobody by that name here; from=<jane@client.example> to=<nobody@demo.example.net> proto=ESMTP helo=<client.example>"
)
TOO_LARGE = (
    HEAD + "NOQUEUE: reject: MAIL from unknown[192.0.2.7]: 552 5.3.4 Message size exceeds fixed limit;"
    " from=<jane@client.example> proto=ESMTP helo=<client.example>"
)
AT_THE_END = (
    "Nov 24 12:42:45 mx postfix/cleanup[13711]: 4jYjJY2MJKz2FfBC: milter-reject: END-OF-MESSAGE from unknown[192.0.2.7]:"
    " 4.3.0 try again; from=<jane@client.example> to=<richard@demo.example.net> proto=ESMTP helo=<client.example>"
)
MESSAGE_ID = "Nov 24 12:42:45 mx postfix/cleanup[13711]: 4jYjJY2MJKz2FfBC: message-id=<big@client.example>"
# Postfix 3.7 logs this line for RCPT TO:<"x>: y; from=<v@d.example> to=<w@d.example> proto=ESMTP helo=<z"@foreign.example>
FORGED = (
    HEAD
    + "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 <x>: y; from=<v@d.example> to=<w@d.example> proto=ESMTP"
    " helo=<z@foreign.example>: Recipient address rejected: not a domain of ours, and nothing is relayed here;"
    ' from=<jane@client.example> to=<"x>: y; from=<v@d.example> to=<w@d.example> proto=ESMTP helo=<z"@foreign.example>'
    " proto=ESMTP helo=<client.example>"
)


OWN_NOTICE = (
    "Nov 24 19:48:36 mx postfix/cleanup[24291]: 4jYtfD1Kngz2FfgM: milter-reject: END-OF-MESSAGE from localhost[127.0.0.1]:"
    " 4.3.0 try again; from=<> to=<jane@client.example>"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "postfix.log"
    path.write_text("\n".join([UNKNOWN, TOO_LARGE, MESSAGE_ID, AT_THE_END]) + "\n")
    return path


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("jane@client.example", ["END-OF-MESSAGE", "MAIL", "RCPT"]),
        ("Nobody@Demo.Example.NET", ["RCPT"]),
        ("4jYjJY2MJKz2FfBC", ["END-OF-MESSAGE"]),
        ("<big@client.example>", ["END-OF-MESSAGE"]),
        ("big@client.example", ["END-OF-MESSAGE"]),
        ("NOQUEUE", ["MAIL", "RCPT"]),
        ("192.0.2.7", ["END-OF-MESSAGE", "MAIL", "RCPT"]),
        ("192.0.2.70", []),
        ("Client.Example", ["END-OF-MESSAGE", "MAIL", "RCPT"]),
        ("ient.example", []),
        ("unknown", []),
        ("", []),
    ],
)
def test_refusals_are_found_by_address_queue_id_and_message_id(log: Path, text: str, stages: list[str]) -> None:
    assert [one.stage for one in maillog.find(log, text, NOW).refusals] == stages


def test_a_refusal_says_when_who_and_what(log: Path) -> None:
    (found,) = maillog.find(log, "nobody@demo.example.net", NOW).refusals
    assert found == maillog.Refusal(
        found.time,
        None,
        "RCPT",
        "unknown[192.0.2.7]",
        "550 5.1.1 <nobody@demo.example.net>: Recipient address rejected: nobody by that name here",
        "jane@client.example",
        "nobody@demo.example.net",
    )
    assert found.is_for_good
    (later,) = maillog.find(log, "<big@client.example>", NOW).refusals
    assert (later.message_id, later.queue_id, later.is_for_good) == ("<big@client.example>", "4jYjJY2MJKz2FfBC", False)


def test_a_notice_of_our_own_that_waits_is_no_refusal_and_no_forgery(tmp_path: Path) -> None:
    path = tmp_path / "postfix.log"
    path.write_text(OWN_NOTICE + "\n")
    assert maillog.find(path, "jane@client.example", NOW) == maillog.Found([], 0)
    for doubtful in (OWN_NOTICE.replace("from=<>", "from=<x>"), OWN_NOTICE + " x", OWN_NOTICE.replace("again", "a>b")):
        path.write_text(doubtful + "\n")
        assert maillog.find(path, "jane@client.example", NOW) == maillog.Found([], 1)


@pytest.mark.parametrize(
    "said",
    [
        "5.7.1 not sent: forged; send it from Gmail itself",
        "4.7.1 its limit within an hour; try again after 13:00 UTC",
    ],
)
def test_a_sentence_of_the_filters_may_hold_a_semicolon(said: str) -> None:
    found = maillog.parse(AT_THE_END.replace("4.3.0 try again", said).encode(), NOW)
    assert found is not None
    assert (found.reply, found.sender, found.recipient) == (said, "jane@client.example", "richard@demo.example.net")


@pytest.mark.parametrize("said", ["5.7.1 x; from=y", "5.7.1 x; to=y", "5.7.1 x; proto=y"])
def test_a_sentence_that_could_be_another_field_is_not_read(said: str) -> None:
    assert maillog.parse(AT_THE_END.replace("4.3.0 try again", said).encode(), NOW) is None


def test_a_forged_line_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "postfix.log"
    path.write_text(UNKNOWN + "\n" + FORGED + "\n")
    for text in ("v@d.example", "w@d.example"):
        assert maillog.find(path, text, NOW) == maillog.Found([], 1)
    found = maillog.find(path, "nobody@demo.example.net", NOW)
    assert (len(found.refusals), found.left_out) == (1, 0)


@given(
    helo=st.text(st.sampled_from("<>;: =[]fromtoheloproto@v.example5012"), max_size=60),
    recipient=st.text(st.sampled_from('<>;: ="[]fromtoheloproto@v.example5012'), max_size=60),
    sender=st.sampled_from(["jane@client.example", "a> to=<victim@v.example", "victim@v.example> to=<b"]),
)
def test_whatever_a_client_says_the_fields_are_those_that_postfix_wrote(helo: str, recipient: str, sender: str) -> None:
    line = (
        f"{HEAD}NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 550 5.1.1 <{recipient}>: nobody; from=<{sender}>"
        f" to=<{recipient}> proto=ESMTP helo=<{helo}>"
    )
    found = maillog.parse(line.encode(), NOW)
    assert found is None or (found.sender, found.recipient, found.client) == (sender, recipient, "unknown[192.0.2.7]")


@given(said=st.text(st.sampled_from("; =:fromtoproto@v.exampl5"), max_size=80))
def test_whatever_the_filter_says_of_a_message_the_fields_are_those_that_postfix_wrote(said: str) -> None:
    found = maillog.parse(AT_THE_END.replace("try again", f"x {said}").encode(), NOW)
    assert found is None or (found.sender, found.recipient) == ("jane@client.example", "richard@demo.example.net")


def test_a_line_so_long_that_postfix_may_have_cut_it_is_no_proof() -> None:
    forged = f"<x>: y; from=<v@d.example> to=<{'w' * 900}@d.example> proto=ESMTP helo=<z>"
    assert (
        maillog.parse(f"{HEAD}NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 550 5.1.1 {forged}".encode(), NOW) is None
    )


@pytest.mark.parametrize("program", ["sshd[1]", "postfix/pipe[1]", "evil postfix/smtpd[1]"])
def test_other_programs_lines_are_not_postfixs(program: str) -> None:
    assert maillog.parse(UNKNOWN.replace("postfix/smtpd[13710]", program).encode(), NOW) is None
    assert maillog.parse(UNKNOWN.encode(), NOW) is not None


@pytest.mark.parametrize(
    ("text", "year"), [("Nov 24 12:42:44", 2026), ("Dec  1 00:00:00", 2025), ("2024-11-24T12:42:44.5+01:00", 2024)]
)
def test_a_time_without_a_year_is_the_last_one(text: str, year: int) -> None:
    found = maillog.parse(UNKNOWN.replace("Nov 24 12:42:44", text).encode(), NOW)
    assert found is not None
    assert found.time.year == year


def test_the_29th_of_february_is_of_the_last_leap_year() -> None:
    found = maillog.parse(UNKNOWN.replace("Nov 24", "Feb 29").encode(), datetime(2028, 3, 1, 12, 0, tzinfo=UTC))
    assert found is not None
    assert found.time.date() in (date(2028, 2, 29), date(2028, 2, 28))  # local time


def test_an_impossible_time_is_no_line() -> None:
    assert maillog.parse(UNKNOWN.replace("Nov 24", "Foo 99").encode(), NOW) is None
    assert maillog.parse(UNKNOWN.replace("Nov 24", "Feb 30").encode(), NOW) is None


def test_the_log_before_the_last_rotation_is_read_too(log: Path) -> None:
    log.rename(log.with_name("postfix.log.1"))
    log.write_text(UNKNOWN.replace("12:42:44", "12:50:00") + "\n")
    times = [f"{one.time:%H:%M}" for one in maillog.find(log, "nobody@demo.example.net", NOW).refusals]
    assert times == sorted(times, reverse=True)
    assert len(times) == 2


def test_no_more_is_read_than_allowed(log: Path) -> None:
    log.write_text(UNKNOWN + "\n" + "x" * 5000 + "\n" + AT_THE_END + "\n")
    assert len(maillog.find(log, "jane@client.example", NOW).refusals) == 2
    assert len(maillog.find(log, "jane@client.example", NOW, max_bytes=3000).refusals) == 1


def test_lines_over_the_edges_of_blocks_are_whole(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 7, 64, 200):
        monkeypatch.setattr(log_lines, "BLOCK_BYTES", size)
        assert len(maillog.find(log, "jane@client.example", NOW).refusals) == 3


def test_a_log_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(log_lines.LogUnreadable, match="there is no log of Postfix at"):
        maillog.find(tmp_path / "none.log", "x", NOW)
