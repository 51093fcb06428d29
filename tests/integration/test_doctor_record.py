"""doctor's findings on the record, the certificate, and on checks that fail or hang. Some tests run on both databases."""

import datetime
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from admin_cli.doctor import certificate
from mailweir.decision import Reason
from mailweir.errors import DatabaseUnavailable
from mailweir.explain import english
from mailweir.health import findings, record, settings_sense
from mailweir.health.findings import Finding, Level
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments

Mailweir = Any
JANE = "jane@client.example"
DAY = datetime.timedelta(days=1)


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    """The command line on a deployment with two users and a contact."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@firm.example",
        "user add anna --email anna@firm.example",
        f"contact add Jane {JANE}",
    ):
        assert mailweir(*line.split()).code == 0
    return mailweir


def forwarding(database: Database, now: datetime.datetime) -> dict[str, Finding]:
    """The finding on each user's forwarding, by username."""
    found = list(record.check_forwarding(database, deployments.find(database, "demo"), now, english.text))
    return {one.sentence.partition(":")[0]: one for one in found}


def day(database: Database, activity_id: int, seen_at: datetime.datetime) -> None:
    database.execute(
        "UPDATE sightings SET seen_at = ? WHERE activity_id = ?", (f"{seen_at:%Y-%m-%dT%H:%M:%S.000000Z}", activity_id)
    )


@pytest.mark.parametrize(
    ("count", "said"), [(5, []), (6, ["6 mails of {day} had no certain author, and were ignored"])]
)
def test_more_than_a_few_unreadable_authors_of_a_day_are_told(
    demo: Mailweir, database: Database, ignore: Callable[..., None], now: datetime.datetime, count: int, said: list[str]
) -> None:
    for number in range(count):
        at = now - 2 * DAY
        ignore("demo", Reason.UNREADABLE_AUTHOR, author=None, queue_id=f"4Xy{number}", at=at)
        ignore("demo", Reason.UNREADABLE_AUTHOR, author=None, queue_id=f"4Xz{number}", at=now - 9 * DAY)
        ignore("demo", queue_id=f"4Xa{number}", at=at)
    found = list(record.check_authors(database, deployments.find(database, "demo"), now))
    assert [one.sentence for one in found] == [one.format(day=f"{now - 2 * DAY:%Y-%m-%d}") for one in said]


def test_an_unknown_group_is_told_with_the_command_that_mends_it(
    demo: Mailweir, database: Database, ignore: Callable[..., None], now: datetime.datetime
) -> None:
    for number in range(3):
        ignore("demo", Reason.UNKNOWN_GROUP, author="sales@firm.example", queue_id=f"4Xy{number}", at=now - 2 * DAY)
    ignore("demo", Reason.UNKNOWN_GROUP, author="old@firm.example", queue_id="4Xz1", at=now - 9 * DAY)
    ignore("demo", author="x@stranger.example", queue_id="4Xz2", at=now)
    (found,) = record.check_groups(database, deployments.find(database, "demo"), now)
    assert found.sentence.startswith("3 mails from sales@firm.example named somebody known")
    assert found.to_do.endswith("mailweir group add sales@firm.example")


def test_a_user_whose_forwarding_went_quiet_is_wrong(
    demo: Mailweir, database: Database, record: Callable[..., int], now: datetime.datetime
) -> None:
    created = "UPDATE users SET created_at = '2026-01-01T00:00:00.000000Z'"
    database.execute(created)
    for number in range(1, 11):
        day(database, record("demo", "richard", JANE, number=number), now - (20 - number) * DAY)
    found = forwarding(database, now)
    assert found["richard"].level is Level.WRONG
    assert "forwarding went quiet: nothing for 10 days" in found["richard"].sentence
    assert "Forward a copy of incoming mail to richard@demo.example.net" in found["richard"].to_do
    assert (found["anna"].level, "ever been seen" in found["anna"].sentence) == (Level.NOTE, True)
    assert forwarding(database, now - 9 * DAY)["mail of 1 users is forwarded as usual"].level is Level.OK


def test_a_single_mail_long_ago_is_not_called_usual(
    demo: Mailweir, database: Database, record: Callable[..., int], now: datetime.datetime
) -> None:
    day(database, record("demo", "richard", JANE), now - 200 * DAY)
    found = forwarding(database, now)["richard"]
    assert (found.level, "too little came before to tell" in found.sentence) == (Level.NOTE, True)


def test_ignored_mail_shows_that_the_forwarding_works(
    demo: Mailweir,
    database: Database,
    record: Callable[..., int],
    ignore: Callable[..., None],
    now: datetime.datetime,
) -> None:
    for number in range(1, 11):
        day(database, record("demo", "richard", JANE, number=number), now - (20 - number) * DAY)
    ignore("demo", queue_id="4New", at=now - DAY)
    assert "richard" not in forwarding(database, now)


