"""Addresses: one form for each, and a list that reads one way or not at all."""

import re
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailweir import address

if TYPE_CHECKING:
    from tests.unit.conftest import GrowsLinearly

# --- one address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@client.example", "jane@client.example"),
        ("Jane.Doe+News@Client.EXAMPLE", "jane.doe+news@client.example"),
        ("jane@client.example.", "jane@client.example"),
        ('"richard"@Demo.example.net.', "richard@demo.example.net"),
        (r'"ri\chard"@demo.example.net', "richard@demo.example.net"),
        ('"jane doe"@client.example', '"jane doe"@client.example'),
        (r'"jane \"d\" doe"@client.example', r'"jane \"d\" doe"@client.example'),
        ('"a@b"@client.example', '"a@b"@client.example'),
        ("o'neil@client.example", "o'neil@client.example"),
        ("a=b+caf_=c@client.example", "a=b+caf_=c@client.example"),
        # Japanese mobile carriers gave these out
        ("jane..doe.@client.example", "jane..doe.@client.example"),
        ("jane@[192.0.2.1]", "jane@[192.0.2.1]"),
        ("jane@[IPv6:2001:DB8::1]", "jane@[ipv6:2001:db8::1]"),
        ("jane@localhost", "jane@localhost"),
        ("jane@sub_domain.client.example", "jane@sub_domain.client.example"),
        ("j" * 64 + "@client.example", "j" * 64 + "@client.example"),
        # RFC 6532: composed and decomposed are one
        ("Jos\u00c9@client.example", "jos\u00e9@client.example"),
        ("jose\u0301@client.example", "jos\u00e9@client.example"),
    ],
)
def test_an_address_has_one_form(text: str, expected: str) -> None:
    assert address.normalise(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "jane",
        "jane@",
        "@client.example",
        "jane@.example",
        "jane@client..example",
        "jane@client.example..",
        "jane@-client.example",
        "jane@client-.example",
        "jane doe@client.example",
        "jane@client .example",
        " jane@client.example",
        "jane@client.example\n",
        "jane@client.example\x00",
        "jane\x00@client.example",
        "jane\x0b@client.example",
        "a@b@client.example",
        "<jane@client.example>",
        "jane@client.example,joe@client.example",
        "jane@client.example;",
        "jane(x)@client.example",
        '""@client.example',
        '"jane@client.example',
        '"jane\r\n doe"@client.example',
        '"jane"doe@client.example',
        "jane@[192.0.2.1",
        "jane@[192.0.2.1]x",
        "jane@[a@b]",
        "jane@" + "a" * 64 + ".example",
        "jane@" + "a." * 130 + "example",
        "j" * 321 + "@client.example",
        "\udcff@client.example",
        "jane@\udcff.example",
        "\xa0jane@client.example",
        "jane\u202e@client.example",
        '"jane\u2028doe"@client.example',
        # the Greek question mark is a `;` to NFC
        "jane\u037e@client.example",
    ],
)
def test_what_is_no_address_has_none(text: str) -> None:
    assert address.normalise(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m\u00fcnchen.example", "xn--mnchen-3ya.example"),
        ("M\u00dcNCHEN.Example.", "xn--mnchen-3ya.example"),
        ("mu\u0308nchen.example", "xn--mnchen-3ya.example"),
        ("XN--Mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("\u4f8b\u3048.example", "xn--r8jz45g.example"),
        ("\u043f\u0440\u0438\u043c\u0435\u0440.example", "xn--e1afmkfd.example"),
        # RFC 5894 7.2: Python's idna codec reads these as another domain, strasse.example, which is somebody else's
        ("stra\u00dfe.example", "xn--strae-oqa.example"),
        ("STRA\u1e9eE.example", "xn--strae-oqa.example"),
        ("\u03bf\u03b4\u03cc\u03c2.example", "xn--pxavk3b.example"),
    ],
)
def test_a_domain_in_another_script_is_its_a_label(text: str, expected: str) -> None:
    assert address.normalise_domain(text) == expected
    assert address.normalise(f"jane@{text}") == f"jane@{expected}"


