"""The replies to a client of port 25 about a recipient, by a real Postfix that uses the real look-ups."""

import os
import signal
import smtplib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

Wait = Callable[..., Any]


@pytest.fixture(scope="module")
def demo(stack: "Stack") -> "Stack":
    """The shared stack, with the deployment `lookups` and its user richard."""
    stack.cli("deployment", "add", "lookups", "--domain", "lookups.example.net", check=True)
    stack.cli("user", "add", "richard", "--email", "richard@firm.example", "--deployment", "lookups", check=True)
    return stack


@pytest.fixture
def session(demo: "Stack") -> Iterator[smtplib.SMTP]:
    """An SMTP session after MAIL."""
    with demo.connect() as client:
        client.mail("someone@elsewhere.example")
        yield client


def reply(session: smtplib.SMTP, recipient: str) -> tuple[int, str]:
    """Code and enhanced code (RFC 3463) of the reply to RCPT, or just the code if there is no enhanced code."""
    code, text = session.rcpt(recipient)
    return code, text.split()[0].decode()


@pytest.mark.parametrize(
    "recipient",
    [
        "richard@lookups.example.net",
        "RICHARD@Lookups.Example.NET",
        '"richard"@lookups.example.net',
        "richard@lookups.example.net.",
        "@relay.example:richard@lookups.example.net",
        "log@lookups.example.net",
        "postmaster@lookups.example.net",
        "Abuse@lookups.example.net",
    ],
)
def test_who_is_ours_comes_in(session: smtplib.SMTP, recipient: str) -> None:
    assert reply(session, recipient) == (250, "2.1.5")


@pytest.mark.parametrize(
    "recipient", ["nobody@lookups.example.net", "mailer-daemon@lookups.example.net", "bounce+x@lookups.example.net"]
)
def test_nobody_by_that_name(session: smtplib.SMTP, recipient: str) -> None:
    assert reply(session, recipient) == (550, "5.1.1")


@pytest.mark.parametrize(
    "recipient",
    [
        "richard@elsewhere.example",
        "richard@sub.lookups.example.net",
        "richard",
        "abuse",
        "richard@[127.0.0.1]",
        "richard@mx.host.example",
        "postmaster@elsewhere.example",
        "richard%elsewhere.example@lookups.example.net.example",
        "elsewhere.example!richard",
    ],
)
def test_not_a_domain_of_ours(session: smtplib.SMTP, recipient: str) -> None:
    assert reply(session, recipient) == (554, "5.7.1")


@pytest.mark.parametrize(
    "recipient", ["victim%elsewhere.example@lookups.example.net", "elsewhere.example!victim@lookups.example.net"]
)
def test_no_way_round_by_our_own_domain(session: smtplib.SMTP, recipient: str) -> None:
    assert reply(session, recipient) == (550, "5.1.1")


def test_a_user_counts_at_the_next_recipient(demo: "Stack", session: smtplib.SMTP) -> None:
    assert reply(session, "mary@lookups.example.net")[0] == 550
    demo.cli("user", "add", "mary", "--email", "mary@firm.example", "--deployment", "lookups", check=True)
    assert reply(session, "mary@lookups.example.net")[0] == 250
    demo.cli("user", "remove", "mary", "--deployment", "lookups", check=True)
    assert reply(session, "mary@lookups.example.net") == (550, "5.1.1")


def test_a_deployment_counts_at_the_next_recipient(demo: "Stack", session: smtplib.SMTP) -> None:
    assert reply(session, "log@added.example.net") == (554, "5.7.1")
    demo.cli("deployment", "add", "added", "--domain", "added.example.net", check=True)
    assert reply(session, "log@added.example.net")[0] == 250
    assert reply(session, "nobody@added.example.net") == (550, "5.1.1")


def test_look_ups_that_are_down_and_up_again_in_one_session(
    demo: "Stack", session: smtplib.SMTP, wait_until: Wait
) -> None:
    assert demo.process is not None
    assert reply(session, "richard@lookups.example.net")[0] == 250
    (pid,) = demo.pids("mailweir-lookups")
    os.kill(demo.process.pid, signal.SIGSTOP)  # otherwise it would run again before the test has asked
    try:
        os.kill(pid, signal.SIGKILL)
        assert reply(session, "richard@lookups.example.net")[0] == 451
        assert reply(session, "log@lookups.example.net")[0] == 451
        assert reply(session, "nobody@lookups.example.net")[0] == 451
    finally:
        os.kill(demo.process.pid, signal.SIGCONT)
    wait_until(lambda: demo.pids("mailweir-lookups") not in ([], [pid]), "the look-ups are started again")
    wait_until(lambda: reply(session, "richard@lookups.example.net")[0] == 250, "the same session gets an answer")
    assert reply(session, "nobody@lookups.example.net") == (550, "5.1.1")


def test_a_database_that_is_gone_for_a_while(make_stack: "MakeStack", wait_until: Wait) -> None:
    stack = make_stack()
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
    folder = stack.data_dir / "db"
    away = stack.data_dir / "db-away"
    with stack.connect() as session:
        session.mail("someone@elsewhere.example")
        assert reply(session, "log@demo.example.net")[0] == 250
        folder.rename(away)
        for pid in stack.pids("mailweir-lookups"):
            os.kill(pid, signal.SIGKILL)  # it keeps its open file; a new process finds none
        assert reply(session, "log@demo.example.net")[0] == 451
        wait_until(
            lambda: any("there is no database at" in line for line in stack.said), "the supervisor reports the reason"
        )
        away.rename(folder)
        wait_until(lambda: reply(session, "log@demo.example.net")[0] == 250, "the same session gets an answer", 60)


def test_the_socket_is_for_postfix_alone(demo: "Stack") -> None:
    mode = demo.settings.lookups_socket.stat()
    assert mode.st_mode & 0o777 == 0o660
    assert Path(f"/proc/{demo.pids('mailweir-lookups')[0]}").stat().st_uid == mode.st_uid != 0
