"""Domains on the page: a real DNS server's current answers, keys that the page can seal but not open, and the domains'
deployments."""

import html
import time
from pathlib import Path

import pytest

from mailweir import secrets_file, signing_keys
from mailweir.errors import SettingsError
from mailweir.secrets_file import Sealer, Secrets
from mailweir.store.gmail import sealing_keys
from mailweir.store.people import dkim_keys
from mailweir.store.people.dkim_keys import DkimKey
from mailweir.store.web import change_log
from mailweir.store.web.accounts import Role
from tests.moody_zone import Mood, MoodyZoneServer
from tests.page import Browser, Page
from tests.unit.page.conftest import INCLUDE, Serve
from webapp import domain_looks

DOMAIN = "firm.example"


def _secrets(page: Page, folder: Path) -> Secrets:
    """The key file. The page has only its public half."""
    file = folder / "token.key"
    secrets_file.make(file)
    secrets = secrets_file.load(file)
    sealing_keys.note(page.database, secrets.public_half, page.clock())
    return secrets


def _boss(page: Page) -> Browser:
    return page.browser("boss", Role.ADMIN)


def _keys(page: Page) -> list[DkimKey]:
    return dkim_keys.list_keys(page.database, page.demo)


def _publish(zone: MoodyZoneServer, key: DkimKey) -> None:
    record = signing_keys.record(key)
    zone.records[record.name, "TXT"] = [" ".join(f'"{part}"' for part in record.strings)]


def _said(browser: Browser, path: str = f"/admin/domains/{DOMAIN}") -> str:
    return html.unescape(browser.text(path))


# --- DNS -------------------------------------------------------------------------------------------------------------


def test_all_is_well_where_dns_has_all_of_it(serve: Serve, zone: MoodyZoneServer, tmp_path: Path) -> None:
    with serve() as page:
        _secrets(page, tmp_path)
        boss = _boss(page)
        assert boss.post("/admin/domains", {"domain": DOMAIN}).status_code == 303
        zone.records[DOMAIN, "TXT"] = [f'"v=spf1 include:{INCLUDE} -all"']
        zone.records[f"_dmarc.{DOMAIN}", "TXT"] = ['"v=DMARC1; p=reject"']
        _publish(zone, _keys(page)[0])
        body = _said(boss)
    assert "All is well" in body
    for said in (
        "192.0.2.9",
        f"include:{INCLUDE}",
        "It is published",
        "p=reject",
        "DMARC passes today through SPF and DKIM",
    ):
        assert said in body


def test_a_record_to_paste_has_what_is_published_there(serve: Serve, zone: MoodyZoneServer) -> None:
    zone.records[DOMAIN, "TXT"] = ['"v=spf1 ip4:198.51.100.7 -all"']
    with serve() as page:
        body = _said(_boss(page))
    assert "isn't authorised as it should be" in body
    assert f"v=spf1 include:{INCLUDE} ip4:198.51.100.7 -all" in body


@pytest.mark.parametrize("mood", [Mood.SERVFAIL, Mood.SILENT])
def test_without_an_answer_it_is_not_known_and_never_missing(
    serve: Serve, zone: MoodyZoneServer, tmp_path: Path, mood: Mood
) -> None:
    with serve() as page:
        _secrets(page, tmp_path)
        boss = _boss(page)
        boss.post("/admin/domains", {"domain": DOMAIN})
        zone.mood = mood
        began = time.monotonic()
        body = _said(boss)
        took = time.monotonic() - began
    assert took < domain_looks.ALL_SECONDS + 2
    assert "DNS gave no answer" in body
    assert "It isn't known whether it is published" in body
    for wrong in ("isn't published correctly", "No SPF record", "no DMARC record", "isn't authorised"):
        assert wrong not in body


def test_without_the_relays_addresses_spf_isnt_known(serve: Serve) -> None:
    with serve(relay_addresses=[], spf_include="") as page:
        assert "the settings don't say by which addresses this host sends" in _said(_boss(page))


def test_a_host_that_sends_nothing_doesnt_ask(sqlite_page: Page) -> None:
    assert "DNS wasn't asked" in _said(_boss(sqlite_page))


def test_what_stands_in_dns_is_text(serve: Serve, zone: MoodyZoneServer) -> None:
    zone.records[DOMAIN, "TXT"] = ['"v=spf1 exists:<script>alert(1)</script> -all"']
    with serve() as page:
        assert "<script>alert" not in _boss(page).text(f"/admin/domains/{DOMAIN}")


# --- keys -------------------------------------------------------------------------------------------------------------


