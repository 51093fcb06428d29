"""Undeliverable mail of the relay: its sender is notified once, with the reason. Nobody else ever is. On the real stack."""

import contextlib
import email
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Any

import pytest

from mailweir.database_url import Postgresql
from tests.integration import wire
from tests.integration.relay import JANE, RICHARD, STRANGER, connect, mail, people, submit
from tests.programs import ProgramFailed

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.integration.smtp_sink import Received, Sink

Wait = Callable[..., Any]
NO_SUCH_USER, LATER = "550 5.1.1 no such user", "450 4.2.1 come again"
ADMIN, ALIAS = "admin@host.example", "r.smith@firm.example"
THROWN_AWAY = "notice thrown away"


@dataclass
class Site:
    """A stack whose mail goes to a sink, and richard's login."""

    stack: "Stack"
    sink: "Sink"
    richard: tuple[str, str]

    def submit(self, name: str, *to: str, sender: str = RICHARD) -> str:
        """Submits with richard's login, which must be accepted; returns the queue id."""
        code, text = submit(self.stack, self.richard, sender, list(to), mail(name, sender=sender, to=to[0]))
        assert code == 250, text
        return wire.queue_id(text)

    def notices(self) -> "list[Received]":
        """Mail from the null sender at the sink."""
        return [one for one in self.sink.received if not one.sender]

    def told(self, recipient: str) -> int:
        """The number of times that the sink got this address as a recipient."""
        return self.sink.commands.count(f"RCPT TO:<{recipient}>")

    def again(self) -> None:
        """Retries the mail in the queue now."""
        # postqueue also calls pickup, which doesn't run here, and reports that
        with contextlib.suppress(ProgramFailed):
            self.stack.postfix("postqueue", "-f")

    def queued(self) -> str:
        """The list of Postfix's queue."""
        return self.stack.postfix("postqueue", "-p").stdout


@pytest.fixture
def site(make_stack: "MakeStack", sink: "Sink") -> Site:
    stack = make_stack(outbound=f"relayhost 127.0.0.1:{sink.port}")
    people(stack)
    return Site(stack, sink, connect(stack, "richard"))


def part(notice: "Received", kind: str) -> Message:
    """The part of a notice with this type."""
    return next(one for one in email.message_from_bytes(notice.raw).walk() if one.get_content_type() == kind)


def waits(site: Site, wait_until: Wait, queue_id: str) -> None:
    """Waits until the message is put off."""
    deferred = site.stack.data_dir / "postfix" / "spool" / "deferred"
    wait_until(lambda: queue_id in [file.name for file in deferred.rglob("*")], "it waits")


@pytest.mark.parametrize("gone", [JANE, STRANGER], ids=["a contact", "nobody we know"])
def test_who_sent_by_the_relay_is_told_once_and_why(site: Site, gone: str) -> None:
    site.sink.replies[gone] = NO_SUCH_USER
    queue_id = site.submit("gone", gone, "other@stranger.example")
    site.stack.drain()
    (notice,) = site.notices()
    assert notice.recipients == (RICHARD,)
    head = email.message_from_bytes(notice.raw)
    assert (head["From"], head["To"]) == ("Mail Delivery System <MAILER-DAEMON@mx.host.example>", RICHARD)
    assert (head["Subject"], head["Auto-Submitted"]) == ("Undelivered Mail Returned to Sender", "auto-replied")
    assert head.get_param("report-type") == "delivery-status"
    assert NO_SUCH_USER in " ".join(str(part(notice, "text/plain").get_payload()).split())
    status = part(notice, "message/delivery-status").as_string()
    assert (status.count("Final-Recipient:"), f"Final-Recipient: rfc822; {gone}" in status) == (1, True)
    assert "Action: failed" in status
    assert f"X-Postfix-Queue-ID: {queue_id}" in status
    assert "<gone@firm.example>" in part(notice, "message/rfc822").as_string()
    assert "other@stranger.example" in [to for one in site.sink.received for to in one.recipients]
    assert site.told(RICHARD) == 1
    assert "notice passed on" in site.stack.log("mailweir-milter")
    told = site.stack.cli("why", queue_id)
    assert (told.returncode, queue_id in told.stdout) == (0, True), told.stderr


