"""Accounts on the page: the right to make, link, change and remove them. Nobody gains rights by it."""

import re

import pytest

from mailweir.store.web import accounts, change_log, enrolment, links
from mailweir.store.web.accounts import Account, Role
from tests.page import Browser, Page


@pytest.fixture
def boss(page: Page) -> Browser:
    """An admin of `demo` who isn't a user, on each database."""
    return page.browser("boss", Role.ADMIN)


@pytest.fixture
def quick_boss(sqlite_page: Page) -> Browser:
    """The same on SQLite."""
    return sqlite_page.browser("boss", Role.ADMIN)


def _noted(page: Page, deployment_id: int | None) -> list[tuple[str, str, str]]:
    return [
        (one.what, one.subject, one.changed_by) for one in change_log.select(page.database, deployment_id, None, 20)
    ]


def _link_of(body: str) -> str:
    found = re.search(r"https://mail\.example\.net(/sign-in/link/[\w-]+)", body)
    assert found, "there is no link"
    return found[1]


def _of_both(page: Page, name: str = "anna") -> Account:
    """An account of `demo` that has a role in `other`, too."""
    account = page.account(name)
    return accounts.give_role(page.database, account.id, page.other, Role.USER, None)


# --- making accounts --------------------------------------------------------------------------------------------------


def test_an_account_for_a_user_is_made_and_signs_in_by_a_link(page: Page, boss: Browser) -> None:
    answer = boss.post("/admin/accounts", {"user": "pat", "role": "user"})
    made = accounts.named(page.database, "pat")
    assert made is not None
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/admin/accounts/{made.id}?done=added")
    assert (made.memberships[0].username, made.memberships[0].role, made.email) == (
        "pat",
        Role.USER,
        "pat@firm.example",
    )
    answer = boss.post(f"/admin/accounts/{made.id}/link")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    signed_in = page.browser()
    assert signed_in.post(_link_of(answer.get_data(as_text=True)), token=False).status_code == 303
    assert "<summary>pat</summary>" in signed_in.text("/account")
    assert _noted(page, page.demo.id)[:2] == [("account.linked", "pat", "boss"), ("account.added", "pat", "boss")]


def test_a_users_page_leads_to_the_form_that_lets_the_user_sign_in(sqlite_page: Page) -> None:
    boss = sqlite_page.browser("boss", Role.ADMIN)
    (user_id,) = sqlite_page.database.execute(
        "SELECT id FROM users WHERE username = 'anna' AND deployment_id = 1"
    ).fetchone()
    assert 'href="/admin/accounts?user=anna#make"' in boss.text(f"/admin/users/{user_id}")
    assert '<option value="anna" selected>' in boss.text("/admin/accounts?user=anna")


def test_an_admin_who_is_no_user_is_made(page: Page, boss: Browser) -> None:
    boss.post("/admin/accounts", {"name": "chief", "role": "admin", "email": "chief@firm.example"})
    made = accounts.named(page.database, "chief")
    assert made is not None
    assert (made.memberships[0].role, made.memberships[0].user_id, made.email) == (
        Role.ADMIN,
        None,
        "chief@firm.example",
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"role": "user", "name": "chief"}, "choose the user"),
        ({"role": "admin"}, "give the account a name"),
        ({"role": "admin", "name": "boss"}, "choose another name"),
        ({"role": "admin", "name": "bad name!"}, "bad name!"),
        ({"role": "admin", "name": "chief", "email": "no-address"}, "no-address"),
        (
            {"role": "user", "user": "richard", "name": "second"},
            "the account richard already shows the record of richard",
        ),
    ],
)
def test_what_cant_be_made_is_said_with_the_form(
    sqlite_page: Page, quick_boss: Browser, fields: dict[str, str], said: str
) -> None:
    sqlite_page.account("richard")
    answer = quick_boss.post("/admin/accounts", fields)
    assert answer.status_code == 400
    assert said in answer.get_data(as_text=True)
    assert {one.name for one in accounts.list_all(sqlite_page.database)} == {"boss", "richard"}


def test_a_role_that_there_isnt_is_refused(quick_boss: Browser) -> None:
    assert quick_boss.post("/admin/accounts", {"role": "operator", "name": "chief"}).status_code == 400


def test_a_name_of_another_deployments_account_gives_that_one_nothing_here(
    sqlite_page: Page, quick_boss: Browser
) -> None:
    theirs = sqlite_page.account("bob", Role.USER, sqlite_page.other)
    assert quick_boss.post("/admin/accounts", {"name": "bob", "role": "admin"}).status_code == 400
    found = accounts.find(sqlite_page.database, theirs.id)
    assert [one.deployment for one in found.memberships] == ["other"]


def test_a_user_of_another_deployment_gets_no_account_here(sqlite_page: Page, quick_boss: Browser) -> None:
    assert quick_boss.post("/admin/accounts", {"user": "bob", "role": "user"}).status_code == 404
    assert accounts.named(sqlite_page.database, "bob") is None


