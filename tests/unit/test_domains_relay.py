"""The servers that send for a domain, by the settings or by given addresses."""

import ipaddress

import pytest

from mailweir.domains.relay import relay, sending_address
from mailweir.settings import Settings

OURS, OTHER = ipaddress.ip_address("192.0.2.25"), ipaddress.ip_address("198.51.100.7")


def _settings(**values: object) -> Settings:
    return Settings.model_validate({"data_dir": "/x", "hostname": "mx.example.net", "relay": values})


def test_the_include_stands_for_the_relays_own_addresses_alone() -> None:
    settings = _settings(relay_addresses=["192.0.2.25"], spf_include="spf.example.net")
    own, asked, both = relay(settings), relay(settings, [OTHER]), relay(settings, [OURS, OTHER, OURS])
    assert own
    assert asked
    assert both
    assert (own.addresses, own.name, own.include) == ((OURS,), "mx.example.net", "spf.example.net")
    assert (asked.addresses, asked.include) == ((OTHER,), "")
    assert (both.addresses, both.include) == ((OURS, OTHER), "")


def test_somebody_has_to_say_who_sends() -> None:
    assert relay(None) is None
    assert relay(_settings()) is None


def test_an_address_is_as_receivers_see_it() -> None:
    assert sending_address("::ffff:192.0.2.25") == OURS


@pytest.mark.parametrize("text", ["fe80::1%eth0", "mx.example.net", "192.0.2.256"])
def test_what_sends_no_mail_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        sending_address(text)