def test_an_alias_is_told_at_the_alias_while_it_is_one(site: Site, wait_until: Wait) -> None:
    site.sink.replies[JANE] = NO_SUCH_USER
    site.stack.cli("user", "alias", "richard", ALIAS, check=True)
    site.submit("alias", JANE, sender=ALIAS)
    site.stack.drain()
    assert [one.recipients for one in site.notices()] == [(ALIAS,)]
    site.sink.replies[JANE] = LATER
    waits(site, wait_until, site.submit("alias-gone", JANE, sender=ALIAS))
    site.stack.cli("user", "alias", "richard", ALIAS, "--remove", check=True)
    site.sink.replies[JANE] = NO_SUCH_USER
    site.again()
    site.stack.drain()
    assert THROWN_AWAY in site.stack.log("mailweir-milter")
    assert site.told(ALIAS) == 1


@pytest.mark.parametrize(
    ("command", "notices"),
    [("relay disconnect richard", 1), ("user remove richard", 0)],
    ids=["disconnected", "removed"],
)
def test_who_is_gone_before_it_bounces(site: Site, wait_until: Wait, command: str, notices: int) -> None:
    """A disconnected user sent it, and gets the notice. The address of a removed user isn't ours any more."""
    site.sink.replies[JANE] = LATER
    waits(site, wait_until, site.submit("gone", JANE))
    site.stack.cli(*command.split(), check=True)
    site.sink.replies[JANE] = NO_SUCH_USER
    site.again()
    site.stack.drain()
    assert [one.recipients for one in site.notices()] == [(RICHARD,)] * notices
    assert site.told(RICHARD) == notices
    assert (THROWN_AWAY in site.stack.log("mailweir-milter")) is not notices


def test_mail_that_expires_is_told_of_and_its_delay_is_not(site: Site, wait_until: Wait) -> None:
    settings = ("maximal_queue_lifetime=8s", "delay_warning_time=1s", "minimal_backoff_time=1s", "queue_run_delay=1s")
    site.stack.postfix("postconf", "-e", *settings, "maximal_backoff_time=2s")
    site.stack.postfix("postfix", "reload")
    site.sink.replies[JANE] = LATER
    site.submit("expires", JANE)
    wait_until(lambda: "Subject: Delayed Mail" in site.stack.log(), "a notice of the delay is discarded", 30)
    assert site.notices() == []
    (notice,) = wait_until(site.notices, "the notice", 60)
    assert "come again" in str(part(notice, "text/plain").get_payload())
    site.stack.drain()
    assert site.told(RICHARD) == 1


@pytest.mark.parametrize(
    ("missing", "log", "said"),
    [
        ("database_path", "mailweir-milter", "database unavailable"),  # the filter can't query the database
        ("milter_socket", "postfix", ""),
    ],
)
def test_without_what_decides_on_it_the_notice_waits(
    site: Site, wait_until: Wait, missing: str, log: str, said: str
) -> None:
    site.sink.replies[JANE] = LATER
    queue_id = site.submit("waits", JANE)
    waits(site, wait_until, queue_id)
    path = getattr(site.stack.settings, missing)
    aside = path.with_name("aside")
    path.rename(aside)
    try:
        site.sink.replies[JANE] = NO_SUCH_USER
        site.again()
        wait_until(lambda: said in site.stack.log(log), f"{log} says {said}")
        wait_until(lambda: f"{queue_id}: status=deferred (bounce failed)" in site.stack.log(), "it stays in the queue")
        assert queue_id in site.queued()
        assert site.told(RICHARD) == 0
    finally:
        aside.rename(path)
    site.again()
    site.stack.drain()
    assert [one.recipients for one in site.notices()] == [(RICHARD,)]
    assert "forge" not in site.stack.cli("why", RICHARD, check=True).stderr


