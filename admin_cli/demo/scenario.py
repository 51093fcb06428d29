"""The demo's steps: sets up a deployment, delivers five mails over SMTP, and reads back the results.

All results are read from the database, the outbox and the stand-in for Gmail. Only the port and the number of messages in that
mailbox are known beforehand. Called by `command`.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import smtplib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from pathlib import Path

from admin_cli import context, key_files, main
from admin_cli.demo import mail, signing, stack
from admin_cli.demo.gmail import REFRESH_TOKEN, MailboxServer
from admin_cli.demo.mail import Delivery
from admin_cli.demo.stack import DemoFailed
from admin_cli.demo.zone import ZoneServer
from admin_cli.preflight import SETTINGS_NAME
from mailweir import confirmation, encoded_words, settings
from mailweir.settings import Settings
from mailweir.store.gmail import gmail_connections
from mailweir.store.gmail.gmail_mailboxes import token_purpose
from mailweir.store.people import deployments
from mailweir.store.record import activities, decision_search, decisions, todos
from mailweir.store.record.activities import Activity
from mailweir.store.record.decisions import Decision
from mailweir.store.record.todos import Todo
from mailweir.store.web import enrolment, links

DEPLOYMENT = "demo"
SELECTOR = "demo"
_INBOX = ("INBOX",)
DELIVERY_SECONDS = 15.0  # the longest time that Postfix may need to put a redirected mail into the outbox
PAGE_SECONDS = 30.0  # the longest time that the page may need to start
_POLL_SECONDS = 0.05
_QUEUE_ID = re.compile(rb"queued as (\w+)")
_SETUP = (
    ("deployment", "add", DEPLOYMENT, "--domain", mail.CAPTURE_DOMAIN),
    ("user", "add", mail.USERNAME, "--email", mail.MAILBOX, "--name", "Richard"),
    ("company", "add", "Client Ltd", "--domain", "client.example"),
    ("contact", "add", "Purchasing", mail.CLIENT, "--company", "Client Ltd"),
    ("contact", "add", "Supplier Office", "office@supplier.example", "sales@supplier.example"),
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A mail that Postfix accepted, with its queue id and its decision."""

    story: str
    queue_id: str
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class SentOn:
    """A mail in the outbox. sender: its envelope sender."""

    mailbox: str
    sender: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True)
class GmailFindings:
    """Results of the sync of the user's mailbox. messages: number of messages in it; downloaded: number of messages read as a
    whole."""

    address: str
    messages: int
    downloaded: int
    activities: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """The results once the mails are in."""

    smtp_port: int
    delivered: tuple[Delivered, ...]
    activities: tuple[Activity, ...]
    sent_on: tuple[SentOn, ...]
    todos: tuple[Todo, ...]
    gmail: GmailFindings


@contextlib.contextmanager
def folder(keep: bool) -> Iterator[Path]:
    """The demo's folder; it is removed afterwards if `keep` is False."""
    path = stack.make_folder()
    try:
        yield path
    finally:
        if not keep:
            shutil.rmtree(path)


@contextlib.contextmanager
def playing(data_dir: Path, say: Say) -> Iterator[Findings]:
    """Starts the stack and plays the scenario; stops it at the end of the block. MailweirError if something doesn't work."""
    key = signing.SigningKey.generate()
    zone = ZoneServer({(signing.key_name(SELECTOR, confirmation.SIGNING_DOMAIN), "TXT"): [key.record]})
    now = datetime.now(UTC)
    deliveries = _deliveries(key, now)
    stranger = mail.stranger_mail(now).raw
    mails = [(deliveries[0].raw, _INBOX), (mail.synced_mail(now), _INBOX), (stranger, _INBOX)]
    mailbox = MailboxServer(mail.MAILBOX, mails, now)
    path = stack.write_settings(data_dir, dns_port=zone.port, gmail=mailbox)
    configured = settings.load(path)
    say(f"starting Postfix, the look-ups and the filter on 127.0.0.1 port {configured.smtp.smtp_port}")
    with stack.running(data_dir), zone, mailbox:
        _set_up(path, say)
        say("delivering the mails")
        queue_ids = [(delivery, _deliver(delivery, configured)) for delivery in deliveries]
        say(f"connecting {mail.MAILBOX} to a stand-in for Gmail, without a browser for the consent")
        _sync(configured, len(mails))
        findings = _read_back(configured, queue_ids, mailbox, len(mails))
        yield findings
        say("stopping")


