"""The target of a link whose text names another host. Targets are read as browsers do, texts as people do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import address
from mailweir.reading.link_hosts import LinkHosts
from tests.linear_time import GrowsLinearly

EVIL = "https://evil.example/"


def foreign(target: str, *readings: str) -> str:
    return LinkHosts().foreign(target, readings)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("http://evil.example", "evil.example"),
        ("HTTPS://WWW.Evil.Example/bank.example", "evil.example"),
        ("https://bank.example@evil.example/", "evil.example"),
        ("https://bank.example:443@evil.example:8443/", "evil.example"),
        ("https://bank.example%2F@evil.example/", "evil.example"),
        ("https://bank.example @evil.example/", "evil.example"),
        ("https://a@b@evil.example", "evil.example"),
        ("https://evil.example?@bank.example/", "evil.example"),
        ("https://evil.example#@bank.example/", "evil.example"),
        ("https://evil.example\\@bank.example/", "evil.example"),
        ("https://ev%69l.example/", "evil.example"),
        ("https://evil\u3002example/", "evil.example"),
        ("https://\uff45vil.example/", "evil.example"),
        ("https://b\u0430nk.example/", "xn--bnk-6cd.example"),
        ("https://bank.example.evil.example/", "bank.example.evil.example"),
        ("https://bank.example./x@evil.example", ""),
        ("https://notbank.example/", "notbank.example"),
        ("https://0x7f.1/", "0x7f.1"),
        ("https://[2001:db8::1]:80/", "[2001:db8::1]"),
        ("https://bank.example evil.example/", "bank.example evil.example"),
        ("https://bank.example\u202e/", "bank.example\ufffd"),
        ("https://@/", "?"),
        (f"https://{'a.' * 100}evil.example/", "…" + ("a." * 100 + "evil.example")[-100:]),
        ("mailto:eve@evil.example", "evil.example"),
        ("mailto:jane@bank.example,eve@evil.example", "bank.example, evil.example"),
        ("mailto:jane@bank.example?subject=x&CC=eve%40evil.example", "bank.example, evil.example"),
        ("mailto:?to=eve@evil.example", "evil.example"),
        (
            "mailto:" + ",".join(f"x@e{number}.example" for number in range(900)),
            "e0.example, e1.example, e2.example, …",
        ),
        ("tel:+4930123", ""),
        ("https://bank.example/evil.example", ""),
        ("https://bank.example\\@evil.example/", ""),
        ("https://www.bank.example./", ""),
        ("https://login.bank.example/", ""),
        ("https://eve@bank.example/", ""),
        ("mailto:jane@bank.example?body=evil.example", ""),
        ("mailto:jane%40bank.example", ""),
    ],
)
def test_a_target_is_read_as_browsers_do(target: str, shown: str) -> None:
    assert foreign(target, "Log in at bank.example now") == shown


@pytest.mark.parametrize(
    "text",
    [
        "bank.example",
        "BANK.Example",
        "https://bank.example/login?x=1",
        "https://bank.example@evil.example",
        "www.bank.example",
        "evil.example, formerly bank.example",
        "jane@bank.example",
        "b\u200ban\u00adk.ex\u2060ample",
        "bank\u3002example",
        "\uff42\uff41\uff4e\uff4b\uff0e\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45",
        "www. bank . example",
        "http : // bank .\texample / login",
        "b\u00fccher.example",
        "xn--bcher-kva.example",
        "bank.\u043f\u0440\u0438\u043c\u0435\u0440",
        "192.0.2.1",
        "\U0001f3e6bank.example",
    ],
)
def test_a_text_that_names_another_host_is_found(text: str) -> None:
    assert foreign(EVIL, text) == "evil.example"
    assert foreign(EVIL, "Click here", "", text) == "evil.example"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Click here",
        "evil.example",
        "Evil.Example/bank.pdf",
        "https://www.evil.example./?to=x",
        "eve.smith@evil.example",
        "letter.pdf",
        "3.50 or 1.2.3",
        "z.B. so",
        "ends here. Next",
        "1.2.3.4567",
        "a..b",
        f"{'a' * 300}.example",
    ],
)
def test_a_text_that_names_no_other_host_is_left_alone(text: str) -> None:
    assert foreign(EVIL, text) == ""


@pytest.mark.parametrize(
    ("target", "text", "shown"),
    [
        ("https://xn--bcher-kva.example/", "b\u00fccher.example", ""),
        ("https://b\u00fccher.example/", "https://xn--bcher-kva.example", ""),
        ("https://b\u00fccher.example/", "bucher.example", "xn--bcher-kva.example"),
        ("https://bank.example/", "login.bank.example", ""),
        ("https://example/", "bank.example", "example"),
        ("http://192.0.2.1/", "192.0.2.1", ""),
        ("http://2.1/", "192.0.2.1", "2.1"),
    ],
)
def test_the_same_host_may_be_written_otherwise(target: str, text: str, shown: str) -> None:
    assert foreign(target, text) == shown


def test_of_a_mail_with_thousands_of_names_in_other_scripts_those_beyond_count_as_foreign() -> None:
    hosts = LinkHosts()
    names = [f"b\u00fccher{number}.example" for number in range(600)]
    targets = [f"https://{address.normalise_domain(name)}/" for name in names]
    found = [hosts.foreign(target, [name]) for target, name in zip(targets, names, strict=True)]
    assert (found[0], found[499], found[500]) == ("", "", targets[500].removeprefix("https://").rstrip("/"))


@pytest.mark.parametrize(
    "unit", ["a.", "a", "a.bc ", "-", "www.", "\u00fc.ab ", "@a.bc", "https:", " ", "a@", "\u200b."]
)
def test_time_grows_with_the_length_only(unit: str, grows_linearly: GrowsLinearly) -> None:
    grows_linearly(lambda size: foreign(EVIL, unit * (size // len(unit))))


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text())
def test_any_target_and_text_is_read_and_what_is_shown_is_printable(target: str, text: str) -> None:
    for one in (target, f"https://{target}", f"mailto:{target}"):
        shown = foreign(one, text, f"{text} bank.example")
        assert shown.isprintable()
        assert len(shown) < 400
