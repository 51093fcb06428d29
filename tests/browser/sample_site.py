"""A firm's site after some months, for pictures and for tests of every page: people, mail, rules, jobs, states.

Called by `test_accessible` and `screenshots`.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mailweir import secrets_file, send_mail_as, signing_keys
from mailweir.secrets_file import Sealer
from mailweir.settings import Dns, Gmail, Relay, Smtp
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_workers, sealing_keys
from mailweir.store.people import companies, contact_lists, contacts, dkim_keys, never_log_rules, users
from mailweir.store.record import health_reports, threads
from mailweir.store.record.health_reports import HealthReport
from mailweir.store.web import change_log, jobs, reader_log
from mailweir.store.web.accounts import Role
from tests.browser import sample_mail
from tests.browser.hostile.served import Served
from tests.gmail_rows import connect
from tests.held_mail import Clock
from tests.moody_zone import MoodyZoneServer
from tests.page import Page, make_page
from tests.ports import free_port

NOW = datetime(2026, 11, 24, 9, 12, 55, tzinfo=UTC)
# accounts: a user, an admin who isn't a user, an operator
ROLES = {"richard": Role.USER, "boss": Role.ADMIN, "root": None}
_ZONE = {
    ("_spf.example.net", "TXT"): ['"v=spf1 ip4:192.0.2.9 -all"'],
    ("firm.example", "TXT"): ['"v=spf1 include:_spf.mail.example include:_spf.example.net ~all"'],
    ("_spf.mail.example", "TXT"): ['"v=spf1 ip4:203.0.113.0/24 -all"'],
    ("_dmarc.firm.example", "TXT"): ['"v=DMARC1; p=quarantine"'],
    ("mail.example.net", "TXT"): ['"v=spf1 ip4:192.0.2.9 -all"'],
    ("mail.example.net", "A"): ["192.0.2.9"],
    ("demo.example.net", "MX"): ["10 mail.example.net."],
    ("9.2.0.192.in-addr.arpa", "PTR"): ["mail.example.net."],
}


@dataclass(frozen=True, slots=True)
class SampleSite:
    """ids: of sample rows, by the names that routes have for them. mail: activities' ids, by the mail's name."""

    served: Served
    ids: dict[str, int | str]
    mail: dict[str, int]

    def signed_in(self, browser: Any, name: str, **options: Any) -> Any:
        """A page in a browser of its own, in which this account is signed in. options: of playwright's context."""
        page = browser.new_context(**options).new_page()
        page.goto(self.served.link(name))
        with page.expect_navigation():
            page.click("main button")
        return page


@contextmanager
def sample_site() -> Iterator[SampleSite]:
    """The site, served on a port of its own until the end of the block."""
    with (
        tempfile.TemporaryDirectory(prefix="mailweir-sample-") as name,
        MoodyZoneServer(dict(_ZONE)) as zone,
    ):
        folder, port = Path(name), free_port()
        (folder / "web.json").write_text("{}")
        file = folder / "mailweir.db"
        versions.upgrade(file)
        sections = {
            "dns": Dns(nameserver="127.0.0.1", port=zone.port),
            "smtp": Smtp(
                bind_address="192.0.2.9",
                submission_port=587,
                submissions_port=465,
                tls_certificate_file=folder / "certificate.pem",
                tls_key_file=folder / "key.pem",
            ),
            "relay": Relay.model_validate({"relay_addresses": ["192.0.2.9"], "spf_include": "_spf.example.net"}),
            "gmail": Gmail(web_client_file=str(folder / "web.json")),
        }
        with closing(Database(file)) as database:
            web = {"public_url": f"http://localhost:{port}", "time_zone": "Europe/Berlin"}
            page = make_page(database, Clock(NOW - timedelta(days=400)), folder, sections, **web)
            page.clock.at = NOW
            ids, mail = _fill(page, folder)
            _publish(page, zone)
            with Served(page, port) as served:
                yield SampleSite(served, ids, mail)
            page.app.extensions["mailweir"].pool.close()