@pytest.mark.parametrize(
    "text",
    [
        "\uff43lient.example",  # a full-width c
        "client\u3002example",  # an ideographic full stop
        "evil\u2024client.example",  # a one dot leader, which NFKC makes a full stop
        "cli\u200dent.example",  # a joiner
        "cli\u00adent.example",  # a soft hyphen
        "client\u2060.example",
        "\u2100client.example",  # NFKC: a/c
        "jane\uff20client.example",  # NFKC: @
        "\u0301client.example",  # a mark without its letter
        "cli\u202eent.example",
        "\u2615.example",
        "cli ent.ex\u00e4mple",
    ],
)
def test_a_domain_that_passes_for_another_is_none(text: str) -> None:
    assert address.normalise_domain(text) is None


def test_every_character_has_one_form() -> None:
    # all of the scripts in use; the rest are ideographs, of which each stands for itself
    for point in (*range(0x80, 0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x10000), *range(0x1E900, 0x1E960)):
        for text in (f"{chr(point)}@x.example", f'"{chr(point)} "@x.example', f"a@{chr(point)}b.example"):
            normal = address.normalise(text)
            assert normal is None or address.normalise(normal) == normal, ascii(text)


_SCRAPS = st.sampled_from(
    [
        "jane@client.example",
        "eve@evil.example",
        "jane",
        "@",
        "<",
        ">",
        ",",
        ";",
        ":",
        "(",
        ")",
        '"',
        "\\",
        " ",
        "\r\n ",
        "[",
        "]",
        ".",
        "\x00",
        "\x0b",
        "\xa0",
        "\u00e9",
        "e\u0301",
        "\u212a",
        "\u00df",
        "\u3002",
        "\udcff",
        "=?utf-8?q?",
        "eve=40evil.example?=",
        "client.example",
        "JANE",
        "x" * 70,
        "[192.0.2.1]",
        "@relay.example:",
        "a:",
        "\u037e",
    ]
)
_NASTY = st.lists(_SCRAPS, max_size=14).map("".join)
_ANY = st.one_of(_NASTY, st.text(max_size=60), st.characters().map(lambda char: f"{char}@{char}.example"))


