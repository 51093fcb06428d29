"""The view of a mail's HTML: kept and removed parts. Nothing hostile remains."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir.reading import html_depth, html_view
from mailweir.reading.html_view import View
from tests import frozen
from tests.hostile_html import HOSTILE, MUTATING
from tests.html_samples import LONG_RUNS, html_parts, tag_soup
from tests.linear_time import GrowsLinearly

NUMBERS = {"a@b": 3}
PNG = "data:image/png;base64,iVBORw0KGgo"
# A second allow-list, in the tests' own words.
ATTRIBUTES = {
    *(
        "align",
        "alt",
        "bgcolor",
        "border",
        "cellpadding",
        "cellspacing",
        "clear",
        "color",
        "colspan",
        "dir",
        "face",
        "height",
    ),
    *(
        "href",
        "lang",
        "noshade",
        "nowrap",
        "rel",
        "rowspan",
        "size",
        "span",
        "src",
        "start",
        "style",
        "target",
        "title",
        "type",
    ),
    *("valign", "value", "width"),
}
NO_ELEMENTS = {
    *(
        "applet",
        "area",
        "audio",
        "base",
        "button",
        "canvas",
        "embed",
        "form",
        "frame",
        "frameset",
        "iframe",
        "input",
        "link",
    ),
    *("map", "math", "meta", "noscript", "object", "picture", "script", "select", "source", "style", "svg", "template"),
    *("textarea", "title", "video", "xmp", "plaintext", "dialog", "slot", "marquee"),
}
PROPERTY = re.compile(
    r"(?:background-color|border|box-sizing|clear|color|direction|display|empty-cells|float|font|(?:max-|min-)?(?:height|width)"
    r"|letter-spacing|line-height|list-style-type|margin|opacity|overflow|padding|table-layout|text-|unicode-bidi"
    r"|vertical-align|visibility|white-space|word-)"
)
BAD_VALUE = re.compile(r"url|\\|/\*|@|expression|var\(|env\(|attr\(|image|javascript|[<>{}&]", re.IGNORECASE)


def view(html: str) -> View:
    return html_view.sanitise(html, NUMBERS)


def _elements(html: str) -> Iterator[Element]:
    """The elements that a browser would make of it in the frame's document."""
    document = html5lib.parse(
        f"<!doctype html><html><head></head><body>{html}</body></html>", namespaceHTMLElements=False
    )
    (body,) = document.findall("body")
    yield from (one for one in body.iter() if one is not body)


def faults(html: str) -> list[str]:
    """Forbidden content of a view, found by a parser other than nh3's."""
    found = []
    for element in _elements(html):
        tag = str(element.tag)
        found += [tag] * (tag in NO_ELEMENTS or not re.fullmatch(r"[a-z][a-z0-9]*", tag))
        for name, value in element.attrib.items():
            is_fine = name in ATTRIBUTES and _is_fine(tag, name, value)
            found += [] if is_fine else [f"{tag} {name}={value}"]
    return found


def _is_fine(tag: str, name: str, value: str) -> bool:
    match name:
        case "href":
            return tag == "a" and bool(re.match(r"(?:https?://[^/\\]|mailto:|tel:)", value))
        case "src":
            is_data = re.fullmatch(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=]+", value, re.IGNORECASE)
            return tag == "img" and bool(value == "attachments/3" or is_data)
        case "style":
            declared = [one.partition(":") for one in value.split(";") if one]
            return all(PROPERTY.match(one.strip()) and not BAD_VALUE.search(said) for one, _, said in declared)
        case "target":
            return value == "_blank"
        case "rel":
            return value == "noopener noreferrer nofollow"
    return True


@pytest.mark.parametrize(
    "html",
    [
        "<script>x</script>",
        "<p onclick=x>",
        "<img src=http://a/b>",
        "<a href=javascript:x>y</a>",
        "<p style='background:url(x)'>",
        "<p style='color:var(--x)'>",
        "<svg><p>",
        "<p id=x>",
        "<a href=http://a.example target=_top>x</a>",
        "<img src=attachments/4>",
    ],
)
def test_the_judge_finds_what_must_not_be(html: str) -> None:
    assert faults(html)


