"""The Integrations page: its text on each way for mail, and its buttons, for the signed-in user only."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest

from mailweir import send_mail_as
from mailweir.errors import NotFound
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_mailboxes, gmail_revocations
from mailweir.store.gmail.gmail_revocations import State
from mailweir.store.people import contacts, relay_logins, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.record.confirmations import ConfirmationWriter
from mailweir.store.web import change_log
from mailweir.store.web.accounts import Role
from tests.gmail_rows import connect
from tests.page import Page

LINK = "https://mail-settings.google.com/mail/vf-%5BANGjdJ8%5D-abc"


def shown(page: Page, name: str = "richard") -> str:
    """The page's text, with entities as characters."""
    return html.unescape(page.browser(name).text("/integrations"))


def light(text: str, way: str) -> tuple[str, str]:
    """The state of a way for mail in the line at the top: its kind and its words."""
    found = re.search(rf'<a href="#{way}"><span class="state (\w*)">([^<]*)</span>', text)
    assert found, text
    return found[1], found[2]


def confirm(page: Page, requester: str | None = "richard@firm.example", link: str | None = LINK, **more: Any) -> None:
    """Google's confirmation comes for richard of demo, and is redirected."""
    user_id = users.list_all(page.database, page.demo)[-1].id
    assert users.list_all(page.database, page.demo)[-1].username == "richard"
    with page.database.transaction():
        writer = ConfirmationWriter(page.database)
        row, _, token = writer.put(page.demo.id, user_id, "m1", requester, link, "t1", page.clock())
        writer.count_redirect(row, page.clock())
        if more.get("is_bounced"):
            writer.mark_bounced(page.demo.id, token, page.clock())


def noted(page: Page, tenant: Deployment | None = None) -> list[tuple[str, str, str, str]]:
    """The log of changes, the newest first."""
    found = change_log.select(page.database, (tenant or page.demo).id, None, 50)
    return [(one.changed_by, one.what, one.subject, one.detail) for one in found]


# --- the page for a user ----------------------------------------------------------------------------------------------


def test_a_new_user_sees_where_to_forward_to_and_what_isnt_set_up(page: Page) -> None:
    text = shown(page)
    assert {"richard@demo.example.net", "log@demo.example.net"} <= set(re.findall(r"<code[^>]*>([^<]*)", text))
    assert [light(text, way) for way in ("forwarding", "google", "smtp", "log")] == [
        ("", "No forwarding yet"),
        ("", "Google isn't connected"),
        ("", "No outgoing SMTP yet"),
        ("", "Nothing at the log address yet"),
    ]


def test_who_has_it_all_working_sees_it_at_the_top(page: Page) -> None:
    for day in range(8):
        page.deliver(b"From: jane@client.example\r\nTo: richard@firm.example\r\nMessage-ID: <%d@x>\r\n\r\nhi\r\n" % day)
        page.clock.pass_by(86_400)
    page.clock.pass_by(-86_400 + 720)
    send_mail_as.connect(page.database, page.demo, "richard", page.clock())
    text = shown(page)
    assert light(text, "forwarding") == ("good", "Forwarding works")
    assert "12 minutes ago" in text
    assert light(text, "smtp") == ("good", "Outgoing SMTP is connected")


def test_quiet_forwarding_says_since_when(page: Page) -> None:
    for day in range(8):
        page.deliver(b"From: jane@client.example\r\nTo: richard@firm.example\r\nMessage-ID: <%d@x>\r\n\r\nhi\r\n" % day)
        page.clock.pass_by(86_400)
    last = page.clock() - timedelta(days=1)
    page.clock.pass_by(5 * 86_400)
    text = shown(page)
    assert light(text, "forwarding") == ("bad", "Forwarding is quiet")
    assert f'since <time datetime="{last:%Y-%m-%dT%H:%M}' in text
    assert "is the forwarding to the address below still on?" in text


