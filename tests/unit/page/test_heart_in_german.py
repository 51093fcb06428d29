"""Sentences of the package `mailweir` on a German page: refusals, findings, missing DNS records, jobs, and stored sentences.

A recorder notes each sentence that is made while a page is: none of them may appear there in English.
"""

import html
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from mailweir.errors import SettingsError
from mailweir.gmail import oauth_files
from mailweir.gmail.errors import Unreachable
from mailweir.health.findings import Finding, Level
from mailweir.sentence import Kept, Sentence, joined, said
from mailweir.settings import Gmail
from mailweir.store.database import models
from mailweir.store.people import relay_logins
from mailweir.store.record import health_reports
from mailweir.store.record.health_reports import HealthReport
from mailweir.store.web.accounts import Role
from tests.gmail_rows import connect
from tests.moody_zone import Mood, MoodyZoneServer
from tests.page import Browser, Page
from tests.unit.page.conftest import Serve
from webapp import health_shown, languages, recalled, spoken
from webapp.jobs import Worker

IN_GERMAN = {"Accept-Language": "de"}
OWN = {"Origin": "https://mail.example.net", "Sec-Fetch-Site": "same-origin", **IN_GERMAN}
DOMAIN = "firm.example"
_FEW = 12  # characters: a shorter sentence may occur within another text
_PLACE = re.compile(r"\{[^}]*\}")
_WORDS = re.compile(r"[A-Za-z]{2}")  # `{username}: {state}` has none, and is the same in all languages


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The English text of each sentence made from now on."""
    found: list[str] = []
    make = Sentence.__new__

    def note(kind: type[Sentence], template: str, values: dict[str, Any]) -> Sentence:
        one = make(kind, template, values)
        found.extend([str.__str__(one)] * bool(_WORDS.search(_PLACE.sub("", template))))
        return one

    monkeypatch.setattr(Sentence, "__new__", note)
    return found


def german(browser: Browser, path: str) -> str:
    """The German page at this path, as text."""
    response = browser.get(path, headers=IN_GERMAN)
    assert response.status_code == 200
    return html.unescape(response.get_data(as_text=True))


def left(made: list[str], body: str) -> list[str]:
    """The sentences that the text has in English."""
    return [one for one in dict.fromkeys(made) if len(one) > _FEW and " " in one and one in body]


def refusal(browser: Browser, path: str, fields: dict[str, Any]) -> str:
    """The text of a refused form."""
    response = browser.post(path, fields, headers=OWN)
    assert response.status_code == 400, response.status_code
    return html.unescape(response.get_data(as_text=True))


# --- refusals ---------------------------------------------------------------------------------------------------------

REFUSALS = {
    "no address": (
        "/admin/contacts",
        {"name": "Ann", "addresses": "ann", "company": ""},
        "„ann“ ist keine E-Mail-Adresse; eine sieht so aus: jane@example.com",
    ),
    "an address twice": (
        "/admin/contacts",
        {"name": "Ann", "addresses": "jane@client.example", "company": ""},
        "jane@client.example ist schon eine Adresse des Kontakts Jane Doe in demo",
    ),
    "a user's": (
        "/admin/contacts",
        {"name": "Ann", "addresses": "richard@firm.example", "company": ""},
        "richard@firm.example ist schon eine Adresse des Benutzers richard in demo",
    ),
    "a user twice": (
        "/admin/users",
        {"username": "richard", "mailbox": "r2@firm.example", "name": ""},
        "es gibt schon einen Benutzer richard in demo",
    ),
    "a reserved name": (
        "/admin/users",
        {"username": "log", "mailbox": "r2@firm.example", "name": ""},
        "der Benutzername „log“ ist reserviert; wählen Sie einen anderen",
    ),
    "no name": ("/admin/companies", {"name": " ", "domain": ""}, "der Name der Firma ist leer"),
    "no domain": (
        "/admin/companies",
        {"name": "ACME", "domain": "acme"},
        "„acme“ ist kein Domainname; einer sieht so aus: demo.example.net",
    ),
    "an own domain": (
        "/admin/rules",
        {"pattern": "@demo.example.net", "user": ""},
        "@demo.example.net liegt in der Erfassungsdomain von demo: von dort schreibt niemand",
    ),
    "no word": (
        "/admin/visibility",
        {"visibility": "everyone", "private_words": "-"},
        "„-“ ist kein Wort",
    ),
}


@pytest.mark.parametrize("case", sorted(REFUSALS))
def test_what_cant_be_taken_is_said_in_german(sqlite_page: Page, made: list[str], case: str) -> None:
    path, fields, expected = REFUSALS[case]
    body = refusal(sqlite_page.browser("boss", Role.ADMIN), path, fields)
    assert expected in body
    assert left(made, body) == []


def test_a_readers_form_and_the_users_too(sqlite_page: Page, made: list[str]) -> None:
    richard = sqlite_page.browser("richard")
    for path, fields in (
        ("/contacts/new", {"name": "Ann", "addresses": "ann", "company": ""}),
        ("/integrations/contact", {"name": "Ann", "address": "ann"}),
    ):
        body = refusal(richard, path, fields)
        assert "„ann“ ist keine E-Mail-Adresse" in body
        assert left(made, body) == []


def test_what_isnt_there_is_said_in_german(sqlite_page: Page) -> None:
    response = sqlite_page.browser("boss", Role.ADMIN).get("/admin/jobs/77", headers=IN_GERMAN)
    assert response.status_code == 404
    assert "es gibt keinen solchen Auftrag" in response.get_data(as_text=True)


def test_what_was_typed_is_no_template_in_german(sqlite_page: Page) -> None:
    body = refusal(
        sqlite_page.browser("boss", Role.ADMIN),
        "/admin/contacts",
        {"name": "Ann", "addresses": "{text.__class__}%(x)s", "company": ""},
    )
    assert "„{text.__class__}%(x)s“ ist keine E-Mail-Adresse" in body


# --- findings ---------------------------------------------------------------------------------------------------------


def test_no_finding_is_left_in_english(page: Page, made: list[str]) -> None:
    page.deliver()
    page.clock.pass_by(timedelta(days=40).total_seconds())
    connect(page.database, page.demo, "richard", page.clock(), address="richard@firm.example")
    why = "Gmail says that the mailbox's limit is reached (Quota exceeded)"
    page.database.execute("UPDATE gmail_mailboxes SET state = 'reconnect', error = ?", (why,))
    for role, name in ((Role.ADMIN, "boss"), (None, "root")):
        body = german(page.browser(name, role), "/admin/health")
        assert "Weg Log-Adresse: noch keine E-Mail erfasst" in body
        assert left(made, body) == []


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (None, 0o600, "die Datei {file} (Client-Geheimnis) ist nicht lesbar: No such file or directory"),
        ("{}", 0o644, "{file} enthält ein Geheimnis (Client-Geheimnis), und andere können es lesen: chmod 600"),
        (
            "no JSON",
            0o600,
            "{file} enthält kein JSON, wie Googles Konsole es ausgibt; docs/admin/gmail.md sagt, wie man sie erstellt",
        ),
        ("{}", 0o600, "{file} ist keine Datei eines OAuth-Clients (installed oder web); docs/admin/gmail.md sagt"),
        ('{"installed": {}}', 0o600, "in {file} fehlt client_id; docs/admin/gmail.md sagt, wie man sie erstellt"),
    ],
)
def test_what_is_wrong_with_googles_file_is_said_in_german(
    sqlite_page: Page, tmp_path: Path, content: str | None, mode: int, expected: str
) -> None:
    """The sync stores the finding for the page, because the page can't read such files."""
    file, part = tmp_path / "client.json", tmp_path / "part"
    part.write_text(content or "")
    part.chmod(mode)
    part.rename({True: tmp_path / "another.json", False: file}[content is None])
    with pytest.raises(SettingsError) as caught:
        oauth_files.load(Gmail(oauth_client_file=str(file)))
    page, why = sqlite_page, str.__str__(caught.value.args[0])
    connect(page.database, page.demo, "richard", page.clock(), address="richard@firm.example")
    page.database.execute("UPDATE gmail_mailboxes SET state = 'reconnect', error = ?", (why,))
    assert expected.replace("{file}", str(file)) in german(page.browser("richard"), "/integrations")
    assert why in html.unescape(page.browser("richard").text("/integrations"))


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ("/k/token.key holds no key: it must be one line, 32 bytes in base64", "/k/token.key enthält keinen Schlüssel"),
        (
            "can't read the key file /k: Permission denied; it must belong to mw, who must also be able to reach its folder",
            "die Datei /k (Schlüssel) ist nicht lesbar: Permission denied; sie muss mw gehören",
        ),
        (
            "gmail.api_endpoint: 'http://x' must be an https:// address",
            "„http://x“ muss eine Adresse mit https:// sein",
        ),
        ("the settings name no OAuth client any more", "die Einstellungen nennen keinen OAuth-Client mehr"),
    ],
)
def test_what_settings_lack_is_known_again(sqlite_page: Page, kept: str, expected: str) -> None:
    with sqlite_page.app.test_request_context(headers=IN_GERMAN):
        assert expected in spoken.kept(kept)
        assert not spoken.is_unknown(kept)