@pytest.mark.parametrize("html", [*HOSTILE, *MUTATING])
def test_nothing_hostile_is_left(html: str) -> None:
    for one in (
        html,
        f"<div>{html}</div>",
        f"<table><tr><td>{html}",
        f"<svg>{html}",
        f"<math><mtext>{html}",
        f"<!--x{html}",
    ):
        shown = view(f"{one}<p>after")
        assert faults(shown.html) == [], shown.html
        assert faults(view(shown.html).html) == []


@pytest.mark.parametrize("html", [*HOSTILE, *MUTATING])
def test_the_second_wall_holds_alone(html: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """nh3 gets the mail unchanged. It doesn't know the number of attachments."""
    monkeypatch.setattr(html_depth, "rewrite", lambda source, *_: source)
    assert faults(view(f"{html}<p>after").html.replace("attachments/99", "attachments/3")) == []


def test_there_are_many_hostile_ones() -> None:
    assert len(set(HOSTILE)) >= 120


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("", ""),
        ("a < b & c &amp; &nbsp;", "a &lt; b &amp; c &amp; &nbsp;"),
        ("<p>Hi <b>x<p>y</b>", "<p>Hi <b>x</b></p><p>y</p>"),
        ('<font color=red face="Arial, x">x</font>', '<font color="red" face="Arial, x">x</font>'),
        (
            '<p class=MsoNormal style="margin:0cm;mso-x:y;color:#1F497D">x<o:p></o:p></p>',
            '<p style="color:#1f497d;margin:0cm">x</p>',
        ),
        ('<p class="MsoNormal">x</p>', '<p style="margin:0">x</p>'),
        ("<td>loose", "loose"),
        (
            "<table bgcolor=#fff><tr><td width=50%>a",
            '<table bgcolor="#fff"><tbody><tr><td width="50%">a</td></tr></tbody></table>',
        ),
        ('<p style="background:#eee">x', '<p style="background-color:#eee">x</p>'),
        ('<p style="color:rgb(1, 2, 3)">x', '<p style="color:rgb(1, 2, 3)">x</p>'),
        ('<div style="display:none">x</div>', '<div style="display:none">x</div>'),
        (
            '<a href="https://a.example/?a=1&b=2" id=x>y</a>',
            '<a href="https://a.example/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer nofollow">y</a>',
        ),
        (
            '<a href="mailto:jane@client.example">y</a>',
            '<a href="mailto:jane@client.example" target="_blank" rel="noopener noreferrer nofollow">y</a>',
        ),
        ('<img src="cid:a@b" alt=x width=9>', '<img alt="x" width="9" src="attachments/3">'),
        ('<img src="CID:<a%40b>">', '<img src="attachments/3">'),
        ('<img src="cid:unknown" alt=x>', '<img alt="x">'),
        ('<img src="cid:unknown">', ""),
        (f'<img src="{PNG}AAA=">', f'<img src="{PNG}AAA=">'),
        (
            f'<a href="{PNG}">x</a><img src="{PNG}">',
            f'<a target="_blank" rel="noopener noreferrer nofollow">x</a><img src="{PNG}">',
        ),
        ("<pre>\n\nx</pre>", "<pre>x</pre>"),
        ("<form><input value=x>text<select><option>o</form>", "texto"),
        ("<svg><text>t</text></svg>", "t"),
        ("x\x00\x1by\ud800", "xy\ufffd"),
    ],
)
def test_what_is_shown(html: str, shown: str) -> None:
    assert view(html).html == shown


