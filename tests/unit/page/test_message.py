"""One message on its page: which parts it shows, and to whom."""

import re

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.record import readings, visibility
from mailweir.store.web import change_log, reader_log
from mailweir.store.web.accounts import Role
from mailweir.store.web.reader_log import What
from mailweir.visibility import Visibility
from tests.page import OFFER, Page
from tests.page_raw_mail import raw_mail, with_files

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


def test_a_message_says_who_wrote_it_and_whether_that_is_proven(page: Page) -> None:
    one = page.deliver(OFFER)
    shown = page.browser("richard").text(f"/activities/{one}")
    assert "An offer" in shown
    assert "The boiler costs 100." in shown
    assert shown.count("not proven: it has no signature") == 1
    assert "Jane Doe" in shown
    assert "Monday, 23 November 2026, 08:00 UTC" in shown


def test_a_proven_author_is_said_to_be_that_once(sqlite_page: Page) -> None:
    one = sqlite_page.deliver(raw_mail(b"Hi\r\n", b"X-Test: proven"))
    shown = sqlite_page.browser("richard").text(f"/activities/{one}")
    assert shown.count("proven by DKIM of firm.example") == 1
    assert "not proven" not in shown


def test_quotes_and_signatures_are_folded(sqlite_page: Page) -> None:
    body = b"Yes.\r\n\r\n-- \r\nJane\r\n+49 30 1\r\n"
    shown = sqlite_page.browser("richard").text(f"/activities/{sqlite_page.deliver(raw_mail(body))}")
    assert "<details><summary>Signature, 3 lines</summary>" in shown


def test_long_text_comes_in_parts(sqlite_page: Page) -> None:
    body = b"".join(b"line %06d of a long text\r\n" % number for number in range(6_000))
    one, browser = sqlite_page.deliver(raw_mail(body)), sqlite_page.browser("richard")
    first = browser.text(f"/activities/{one}")
    assert len(first) < 60_000
    assert "line 000000" in first
    assert "line 005999" not in first
    further = first.partition("?from=")[2].partition('"')[0]
    second = browser.text(f"/activities/{one}?from={further}")
    assert "line 000000" not in second
    assert [n for n in range(1_400, 1_800) if f"line {n:06}" not in first and f"line {n:06}" not in second] == []


LONG = b"".join(b"line %d\r\n" % number for number in range(40))


@pytest.mark.parametrize(
    ("body", "ways"),
    [
        (b"Short.\r\n", 1),
        (LONG, 2),
        (b"x " * 1_200 + b"\r\n", 2),
        (b"Yes.\r\n\r\nOn Monday, 23 November 2026, Jane wrote:\r\n> " + LONG.replace(b"\n", b"\n> "), 1),
    ],
)
def test_a_long_message_has_done_at_its_end_too(page: Page, body: bytes, ways: int) -> None:
    """Folded parts don't make it long."""
    one, browser = page.deliver(raw_mail(body)), page.browser("richard")
    shown = browser.text(f"/activities/{one}")
    assert shown.count(f'action="/activities/{one}/done"') == ways
    assert shown.count('data-key="e"') == 1
    assert ("Done</button>" in shown.partition("message-text")[2]) == (ways == 2)
    assert f'action="/activities/{one}/done"' not in page.browser("anna").text(f"/activities/{one}")
    assert browser.post(f"/activities/{one}/done").status_code == 303
    assert browser.text(f"/activities/{one}").count(f'action="/activities/{one}/open"') == ways


@pytest.mark.parametrize("start", ["-1", "999999999", "x", "9" * 40])
def test_a_part_that_isnt_there_is_the_first(sqlite_page: Page, start: str) -> None:
    one = sqlite_page.deliver(OFFER)
    assert "The boiler costs 100." in sqlite_page.browser("richard").text(f"/activities/{one}?from={start}")


