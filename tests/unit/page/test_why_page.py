"""A missing mail: the page's text, its readers, and its button that repairs it."""

from urllib.parse import quote

import pytest

from mailweir.store.record import decision_search
from mailweir.store.web.accounts import Role
from mailweir.visibility import Visibility
from tests.gmail_rows import connect
from tests.held_mail import send
from tests.page import JANE, Page
from tests.page_mail import ANNA, RICHARD, deliver_with_hidden_copy, link, mail, restrict

STRANGER = "bo@bolts.example"


def ignore(page: Page, name: str = "1", to: str = RICHARD, author: str = STRANGER) -> None:
    """Lets the filter see a mail that isn't kept."""
    raw = mail(name, "Secret plans", From=author)
    send(page.database, raw, f"4Ignored{next(page.numbers)}", recipients=to, at=page.clock())


@pytest.mark.parametrize("text", [STRANGER, "1@client.example", "<1@client.example>", f" {STRANGER.upper()} "])
def test_mail_of_nobody_is_explained_and_can_be_mended(page: Page, text: str) -> None:
    ignore(page)
    said = page.browser("richard").text(f"/why?q={quote(text)}")
    assert f"author {STRANGER} is not a contact of demo" in said
    assert f'<a class="button main" href="/contacts/new?address={STRANGER}">' in said
    form = page.browser("richard").text(f"/contacts/new?address={STRANGER}")
    assert f">{STRANGER}</textarea>" in form


def test_earlier_mail_is_promised_where_a_mailbox_has_it(page: Page) -> None:
    """Mail that was forwarded before is gone. Gmail's mail is fetched once there is a contact."""
    ignore(page)
    button = 'class="button main" href="/contacts/new?address=bo@bolts.example">{}</a>'
    browser = page.browser("richard")
    assert button.format("Add a contact") in browser.text(f"/why?q={STRANGER}")
    connect(page.database, page.demo, "anna", page.clock())
    assert button.format("Add a contact and fetch the earlier mail") in browser.text(f"/why?q={STRANGER}")


def test_mail_that_is_kept_is_linked(page: Page) -> None:
    number = page.deliver(mail("1"))
    said = page.browser("richard").text(f"/why?q={JANE}")
    assert f"captured as activity {number}" in said
    assert f'href="/activities/{number}"' in said


def test_words_of_a_subject_find_what_is_kept(page: Page) -> None:
    number = page.deliver(mail("1", "About gaskets"))
    said = page.browser("richard").text("/why?q=gaskets")
    assert f'href="/activities/{number}"' in said
    assert "has no subject here" in said


def test_mail_that_came_for_somebody_else_is_not_told(page: Page) -> None:
    ignore(page, to=ANNA)
    assert "is not a contact of demo" in page.browser("anna").text(f"/why?q={STRANGER}")
    assert "is not a contact of demo" in page.browser("boss", Role.ADMIN).text(f"/why?q={STRANGER}")
    for browser in (page.browser("richard"), page.browser("bob", deployment=page.other)):
        said = browser.text(f"/why?q={STRANGER}")
        assert "is not a contact of demo" not in said
        assert "An admin can look for the rest." in said


def test_who_is_neither_user_nor_admin_is_told_of_the_record_alone(page: Page) -> None:
    ignore(page)
    number = page.deliver(mail("2", "About gaskets"))
    guest = page.browser("guest")
    assert "is not a contact of demo" not in guest.text(f"/why?q={STRANGER}")
    assert f"/activities/{number}" in guest.text("/why?q=gaskets")


def test_another_deployment_is_told_nothing(page: Page) -> None:
    """Law 4."""
    page.deliver(mail("1", "About gaskets"))
    ignore(page, "2")
    for text in (JANE, STRANGER, "gaskets", "1@client.example", "4Ignored2"):
        for browser in (
            page.browser("bob", deployment=page.other),
            page.browser("admin2", Role.ADMIN, deployment=page.other),
        ):
            said = browser.text(f"/why?q={text}")
            assert "/activities/" not in said
            assert "demo" not in said


@pytest.mark.parametrize("text", [JANE, "merger", "1@client.example"])
def test_a_private_mail_is_not_told(page: Page, text: str) -> None:
    number = page.deliver(mail("1", "Merger talks"), ANNA)
    restrict(page, number, Visibility.PARTICIPANTS)
    assert f"/activities/{number}" in page.browser("anna").text(f"/why?q={text}")
    for browser in (page.browser("richard"), page.browser("boss", Role.ADMIN)):
        said = browser.text(f"/why?q={text}")
        assert f"/activities/{number}" not in said
        assert "Merger talks" not in said