@pytest.mark.parametrize(
    ("html", "count"),
    [
        ("<img src=http://x.example/a.png>", 1),
        ("<img src=//x.example/a><img src=//x.example/a><img src=//x.example/b>", 2),
        ("<img srcset='http://x.example/a 1x, http://x.example/b 2x'>", 1),
        ("<img src=http://x.example/a srcset=http://x.example/b>", 1),
        ("<picture><source srcset=http://x.example/a><img src=http://x.example/b></picture>", 1),
        ("<table background=http://x.example/a><td background=http://x.example/b>", 2),
        ("<body background=http://x.example/a>", 1),
        ("<video poster=http://x.example/a src=http://x.example/film>", 1),
        ("<input type=image src=http://x.example/a><input src=http://x.example/b>", 1),
        ("<p style='background:url(http://x.example/a)'>", 1),
        ("<style>p{background:url(http://x.example/a)} @import url(http://x.example/a.css);</style>", 1),
        ("<link rel=icon href=http://x.example/a><link rel=stylesheet href=http://x.example/b>", 1),
        ("<svg><image href=http://x.example/a></svg>", 1),
        (f"<img src=cid:a@b><img src=attachments/3><img src={PNG}><img src=rel.png><a href=http://x.example/>", 0),
    ],
)
def test_remote_images_are_taken_out_and_counted(html: str, count: int) -> None:
    shown = view(html)
    assert shown.remote_images == count
    assert "x.example/a" not in shown.html


def test_a_large_image_in_the_mail_itself_is_left_out() -> None:
    assert view(f'<img src="{PNG}{"A" * 300_000}">').html.endswith('A">')
    assert view(f'<img src="{PNG}{"A" * html_view.MAX_DATA_URL_CHARS}">').html == ""


def test_a_long_mail_is_cut_and_says_so() -> None:
    shown = view("<p>text</p>" * 100_000)
    assert shown.is_cut
    assert shown.html.endswith("<p>text</p><p>…</p>")
    assert not view("<p>text</p>").is_cut


def test_no_depth_is_too_deep_and_no_text_is_lost() -> None:
    shown = view("<div>" * 50_000 + "deep" + "</div>" * 50_000 + "<p>after")
    assert shown.html.count("<div>") == 200
    assert "deep" in shown.html
    assert shown.html.endswith("<p>after</p>")


def test_what_is_left_open_isnt_repeated() -> None:
    assert len(view(LONG_RUNS["fonts left open"](100_000)).html) < 300_000


@pytest.mark.parametrize("name", LONG_RUNS)
def test_time_grows_with_the_length_only(name: str, grows_linearly: GrowsLinearly) -> None:
    grows_linearly(lambda size: view(LONG_RUNS[name](size)))


@settings(max_examples=400, deadline=None)
@given(tag_soup())
def test_any_soup_of_tags_is_safe_and_stays_as_it_is(html: str) -> None:
    shown = view(html)
    assert faults(shown.html) == []
    assert view(shown.html).html == shown.html


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_characters_are_shown(html: str) -> None:
    shown = view(html)
    assert view(shown.html).html == shown.html


MARKED = re.compile(r'<bdi style="[^"]*">\u2192 ([^<]*)</bdi> <a href="([^"]*)"')


@pytest.mark.parametrize(
    "html",
    [
        "<a href=https://evil.example>www.bank.example</a>",
        "<a href=https://bank.example@evil.example>bank.example</a>",
        "<a href=https://evil.example>www.<b>bank</b>.ex<i>am</i>ple</a>",
        "<a href=https://evil.example>&#119;ww&period;bank.example",
        "<a href=https://evil.example><div>Dear</div>www.bank.example<br>x</a>",
        "<a href=https://evil.example><img src=http://x.example/y alt=www.bank.example></a>",
        "<a href=https://evil.example>bank<s style=display:none>-</s>.<s hidden>-</s>ex<small>-</small>ample</a>",
        "<a href=https://evil.example style=font-size:0>b-<u style=font-size:16px>bank.ex</u>-<u style=font-size:16px>ample</u>",
        "<a href=https://evil.example><s style=display:none>evil.example</s>bank.example</a>",
        "<table><tr><td><a href=https://evil.example><b>bank.example",
        "<pre>\n\n<a href=https://evil.example>\nbank.example",
    ],
)
def test_a_link_whose_text_names_another_host_has_the_true_one_before_it(html: str) -> None:
    shown = view(html).html
    ((host, target),) = MARKED.findall(shown)
    assert host == "evil.example"
    assert target.endswith("evil.example")
    assert faults(shown) == []
    assert view(shown).html == shown