def test_a_user_sees_the_own_ways_alone(page: Page) -> None:
    connect(page.database, page.demo, "anna", page.clock())
    connect(page.database, page.other, "richard", page.clock(), address="richard@else.example")
    send_mail_as.connect(page.database, page.other, "richard", page.clock())
    confirm(page)
    text = shown(page)
    assert "@else.example" not in text
    assert "anna@" not in text
    assert light(text, "google") == ("", "Google isn't connected")
    assert light(text, "smtp") == ("", "No outgoing SMTP yet")
    assert "mail-settings.google.com" not in shown(page, "anna")


@pytest.mark.parametrize(("name", "role"), [("boss", Role.ADMIN), ("root", None)])
def test_who_is_no_user_has_no_integrations(sqlite_page: Page, name: str, role: Role | None) -> None:
    browser = sqlite_page.browser(name, role)
    assert browser.get("/integrations").status_code == 404
    for path in POSTS:
        assert browser.post(path).status_code == 404


POSTS = (
    "/integrations/contact",
    "/integrations/smtp/connect",
    "/integrations/smtp/rotate",
    "/integrations/smtp/disconnect",
    "/integrations/google/connect",
    "/integrations/google/options",
    "/integrations/google/retry",
    "/integrations/google/disconnect",
)


@pytest.mark.parametrize("path", POSTS)
def test_each_button_needs_its_token(sqlite_page: Page, path: str) -> None:
    assert sqlite_page.browser("richard").post(path, token=False).status_code == 403


# --- Google's confirmation -------------------------------------------------------------------------------------------


def test_a_confirmation_that_the_user_asked_for_has_its_link(page: Page) -> None:
    confirm(page)
    text = shown(page)
    assert light(text, "forwarding") == ("warn", "Forwarding isn't confirmed")
    assert f'class="button main" href="{LINK}" rel="noopener noreferrer" target="_blank"' in text
    assert "don’t confirm it" not in text


@pytest.mark.parametrize("requester", ["eve@evil.example", None])
def test_one_that_somebody_else_asked_for_is_warned_of(sqlite_page: Page, requester: str | None) -> None:
    confirm(sqlite_page, requester)
    text = shown(sqlite_page)
    assert "If you didn’t request it, don’t confirm it" in text
    assert 'class="button main" href="https://mail' not in text
    assert (requester or "it doesn’t say") in text


@pytest.mark.parametrize(
    "link",
    [
        "http://mail-settings.google.com/mail/vf-a",
        "https://evil.example/mail/vf-a",
        "https://mail.google.com.evil.example/mail/vf-a",
        "https://mail.google.com@evil.example/mail/vf-a",
        "https://mail.google.com:8443/mail/vf-a",
        "javascript:alert(1)//mail.google.com",
        "https://[mail.google.com/mail/vf-a",
        None,
    ],
)
def test_a_link_that_isnt_googles_isnt_offered(sqlite_page: Page, link: str | None) -> None:
    confirm(sqlite_page, link=link)
    text = shown(sqlite_page)
    assert "Google asks whether mail may be forwarded here" in text
    assert "vf-a" not in text
    assert "Confirm at Google" not in text
    assert "javascript:" not in text


def test_a_test_mail_doesnt_answer_it_and_a_click_puts_it_away(page: Page) -> None:
    confirm(page)
    page.clock.pass_by(60)
    page.deliver(b"From: jane@client.example\r\nTo: richard@firm.example\r\nMessage-ID: <try@x>\r\n\r\nhi\r\n")
    browser = page.browser("richard")
    text = shown(page)
    assert "Google asks whether mail may be forwarded here" in text
    assert light(text, "forwarding") == ("warn", "Forwarding isn't confirmed")
    (given,) = re.findall(r'<input type="hidden" name="id" value="(\d+)">', text)
    way = "/integrations/confirmation/dismiss"
    assert page.browser("anna").post(way, {"id": given}).status_code == 303
    assert [browser.post(way, fields).status_code for fields in ({}, {"id": "x"}, {"id": "-1"})] == [400] * 3
    assert "Google asks whether" in shown(page)
    answer = browser.post(way, {"id": given})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/integrations?done=confirmation_dismissed")
    text = shown(page)
    assert "Google asks whether" not in text
    assert light(text, "forwarding") == ("good", "Forwarding works")