def test_what_a_host_reported_is_known_again_and_the_rest_marked_as_english(sqlite_page: Page) -> None:
    at = sqlite_page.clock()
    sentences = ("it can be written", "a sentence that nobody knows")
    reports = [
        HealthReport("a.example", check, "note", json.dumps([_reported(sentence)]), at)
        for check, sentence in zip(("database", "sockets"), sentences, strict=True)
    ]
    with sqlite_page.database.transaction():
        health_reports.put(sqlite_page.database, "a.example", reports, at)
    body = german(sqlite_page.browser("root", None), "/admin/health")
    assert "<span>database, vor 0 Sekunden: sie ist beschreibbar</span>" in body
    assert '<span lang="en">sockets, vor 0 Sekunden: a sentence that nobody knows</span>' in body


def _reported(sentence: str) -> dict[str, Any]:
    return {"level": "note", "finding": sentence, "to_do": "free some space", "key": "x.x", "facts": {}}


def test_numbers_are_written_as_germans_do(sqlite_page: Page) -> None:
    sentence = said("{url} answers, has this program's version and uses {size:,.1f} MiB", url="x", size=12345.67)
    finding = Finding("database", Level.OK, sentence)
    with sqlite_page.app.test_request_context(headers=IN_GERMAN):
        shown = health_shown.shown(finding, health_shown.nowhere)
    assert shown.sentence == "x antwortet, hat die Version dieses Programms und ist 12.345,7 MiB groß"
    assert not shown.is_english