@pytest.mark.parametrize(
    "html",
    [
        "<a href=https://bank.example>www.bank.example</a> evil.example",
        "<a href=https://evil.example>Log in</a> bank.example",
        "<a>bank.example</a>",
        "<a href=javascript:x>bank.example</a>",
        "<a href=https://bank.example>b<p>bank.example</p>",
        "<a href=https://ok.example>ok.example<table><tr><td>x<a href=https://bank.example>bank.example</a></table></a>",
    ],
)
def test_other_links_have_nothing_before_them(html: str) -> None:
    assert "bdi" not in view(html).html


def test_a_link_within_a_link_is_marked_too() -> None:
    html = (
        "<a href=https://ok.example>ok.example<table><tr><td><a href=https://evil.example>bank.example</a></table></a>"
    )
    shown = view(html).html
    assert ("evil.example", "https://evil.example") in MARKED.findall(shown)
    assert faults(shown) == []
    assert view(shown).html == shown


def test_nothing_around_a_mark_counts_for_its_look() -> None:
    (style,) = re.findall(r'<bdi style="([^"]*)"', view("<a href=https://evil.example>bank.example").html)
    names = {one.partition(":")[0] for one in style.split(";")}
    assert names == {
        *(
            "display",
            "visibility",
            "direction",
            "unicode-bidi",
            "border",
            "padding",
            "background-color",
            "color",
            "font",
        ),
        *("letter-spacing", "word-spacing", "text-indent", "text-transform", "white-space", "word-break"),
    }


def test_a_mark_of_the_mails_own_is_no_mark_of_another_host() -> None:
    """A mail that knows the form of marks can't remove ours."""
    mark = MARKED.findall(view("<bdi>\u2192 bank.example</bdi> <a href=https://evil.example>bank.example</a>").html)
    assert mark == [("evil.example", "https://evil.example")]


def test_beyond_a_thousand_marks_such_links_lead_nowhere() -> None:
    shown = view("<a href=https://evil.example>bank.example</a><a href=https://ok.example>ok</a>" * 1_002).html
    assert (shown.count("\u2192 evil.example"), shown.count('href="https://evil.example"')) == (1_000, 1_000)
    assert shown.count('href="https://ok.example"') == 1_002


@pytest.mark.parametrize(
    "html",
    [
        "<bdo dir=rtl>elpmaxe.knab</bdo>",
        "<p style='unicode-bidi:bidi-override;direction:rtl'>elpmaxe.knab</p>",
        "<p style='unicode-bidi: isolate-override'>elpmaxe.knab</p>",
        "<p>\u202eelpmaxe.knab\u202c</p>",
        "<p>&#x202E;elpmaxe.knab&#x202d;</p>",
    ],
)
def test_no_text_is_turned_around_by_force(html: str) -> None:
    shown = view(html).html
    assert "elpmaxe.knab" in shown
    assert not re.search("bdo|override|\u202e|\u202d", shown)


def test_the_corpus_is_safe_and_stays_as_it_is(corpus: list[Path]) -> None:
    for html in html_parts(corpus):
        shown = view(html)
        assert faults(shown.html) == []
        assert view(shown.html).html == shown.html


def test_another_view_needs_another_version() -> None:
    """If this fails, raise SANITIZER_VERSION, because stored views depend on it. Then freeze again."""
    samples = [
        "<p class=x style='color:red;position:fixed'>a<b>b<p>c",
        "<img src=cid:a@b><img src=http://x.example/a alt=b>",
        "<a href=https://bank.example@evil.example>www.bank.example</a>",
        *HOSTILE[::9],
    ]
    found = [f"{html_view.SANITIZER_VERSION}: {html!r} -> {view(html).html!r}" for html in samples]
    frozen.compare(Path(__file__).parent / "frozen" / "html_views.txt", sorted(found))