@pytest.mark.parametrize("date", [b"Fri, 31 Dec 9999 23:59:59 +0000", b"Mon, 1 Jan 0001 00:00:00 +0000", b"x"])
def test_a_date_that_no_zone_has_breaks_no_page(sqlite_page: Page, date: bytes) -> None:
    """Only zones other than UTC lack such a day."""
    raw = OFFER.replace(b"Mon, 23 Nov 2026 09:00:00 +0100", date)
    one = sqlite_page.deliver(raw)
    account = sqlite_page.account("richard")
    sqlite_page.database.execute("UPDATE web_accounts SET zone = 'Pacific/Auckland' WHERE id = ?", (account.id,))
    east = sqlite_page.browser("richard").get(f"/activities/{one}").status_code
    sqlite_page.database.execute("UPDATE web_accounts SET zone = 'America/Los_Angeles' WHERE id = ?", (account.id,))
    assert (east, sqlite_page.browser("richard").get(f"/activities/{one}").status_code) == (200, 200)


# --- readers ----------------------------------------------------------------------------------------------------------------

PATHS = ("", "?view=html", "?version=1", "/html", "/raw", "/attachments/1")
CHANGES = ("visibility", "done", "open")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("number", ["0", "999999", str(2**63 - 1), str(2**63), "9" * 40, "-1", "x"])
def test_what_isnt_there_is_no_page(sqlite_page: Page, path: str, number: str) -> None:
    assert sqlite_page.browser("richard").get(f"/activities/{number}{path}").status_code == 404


def test_another_deployments_message_is_no_page(page: Page) -> None:
    one = page.deliver(with_files(("a.png", "image/png", PNG)), to="bob@other.example.org")
    for browser in (page.browser("richard"), page.browser("boss", Role.ADMIN), page.browser("root", role=None)):
        assert {browser.get(f"/activities/{one}{path}").status_code for path in PATHS} == {404}
        changes = {browser.post(f"/activities/{one}/{to}", {"visibility": "everyone"}).status_code for to in CHANGES}
        assert changes == {404}


def test_another_users_private_message_is_no_page(page: Page) -> None:
    one = page.deliver(with_files(("a.png", "image/png", PNG)), to="anna@demo.example.net")
    visibility.set_by_hand(page.database, one, Visibility.PARTICIPANTS, "x", page.clock())
    for browser in (page.browser("richard"), page.browser("boss", Role.ADMIN)):
        assert {browser.get(f"/activities/{one}{path}").status_code for path in PATHS} == {404}
        changes = {browser.post(f"/activities/{one}/{to}", {"visibility": "everyone"}).status_code for to in CHANGES}
        assert changes == {404}
    assert page.browser("anna").get(f"/activities/{one}").status_code == 200


def test_of_metadata_who_and_when_is_shown_and_nothing_else(page: Page) -> None:
    one = page.deliver(with_files(("secretname.png", "image/png", PNG)), to="anna@demo.example.net")
    visibility.set_by_hand(page.database, one, Visibility.METADATA, "x", page.clock())
    browser = page.browser("richard")
    shown = browser.text(f"/activities/{one}")
    assert all(word in shown for word in ("jane@client.example", "anna", "Monday, 23 November 2026", "incoming"))
    assert re.search(
        r"<bdi>jane@client\.example</bdi>\s+<span class=\"state warn\"><bdi>not proven</bdi>", shown
    )  # law 8
    for word in ("An offer", "See the files", "secretname", "1@client.example", "<form method"):
        assert word not in shown.partition("<main")[2], word
    for path in PATHS[3:]:
        assert browser.get(f"/activities/{one}{path}").status_code == 404
    assert browser.post(f"/activities/{one}/visibility", {"visibility": "everyone"}).status_code == 404


BCC = (
    b"From: Richard <richard@firm.example>\r\nTo: jane@client.example\r\nBcc: hidden@client.example\r\nSubject: Secret\r\n"
    b"Date: Mon, 23 Nov 2026 09:00:00 +0100\r\nMessage-ID: <s@firm.example>\r\nX-Test: proven\r\n\r\nHi\r\n"
)


def _deliver_bcc(page: Page) -> int:
    """Richard's mail with jane in Bcc. It is on anna's record, too."""
    one = page.deliver(BCC, to="log@demo.example.net")
    page.database.execute("UPDATE activity_contacts SET is_bcc = 1")
    anna = page.database.execute("SELECT id, deployment_id FROM users WHERE username = 'anna'").fetchone()
    _put_on_record(page.database, one, anna[0])
    return one