@settings(max_examples=400, deadline=None)
@given(_ANY)
def test_the_normal_form_is_its_own_normal_form(text: str) -> None:
    for normal in (address.normalise(text), address.normalise_path(text)):
        if normal:
            assert address.normalise(normal) == normal
            assert address.normalise_path(normal) == normal
            assert address.normalise_path(f"<{normal}>") == normal
            assert unicodedata.is_normalized("NFC", normal)
            assert not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", normal)
            local, domain = address.split(normal)
            assert f"{local}@{domain}" == normal
            assert domain.isascii()
    domain_form = address.normalise_domain(text)
    assert domain_form is None or address.normalise_domain(domain_form) == domain_form


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("<richard@demo.example.net>", "richard@demo.example.net"),
        ("richard@demo.example.net", "richard@demo.example.net"),
        ('<"richard"@Demo.example.net.>', "richard@demo.example.net"),
        ("<@relay.example:richard@demo.example.net>", "richard@demo.example.net"),
        ("<@a.example,@b.example:richard@demo.example.net>", "richard@demo.example.net"),
        ("<>", ""),
        ("", ""),
        (" <richard@demo.example.net> ", "richard@demo.example.net"),
        ("<postmaster>", None),
        ("<richard@demo.example.net", None),
        ("<@relay.example>", None),
        ("<richard@demo.example.net> SIZE=5", None),
    ],
)
def test_an_envelope_address_is_read_as_typed(typed: str, expected: str | None) -> None:
    assert address.normalise_path(typed) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Richard", "richard"),
        ("richard.m_2-x", "richard.m_2-x"),
        ("r", "r"),
        ("r" * 64, "r" * 64),
        ("r" * 65, None),
        ("", None),
        (".richard", None),
        ("richard.", None),
        ("rich ard", None),
        ("richard+x", None),
        ("rich@rd", None),
        ("rich\u00e4rd", None),
        ("richard\n", None),
        *[(name, None) for name in ("log", "LOG", "postmaster", "abuse", "mailer-daemon", "bounce", "Bounce")],
    ],
)
def test_a_username_is_plain_and_not_reserved(text: str, expected: str | None) -> None:
    assert address.normalise_username(text) == expected


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("jane+caf_=richard=demo.example.net@gmail.com", ("jane@gmail.com", "richard@demo.example.net")),
        ("jane+caf_=richard+x=y=demo.example.net@gmail.com", ("jane@gmail.com", "richard+x=y@demo.example.net")),
        ("jane+work+caf_=log=demo.example.net@client.example", ("jane+work@client.example", "log@demo.example.net")),
        ("jane@gmail.com", None),
        ("", None),
        ("+caf_=richard=demo.example.net@gmail.com", None),
        ("jane+caf_=richard@gmail.com", None),
        ("jane+caf_=@gmail.com", None),
        ("jane+caf_==demo.example.net@gmail.com", None),
        ("jane+caf_=richard=@gmail.com", None),
        ("jane+caf_=richard=demo.example.net@", None),
        ("jane+caf_=richard=demo.example.net", None),
        ("jane+caf_=rich ard=demo.example.net@gmail.com", None),
    ],
)
def test_gmails_forwarding_sender_says_who_and_where_to(sender: str, expected: tuple[str, str] | None) -> None:
    assert address.forwarded_for(sender) == expected


_LOCAL = st.from_regex(r"[a-z0-9]([a-z0-9.+=_\-]{0,12}[a-z0-9])?", fullmatch=True)
_DOMAIN = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z]{2,7}){1,2}", fullmatch=True)


@given(_LOCAL, _LOCAL.filter(lambda local: "+caf_=" not in local), _DOMAIN, _DOMAIN)
def test_a_forwarding_sender_is_read_back(capture: str, forwarder: str, domain: str, provider: str) -> None:
    sender = f"{forwarder}+caf_={capture}={domain}@{provider}"
    assert address.forwarded_for(sender) == (f"{forwarder}@{provider}", f"{capture}@{domain}") or "+caf_=" in capture