# --- nobody gains rights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["link", "sign-out"])
def test_an_admin_gets_no_link_for_an_operator_who_has_a_role_here(page: Page, boss: Browser, way: str) -> None:
    operator = page.account("root", role=None)
    accounts.give_role(page.database, operator.id, page.demo, Role.USER, None)
    answer = boss.post(f"/admin/accounts/{operator.id}/{way}")
    assert answer.status_code == 404
    assert "/sign-in/link/" not in answer.get_data(as_text=True)
    assert "Create a link" not in boss.text(f"/admin/accounts/{operator.id}")


@pytest.mark.parametrize("way", ["link", "sign-out"])
def test_an_admin_gets_no_link_for_an_account_that_has_a_role_elsewhere(page: Page, boss: Browser, way: str) -> None:
    account = _of_both(page)
    assert boss.post(f"/admin/accounts/{account.id}/{way}").status_code == 404
    assert "Create a link" not in boss.text(f"/admin/accounts/{account.id}")


def test_a_user_elsewhere_isnt_an_admin_there(sqlite_page: Page, quick_boss: Browser) -> None:
    account = _of_both(sqlite_page)
    accounts.give_role(sqlite_page.database, sqlite_page.account("boss").id, sqlite_page.other, Role.USER, None)
    assert quick_boss.post(f"/admin/accounts/{account.id}/link").status_code == 404


def test_an_admin_of_both_deployments_gets_the_link(sqlite_page: Page, quick_boss: Browser) -> None:
    account = _of_both(sqlite_page)
    accounts.give_role(sqlite_page.database, sqlite_page.account("boss").id, sqlite_page.other, Role.ADMIN, None)
    assert quick_boss.post(f"/admin/accounts/{account.id}/link").status_code == 200
    assert _noted(sqlite_page, sqlite_page.other.id)[0] == ("account.linked", "anna", "boss")


WAYS = ("", "/link", "/sign-out", "/role", "/remove")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["bob", "root"])
def test_accounts_that_have_no_role_here_arent_there(
    sqlite_page: Page, quick_boss: Browser, name: str, way: str
) -> None:
    role = {"bob": Role.USER, "root": None}[name]
    theirs = sqlite_page.account(name, role, sqlite_page.other)
    fields = {"role": "admin", "sure": "1"}
    answers = [
        quick_boss.get(f"/admin/accounts/{theirs.id}{way}"),
        quick_boss.post(f"/admin/accounts/{theirs.id}{way}", fields),
    ]
    assert {one.status_code for one in answers} <= {404, 405}
    assert not any(name in one.get_data(as_text=True) for one in answers)
    assert accounts.find(sqlite_page.database, theirs.id) == theirs
    assert name not in quick_boss.text("/admin/accounts")


def test_roles_elsewhere_arent_told(sqlite_page: Page, quick_boss: Browser) -> None:
    account = _of_both(sqlite_page)
    pages = quick_boss.text("/admin/accounts") + quick_boss.text(f"/admin/accounts/{account.id}")
    assert "other" not in re.sub(r"[Aa]nother", "", pages)


def test_an_admin_makes_no_operator(sqlite_page: Page, quick_boss: Browser) -> None:
    assert quick_boss.post("/admin/accounts/operators", {"name": "evil"}).status_code == 404
    assert accounts.operators(sqlite_page.database) == []


def test_an_admin_takes_a_role_here_and_none_elsewhere(page: Page, boss: Browser) -> None:
    account = _of_both(page)
    assert boss.post(f"/admin/accounts/{account.id}/remove").status_code == 303
    assert [one.deployment for one in accounts.find(page.database, account.id).memberships] == ["other"]
    assert _noted(page, page.demo.id)[0] == ("account.role_removed", "anna", "boss")


def test_an_admin_cant_give_a_role_to_an_account_that_has_none_here(sqlite_page: Page, quick_boss: Browser) -> None:
    theirs = sqlite_page.account("bob", Role.USER, sqlite_page.other)
    assert quick_boss.post(f"/admin/accounts/{theirs.id}/role", {"role": "admin"}).status_code == 404


# --- roles and removal ------------------------------------------------------------------------------------------------


def test_a_role_is_changed_and_counts_at_once(page: Page, boss: Browser) -> None:
    richard = page.browser("richard")
    account = page.account("richard")
    assert richard.get("/admin/accounts").status_code == 404
    assert boss.post(f"/admin/accounts/{account.id}/role", {"role": "admin", "user": "richard"}).status_code == 303
    assert richard.get("/admin/accounts").status_code == 200
    boss.post(f"/admin/accounts/{account.id}/role", {"role": "user", "user": "richard"})
    assert richard.get("/admin/accounts").status_code == 404
    assert _noted(page, page.demo.id)[0] == ("account.role", "richard", "boss")


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"role": "user"}, "choose the user"), ({"role": "user", "user": "richard"}, "another account")],
)
def test_a_role_that_cant_be_is_said(sqlite_page: Page, quick_boss: Browser, fields: dict[str, str], said: str) -> None:
    sqlite_page.account("richard")
    account = sqlite_page.account("anna")
    answer = quick_boss.post(f"/admin/accounts/{account.id}/role", fields)
    assert (answer.status_code, said in answer.get_data(as_text=True)) == (400, True)
    assert accounts.find(sqlite_page.database, account.id) == account