def _put_on_record(database: Database, activity_id: int, user_id: int) -> None:
    columns = database.execute("SELECT * FROM activity_users").description
    names = [column[0] for column in columns]
    row = dict(zip(names, database.execute("SELECT * FROM activity_users").fetchone(), strict=True))
    row.update({"activity_id": activity_id, "user_id": user_id})
    marks = ", ".join("?" * len(names))
    sql = f"INSERT INTO activity_users ({', '.join(names)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
    database.execute(sql, tuple(row.values()))


def test_bcc_is_shown_to_the_sender_alone(page: Page) -> None:
    one = _deliver_bcc(page)
    own, other = page.browser("richard"), page.browser("anna")
    assert "jane@client.example" in own.text(f"/activities/{one}")
    assert "in Bcc" in own.text(f"/activities/{one}")
    assert b"hidden@" in own.get(f"/activities/{one}/raw").get_data()
    shown = other.text(f"/activities/{one}")
    assert "jane@client.example" not in shown
    answer = other.get(f"/activities/{one}/raw")
    assert (answer.status_code, b"hidden@" in answer.get_data()) == (403, False)


# --- a reader's changes, and their log ---------------------------------------------------------------------------------------


def test_who_takes_part_sets_who_may_read_it(page: Page) -> None:
    one = page.deliver(OFFER)
    browser = page.browser("richard")
    assert browser.post(f"/activities/{one}/visibility", {"visibility": "participants"}).status_code == 303
    assert [one.changed_by for one in visibility.changes(page.database, one)] == ["richard"]
    assert change_log.select(page.database, page.demo.id, None, 5)[0].what == "activity.visibility"
    assert page.browser("anna").get(f"/activities/{one}").status_code == 404
    assert "Set by richard" in browser.text(f"/activities/{one}")


def test_who_only_reads_it_sets_nothing_and_an_admin_does(page: Page) -> None:
    one = page.deliver(OFFER)
    wanted = {"visibility": "participants"}
    assert page.browser("anna").post(f"/activities/{one}/visibility", wanted).status_code == 404
    answer = page.browser("boss", Role.ADMIN).post(f"/activities/{one}/visibility", wanted)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert page.browser("anna").get(f"/activities/{one}").status_code == 404


@pytest.mark.parametrize("given", ["", "nobody", "everyone "[:-1] + "x"])
def test_a_visibility_that_there_isnt_is_refused(sqlite_page: Page, given: str) -> None:
    one = sqlite_page.deliver(OFFER)
    browser = sqlite_page.browser("richard")
    assert browser.post(f"/activities/{one}/visibility", {"visibility": given}).status_code == 400
    assert visibility.changes(sqlite_page.database, one) == []


def test_a_to_do_is_done_and_undone(page: Page) -> None:
    one, browser = page.deliver(OFFER), page.browser("richard")
    assert "On your list of to-dos" in browser.text(f"/activities/{one}")
    assert browser.post(f"/activities/{one}/done").status_code == 303
    assert "Put it on the list again" in browser.text(f"/activities/{one}")
    assert browser.post(f"/activities/{one}/open").status_code == 303
    assert "On your list of to-dos" in browser.text(f"/activities/{one}")
    assert "to-dos</span>" not in page.browser("anna").text(f"/activities/{one}")
    assert page.browser("anna").post(f"/activities/{one}/done").status_code == 404


def test_who_read_what_is_noted_once_an_hour(page: Page) -> None:
    one = page.deliver(with_files(("a.zip", "application/zip", b"PK\x03\x04"), html=b"<p>Hi"))
    browser = page.browser("anna")
    for path in ("", "", "?view=html", "/html", "/html", "/attachments/1"):
        browser.get(f"/activities/{one}{path}")
    page.browser("richard").get(f"/activities/{one}/raw")
    page.clock.pass_by(3_600)
    browser.get(f"/activities/{one}")
    noted = [(line.account, line.activity_id, line.what) for line in reader_log.select(page.database, page.demo.id)]
    assert noted == [
        ("anna", one, What.TEXT),
        ("richard", one, What.RAW),
        ("anna", one, What.ATTACHMENT),
        ("anna", one, What.HTML),
        ("anna", one, What.TEXT),
    ]
    assert reader_log.select(page.database, page.other.id) == []