# --- a From value -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "jane@client.example",
        "<jane@client.example>",
        " \r\n <jane@client.example>\r\n ",
        "Jane Doe <jane@client.example>",
        "Jane Doe<jane@client.example>",
        '"Jane Doe" <jane@client.example>',
        '"Doe, Jane" <jane@client.example>',
        "Doe, Jane <jane@client.example>",
        "Doe, Jane (Client Ltd.) <jane@client.example>",
        'Jane "Jay" Doe <jane@client.example>',
        "[EXT] Jane Doe <jane@client.example>",
        "Jane [Client] <jane@client.example>",
        "jane@client.example (Jane Doe)",
        "(Jane (the one and only) Doe) jane@client.example",
        "jane(her mailbox)@(at)client.example",
        "jane @ client.example",
        "Jane.Q.Doe <jane@client.example>",
        "Jane's Shop & Co. <jane@client.example>",
        "=?utf-8?q?J=C3=A4ne?= =?utf-8?q?_Doe?= <jane@client.example>",
        "=?iso-2022-jp?b?GyRCO1obKEI=?= <jane@client.example>",
        "J\u00e4ne Doe <jane@client.example>",
        "J\udce4ne Doe <jane@client.example>",
        "Jane\r\n\tDoe\r\n <jane@client.example>",
        '"Jane\r\n Doe" <jane@client.example>',
        '"Jane \\"J\\" Doe\\\\" <jane@client.example>',
        "JANE@CLIENT.EXAMPLE",
        "jane@client.example,",
        ", jane@client.example",
        "<@relay.example:jane@client.example>",
        "jane@client.example <jane@client.example>",
        "jane@client.example <JANE@Client.example>",
        '"jane@client.example" <jane@client.example>',
        "jane@client.example (jane@client.example)",
        "jane@client.example, Jane <jane@client.example>",
        "Jane <jane@client.example>, Client Ltd.",
        '"jane"@client.example',
        "Jane Doe via Shop \x07 <jane@client.example>",
        # inside quotes or an encoded word, anything may stand: it is shown, and never an address
        '"eve@evil.example" <jane@client.example>',
        '"eve@evil.example, eve" <jane@client.example>',
        '"<eve@evil.example>" <jane@client.example>',
        "=?utf-8?q?eve=40evil.example?= <jane@client.example>",
        "=?utf-8?b?ZXZlQGV2aWwuZXhhbXBsZQ==?= <jane@client.example>",
        "=?utf-8?q?eve=40evil=2Eexample=2C?= <jane@client.example>",
    ],
)
def test_a_from_that_reads_one_way_has_an_author(text: str) -> None:
    assert address.read_author(text) == "jane@client.example"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \r\n ",
        "<>",
        "Jane Doe",
        "Jane Doe <>",
        "jane",
        ",",
        # two addresses, in every disguise
        "jane@client.example, eve@evil.example",
        "jane@client.example eve@evil.example",
        "jane@client.example; eve@evil.example",
        "jane@client.example <eve@evil.example>",
        "eve@evil.example <jane@client.example>",
        "eve@evil.example Jane <jane@client.example>",
        "jane @ client.example <eve@evil.example>",
        "<jane@client.example> <eve@evil.example>",
        "<jane@client.example> eve@evil.example",
        "<jane@client.example>, <eve@evil.example>",
        "<jane@client.example",
        "jane@client.example>",
        "<<jane@client.example>>",
        "<jane@client.example<eve@evil.example>>",
        "<jane@client.example>>",
        '"eve@evil.example", <jane@client.example>',
        "(eve@evil.example), jane@client.example",
        "jane@client.example (eve@evil.example)",
        "jane@client.example (Jane <eve@evil.example>)",
        "jane (eve@evil.example) @client.example",
        "[eve@evil.example] <jane@client.example>",
        "eve@[192.0.2.1] <jane@client.example>",
        "eve\\@evil.example <jane@client.example>",
        "jane@client.example@evil.example",
        "jane@client.example .evil.example",
        "jane@client. example",
        "jane doe@client.example",
        # groups
        "Friends: jane@client.example;",
        "Friends: jane@client.example, eve@evil.example;",
        "undisclosed-recipients:;",
        "Re: mail <jane@client.example>",
        '"eve@evil.example": jane@client.example;',
        "a: b: jane@client.example;",
        "eve@evil.example: jane@client.example;",
        # what never ends
        '"Jane <jane@client.example>',
        '"Jane" <jane@client.example> "',
        "(Jane <jane@client.example>",
        "Jane (a (b) <jane@client.example>",
        'Jane \\"eve@evil.example\\" <jane@client.example>',
        "jane@client.example (\\",
        # a route is one host and nothing else
        "<@relay.example eve@evil.example:jane@client.example>",
        "<eve@evil.example:jane@client.example>",
        "<@a.example:@b.example:jane@client.example>",
        "<@a.example,@b.example:jane@client.example>",
        "<@:jane@client.example>",
        # an encoded word is text, never an address or a part of one
        "=?utf-8?q?jane=40client.example?=",
        "<=?utf-8?q?jane=40client.example?=>",
        # NUL and controls
        "jane\x00@client.example",
        "jane@client.example\x00",
        "jane@client.example\x0beve@evil.example",
        "jane@client.example\r\x0b<eve@evil.example>",
        "jane@cli\x7fent.example",
        "jane@client.example\u2028eve@evil.example",
        '"jane\x0b"@client.example',
        "jane@cli\udcffent.example",
        "jane@client.example\xa0",
        "j\r\n ane@client.example",
    ],
)
def test_a_from_that_reads_two_ways_or_none_has_no_author(text: str) -> None:
    assert address.read_author(text) is None


