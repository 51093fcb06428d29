"""Domains where anybody may have an address, and addresses that programs write from."""

from importlib import resources

import pytest

from mailweir import address, free_mail, machine_senders


@pytest.mark.parametrize(
    "domain",
    [
        *(
            "gmail.com",
            "googlemail.com",
            "outlook.com",
            "hotmail.co.uk",
            "yahoo.co.jp",
            "icloud.com",
            "gmx.de",
            "web.de",
        ),
        *(
            "t-online.de",
            "proton.me",
            "tuta.com",
            "mail.ru",
            "qq.com",
            "163.com",
            "naver.com",
            "orange.fr",
            "libero.it",
        ),
        *("bluewin.ch", "comcast.net", "btinternet.com", "seznam.cz", "wp.pl", "privaterelay.appleid.com", "duck.com"),
        "mail.gmx.de",
    ],
)
def test_a_providers_domain_is_nobodys(domain: str) -> None:
    assert free_mail.is_free(domain)


@pytest.mark.parametrize(
    "domain", ["client.example", "siemens.com", "client.co.uk", "client.com.ar", "gmail.com.evil.example"]
)
def test_a_companys_domain_is_its_own(domain: str) -> None:
    assert not free_mail.is_free(domain)


def test_the_list_holds_domains_in_normal_form_and_says_whose_it_is() -> None:
    text = resources.files("mailweir").joinpath("free_mail_domains.txt").read_text("utf-8")
    domains = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(domains) > 10_000
    assert domains == sorted(domains)
    assert [one for one in domains if address.normalise_domain(one) != one or "." not in one] == []
    assert text.count("Permission is hereby granted") + text.count("Permission to use") == 2


@pytest.mark.parametrize(
    "local",
    [
        "noreply",
        "no-reply",
        "no_reply+x",
        "do.not.reply",
        "mailer-daemon",
        "bounces+1=2",
        "postmaster",
        "sales-noreply",
    ],
)
def test_a_programs_address(local: str) -> None:
    assert machine_senders.is_machine(f"{local}@client.example")


@pytest.mark.parametrize("local", ["jane", "info", "office", "sales", "jane.reply", "r.root", "abuselli"])
def test_a_persons_or_an_offices_address(local: str) -> None:
    assert not machine_senders.is_machine(f"{local}@client.example")