def test_the_log_of_readers_goes_on_by_its_last_line(page: Page) -> None:
    account = page.account("richard")
    for number in range(5):
        reader_log.note(page.database, page.demo.id, account.id, number + 1, What.RAW, page.clock())
    first = reader_log.select(page.database, page.demo.id, limit=2)
    second = reader_log.select(page.database, page.demo.id, first[-1].id, 200)
    assert [line.activity_id for line in (*first, *second)] == [5, 4, 3, 2, 1]


def test_what_a_reader_may_not_see_isnt_noted(page: Page) -> None:
    one = page.deliver(OFFER, to="anna@demo.example.net")
    visibility.set_by_hand(page.database, one, Visibility.METADATA, "x", page.clock())
    page.browser("richard").text(f"/activities/{one}")
    assert reader_log.select(page.database, page.demo.id) == []


def test_the_conversation_has_what_the_reader_may_see(page: Page) -> None:
    one = page.deliver(OFFER)
    answer = OFFER.replace(b"<offer@", b"<next@").replace(
        b"Subject: ", b"In-Reply-To: <offer@client.example>\r\nSubject: Re: "
    )
    two = page.deliver(answer, to="anna@demo.example.net")
    three = page.deliver(answer.replace(b"<next@", b"<third@"), to="anna@demo.example.net")
    visibility.set_by_hand(page.database, three, Visibility.PARTICIPANTS, "x", page.clock())
    shown = page.browser("richard").text(f"/activities/{one}")
    assert f'href="/activities/{two}"' in shown
    assert f'href="/activities/{three}"' not in shown
    listed = shown.partition("<h2>Thread</h2>")[2].partition("</ul>")[0]
    assert len(re.findall(r"<bdi>jane@client\.example</bdi>\s+<span class=\"state warn\">", listed)) == 2  # law 8


# --- seldom cases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        (b"DTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z", "09:00</time> – "),
        (b"DTSTART:20261201T230000Z\r\nDTEND:20261202T010000Z", "Wednesday, 2 December 2026, 01:00 UTC"),
        (b"DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261203", "1 December 2026 to Wednesday, 2 December 2026"),
        (b"DTSTART:20261201T090000", "09:00, local time"),
        (b"SUMMARY:x", "no time is given"),
    ],
)
def test_an_invitation_says_when_and_where(sqlite_page: Page, times: bytes, shown: str) -> None:
    event = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Boiler\r\nLOCATION:Berlin\r\n%b\r\n" % times
    raw = raw_mail(event + b"END:VEVENT\r\nEND:VCALENDAR\r\n", b"Content-Type: text/calendar; method=REQUEST")
    text = sqlite_page.browser("richard").text(f"/activities/{sqlite_page.deliver(raw)}")
    assert all(word in text for word in ("Invitation: ", "Berlin", shown))


def test_a_message_that_isnt_read_yet_says_so(sqlite_page: Page) -> None:
    one = sqlite_page.deliver(OFFER)
    sqlite_page.database.execute("DELETE FROM readings")
    browser = sqlite_page.browser("richard")
    assert "not read yet" in browser.text(f"/activities/{one}")
    assert browser.get(f"/activities/{one}/attachments/1").status_code == 404


def test_a_message_that_couldnt_be_read_still_has_its_bytes(sqlite_page: Page) -> None:
    one = sqlite_page.deliver(OFFER)
    readings.write_unreadable(sqlite_page.database, one, "died", sqlite_page.clock())
    browser = sqlite_page.browser("richard")
    assert "It could not be read." in browser.text(f"/activities/{one}")
    assert OFFER in browser.get(f"/activities/{one}/raw").get_data()


def test_another_version_is_shown_as_what_it_is(page: Page) -> None:
    proven = OFFER.replace(b"\r\n\r\n", b"\r\nX-Test: proven\r\n\r\n", 1)
    one = page.deliver(proven)
    assert page.deliver(OFFER.replace(b"costs 100", b"costs 900"), to="anna@demo.example.net") == one
    browser = page.browser("richard")
    assert "costs 100" in browser.text(f"/activities/{one}")
    other = browser.text(f"/activities/{one}?version=2")
    assert "costs 900" in other
    assert "This is version 2 of the message." in other
    assert browser.get(f"/activities/{one}?version=3").status_code == 404
    assert b"costs 900" in browser.get(f"/activities/{one}/raw?version=2").get_data()