def _naive_addresses(text: str) -> set[str]:
    """What a simple reader that knows quotes and comments takes for addresses: what stands around each other `@`; and what a
    comment with an `@` says. It knows one thing more: a route."""
    plain, comments = _without_quotes_and_comments(text)
    plain = re.sub(r"<\s*@[^<>@:,]*:", "<", plain)
    found = {comment.strip() for comment in comments if "@" in comment}
    for match in re.finditer("@", plain):
        local = re.search(r"([^\s<>,;:@]*)\s*$", plain[: match.start()])
        domain = re.match(r"\s*([^\s<>,;:@]*)", plain[match.end() :])
        assert local is not None
        assert domain is not None
        found.add(f"{local[1]}@{domain[1]}")
    return found


def _without_quotes_and_comments(text: str) -> tuple[str, list[str]]:
    plain, comment, comments = "", "", []
    depth, quoted, escaped = 0, False, False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and (quoted or depth):
            escaped = True
        elif char == '"' and not depth:
            quoted = not quoted
            plain += "Q"
            continue
        elif char == "(" and not quoted:
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            if depth == 0:
                comments.append(comment[1:])
                comment = ""
                continue
        if depth:
            comment += char
        elif not quoted:
            plain += char
    return plain, comments


@settings(max_examples=1500, deadline=None)
@given(_NASTY)
@example("[eve@evil.example] <jane@client.example>")
@example("<@x eve@evil.example:jane@client.example>")
def test_an_author_is_the_only_thing_that_looks_like_an_address(text: str) -> None:
    author = address.read_author(text)
    if author is None:
        return
    assert address.normalise(author) == author
    for seen in _naive_addresses(text):
        if not seen.startswith("Q") and "Q@" not in seen:  # what was in quotes is compared elsewhere
            assert address.normalise(seen) == author, seen


@settings(max_examples=600, deadline=None)
@given(_ANY)
def test_reading_a_list_never_raises_and_gives_each_address_once(text: str) -> None:
    found = address.read_list(text)
    assert len(set(found.addresses)) == len(found.addresses)
    assert all(address.normalise(one) == one for one in found.addresses)
    author = address.read_author(text)
    assert author is None or found.addresses == (author,)


_ORDINARY_SCRAPS = st.sampled_from(
    [
        "jane@client.example",
        "client.example.",
        "<jane@client.example>",
        '"Doe, Jane" ',
        "=?utf-8?q?a?=",
        "Jane",
        "Jane Doe <",
    ]
) | st.sampled_from([*" <>\"@.,-a'1:[_\t\xe4\xa0\udce4", "\r\n ", "x" * 63])


@settings(max_examples=600, deadline=None)
@given(st.one_of(_NASTY, st.lists(_ORDINARY_SCRAPS, max_size=8).map("".join)))
def test_the_shortcuts_answer_as_the_full_reading_does(text: str) -> None:
    assert address.read_list(text) == address._read_in_full(text)
    short = address.normalise(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address, "_MAX_ORDINARY_CHARS", -1)
        assert address.normalise(text) == short


# --- To and Cc values -------------------------------------------------------------------------------------------------

_DRESSES = st.sampled_from(
    [
        "{}",
        "<{}>",
        "Jane <{}>",
        '"Doe, Jane" <{}>',
        "{} (a comment, with a comma)",
        "\r\n\tJane\r\n <{}>",
        "=?utf-8?q?J=C3=A4ne?= <{}>",
        "[EXT] Jane <{}>",
        " {} ",
        "{0} <{0}>",
        '"eve@evil.example" <{}>',
        "<@relay.example:{}>",
    ]
)
_KNOWN = st.sampled_from(["jane@client.example", "joe@client.example", '"j d"@client.example', "jo+x@[192.0.2.1]"])