def test_a_contact_in_bcc_is_told_to_the_sender_alone(page: Page) -> None:
    number = deliver_with_hidden_copy(page)
    assert f"/activities/{number}" in page.browser("richard").text("/why?q=joe@client.example")
    assert f"/activities/{number}" not in page.browser("anna").text("/why?q=joe@client.example")


def test_where_nothing_is_known_the_next_step_is_named(page: Page) -> None:
    browser = page.browser("richard")
    unknown = browser.text("/why?q=new@nobody.example")
    assert "No contact has this address" in unknown
    assert 'href="/contacts/new?address=new@nobody.example"' in unknown
    assert "It is an address of the contact Jane Doe" in browser.text(f"/why?q={JANE}")


def test_a_name_around_an_address_isnt_in_the_way(page: Page) -> None:
    number = page.deliver(mail("1"))
    said = page.browser("richard").text(f"/why?q={quote(f'Jane Doe <{JANE}>')}")
    assert f'href="/activities/{number}"' in said


@pytest.mark.parametrize("text", ["richard@demo.example.net", "log@demo.example.net", "richard@firm.example"])
def test_nobody_is_told_to_make_a_contact_of_an_address_of_ours(page: Page, text: str) -> None:
    said = page.browser("richard").text(f"/why?q={text}")
    assert "Nothing is known of" in said
    assert "Add a contact" not in said
    assert "Check the forwarding" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NOQUEUE", "NOQUEUE is no queue id"),
        ("[192.0.2.7]", "Mailweir records no hosts, so it finds no decision by 192.0.2.7."),
        ("nobody.example", "If nobody.example is a domain, look for a whole address in it"),
    ],
)
def test_what_no_mail_is_found_by_is_said_in_one_line(page: Page, text: str, words: str) -> None:
    ignore(page)
    for browser in (page.browser("richard"), page.browser("boss", Role.ADMIN)):
        said = browser.text(f"/why?q={text}")
        assert f'<p class="notice"><bdi>{words}' in said
        assert "Nothing is known of" not in said


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "\"'><svg onload=x>", "\u202e\x1b", "\x00", "%", "_", "a" * 9_000, "@", "<@>", " "],
)
def test_whatever_is_asked_is_text(page: Page, text: str) -> None:
    page.deliver()
    said = page.browser("richard").text(f"/why?q={quote(text)}")
    assert "<script>alert" not in said
    assert "<svg onload" not in said
    assert "\x1b" not in said


def test_a_hostile_author_is_text(page: Page) -> None:
    raw = mail("1", "x", From='"<script>alert(1)</script>" <"<b>x"@bolts.example>')
    send(page.database, raw, "4Hostile", recipients=RICHARD, at=page.clock())
    said = page.browser("richard").text("/why?q=1@client.example")
    assert "<script>" not in said.partition("</head>")[2]
    assert "<b>" not in said


def test_the_page_asks_before_it_answers(sqlite_page: Page) -> None:
    said = sqlite_page.browser("richard").text("/why")
    assert "What is known of it" not in said
    assert 'name="q"' in said


def test_an_answer_that_looked_at_a_part_says_so_and_goes_on(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_search, "MOST_BUCKETS", 1)
    ignore(page)
    page.clock.pass_by(86_400)
    ignore(page, "2", author="eve@bolts.example")
    page.database.execute("UPDATE decisions SET id = id + 1500 WHERE author = 'eve@bolts.example'")
    browser = page.browser("richard")
    newest = browser.text(f"/why?q={STRANGER}")
    assert f"Nothing was found here for {STRANGER}. The search went back to 2026-11-25 04:00Z" in newest
    assert "is not a contact of demo" not in newest
    assert "No contact has this address" in newest
    seen = [newest]
    for _ in range(5):
        seen.append(browser.text(link(seen[-1], "Search further back") or "/why"))
    assert sum(f"author {STRANGER} is not a contact of demo" in one for one in seen) == 1
    known = browser.text("/why?q=eve@bolts.example")
    assert "author eve@bolts.example is not a contact of demo" in known
    assert "The search went back to 2026-11-25 04:00Z, and there are older decisions." in known


@pytest.mark.parametrize("place", ["0-0", "1-1"])
def test_at_the_end_no_more_is_known(sqlite_page: Page, place: str) -> None:
    ignore(sqlite_page)
    said = sqlite_page.browser("richard").text(f"/why?q={STRANGER}&before={place}")
    assert f"No more is known of {STRANGER}." in said
    assert 'href="/why?q=bo@bolts.example"' in said


@pytest.mark.parametrize("place", ["x", "-1-2", "1", "9" * 40 + "-1", "1-1-1", "\u0661-\u0661"])
def test_what_is_no_place_begins_anew(sqlite_page: Page, place: str) -> None:
    ignore(sqlite_page)
    said = sqlite_page.browser("richard").text(f"/why?q={STRANGER}&before={quote(place)}")
    assert "is not a contact of demo" in said
