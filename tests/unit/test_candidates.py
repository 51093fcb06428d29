"""The addresses that readers could show for a From, To or Cc value."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailweir import address, candidates, headers

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly

JANE, EVE = "jane@client.example", "eve@evil.example"


def _from(text: str) -> headers.HeaderView:
    return headers.look([(b"From", text.encode("utf-8", "surrogateescape"))])


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
        # inside quotes or an encoded word, anything may occur: it is shown, but is never an address
        '"eve@evil.example" <jane@client.example>',
        '"eve@evil.example, eve" <jane@client.example>',
        '"<eve@evil.example>" <jane@client.example>',
        "=?utf-8?q?eve=40evil.example?= <jane@client.example>",
        "=?utf-8?b?ZXZlQGV2aWwuZXhhbXBsZQ==?= <jane@client.example>",
        "=?utf-8?q?eve=40evil=2Eexample=2C?= <jane@client.example>",
        # harmless, although RFC 5322 3.4 doesn't allow it
        "Jane @ Client Ltd <jane@client.example>",
        "Jane@Client <jane@client.example>",
        "Jane (@janey) <jane@client.example>",
        "Jane :) <jane@client.example>",
        "Jane ;-) <jane@client.example>",
        "Jane (Sales (EU)) <jane@client.example>",
        "Jane <3 <jane@client.example>",
        "Client: Jane <jane@client.example>",
        "Client: Jane <jane@client.example>;",
        "https://www.client.example/a?b=c <jane@client.example>",
        '5" Pipes <jane@client.example>',
        'Jane "Jay Doe <jane@client.example>',
        "<Jane> <jane@client.example>",
        "<jane@client.example>;",
        "jane@client.example;",
        "'jane@client.example' <jane@client.example>",
        "<'jane@client.example'>",
        "\"'jane@client.example'\" <'jane@client.example'>",
        "mailto:jane@client.example",
        "Jane <mailto:jane@client.example>",
        "Jane <jane@client.example",
        "Jane jane@client.example>",
        '"Jane" jane@client.example',
        "Jane \\ Doe <jane@client.example>",
        "jane@localhost <jane@client.example>",
        # raw ISO-2022-JP, and second bytes of Shift_JIS and GBK that are `\\`, `@` and `[`
        "\x1b$B;3ED(B\x1b(B <jane@client.example>",
        '\x1b$B;3"D(@\x1b(B <jane@client.example>',
        '"\x1b$B@gEg\x1b(B" <jane@client.example>',
        "\udc8e\udc83\\ <jane@client.example>",
        "\udc83@\udc83[ <jane@client.example>",
    ],
)
def test_a_from_that_shows_one_address_everywhere_has_an_author(text: str) -> None:
    view = _from(text)
    assert (view.author, view.repaired) == (JANE, False)


@pytest.mark.parametrize(
    "text",
    [
        # in Shift_JIS, the `\\` is the second byte of a character, and the quote ends after it
        '"\udc8e\udc83\\" <jane@client.example>, "',
        '"jane\x0b"@client.example',
        "jane@cli\x7fent.example",
    ],
)
def test_an_author_who_is_found_by_repair_alone_is_marked(text: str) -> None:
    view = _from(text)
    assert (view.author, view.repaired) == (JANE, True)


@pytest.mark.parametrize(
    "text",
    [
        "jane@client.example, eve@evil.example",
        "jane@client.example eve@evil.example",
        "jane@client.example; eve@evil.example",
        "jane@client.example <eve@evil.example>",
        "jane @ client.example <eve@evil.example>",
        "<jane@client.example> <eve@evil.example>",
        "<jane@client.example> eve@evil.example",
        "<jane@client.example<eve@evil.example>>",
        "[eve@evil.example] <jane@client.example>",
        '"eve@evil.example": jane@client.example;',
        "Friends: jane@client.example, eve@evil.example;",
        'Jane \\"eve@evil.example\\" <jane@client.example>',
        "<@relay.example eve@evil.example:jane@client.example>",
        "<eve@evil.example:jane@client.example>",
        "<@eve@evil.example:jane@client.example>",
        "jane@client.example\x0beve@evil.example",
        "jane@client.example\u2028eve@evil.example",
        '=?utf-8?q?a"?= <eve@evil.example> "=?= <jane@client.example>',
        "=?utf-8?q?a(?= <eve@evil.example> (=?= <jane@client.example>",
        '"a\udc83\\" <eve@evil.example> "" <jane@client.example>',
        '"eve@evil.example" ( <jane@client.example>',
    ],
)
def test_a_from_that_could_show_two_people_has_no_author_and_names_both(text: str) -> None:
    view = _from(text)
    assert view.author is None
    assert {JANE, EVE} <= set(view.candidates)
    assert {JANE, EVE} <= set(view.named_in_from)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("jane@client.example .evil.example", "jane@client.example.evil.example"),
        ("jane@client.example\r\n .evil.example", "jane@client.example.evil.example"),
        ("jane@client.example (x) .evil.example", "jane@client.example.evil.example"),
        ("jane@client.example\x01.evil.example", "jane@client.example.evil.example"),
        ("jane@client.example@evil.example", "client.example@evil.example"),
        (".jane@client.example", ".jane@client.example"),
        ("eve@[192.0.2.1] <jane@client.example>", "eve@[192.0.2.1]"),
    ],
)
def test_both_ends_of_a_broken_address_are_candidates(text: str, other: str) -> None:
    assert set(_from(text).candidates) == {JANE, other}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ""),
        (" \r\n ", ""),
        ("<>", ""),
        ("Jane Doe", ""),
        ("Jane Doe <>", ""),
        (",", ""),
        ("undisclosed-recipients:;", ""),
        ("jane@localhost", ""),
        ("jane@cli\udcffent.example", ""),
        ('"jane@client.example"', JANE),
        ("(jane@client.example)", JANE),
        ("=?utf-8?q?jane=40client.example?=", JANE),
        ("=?utf-8?b?amFuZUBjbGllbnQuZXhhbXBsZQ==?= <>", JANE),
        ("=?utf-8?q?jane?=@client.example", JANE),
        ("jane\x00@client.example", JANE),
        ("jane@client.example\x00", JANE),
    ],
)
def test_a_from_that_shows_nobody_has_no_author(text: str, named: str) -> None:
    view = _from(text)
    assert view.candidates == ()
    assert view.named_in_from == tuple(named.split())


def test_two_froms_name_both_and_have_no_author() -> None:
    view = headers.look([(b"From", b" jane@client.example"), (b"from", b" eve@evil.example")])
    assert (view.candidates, view.named_in_from) == ((), (JANE, EVE))


def test_more_than_eight_are_no_candidates() -> None:
    crowd = [f"jane{number}@client.example" for number in range(9)]
    assert len(_from(", ".join(crowd[:8])).candidates) == 8
    view = _from(", ".join(crowd))
    assert (view.candidates, len(view.named_in_from)) == ((), 8)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"eve@evil.example" <jane@client.example>', JANE),
        ('"x\\" <eve@evil.example>, \\"" <jane@client.example>', JANE),
        ('"a" " <eve@evil.example>, " <jane@client.example>', JANE),
        ("jane@client.example (eve@evil.example)", JANE),
        ("jane (eve@evil.example) @client.example", JANE),
        ("=?utf-8?q?eve=40evil.example?= <jane@client.example>", JANE),
    ],
)
def test_a_display_name_is_no_address(text: str, shown: str) -> None:
    assert candidates.read(text).all == (shown,)


# --- To and Cc --------------------------------------------------------------------------------------------------------

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


@given(st.lists(st.tuples(_KNOWN, _DRESSES), max_size=8), st.sampled_from([",", " ,\r\n ", ", ,", "; ", ";"]))
def test_a_list_gives_its_addresses_in_order_and_each_once(items: list[tuple[str, str]], comma: str) -> None:
    found = candidates.read(comma.join(dress.format(one) for one, dress in items))
    assert [one for one in found.recipients if one != EVE] == list(dict.fromkeys(one for one, _ in items))


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
            "joe@example.org c@public.example",
        ),
        ("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", ""),
        # appendix A.6.1: a route, and two commas
        (
            "Mary Smith <@node.example:mary@example.net>, , jdoe@test . example",
            "mary@example.net jdoe@test.example",
        ),
        ("Team: b@x.example; d@x.example", "b@x.example d@x.example"),
        # not allowed by RFC 5322, but common
        ("jane@client.example; bob@client.example", "jane@client.example bob@client.example"),
        ("Jane <jane@client.example>; Bob <bob@client.example>;", "jane@client.example bob@client.example"),
        ("\"'jane@client.example'\" <'jane@client.example'>", "jane@client.example"),
        ("'jane@client.example', 'bob@client.example'", "jane@client.example bob@client.example"),
        ("Bob@Client <bob@client.example>", "bob@client.example"),
        ('"Jane" jane@client.example, bob@client.example', "jane@client.example bob@client.example"),
        ("jane@client.example bob@client.example", "jane@client.example bob@client.example"),
        # a broken item doesn't spoil the others
        (
            'jane@client.example, "open <joe@client.example>, bob@client.example',
            f"{JANE} joe@client.example bob@client.example",
        ),
        ('5" Pipes <jane@client.example>, "Doe, Bob" <bob@client.example>', f"{JANE} bob@client.example"),
        ("Jane (sales <jane@client.example>, bob@client.example", f"{JANE} bob@client.example"),
        ("broken@@x.example, <joe@client.example>", "joe@client.example"),
        ('"carol@client.example" <joe@client.example>, "x', "joe@client.example"),
        # found nowhere else
        ('"jane@client.example"', JANE),
        ("=?utf-8?q?jane=40client.example?=", JANE),
    ],
)
def test_each_address_that_a_reader_would_write_to_counts(text: str, expected: str) -> None:
    assert list(candidates.read(text).recipients) == expected.split()


def test_whom_any_reading_of_to_names_is_named() -> None:
    view = headers.look([(b"To", b' "carol@client.example" ( <joe@client.example>')])
    assert view.recipients == ("joe@client.example",)
    assert view.named == {"joe@client.example", "carol@client.example"}


@pytest.mark.parametrize(
    ("value", "unread"),
    [(b" Jane Doe", True), (b" <>", True), (b" ", False), (b" undisclosed-recipients:;", False), (b" a: ;", False)],
)
def test_a_to_that_holds_something_and_no_address_couldnt_be_read(value: bytes, unread: bool) -> None:
    assert headers.look([(b"To", value)]).unread_recipients is unread


# --- any text ---------------------------------------------------------------------------------------------------------

_SCRAPS = st.sampled_from(
    [
        JANE,
        EVE,
        f"<{JANE}>",
        f"<{EVE}>",
        "Jane",
        "=?utf-8?q?a?=",
        "=?utf-8?q?",
        "?=",
        "\x1b$B",
        "\x1b(B",
        "\r\n ",
        "client.example.",
    ]
) | st.sampled_from([*" <>()[]\"\\@.,:;'-a\t\x00\xe4\xa0\udc83"])
_TEXTS = st.one_of(st.lists(_SCRAPS, max_size=12).map("".join), st.text(max_size=60))


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(_TEXTS, _TEXTS)
@example("[", "]")
@example("<@x", ":")
def test_what_stands_outside_quotes_and_comments_is_always_a_candidate(before: str, behind: str) -> None:
    reading = candidates.read(f"{before} {EVE} {behind} <{JANE}>")
    assert {JANE, EVE} <= set(reading.all) or '"' in before or "(" in before
    assert {JANE, EVE} <= set(reading.shown) or any(mark in before + behind for mark in '"(')
    assert len(set(reading.all)) == len(reading.all)
    assert all(address.normalise(one) == one for one in reading.all)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(_TEXTS)
def test_the_shortcut_finds_what_the_full_search_finds(text: str) -> None:
    assert candidates.read(text) == candidates.full_search(text.strip(" \t\r\n"))


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
        "a(b)@c.d,",
        "\udc83@",
        'x@y.z,"a@b.c",',
        "(a@b.c),",
        "=?utf-8?q?a=40b.c?=,",
        '<x>"a@b.c"',
        "'a@b.c'",
        "\x1b$B",
        " .",
        "\t@\t",
        '"a"@b.c,',
    ],
)
def test_reading_takes_time_that_grows_with_the_length_only(scrap: str, grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: candidates.read(scrap * (size // len(scrap))))