def test_a_strangers_question_leaves_the_own_forwarding_well(page: Page) -> None:
    page.deliver(b"From: jane@client.example\r\nTo: richard@firm.example\r\nMessage-ID: <try@x>\r\n\r\nhi\r\n")
    page.clock.pass_by(60)
    confirm(page, "eve@evil.example")
    text = shown(page)
    assert "If you didn’t request it, don’t confirm it" in text
    assert light(text, "forwarding") == ("good", "Forwarding works")


def test_what_asks_is_plain_text(sqlite_page: Page) -> None:
    confirm(sqlite_page, "<script>alert(1)</script>@evil.example")
    text = sqlite_page.browser("richard").text("/integrations")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;@evil.example" in text


def test_one_that_came_back_says_so(sqlite_page: Page) -> None:
    confirm(sqlite_page, is_bounced=True)
    text = shown(sqlite_page)
    assert light(text, "forwarding") == ("bad", "Forwarding isn't confirmed")
    assert "it came back undelivered" in text


# --- the contact for a first try --------------------------------------------------------------------------------------


def test_a_user_makes_the_contact_to_try_it_with(page: Page) -> None:
    browser = page.browser("richard")
    answer = browser.post("/integrations/contact", {"name": "Me at home", "address": "Rick@home.example"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/integrations?done=contact")
    made = [one for one in contacts.list_all(page.database, page.demo) if one.name == "Me at home"]
    assert [one.addresses for one in made] == [("rick@home.example",)]
    assert noted(page) == [("richard", "contact.added", "Me at home", "rick@home.example")]
    assert len(contacts.list_all(page.database, page.other)) == 1
    page.deliver(b"From: rick@home.example\r\nTo: richard@firm.example\r\nMessage-ID: <try@x>\r\n\r\nhi\r\n")
    assert "just now" in shown(page)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("anna@firm.example", "already an address of the user anna"),
        ("jane@client.example", "already an address of the contact Jane Doe"),
        ("nonsense", ""),
        ("x@demo.example.net", "capture domain"),
        ("", ""),
    ],
)
def test_an_address_that_wont_do_is_told_and_kept(page: Page, address: str, why: str) -> None:
    browser = page.browser("richard")
    answer = browser.post("/integrations/contact", {"name": "Who <b>", "address": address})
    text = html.unescape(answer.get_data(as_text=True))
    assert (answer.status_code, why in text) == (400, True)
    assert f'value="{address}"' in text
    assert "Who <b>" not in answer.get_data(as_text=True)
    assert len(contacts.list_all(page.database, page.demo)) == 1
    assert noted(page) == []


# --- outgoing SMTP ---------------------------------------------------------------------------------------------------


def password_of(answer: Any) -> str:
    """The password that a page shows."""
    found = re.search(r'id="smtp-password">([^<]+)<', answer.get_data(as_text=True))
    assert found
    return found[1]


def test_a_password_is_shown_once_and_nowhere_else(page: Page) -> None:
    browser = page.browser("richard")
    assert "localhost" in shown(page) or "mail.example.net" in shown(page)
    answer = browser.post("/integrations/smtp/connect")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    password = password_of(answer)
    assert password not in browser.text("/integrations")
    assert password not in str(noted(page))
    assert [one.username for one in relay_logins.list_all(page.database, page.demo, page.clock())] == ["richard"]
    assert relay_logins.list_all(page.database, page.other, page.clock()) == []
    again = browser.post("/integrations/smtp/connect")
    assert again.status_code == 400
    assert "smtp-password" not in again.get_data(as_text=True)