def test_the_last_admin_stays_one_without_the_box(page: Page, boss: Browser) -> None:
    own = page.account("boss")
    fields = {"role": "user", "user": "pat"}
    answer = boss.post(f"/admin/accounts/{own.id}/role", fields)
    assert (answer.status_code, "last admin" in answer.get_data(as_text=True)) == (400, True)
    answer = boss.post(f"/admin/accounts/{own.id}/remove")
    assert (answer.status_code, "tick the box" in answer.get_data(as_text=True)) == (400, True)
    assert accounts.find(page.database, own.id) == own
    assert boss.post(f"/admin/accounts/{own.id}/role", {**fields, "sure": "1"}).status_code == 303


def test_an_admin_who_is_removed_is_signed_out(page: Page, boss: Browser) -> None:
    own = page.account("boss")
    assert "own account" in boss.text(f"/admin/accounts/{own.id}/remove")
    assert boss.post(f"/admin/accounts/{own.id}/remove", {"sure": "1"}).status_code == 303
    assert boss.get("/admin/accounts").headers["Location"].startswith("/sign-in")


def test_signing_out_everywhere_ends_sessions_and_links(page: Page, boss: Browser) -> None:
    anna, account = page.browser("anna"), page.account("anna")
    token = links.make(page.database, account.id, None, page.clock())
    assert boss.post(f"/admin/accounts/{account.id}/sign-out").status_code == 303
    assert anna.get("/account").status_code == 303
    assert page.browser().get(f"/sign-in/link/{token}").status_code == 410


# --- operators --------------------------------------------------------------------------------------------------------


def test_an_operator_sees_all_and_makes_operators(page: Page) -> None:
    page.account("bob", Role.USER, page.other)
    operator = page.browser("root", role=None)
    assert "user of other, record of bob" in operator.text("/admin/accounts")
    assert operator.post("/admin/accounts/operators", {"name": "second"}).status_code == 303
    assert [one.name for one in accounts.operators(page.database)] == ["root", "second"]
    assert _noted(page, None)[0] == ("account.added", "second", "root")


def test_no_account_that_is_there_becomes_an_operators(sqlite_page: Page) -> None:
    sqlite_page.account("bob", Role.USER, sqlite_page.other)
    operator = sqlite_page.browser("root", role=None)
    assert operator.post("/admin/accounts/operators", {"name": "bob"}).status_code == 400


def test_an_operators_link_is_told_to_the_deployment(sqlite_page: Page) -> None:
    account = sqlite_page.account("bob", Role.USER, sqlite_page.other)
    operator = sqlite_page.browser("root", role=None)
    assert operator.post(f"/admin/accounts/{account.id}/link").status_code == 200
    assert _noted(sqlite_page, sqlite_page.other.id) == [("account.linked", "bob", "root")]


def test_a_role_in_a_further_deployment_ends_the_links_that_were_made_before(sqlite_page: Page) -> None:
    page, account = sqlite_page, sqlite_page.account("bob", Role.USER, sqlite_page.other)
    token = links.make(page.database, account.id, None, page.clock())
    before, operator = page.browser("bob"), page.browser("root", role=None)
    answer = operator.post(f"/admin/accounts/{account.id}/role", {"role": "admin"})
    assert answer.status_code == 303
    assert before.get("/account").status_code == 303
    assert page.browser().get(f"/sign-in/link/{token}").status_code == 410
    found = accounts.find(page.database, account.id)
    assert [(one.deployment, one.role) for one in found.memberships] == [("demo", Role.ADMIN), ("other", Role.USER)]


def test_the_last_operator_is_removed_with_a_warning_alone(sqlite_page: Page) -> None:
    operator, own = sqlite_page.browser("root", role=None), sqlite_page.account("root", role=None)
    answer = operator.post(f"/admin/accounts/{own.id}/remove")
    assert (answer.status_code, "last operator" in answer.get_data(as_text=True)) == (400, True)
    assert operator.post(f"/admin/accounts/{own.id}/remove", {"sure": "1"}).status_code == 303


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64])
def test_ids_that_nobody_has_arent_found(quick_boss: Browser, number: int) -> None:
    assert quick_boss.get(f"/admin/accounts/{number}").status_code == 404
    assert quick_boss.post(f"/admin/accounts/{number}/link").status_code == 404


def test_accounts_come_by_page(sqlite_page: Page, quick_boss: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.pages.accounts.ROWS", 2)
    now = sqlite_page.clock()
    for name in ("a1", "a2", "a3"):
        enrolment.add(sqlite_page.database, sqlite_page.demo, name, None, now, role=Role.ADMIN)
    first, second = quick_boss.text("/admin/accounts"), quick_boss.text("/admin/accounts?after=a2")
    assert ("after=a2" in first, ">a3<" in first) == (True, False)
    assert (">a3<" in second, ">a2<" in second) == (True, False)