def sign_in_link(data_dir: Path) -> str:
    """A link that signs the user of the demo in, while the stack runs. DemoFailed if the page doesn't answer in time."""
    configured = settings.load(data_dir / SETTINGS_NAME)
    deadline = time.monotonic() + PAGE_SECONDS
    while not _answers(configured.web.port):
        if time.monotonic() > deadline:
            raise DemoFailed("the page doesn't answer; see mailweir-web.log")
        time.sleep(_POLL_SECONDS)
    with context.opened(configured) as database:
        tenant, now = deployments.find(database, DEPLOYMENT), context.now()
        account = enrolment.user(database, tenant, mail.USERNAME, now, is_admin=False)
        token = links.make(database, account.id, tenant.id, now)
    return f"http://localhost:{configured.web.port}/sign-in/link/{token}"


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _set_up(path: Path, say: Say) -> None:
    """Runs the commands that an admin would run, by the command line's own code."""
    before = os.environ.get(settings.PATH_VARIABLE)
    os.environ[settings.PATH_VARIABLE] = str(path)
    try:
        for arguments in _SETUP:
            say(f"  mailweir {shlex.join(arguments)}")
            with contextlib.redirect_stdout(io.StringIO()):
                code = main.run(arguments)
            if code != 0:
                raise DemoFailed("that command failed; its message is above")
    finally:
        if before is None:
            del os.environ[settings.PATH_VARIABLE]
        else:
            os.environ[settings.PATH_VARIABLE] = before


def _deliveries(key: signing.SigningKey, now: datetime) -> list[Delivery]:
    client = mail.client_mail(now - timedelta(minutes=5))
    asked = mail.confirmation_mail(now)
    signed = signing.sign(asked.raw, key, selector=SELECTOR, domain=confirmation.SIGNING_DOMAIN)
    return [
        client,
        mail.logged_mail(now - timedelta(minutes=3)),
        replace(asked, raw=signed),
        mail.stranger_mail(now),
        replace(client, story="Gmail forwards the client's mail once more, as servers do when they are not sure"),
    ]


def _deliver(delivery: Delivery, configured: Settings) -> str:
    """Hands a mail over; returns its queue id. DemoFailed if it isn't accepted."""
    try:
        with smtplib.SMTP("127.0.0.1", configured.smtp.smtp_port, "mail.sender.example", timeout=60) as client:
            client.ehlo()
            for code, reply in (
                client.mail(delivery.sender),
                *(client.rcpt(recipient) for recipient in delivery.recipients),
                last := client.data(delivery.raw),
            ):
                if code != 250:
                    raise DemoFailed(f"Postfix did not take a mail: {code} {reply.decode('utf-8', 'replace')}")
    except (OSError, smtplib.SMTPException) as error:
        raise DemoFailed(f"Postfix did not take a mail: {error}") from error
    match = _QUEUE_ID.search(last[1])
    if match is None:
        raise DemoFailed(f"Postfix gave no queue id: {last[1].decode('utf-8', 'replace')}")
    return match[1].decode()


def _sync(configured: Settings, messages: int) -> None:
    """Connects the mailbox, and waits until the sync, which runs by itself, has read each message."""
    sealed = key_files.opened(configured).seal(REFRESH_TOKEN.encode(), token_purpose(mail.MAILBOX))
    deadline = time.monotonic() + DELIVERY_SECONDS
    with context.opened(configured) as database:
        demo = deployments.find(database, DEPLOYMENT)
        gmail_connections.connect(
            database,
            demo,
            mail.USERNAME,
            mail.MAILBOX,
            inbound=True,
            outbound=True,
            token_sealed=sealed,
            now=datetime.now(UTC),
            first_days=configured.gmail.first_days,
        )
        while decisions.count_synced(database, demo) < messages:
            if time.monotonic() > deadline:
                raise DemoFailed("the sync didn't look at the mailbox in time; see mailweir-gmail-sync.log")
            time.sleep(_POLL_SECONDS)


def _read_back(
    configured: Settings, queue_ids: list[tuple[Delivery, str]], mailbox: MailboxServer, messages: int
) -> Findings:
    with context.opened(configured) as database:
        demo = deployments.find(database, DEPLOYMENT)
        delivered = tuple(
            Delivered(delivery.story, queue_id, tuple(decision_search.find(database, queue_id, demo)))
            for delivery, queue_id in queue_ids
        )
        recorded = tuple(reversed(activities.select(database, demo, activities.Filter())))
        listed = tuple(reversed(todos.select(database, demo, mail.USERNAME, with_done=False)))
    redirected = sum(decision.outcome == "redirected" for one in delivered for decision in one.decisions)
    synced = tuple(activity.id for activity in recorded if "gmail_in" in activity.routes)
    return Findings(
        configured.smtp.smtp_port,
        delivered,
        recorded,
        _read_outbox(configured.outbox_dir, redirected),
        listed,
        GmailFindings(mailbox.address, messages, len(mailbox.downloaded), synced),
    )


def _read_outbox(outbox_dir: Path, expected: int) -> tuple[SentOn, ...]:
    """Waits until there are as many files as redirected mails, because Postfix delivers after its answer."""
    deadline = time.monotonic() + DELIVERY_SECONDS
    while len(paths := sorted((outbox_dir / "new").iterdir())) < expected and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return tuple(_sent_on(BytesHeaderParser().parsebytes(path.read_bytes())) for path in paths)


def _sent_on(headers: Message) -> SentOn:
    """Postfix's virtual(8) writes the envelope on top."""
    subject = encoded_words.decode(str(headers["Subject"]).encode("utf-8", "surrogateescape"), max_chars=200)
    sender = str(headers["Return-Path"]).strip("<>")
    return SentOn(str(headers["Delivered-To"]), sender, parseaddr(str(headers["From"]))[1], subject)