def test_rotate_gives_another_one_and_lifts_a_suspension(page: Page) -> None:
    browser = page.browser("richard")
    first = password_of(browser.post("/integrations/smtp/connect"))
    page.database.execute(
        "UPDATE relay_logins SET suspended_at = ?, suspended_reason = ?", (rfc3339(page.clock()), "sent a lot")
    )
    text = html.unescape(browser.text("/integrations"))
    assert light(text, "smtp") == ("bad", "Outgoing SMTP is suspended")
    assert "sent a lot" in text
    assert password_of(browser.post("/integrations/smtp/rotate")) != first
    assert light(html.unescape(browser.text("/integrations")), "smtp")[0] == "good"
    assert [one[1] for one in noted(page)] == ["relay.rotated", "relay.connected"]


def test_disconnect_ends_it(page: Page) -> None:
    browser = page.browser("richard")
    browser.post("/integrations/smtp/connect")
    assert browser.post("/integrations/smtp/disconnect").status_code == 303
    assert relay_logins.list_all(page.database, page.demo, page.clock()) == []
    assert browser.post("/integrations/smtp/disconnect").status_code == 400
    assert browser.post("/integrations/smtp/rotate").status_code == 400
    assert [one[1] for one in noted(page)] == ["relay.disconnected", "relay.connected"]


@pytest.mark.parametrize("mailbox", ["smith@gmail.com", "smith@googlemail.com"])
def test_a_gmail_address_gets_no_smtp(sqlite_page: Page, mailbox: str) -> None:
    page = sqlite_page
    users.add(page.database, page.demo, "smith", mailbox, "", page.clock())
    text = shown(page, "smith")
    assert "only Gmail sends it" in text
    assert "/integrations/smtp/connect" not in text
    assert page.browser("smith").post("/integrations/smtp/connect").status_code == 404
    assert relay_logins.list_all(page.database, page.demo, page.clock()) == []


# --- a connected mailbox ----------------------------------------------------------------------------------------------


def test_a_connected_mailbox_shows_how_it_stands(page: Page) -> None:
    made = connect(page.database, page.demo, "richard", page.clock(), outbound=False)
    page.clock.pass_by(120)
    page.database.execute(
        "UPDATE gmail_mailboxes SET swept_at = ?, last_message_at = ?, audited_at = ?, audit_missing = 3 WHERE id = ?",
        (*[rfc3339(page.clock())] * 3, made.id),
    )
    text = shown(page)
    assert "richard@firm.example" in text
    assert re.search(r'name="inbound" checked>\s*Inbound Email Integration', text)
    assert re.search(r'name="outbound">\s*Outbound Email Integration', text)
    assert light(text, "google") == ("bad", "Google isn't being read"), "no process sweeps here"
    assert "<dd>3 (" in text


def test_one_that_needs_its_user_says_why_and_since_when(page: Page) -> None:
    made = connect(page.database, page.demo, "richard", page.clock())
    swept = page.clock()
    page.database.execute(
        "UPDATE gmail_mailboxes SET state = 'reconnect', error = ?, swept_at = ? WHERE id = ?",
        ("the consent is no longer valid <b>", rfc3339(swept), made.id),
    )
    page.clock.pass_by(3 * 86_400)
    raw = page.browser("richard").text("/integrations")
    assert light(html.unescape(raw), "google") == ("bad", "Google has to be connected again")
    assert "the consent is no longer valid &lt;b&gt;" in raw
    assert f"{swept:%Y-%m-%dT%H:%M}" in raw


def test_directions_are_chosen_apart(page: Page) -> None:
    connect(page.database, page.demo, "richard", page.clock())
    connect(page.database, page.demo, "anna", page.clock())
    browser = page.browser("richard")
    assert browser.post("/integrations/google/options", {"outbound": "on"}).status_code == 303
    found = gmail_mailboxes.find(page.database, page.demo, "richard")
    assert (found.inbound, found.outbound) == (False, True)
    assert gmail_mailboxes.find(page.database, page.demo, "anna").inbound
    assert noted(page) == [("richard", "gmail.directions_set", "richard@firm.example", "outbound")]
    assert browser.post("/integrations/google/options").status_code == 400
    assert gmail_mailboxes.find(page.database, page.demo, "richard").outbound


