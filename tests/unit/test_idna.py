"""Domains in other scripts: IDNA 2008 in mail, UTS 46 for typed text, too, and existing rows."""

import socket
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import address
from mailweir.errors import BadInput, SettingsError
from mailweir.gmail import transport
from mailweir.gmail.errors import Unreachable
from mailweir.store.database.connection import Database
from mailweir.store.people import checks, contacts, deployments
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory

VALID = [
    ("stra\u00dfe.example", "xn--strae-oqa.example"),  # RFC 3490 would make it strasse.example
    ("STRA\u1e9eE.example", "xn--strae-oqa.example"),
    ("\u03bf\u03b4\u03cc\u03c2.example", "xn--pxavk3b.example"),  # with a final sigma
    ("\u039f\u0394\u038c\u03a3.example", "xn--pxavk3b.example"),
    ("\u03bf\u03b4\u03cc\u03c3.example", "xn--pxavn9a.example"),  # another name, with the other sigma
    ("M\u00dcNCHEN.Example.", "xn--mnchen-3ya.example"),
    # joiners, where the script needs them (RFC 5892 A.1, A.2): with a joiner it is another name
    ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", "xn--mgba3gch31f060k.example"),
    ("\u0646\u0627\u0645\u0647\u0627\u06cc.example", "xn--mgba3gch31f.example"),
    ("\u0dc1\u0dca\u200d\u0dbb\u0dd3.example", "xn--10cl1a0b660p.example"),
    ("\u0dc1\u0dca\u0dbb\u0dd3.example", "xn--10cl1a0b.example"),
    ("col\u00b7lega.example", "xn--collega-xma.example"),
    ("_dmarc.b\u00fccher.example", "_dmarc.xn--bcher-kva.example"),
]
MAPPED = [
    ("\uff43lient.example", "client.example"),  # a full-width c
    ("client\u3002example", "client.example"),  # an ideographic full stop
    ("client\uff0eexample", "client.example"),
    ("client\uff61example", "client.example"),
    ("\uff22\u00dccher\uff0eexample", "xn--bcher-kva.example"),
    ("cli\u00adent.example", "client.example"),  # a soft hyphen, copied from a page
]
REFUSED = [
    "\u2615.example",  # emoji
    "caf\U0001f600.example",
    "\u2764\ufe0f.example",
    "cli\u200dent.example",  # joiners without a function
    "cli\u200cent.example",
    "a\u05d0b.example",  # RFC 5893: both to the left and to the right
    "a\u00b7b.example",
    "\u2100client.example",
    "jane\uff20client.example",
    "b\u00fc--x.example",  # RFC 5891 4.2.3.1
    "\u00fc" * 60 + ".example",  # more than 63 as an A-label
    ("\u00fc" * 40 + ".") * 6 + "example",
    "\udcff.example",
]
ASCII_AS_IT_WAS = [
    *(
        "client.example",
        "Client.EXAMPLE",
        "sub_domain.client.example",
        "a--b.example",
        "localhost",
        "a" * 63 + ".example",
    ),
    *("xn--bcher-kva.example", "XN--BCHER-KVA.example", "xn--a.example", "xn--strasse.example", "127.0.0.1"),
]


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    return deployments.add(database, "demo", "demo.example.net", now)


@pytest.mark.parametrize(("text", "expected"), VALID)
def test_a_domain_is_its_a_label_wherever_it_comes_from(text: str, expected: str) -> None:
    assert address.normalise_domain(text) == expected
    assert address.normalise(f"jane@{text}") == f"jane@{expected}"
    assert address.typed_domain(text) == expected
    assert address.typed(f"jane@{text}") == f"jane@{expected}"


@pytest.mark.parametrize(("text", "expected"), MAPPED)
def test_what_is_typed_is_read_as_browsers_read_it_and_what_mail_brings_is_not(text: str, expected: str) -> None:
    assert address.normalise_domain(text) is None
    assert address.normalise(f"jane@{text}") is None
    assert address.typed_domain(text) == expected
    assert address.typed(f"Jane@{text}") == f"jane@{expected}"
    assert checks.clean_domain(text) == expected