def test_on_postgresql(make_stack: "MakeStack", sink: "Sink", postgresql_url: Postgresql) -> None:
    stack = make_stack(outbound=f"relayhost 127.0.0.1:{sink.port}", database=str(postgresql_url))
    people(stack)
    site = Site(stack, sink, connect(stack, "richard"))
    sink.replies |= {JANE: NO_SUCH_USER, ADMIN: NO_SUCH_USER}
    site.submit("gone", JANE)
    assert stack.transact(RICHARD, ["postmaster@demo.example.net"], forged_notice("4Xy1"))[0] == 250
    stack.drain()
    assert [one.recipients for one in site.notices()] == [(RICHARD,)]
    assert (site.told(RICHARD), site.told(ADMIN)) == (1, 1)


def test_there_is_no_notice_of_a_notice(site: Site) -> None:
    site.sink.replies |= {JANE: NO_SUCH_USER, RICHARD: "550 5.2.1 closed"}
    site.submit("twice", JANE)
    site.stack.drain()
    assert (site.told(RICHARD), site.notices()) == (1, [])


def test_there_is_no_notice_of_a_read_receipt(site: Site) -> None:
    """A receipt has no envelope sender, so nobody can be notified."""
    report = "Content-Type: multipart/report; report-type=disposition-notification; boundary=b"
    site.sink.replies[JANE] = NO_SUCH_USER
    code, text = submit(site.stack, site.richard, "", [JANE], mail("receipt", report))
    assert code == 250, text
    site.stack.drain()
    assert (site.told(JANE), site.told(RICHARD), site.notices()) == (1, 0, [])
    assert "Mail Delivery System" not in site.queued()


def forged_notice(queue_id: str, *more: str) -> bytes:
    """A message that looks like a notice about a queue id."""
    head = (
        "From: MAILER-DAEMON@mx.host.example (Mail Delivery System)",
        "Subject: Undelivered Mail Returned to Sender",
        f"To: {RICHARD}",
        *more,
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{queue_id}.1764000000/mx.host.example"',
    )
    return ("\r\n".join(head) + "\r\n\r\nhello\r\n").encode()


@pytest.mark.parametrize(
    ("sender", "said"),
    [("", ""), (RICHARD, THROWN_AWAY), (STRANGER, THROWN_AWAY)],
    ids=["null", "staff's", "a stranger's"],
)
@pytest.mark.parametrize("others", [[], ["richard@demo.example.net"]], ids=["postmaster", "both"])
def test_law_6_nobody_else_is_told(site: Site, wait_until: Wait, sender: str, said: str, others: list[str]) -> None:
    """Mail from port 25 that can't reach the admin, in any form and from any stated sender."""
    relayed = site.submit("relayed", JANE)
    site.stack.drain()
    site.sink.replies[ADMIN] = NO_SUCH_USER
    code, text = site.stack.transact(sender, ["postmaster@demo.example.net", *others], forged_notice(relayed))
    assert code == 250, text
    site.stack.drain()
    assert site.told(ADMIN) == 1
    wait_until(lambda: said in site.stack.log("mailweir-milter"), "a notice is made, and discarded")
    assert "notice passed on" not in site.stack.log("mailweir-milter")
    assert (site.told(RICHARD), site.told(STRANGER), site.notices()) == (0, 0, [])


def test_port_25_does_not_pass_for_a_notice(site: Site) -> None:
    relayed = site.submit("relayed", JANE)
    site.stack.drain()
    code, text = site.stack.transact("", [RICHARD], forged_notice(relayed))
    assert code == 554, text
    # Control: the filter doesn't take it for a notice, so it goes to the admin like all mail to the role.
    code, text = site.stack.transact("", ["postmaster@demo.example.net"], forged_notice(relayed))
    assert code == 250, text
    site.stack.drain()
    assert [one.recipients for one in site.notices()] == [(ADMIN,)]
    assert "notice" not in site.stack.log("mailweir-milter")