# --- DNS --------------------------------------------------------------------------------------------------------------

RECORDS = {
    "slips": ['"v=spf1 inlcude:a.example ip4:198.51.100.7 all redirect=b.example -all"'],
    "two": ['"v=spf1 -all"', '"v=spf1 +all"'],
    "nearly": ['"spf1 include:a.example -all"'],
    "unreadable": ['"v=spf1 ip4:1.2.3.4/99 -all"'],
    "wide": ['"v=spf1 ptr exists:%{i}.a.example include:no.example +all"'],
    "none": [],
}


@pytest.mark.parametrize("case", sorted(RECORDS))
def test_what_dns_lacks_is_said_in_german(
    serve: Serve, zone: MoodyZoneServer, tmp_path: Path, made: list[str], case: str
) -> None:
    zone.records[DOMAIN, "TXT"] = RECORDS[case]
    zone.records[f"_dmarc.{DOMAIN}", "TXT"] = ['"v=DMARC1; p=rejct; pct=50; rua=x"']
    with serve() as page:
        admin = german(page.browser("boss", Role.ADMIN), f"/admin/domains/{DOMAIN}")
        user = german(page.browser("richard"), "/integrations")
    assert "die Richtlinie p=rejct ist nicht bekannt" in admin
    assert left(made, admin) == []
    assert left(made, user) == []
    assert 'lang="en"' not in admin.partition("DMARC</h2>")[2]


def test_where_dns_gives_no_answer_that_is_said_in_german(serve: Serve, zone: MoodyZoneServer, made: list[str]) -> None:
    zone.mood = Mood.SERVFAIL
    with serve() as page:
        body = german(page.browser("boss", Role.ADMIN), f"/admin/domains/{DOMAIN}")
    assert "keine Antwort für" in body
    assert left(made, body) == []


# --- stored sentences ------------------------------------------------------------------------------------------------


def test_a_database_keeps_its_english(page: Page) -> None:
    why = str(Unreachable(said("no answer from {host} in time", host="gmail.example")))
    connect(page.database, page.demo, "richard", page.clock(), address="richard@firm.example")
    page.database.execute("UPDATE gmail_mailboxes SET error = ?", (why,))
    with page.database.bound():
        models.GmailMailbox.update(error=why).where(models.GmailMailbox.error == why).execute()
    ((kept,),) = page.database.execute("SELECT error FROM gmail_mailboxes").fetchall()
    assert (type(kept), kept) == (str, "no answer from gmail.example in time")


def test_why_google_cant_be_read_is_said_in_german(sqlite_page: Page) -> None:
    page = sqlite_page
    connect(page.database, page.demo, "richard", page.clock(), address="richard@firm.example")
    why = (
        "the consent is no longer valid (withdrawn, unused for six months, the password changed, or the app is in testing): "
        "connect again (invalid_grant: Token has been expired or revoked.)"
    )
    page.database.execute("UPDATE gmail_mailboxes SET state = 'reconnect', error = ?", (why,))
    body = german(page.browser("richard"), "/integrations")
    assert "die Zustimmung gilt nicht mehr" in body
    assert "verbinden Sie noch einmal (invalid_grant: Token has been expired or revoked.)" in body
    assert "the consent is no longer valid" not in body