@given(st.lists(st.tuples(_KNOWN, _DRESSES), max_size=8), st.sampled_from([",", " ,\r\n ", ", ,"]))
def test_a_list_gives_its_addresses_in_order_and_each_once(items: list[tuple[str, str]], comma: str) -> None:
    found = address.read_list(comma.join(dress.format(one) for one, dress in items))
    assert found.addresses == tuple(dict.fromkeys(one for one, _ in items))
    assert found.readable
    assert found.one_way
    assert not found.groups


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # RFC 5322 appendix A.1, in spirit
        (
            "Mary Smith <mary@x.example>, jdoe@example.org, Who? <one@y.example>",
            "mary@x.example jdoe@example.org one@y.example",
        ),
        (
            '<boss@nil.example>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
            "boss@nil.example sysservices@example.net",
        ),
        (
            "A Group:Ed Jones <c@a.example>,joe@where.example,John <jdoe@one.example>;",
            "c@a.example joe@where.example jdoe@one.example",
        ),
        ("Undisclosed recipients:;", ""),
        # appendix A.5: white space and comments in odd places
        ("Pete(A nice \\) chap) <pete(his account)@silly.example(his host)>", "pete@silly.example"),
        (
            "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n     joe@example.org;",
            "c@public.example joe@example.org",
        ),
        ("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", ""),
        # appendix A.6.1: a route, and two commas
        ("Mary Smith <@node.example:mary@example.net>, , jdoe@test . example", "mary@example.net"),
        # groups among others
        (
            "a@x.example, Team: b@x.example, c@x.example;, d@x.example",
            "a@x.example b@x.example c@x.example d@x.example",
        ),
        ("Team: b@x.example; d@x.example", "b@x.example d@x.example"),
        # a broken item doesn't spoil the others
        ("jane@client.example, broken@@x, <joe@client.example>", "jane@client.example joe@client.example"),
        (
            "jane@client.example, <a@x.example> b@x.example, joe@client.example",
            "jane@client.example joe@client.example",
        ),
        ('jane@client.example, "open <joe@client.example>', "jane@client.example"),
        ("Doe, Jane <jane@client.example>, Bloggs, Joe <joe@client.example>", "jane@client.example joe@client.example"),
    ],
)
def test_a_list_is_read_item_by_item(text: str, expected: str) -> None:
    assert list(address.read_list(text).addresses) == expected.split()


@pytest.mark.parametrize(
    "scrap",
    [
        "(",
        ")",
        "<",
        ">",
        '"',
        ",",
        ":",
        ";",
        "@",
        "\\",
        " x",
        "\r\n ",
        "[",
        "]",
        "[a",
        "()",
        "(a@b)",
        "a@b,",
        "<a@b>,",
        "a:b;",
        "=?utf-8?q?a?= ",
        "=?",
        '"" ',
        '"\\"',
        "a@b ",
        "(\\(",
        "<@a:",
        "\u00e9",
        "\udcff",
        "a.",
        "[@",
        "((",
        "a(b)@c,",
    ],
)
def test_reading_takes_time_that_grows_with_the_length_only(scrap: str, grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: address.read_list(scrap * (size // len(scrap))))


@pytest.mark.parametrize(
    "text", ["a" * 300_000, "@" * 300_000, '"' * 300_000, "a@" + "\u00e9." * 150_000, "+caf_=" * 50_000]
)
def test_one_address_is_bounded(text: str) -> None:
    assert address.normalise(text) is None
    assert address.normalise_path(text) is None
    assert address.normalise_domain(text) is None
    assert address.forwarded_for(text) is None