@pytest.mark.parametrize("text", REFUSED)
def test_a_name_that_nobody_can_register_is_refused_in_one_line(text: str) -> None:
    assert address.normalise_domain(text) is None
    assert address.typed_domain(text) is None
    assert address.typed(f"jane@{text}") is None
    with pytest.raises(BadInput) as caught:
        checks.clean_domain(text)
    assert str(caught.value) == f"'{text}' is not a domain name; one looks like demo.example.net"


@pytest.mark.parametrize("text", ASCII_AS_IT_WAS)
def test_ascii_stays_as_it_is_also_where_it_is_no_valid_a_label(text: str) -> None:
    assert address.normalise_domain(text) == address.typed_domain(text) == text.lower()


@given(st.text(st.characters(codec=None), max_size=80) | st.text("xn-\u00fc\u200d\u3002\uff41\u05d0.a@", max_size=300))
def test_nothing_raises_and_a_form_stays_as_it_is(text: str) -> None:
    for read in (address.typed_domain, address.typed):
        found = read(text)
        assert found is None or read(found) == found
    domain = address.normalise_domain(text)
    assert domain is None or address.typed_domain(text) == domain, "a typed domain is the same domain as before"


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("jane@xn--strae-oqa.example", "jane@stra\u00dfe.example"),
        ("jane@xn--strae-oqa.example", "Jane@XN--STRAE-OQA.example"),
        ("jane@strasse.example", "jane@strasse.example"),
        ("jane@xn--pxavk3b.example", "jane@\u03bf\u03b4\u03cc\u03c2.example"),
        # the old code accepted these; IDNA 2008 doesn't. They match as A-labels, which nearly all mail has.
        ("jane@xn--ab-vld.example", "jane@xn--ab-vld.example"),
        ("jane@xn--ab-0ea.example", "jane@XN--ab-0ea.example"),
    ],
)
def test_a_row_that_is_there_still_matches(
    database: Database, demo: Deployment, now: datetime, stored: str, text: str
) -> None:
    contacts.add(database, demo, "Jane", [stored], None, now)
    (row,) = database.execute("SELECT address FROM contact_addresses").fetchall()
    assert row[0] == stored
    written = address.normalise(text)
    assert written
    assert set(SqlDirectory(database).people_with(demo.id, [written]).contacts) == {stored}


def test_sharp_s_and_ss_are_two_contacts(database: Database, demo: Deployment, now: datetime) -> None:
    contacts.add(database, demo, "Jane", ["jane@stra\u00dfe.example"], None, now)
    contacts.add(database, demo, "June", ["jane@strasse.example"], None, now)
    found = SqlDirectory(database).people_with(demo.id, ["jane@strasse.example"]).contacts
    assert set(found) == {"jane@strasse.example"}


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://stra\u00dfe.example/token", "xn--strae-oqa.example"),
        ("https://B\u00fccher.example:8443", "xn--bcher-kva.example"),
        ("https://oauth2.googleapis.com/token", "oauth2.googleapis.com"),
        ("https://192.0.2.1/", "192.0.2.1"),
        ("https://[2001:db8::1]:444/", "2001:db8::1"),
    ],
)
def test_the_host_that_a_url_names_is_asked_and_no_other(url: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()

    def no_dns(host: str, *_: object, **__: object) -> None:
        asked.add(host)
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", no_dns)
    transport.refuse_insecure(url, "gmail.api_endpoint")
    with pytest.raises(Unreachable):
        transport.Connections(1.0)(url)
    assert asked == {host}


@pytest.mark.parametrize("host", ["\u2615.example", "a..example", "-", "a" * 64 + ".example", "\u00fc" * 60])
def test_a_url_whose_host_can_be_no_name_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="must be an https"):
        transport.refuse_insecure(f"https://{host}/", "gmail.api_endpoint")
