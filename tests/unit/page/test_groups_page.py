"""The admin's page of groups: it does the same as `mailweir group`, is logged, and is linked where a group is missing."""

import pytest

from mailweir.store.people import groups, users
from mailweir.store.web import change_log
from mailweir.store.web.accounts import Role
from tests.page import Browser, Page

SALES = "sales@firm.example"


@pytest.fixture
def boss(page: Page) -> Browser:
    """An admin of `demo` who isn't a user, on each database."""
    return page.browser("boss", Role.ADMIN)


def _addresses(page: Page) -> list[str]:
    return [one.address for one in groups.list_all(page.database, page.demo)]


def _noted(page: Page) -> list[tuple[str, str, str]]:
    found = change_log.select(page.database, page.demo.id, None, 20)
    return [(one.what, one.subject, one.changed_by) for one in found]


def test_a_group_is_added_listed_and_removed(page: Page, boss: Browser) -> None:
    assert "There is no group yet." in boss.text("/admin/groups")
    answer = boss.post("/admin/groups", {"address": " Sales@Firm.example "})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/groups?done=added")
    assert SALES in boss.text("/admin/groups")
    assert _addresses(page) == [SALES]
    assert boss.post("/admin/groups/remove", {"address": SALES}).headers["Location"] == "/admin/groups?done=removed"
    assert _addresses(page) == []
    assert _noted(page) == [("group.removed", SALES, "boss"), ("group.added", SALES, "boss")]


def test_mail_through_a_group_that_was_added_is_its_authors(page: Page, boss: Browser) -> None:
    assert boss.post("/admin/groups", {"address": SALES}).status_code == 303
    raw = (
        b"From: Jane via Sales <sales@firm.example>\r\nTo: richard@firm.example\r\nSubject: Through a group\r\n"
        b"X-Original-From: Jane Doe <jane@client.example>\r\nDate: Mon, 23 Nov 2026 09:00:00 +0100\r\n"
        b"Message-ID: <group@client.example>\r\n\r\nHello.\r\n"
    )
    activity_id = page.deliver(raw)
    assert "Jane Doe" in page.browser("richard").text(f"/activities/{activity_id}")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "is not a mail address"),
        ("no address", "is not a mail address"),
        ("richard@firm.example", "already an address of the user richard"),
        ("jane@client.example", "already an address of the contact Jane Doe"),
        ("sales@demo.example.net", "within the capture domain"),
        ('"<script>"@firm.example', "&#34;&lt;script&gt;&#34;"),
    ],
)
def test_what_cant_be_a_group_is_refused_and_kept_in_the_field(sqlite_page: Page, address: str, reason: str) -> None:
    users.add_address(sqlite_page.database, sqlite_page.demo, "anna", '"<script>"@firm.example')
    answer = sqlite_page.browser("boss", Role.ADMIN).post("/admin/groups", {"address": address})
    shown = answer.get_data(as_text=True)
    assert (answer.status_code, reason in shown, "<script>" in shown) == (400, True, False), shown
    assert (_addresses(sqlite_page), _noted(sqlite_page)) == ([], [])


def test_another_deployments_group_isnt_removed(page: Page, boss: Browser) -> None:
    groups.add(page.database, page.other, "sales@else.example", page.clock())
    assert boss.post("/admin/groups/remove", {"address": "sales@else.example"}).status_code == 404
    assert boss.post("/admin/groups/remove", {"address": "none@firm.example"}).status_code == 404
    assert boss.post("/admin/groups/remove", {"address": "no address"}).status_code == 400
    assert [one.address for one in groups.list_all(page.database, page.other)] == ["sales@else.example"]
    assert _noted(page) == []


def test_a_group_that_was_forgotten_has_its_address_in_the_field(page: Page, boss: Browser) -> None:
    shown = boss.text("/admin/groups?address=sales%40firm.example%22%3E")
    assert 'value="sales@firm.example&#34;&gt;"' in shown
    assert _addresses(page) == []