def test_the_page_seals_a_key_that_the_key_file_opens(page: Page, tmp_path: Path) -> None:
    secrets = _secrets(page, tmp_path)
    boss = _boss(page)
    answer = boss.post("/admin/domains", {"domain": "Firm.Example"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/admin/domains/{DOMAIN}?done=added")
    (sealed,) = dkim_keys.sealed_keys(page.database)
    assert len(sealed.private_der(secrets)) > 1000
    with pytest.raises(AttributeError):
        Sealer(secrets.public_half).open(sealed.private_key_sealed, "x")  # type: ignore[attr-defined]  # there is none
    noted = change_log.select(page.database, page.demo.id, None, 5)
    assert [(one.what, one.subject) for one in noted] == [("dkim.added", DOMAIN)]
    assert b"PRIVATE" not in answer.get_data()


def test_another_key_file_doesnt_open_it(sqlite_page: Page, tmp_path: Path) -> None:
    _secrets(sqlite_page, tmp_path)
    _boss(sqlite_page).post("/admin/domains", {"domain": DOMAIN})
    secrets_file.make(tmp_path / "other.key")
    (sealed,) = dkim_keys.sealed_keys(sqlite_page.database)
    with pytest.raises(SettingsError):
        sealed.private_der(secrets_file.load(tmp_path / "other.key"))


def test_without_a_public_half_the_command_is_shown(sqlite_page: Page) -> None:
    boss = _boss(sqlite_page)
    assert f"mailweir domain add {DOMAIN} --deployment demo" in boss.text("/admin/domains")
    assert boss.post("/admin/domains", {"domain": DOMAIN}).status_code == 400
    assert _keys(sqlite_page) == []


def test_a_key_is_replaced_once_dns_has_the_next(serve: Serve, zone: MoodyZoneServer, tmp_path: Path) -> None:
    with serve() as page:
        _secrets(page, tmp_path)
        boss = _boss(page)
        boss.post("/admin/domains", {"domain": DOMAIN})
        assert boss.post(f"/admin/domains/{DOMAIN}/rotate").status_code == 303
        assert boss.post(f"/admin/domains/{DOMAIN}/activate").status_code == 400
        zone.mood = Mood.SERVFAIL
        answer = boss.post(f"/admin/domains/{DOMAIN}/activate")
        assert (answer.status_code, "DNS gave no answer" in answer.get_data(as_text=True)) == (400, True)
        assert [str(key.state) for key in _keys(page)] == ["active", "next"]
        zone.mood = Mood.WELL
        _publish(zone, _keys(page)[1])
        page.clock.pass_by(301)
        assert boss.post(f"/admin/domains/{DOMAIN}/activate").status_code == 303
        assert [str(key.state) for key in _keys(page)] == ["retired", "active"]
        old, new = _keys(page)
        assert boss.post(f"/admin/domains/{DOMAIN}/remove-key", {"selector": new.selector}).status_code == 400
        assert boss.post(f"/admin/domains/{DOMAIN}/remove-key", {"selector": old.selector}).status_code == 303
        assert [key.selector for key in _keys(page)] == [new.selector]
        noted = [one.what for one in change_log.select(page.database, page.demo.id, None, 9)]
    assert noted == ["dkim.removed", "dkim.activated", "dkim.next", "dkim.added"]


@pytest.mark.parametrize("typed", ["", "no domain", "localhost", "-.example", "x" * 400])
def test_what_is_no_domain_is_refused(sqlite_page: Page, tmp_path: Path, typed: str) -> None:
    _secrets(sqlite_page, tmp_path)
    assert _boss(sqlite_page).post("/admin/domains", {"domain": typed}).status_code == 400
    assert _keys(sqlite_page) == []


# --- deployments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "domain", ["else.example", "client.example", "example.com", "firm.example.", "gmail.com", "%00"]
)
def test_dns_isnt_asked_about_what_isnt_the_deployments(serve: Serve, zone: MoodyZoneServer, domain: str) -> None:
    with serve() as page:
        boss = _boss(page)
        assert boss.get(f"/admin/domains/{domain}").status_code == 404
        for way in ("rotate", "activate", "remove-key"):
            assert boss.post(f"/admin/domains/{domain}/{way}").status_code == 404
    assert not zone.queries


def test_a_domain_of_another_deployment_isnt_taken(sqlite_page: Page, tmp_path: Path) -> None:
    page = sqlite_page
    _secrets(page, tmp_path)
    page.browser("chief", Role.ADMIN, page.other).post("/admin/domains", {"domain": "else.example"})
    boss = _boss(page)
    assert boss.post("/admin/domains", {"domain": "else.example"}).status_code == 400
    assert boss.get("/admin/domains/else.example").status_code == 404
    assert "else.example" not in boss.text("/admin/domains")


# --- removing a domain -----------------------------------------------------------------------------------------------


def test_a_removal_says_what_ends_and_wants_the_domain_typed(page: Page, tmp_path: Path) -> None:
    _secrets(page, tmp_path)
    boss = _boss(page)
    assert boss.post("/admin/domains", {"domain": DOMAIN}).status_code == 303
    assert boss.post(f"/admin/domains/{DOMAIN}/rotate").status_code == 303
    names = [signing_keys.record(key).name for key in _keys(page)]
    way = f"/admin/domains/{DOMAIN}/remove"
    shown = _said(boss, way)
    assert [name in shown for name in names] == [True, True]
    assert "2 DKIM keys of the domain are gone for good." in shown
    assert "anna, pat, richard write from it." in shown
    for typed in ("", "else.example"):
        assert boss.post(way, {"typed": typed}).status_code == 400
    assert len(_keys(page)) == 2
    assert boss.post(way, {"typed": DOMAIN.upper()}).headers["Location"] == "/admin/domains?done=removed"
    assert _keys(page) == []
    first = change_log.select(page.database, page.demo.id, None, 1)[0]
    assert (first.what, first.subject, first.changed_by) == ("domain.removed", DOMAIN, "boss")
    assert boss.get(way).status_code == 404, "there is nothing to remove any more"


def test_another_deployments_domain_isnt_removed(page: Page) -> None:
    signing_keys.make(page.database, page.other, "else.example", None, Sealer(bytes(range(32))), page.clock())
    boss = _boss(page)
    for domain in ("else.example", "nobody.example"):
        assert boss.get(f"/admin/domains/{domain}/remove").status_code == 404
        assert boss.post(f"/admin/domains/{domain}/remove", {"typed": domain}).status_code == 404
    assert len(dkim_keys.list_keys(page.database, page.other)) == 1