@pytest.mark.parametrize(
    ("redirected", "bounced", "level", "words"),
    [
        (True, False, Level.NOTE, "Gmail has forwarded nothing since"),
        (True, True, Level.WRONG, "could not be delivered to richard@firm.example"),
        (False, False, Level.WRONG, "was not sent on"),
    ],
)
def test_a_confirmation_that_led_to_nothing_is_said(
    demo: Mailweir,
    database: Database,
    record: Callable[..., int],
    now: datetime.datetime,
    redirected: bool,
    bounced: bool,
    level: Level,
    words: str,
) -> None:
    moment = {True: f"{now:%Y-%m-%dT%H:%M:%S.000000Z}", False: None}
    (user_id,) = database.execute("SELECT id FROM users WHERE username = 'richard'").fetchone()
    database.execute(
        "INSERT INTO forwarding_confirmations (deployment_id, user_id, message_id, token, seen_at, redirected_at, redirects,"
        " bounced_at) VALUES ((SELECT id FROM deployments), ?, '<c@google.com>', 'x', ?, ?, 1, ?)",
        (user_id, moment[True], moment[redirected], moment[bounced]),
    )
    found = forwarding(database, now + DAY)["richard"]
    assert found.level is level
    assert words in found.sentence
    record("demo", "richard", JANE, number=5)
    assert words in forwarding(database, now + DAY)["richard"].sentence, "any mail may be a colleague's or a test"
    database.execute("UPDATE forwarding_confirmations SET forwarded_at = seen_at")
    assert "richard" not in forwarding(database, now + DAY)


def test_addresses_that_two_contacts_hold_are_a_note(demo: Mailweir, database: Database) -> None:
    deployment = deployments.find(database, "demo")
    assert list(record.check_addresses(database, deployment)) == []
    for name, company in (("Joan", "A"), ("Jean", "B")):
        assert demo("company", "add", company).code == 0
        # the command refuses an address that is taken; an import may not
        assert demo("contact", "add", name, JANE, "--company", company).code == 1
        database.execute(
            "INSERT INTO contacts (deployment_id, company_id, name, created_at) VALUES"
            " ((SELECT id FROM deployments), (SELECT id FROM companies WHERE name = ?), ?, '')",
            (company, name),
        )
        database.execute(
            "INSERT INTO contact_addresses (deployment_id, contact_id, address) VALUES"
            " ((SELECT id FROM deployments), (SELECT id FROM contacts WHERE name = ?), ?)",
            (name, JANE),
        )
    found = list(record.check_addresses(database, deployment))
    assert [one.level for one in found] == [Level.NOTE, Level.NOTE]
    assert f"1 addresses are on more than one contact: {JANE}" in found[0].sentence
    assert "belong to more than one company" in found[1].sentence


# --- the certificate --------------------------------------------------------------------------------------------------


def pair(folder: Path, now: datetime.datetime, days: int, *, other_key: bool = False) -> Settings:
    """Settings with a certificate that is valid for this many more days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.host.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - 400 * DAY)
        .not_valid_after(now + days * DAY + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kept = ec.generate_private_key(ec.SECP256R1()) if other_key else key
    (folder / "k.pem").write_bytes(
        kept.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    smtp: Any = {"tls_certificate_file": folder / "c.pem", "tls_key_file": folder / "k.pem"}
    return Settings(data_dir=folder, smtp=smtp)


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        (90, Level.OK, "valid for 90 days more"),
        (20, Level.NOTE, "expires in 20 days"),
        (5, Level.WRONG, "expires in 5 days"),
        (-2, Level.WRONG, "expired on"),
    ],
)
def test_the_certificates_days_are_counted(
    tmp_path: Path, now: datetime.datetime, days: int, level: Level, words: str
) -> None:
    settings = pair(tmp_path, now, days)
    (found,) = certificate.check(settings, now)
    assert (found.level, words in found.sentence) == (level, True), found


def test_a_certificate_from_the_future_tells_of_the_clock(tmp_path: Path, now: datetime.datetime) -> None:
    (found,) = certificate.check(pair(tmp_path, now, 90), now - 500 * DAY)
    assert (found.level, "clock" in found.to_do) == (Level.WRONG, True)


def test_a_key_of_another_certificate_is_wrong(tmp_path: Path, now: datetime.datetime) -> None:
    found = list(certificate.check(pair(tmp_path, now, 90, other_key=True), now))
    assert "isn't the certificate's" in found[0].sentence


# --- settings, and the bound on each check ----------------------------------------------------------------------------


def test_a_name_that_no_mx_can_hold_is_wrong_on_the_open_net_only(tmp_path: Path) -> None:
    for address, level in (("127.0.0.1", Level.NOTE), ("0.0.0.0", Level.WRONG)):
        smtp: Any = {"bind_address": address}
        settings = Settings(data_dir=tmp_path, smtp=smtp)
        found = [one for one in settings_sense.check(settings, settings) if "hostname" in one.sentence]
        assert [one.level for one in found] == [level]


def test_root_as_run_as_is_wrong(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, run_as="root")
    assert any(one.level is Level.WRONG for one in settings_sense.check(settings, settings))


def test_a_check_that_fails_or_hangs_is_a_finding(tmp_path: Path) -> None:
    def locked() -> Iterator[Finding]:
        yield findings.ok("x", "so far", key="x.y")
        raise DatabaseUnavailable("database is locked")

    def broken() -> Iterator[Finding]:
        raise ZeroDivisionError("by us")
        yield

    def hanging() -> Iterator[Finding]:
        time.sleep(1000)
        yield findings.ok("x", "never", key="x.y")

    assert [one.level for one in findings.run("x", locked)] == [Level.OK, Level.WRONG]
    assert "ZeroDivisionError: by us" in findings.run("x", broken)[0].sentence
    assert "didn't end within" in findings.run("x", hanging, seconds=0.05)[0].sentence