def test_disconnect_ends_the_reading_and_has_the_consent_returned(page: Page) -> None:
    made = connect(page.database, page.demo, "richard", page.clock())
    connect(page.database, page.other, "richard", page.clock(), address="richard@else.example")
    browser = page.browser("richard")
    answer = browser.post("/integrations/google/disconnect")
    assert answer.status_code == 303
    text = html.unescape(browser.text(answer.headers["Location"]))
    assert "The consent for richard@firm.example is being given back to Google." in text
    assert "tell your admin" in text, "no sync runs here"
    with pytest.raises(NotFound):
        gmail_mailboxes.find(page.database, page.demo, "richard")
    assert gmail_mailboxes.token_sealed(page.database, made.id) is None
    assert gmail_mailboxes.find(page.database, page.other, "richard").address == "richard@else.example"
    assert "is being given back to Google" not in shown(page, "anna")
    assert browser.post("/integrations/google/disconnect").status_code == 400
    assert browser.post("/integrations/google/options", {"inbound": "on"}).status_code == 400
    assert browser.post("/integrations/google/retry").status_code == 400


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.DONE, "The consent for richard@firm.example was given back to Google"),
        (State.KEPT, "The consent for richard@firm.example stays"),
        (State.FAILED, "could not be given back to Google. Withdraw it yourself:"),
    ],
)
def test_what_became_of_the_consent_is_said_until_it_is_connected_again(page: Page, state: State, words: str) -> None:
    connect(page.database, page.demo, "richard", page.clock())
    assert page.browser("richard").post("/integrations/google/disconnect").status_code == 303
    taken = gmail_revocations.take(page.database, page.clock())
    assert taken
    gmail_revocations.end(page.database, taken, state, page.clock())
    text = html.unescape(shown(page))
    assert words in text
    assert ("https://myaccount.google.com/connections" in text) == (state is State.FAILED)
    connect(page.database, page.demo, "richard", page.clock())
    assert words not in html.unescape(shown(page))


def test_what_isnt_returned_within_hours_is_said_beside_another_connected_mailbox(page: Page) -> None:
    connect(page.database, page.demo, "richard", page.clock())
    assert page.browser("richard").post("/integrations/google/disconnect").status_code == 303
    users.add_address(page.database, page.demo, "richard", "r.smith@firm.example")
    connect(page.database, page.demo, "richard", page.clock(), address="r.smith@firm.example")
    assert "The consent for richard@firm.example is being given back to Google." in html.unescape(shown(page))
    page.clock.pass_by(gmail_revocations.LATE.total_seconds() + 1)
    text = html.unescape(shown(page))
    assert "The consent for richard@firm.example could not be given back to Google. Withdraw it yourself:" in text
    assert "Mailweir also tries again each day." in text
    taken = gmail_revocations.take(page.database, page.clock())
    assert taken
    gmail_revocations.end(page.database, taken, State.DONE, page.clock())
    assert "The consent for" not in html.unescape(shown(page))


def test_what_was_given_up_is_tried_again_by_its_button(page: Page) -> None:
    made = connect(page.database, page.demo, "richard", page.clock())
    anna = connect(page.database, page.demo, "anna", page.clock())
    for mailbox in (made, anna):
        page.database.execute(
            "INSERT INTO gmail_queue (mailbox_id, message_id, origin, rank, queued_at, next_try_at, attempts, dead_at, error)"
            " VALUES (?, 'm1', 'history', 0, ?, ?, 8, ?, 'why')",
            (mailbox.id, *[rfc3339(page.clock())] * 3),
        )
    assert "/integrations/google/retry" in shown(page)
    assert page.browser("richard").post("/integrations/google/retry").status_code == 303
    assert gmail_mailboxes.find(page.database, page.demo, "richard").dead == 0
    assert gmail_mailboxes.find(page.database, page.demo, "anna").dead == 1


def test_an_admin_sees_the_redirect_to_register_and_others_dont(sqlite_page: Page) -> None:
    uri = "https://mail.example.net/integrations/google/return"
    assert uri not in shown(sqlite_page, "anna")
    sqlite_page.account("richard", Role.ADMIN)
    assert uri in shown(sqlite_page, "richard")