def test_what_nobody_knows_again_stays_and_is_marked(sqlite_page: Page) -> None:
    page = sqlite_page
    connect(page.database, page.demo, "richard", page.clock(), address="richard@firm.example")
    page.database.execute("UPDATE gmail_mailboxes SET state = 'reconnect', error = 'a fault of tomorrow'")
    assert '<span lang="en">a fault of tomorrow</span>' in german(page.browser("richard"), "/integrations")
    assert "<span>a fault of tomorrow</span>" in page.browser("richard").text("/integrations")


def test_a_suspended_login_says_why_in_german(sqlite_page: Page) -> None:
    page = sqlite_page
    relay_logins.connect(page.database, page.demo, "richard", "x", page.clock())
    why = "refused 20 times within an hour, over 100 messages"
    page.database.execute("UPDATE relay_logins SET suspended_at = created_at, suspended_reason = ?", (why,))
    assert "in einer Stunde 20 Mal abgelehnt, über 100 Nachrichten" in german(page.browser("richard"), "/integrations")


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ("the file has more than 200000 rows: send it in several files", "die Datei hat mehr als 200000 Zeilen"),
        (
            "the card is broken: line 7: longer than 9 characters",
            "die Karte ist fehlerhaft: Zeile 7: länger als 9 Zeichen",
        ),
        ("'ann' is not a mail address; one looks like jane@example.com", "„ann“ ist keine E-Mail-Adresse"),
        ("its quotes can't be read (up to line 9): line contains NUL", "nicht lesbar (bis Zeile 9): line contains NUL"),
        ("the company's name is empty", "der Name der Firma ist leer"),
        ("unexpected fault (KeyError); see the log", "unerwarteter Fehler (KeyError); siehe Log"),
    ],
)
def test_what_a_job_kept_is_known_again(sqlite_page: Page, kept: str, expected: str) -> None:
    with sqlite_page.app.test_request_context(headers=IN_GERMAN):
        assert expected in spoken.kept(kept)
        assert not spoken.is_unknown(kept)
    with sqlite_page.app.test_request_context(headers={"Accept-Language": "en"}):
        assert spoken.kept(kept) == kept


def test_the_pages_of_a_job_say_it_in_german(sqlite_page: Page, made: list[str]) -> None:
    page = sqlite_page
    boss = page.browser("boss", Role.ADMIN)
    sheet = io.BytesIO(b"name,address\r\nAnn,ann\r\nBea,bea@x.example;richard@firm.example\r\n")
    looking = boss.post("/admin/contacts/import", {"file": (sheet, "c.csv")}, headers=OWN).headers["Location"]
    worker = Worker(page.database.url, page.clock, structlog.get_logger())
    assert worker.work_once(page.database)
    body = german(boss, looking)
    assert "<td>2</td><td>„ann“ ist keine E-Mail-Adresse; eine sieht so aus: jane@example.com</td>" in body
    assert "<td>3</td><td>richard@firm.example ist schon eine Adresse des Benutzers richard in demo</td>" in body
    assert left(made, body) == []


def test_each_sentence_is_known_again_by_its_words() -> None:
    templates = languages.sentences("de")
    texts = [_PLACE.sub("Zq 1", template) for template in templates]
    found = [recalled.find(text, "de") for text in texts]
    known = [(text, one) for text, one in zip(texts, found, strict=True) if one is not None]
    assert [text for text, one in known if _PLACE.sub("Zq 1", one.template) != text and not _says(one, text)] == []
    assert len(known) > 0.9 * len(templates)


def _says(one: recalled.Recalled, text: str) -> bool:
    """Is the text this template with these values?"""
    pieces = re.split(r"\{(\w+)[^}]*\}", one.template)
    return "".join(one.values.get(piece, piece) for piece in pieces) == text


@pytest.mark.parametrize(("size", "is_known"), [(1_000, True), (3_000, False)])
def test_a_text_that_is_too_long_isnt_looked_at(size: int, is_known: bool) -> None:
    assert (recalled.find(f"'{'x' * size}' is not a word", "de") is not None) is is_known


def test_a_place_that_stands_twice_has_one_value() -> None:
    template = "{user} isn't connected; 'mailweir relay connect {user}' creates a login"
    same = recalled.find("pat isn't connected; 'mailweir relay connect pat' creates a login", "de")
    assert same == recalled.Recalled(template, {"user": "pat"})
    assert recalled.find("pat isn't connected; 'mailweir relay connect bob' creates a login", "de") is None


def test_sentences_within_sentences_are_translated(sqlite_page: Page) -> None:
    several = joined([said("1 look-up"), said("{number} void", number=2), Kept("no answer")], ", ")
    with sqlite_page.app.test_request_context(headers=IN_GERMAN):
        assert spoken.spoken(several) == "1 Abfrage, 2 ohne Ergebnis, keine Antwort"
        assert spoken.spoken("no answer") == "no answer", "a text without a template stays English"