def _fill(page: Page, folder: Path) -> tuple[dict[str, int | str], dict[str, int]]:
    """Adds all rows; returns the ids of some."""
    database, demo, now = page.database, page.demo, page.clock()
    companies.add(database, demo, "Supplier Ltd", None, now)
    contacts.add(database, demo, "Purchasing", [sample_mail.PURCHASING], "Client Ltd", now)
    contacts.add(database, demo, "Orders", [sample_mail.ORDERS], "Supplier Ltd", now)
    mail = sample_mail.deliver(page)
    sample_mail.deliver_unknown(page)
    _finish_old_todos(page)
    for name, role in ROLES.items():
        page.account(name, role)
    rule = never_log_rules.add(database, demo, "@bank.example", None, now)
    _connect(page, folder)
    _write_logs(page, mail)
    boss = page.account("boss")
    jane = contact_lists.find(database, demo, 1)
    assert jane is not None
    thread_id = threads.of(database, mail["questions"])
    assert thread_id is not None
    ids: dict[str, int | str] = {
        "activity_id": mail["questions"],
        "thread_id": thread_id,
        "user_id": users.list_all(database, demo)[0].id,
        "company_id": 1,
        "contact_id": jane.id,
        "rule_id": rule.id,
        "account_id": page.account("richard").id,
        "job_id": jobs.add(database, demo.id, boss.id, "never_log.look", {"pattern": "@bank.example"}, now),
        "domain": "firm.example",
        "number": 1,
    }
    return ids, mail


def _finish_old_todos(page: Page) -> None:
    """Finishes the to-dos of mail from the months before."""
    sql = "UPDATE todos SET done_at = ? WHERE created_at < ?"
    page.database.execute(sql, (rfc3339(NOW - timedelta(days=5)), rfc3339(NOW - timedelta(days=10))))


def _connect(page: Page, folder: Path) -> None:
    """Richard's mailbox at Google, his login for sending, and the key that signs for the domain."""
    database, demo, now = page.database, page.demo, page.clock()
    key_file = folder / "key"
    secrets_file.make(key_file)
    public = secrets_file.load(key_file).public_half
    sealing_keys.note(database, public, now)
    signing_keys.make(database, demo, "firm.example", None, Sealer(public), now)
    send_mail_as.connect(database, demo, "richard", now - timedelta(days=40))
    connect(database, demo, "richard", now - timedelta(days=60), inbound=False)
    database.execute(
        "UPDATE gmail_mailboxes SET swept_at = ?, last_message_at = ?, audited_at = ?, audit_missing = 0,"
        " audit_listed = 40, next_sweep_at = ?",
        (
            rfc3339(now - timedelta(seconds=40)),
            rfc3339(now - timedelta(hours=2)),
            rfc3339(now - timedelta(hours=6)),
            rfc3339(now + timedelta(seconds=20)),
        ),
    )
    gmail_workers.beat(database, "mail.example.net", now, gmail_workers.quota_day(now), 0)


def _publish(page: Page, zone: MoodyZoneServer) -> None:
    """Publishes the domain's keys in its DNS."""
    for key in dkim_keys.list_keys(page.database, page.demo):
        record = signing_keys.record(key)
        zone.records[record.name, "TXT"] = [" ".join(f'"{part}"' for part in record.strings)]


def _write_logs(page: Page, mail: dict[str, int]) -> None:
    """Log entries of readers and changes, and the hosts' health reports."""
    database, demo, now = page.database, page.demo, page.clock()
    for name in ("questions", "visit"):
        reader_log.note(database, demo.id, page.account("richard").id, mail[name], reader_log.What.TEXT, now)
    for what, subject, detail in (
        ("contact.added", "Purchasing", sample_mail.PURCHASING),
        ("never_log.added", "@bank.example", ""),
    ):
        change_log.note(database, demo.id, "boss", what, subject, detail, now)
    found = {"level": "ok", "finding": "12,345 MiB free for /var/spool/postfix", "to_do": None, "key": "disk.room"}
    host = "mail.example.net"
    with database.transaction():
        report = HealthReport(host, "disk", "ok", json.dumps([{**found, "facts": {}}]), now)
        health_reports.put(database, host, [report], now)
