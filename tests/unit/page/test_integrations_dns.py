"""The Integrations page on the user's domain in DNS: with a real DNS server, the current state, and within a short time."""

import html
import time
from pathlib import Path

import pytest

from mailweir import secrets_file, signing_keys
from tests.moody_zone import Mood, MoodyZoneServer
from tests.page import Page
from tests.unit.page.conftest import INCLUDE, Serve

DOMAIN = "firm.example"


def said(page: Page) -> str:
    """The text about the domain on richard's page."""
    text = html.unescape(page.browser("richard").text("/integrations"))
    return text.partition("The domain in DNS")[2].partition("</section>")[0]


def test_a_record_to_paste_has_what_is_published_there(serve: Serve, zone: MoodyZoneServer) -> None:
    zone.records[DOMAIN, "TXT"] = ['"v=spf1 ip4:198.51.100.7 -all"']
    with serve() as page:
        text = said(page)
    assert "SPF of firm.example doesn’t let this host send" in text
    assert f">v=spf1 include:{INCLUDE} ip4:198.51.100.7 -all<" in text


def test_what_is_published_now_counts_and_not_a_moment_ago(serve: Serve, zone: MoodyZoneServer) -> None:
    zone.records[DOMAIN, "TXT"] = ['"v=spf1 -all"']
    with serve() as page:
        assert "doesn’t let this host send" in said(page)
        zone.records[DOMAIN, "TXT"] = [f'"v=spf1 include:{INCLUDE} -all"']
        text = said(page)
    assert "SPF of firm.example lets this host send" in text
    assert "by this TXT record" not in text


@pytest.mark.parametrize("mood", [Mood.SERVFAIL, Mood.SILENT])
def test_what_dns_doesnt_say_is_not_known(serve: Serve, zone: MoodyZoneServer, mood: Mood) -> None:
    zone.mood = mood
    with serve() as page:
        began = time.monotonic()
        text = said(page)
        taken = time.monotonic() - began
    assert "SPF of firm.example isn’t known: DNS gives no answer" in text
    assert "lets this host send" not in text
    assert "by this TXT record" not in text
    assert taken < 5, "it waits only for a short time"


def test_who_sends_isnt_guessed(serve: Serve, zone: MoodyZoneServer) -> None:
    zone.records[DOMAIN, "TXT"] = ['"v=spf1 -all"']
    with serve(relay_addresses=[], spf_include="") as page:
        assert "the settings don’t say by which addresses this host sends" in said(page)


def test_a_key_that_isnt_published_has_its_record(serve: Serve, zone: MoodyZoneServer, tmp_path: Path) -> None:
    secrets_file.make(tmp_path / "token.key")
    with serve() as page:
        assert "No DKIM key signs for firm.example yet" in said(page)
        secrets = secrets_file.load(tmp_path / "token.key")
        key = signing_keys.make(page.database, page.demo, DOMAIN, "s1", secrets, page.clock())
        record = signing_keys.record(key)
        text = said(page)
        assert "The DKIM key isn’t published correctly" in text
        assert f">{record.value}<" in text
        zone.records[record.name, "TXT"] = [" ".join(f'"{part}"' for part in record.strings)]
        assert "The DKIM key is published" in said(page)


def test_a_host_that_sends_nothing_asks_nothing(sqlite_page: Page) -> None:
    assert "this host sends no mail to the internet" in said(sqlite_page)


def test_another_firms_key_isnt_shown(serve: Serve, tmp_path: Path) -> None:
    secrets_file.make(tmp_path / "token.key")
    with serve() as page:
        secrets = secrets_file.load(tmp_path / "token.key")
        signing_keys.make(page.database, page.other, DOMAIN, "s1", secrets, page.clock())
        text = said(page)
    assert "s1._domainkey" not in text
    assert "No DKIM key signs for firm.example yet" in text
