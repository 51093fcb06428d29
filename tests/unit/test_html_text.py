"""Text of a mail's HTML: positions, and hidden content. No input takes long."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir.reading import html_text
from tests.html_samples import LONG_RUNS, html_parts, tag_soup
from tests.linear_time import GrowsLinearly

OUTLOOK = """<p class="MsoNormal">Dear Jane,<o:p></o:p></p>
<p class="MsoNormal"><o:p>&nbsp;</o:p></p>
<p class="MsoNormal">The offer
is attached.<o:p></o:p></p><p class=MsoNormal>Best,</p>"""
GMAIL = """<div dir="ltr">One<div>two</div><div><br></div><div>three</div></div><br>
<div class="gmail_quote"><div class="gmail_attr">On Mon Jane &lt;<a href="mailto:jane@client.example">jane@client.example</a>&gt;
wrote:<br></div><blockquote class="gmail_quote"><div>First</div><div><br></div><blockquote type="cite">deeper</blockquote>
</blockquote></div>below"""


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>Hi</p><p>there &amp; you</p>", "Hi\n\nthere & you"),
        (OUTLOOK, "Dear Jane,\n\nThe offer is attached.\nBest,"),
        (
            GMAIL,
            "One\ntwo\n\nthree\n\nOn Mon Jane <jane@client.example> wrote:\n\n> First\n>\n> > deeper\n\nbelow",
        ),
        (
            '<hr style="display:inline-block;width:98%"><div><b>From:</b> Jane<br><b>Sent:</b> Monday',
            f"{'_' * 32}\nFrom: Jane\nSent: Monday",
        ),
        ("a<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal>From: Jane", "a\n\nFrom: Jane"),
        ('<blockquote class="webkit-indent-blockquote">set in</blockquote>', "set in"),
        ("a<br>b<BR/>c<br><br><br><br>d", "a\nb\nc\n\nd"),
        ("<h1>Title</h1>text", "Title\n\ntext"),
        ("<ul><li>a<li>b<ol start=3><li>x<li>y</ol><li>c</ul>z", "- a\n- b\n  3. x\n  4. y\n- c\n\nz"),
        ("<ul><li><p>a</p></li><li></li></ul>after", "- a\n\nafter"),
        ("<table><tr><td>A<td>B<tr><td><p>C</p><td><p>D</p></table>e", "A\tB\nC\tD\ne"),
        ("<table><tr><td><table><tr><td>1<tr><td>2</table><td>right</table>", "1\n2\nright"),
        ("<table><tr><td>a<br>b</td><td>c</td></tr></table>", "a\nb\nc"),
        ("<table><tr><td> </td><td>a</td><td>&nbsp;</td><td>b </td></tr></table>", "a\tb"),
        ("<pre>  x\n\ty  z\n</pre>w", "  x\n\ty  z\n\nw"),
        ('<div style="white-space: pre-wrap">a\n b</div>c\nd', "a\n b\nc d"),
        ("<blockquote>a<br>b</blockquote>c<blockquote>d", "> a\n> b\n\nc\n\n> d"),
        ("</blockquote>x", "x"),
        ("a  \n b\xa0\xa0c&nbsp; d\u2003e", "a b c d e"),
        ("日本語<b>の</b>文", "日本語の文"),
        ("שלום\u200f &rlm;x", "שלום\u200f \u200fx"),
        ("a\u202eb\u2066c\u202c", "abc"),
        ("x&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;&#8203;&shy;y", "x y"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("<title>t</title><style>p{}</style><script>alert('<p>x')</script><!-- c --><!--[if mso]>m<![endif]-->a", "a"),
        ("<!--[if !mso]><!-->shown<!--<![endif]--><![if !mso]>too<![endif]>", "showntoo"),
        ("<!-->a<!--->b<!-- --!>c", "abc"),
        ("<template>no</template><xml><w:x>96</w:x></xml>yes", "yes"),
        ("1 < 2 && 3 > 2, a<3, <>, </>", "1 < 2 && 3 > 2, a<3, <>,"),
        ("&lt;p&gt; &copy &#8364; &#x20AC; &#128; &notaname; &", "<p> © € € € ¬aname; &"),
        ("a\x00b\x1b[31m\x85&#27;&#x80;&#xD800;c\ud800", "ab[31m€\ufffdc\ufffd"),
        ("<A HREF='https://client.example/'>Client.Example</A>", "Client.Example"),
        ('<a href="https://client.example/offer">the offer</a>', "the offer <https://client.example/offer>"),
        ('<a href="https://t.example/?u=' + "x" * 200 + '">go</a>', "go <https://t.example/…>"),
        ('<a href="mailto:jane@client.example?subject=x">Jane</a>', "Jane <jane@client.example>"),
        ('<a href="tel:+49-40-1234">+49 40 1234</a>', "+49 40 1234"),
        ('<a href="#top">top</a><a href="javascript:x">js</a><a href="data:x">d</a>', "topjsd"),
        ('<a href="https://client.example"><img src="x" alt=""></a>', ""),
        (
            '<img src="p.png" alt="Our  house"><img alt="😀"><img alt=pixel width=1 height=1><img alt="image001.png">',
            "[Our house]😀",
        ),
        ("<p title=\"a>b\" class=x'>It's</p>", "It's"),
        ('<p title="open>a</p><p>b', "a\n\nb"),
        ("text <b", "text <b"),
        ("<style>p{} <p>seen", "seen"),
        ("<!-- open <p>seen", "seen"),
    ],
)
def test_the_text_that_a_reader_sees(html: str, text: str) -> None:
    assert html_text.to_text(html) == text


@pytest.mark.parametrize(
    "hiding",
    [
        'div style="display:none"',
        'div style="Display : none !important; font-size:1px"',
        'span style="display:none;mso-hide:all"',
        'div style="font-size:0"',
        'div style="font-size:0.0px;line-height:0"',
        'div style="max-height:0px;overflow:hidden"',
        'div style="visibility:hidden"',
        'div style="opacity:0"',
        "div hidden",
        'div style="display:block;display:none"',
    ],
)
@pytest.mark.parametrize("inner", ["secret", "<p>secret<div>x</div>", "<ul><li>a<blockquote>b", "<a href=http://x>y"])
def test_hidden_text_is_left_out(hiding: str, inner: str) -> None:
    end = hiding.partition(" ")[0]
    assert html_text.to_text(f"<div>a <{hiding}>{inner}</{end}></div><p>b") == "a\n\nb"


@pytest.mark.parametrize(
    "html",
    [
        '<div style="display:none">secret<p>seen',
        "<span hidden></div></table>seen",
        '<div><span style="display:none">secret</div>seen</span>',
        '<p style="display:none">secret<p>seen</p></p>',
        "<table><tr><td hidden>secret<td>seen</table>",
        '<div style="display:none;display:block">seen</div>',
        '<div style="display:block!important;display:none">seen</div>',
        '<div title="display:none">seen</div>',
        '<a style="mso-hide:all">seen</a>',
        '<td style="font-size:0px"><div style="font-size:13px">seen</div></td>',
        '<div style="max-height:0">seen</div>',
        '<div style="height:0.5em;overflow:hidden">seen</div>',
        '<img style="display:none">seen',
        "<i hidden>" * 3000 + "seen",
    ],
)
def test_what_hides_swallows_nothing_that_is_seen(html: str) -> None:
    assert "seen" in html_text.to_text(html)


def test_quotes_of_any_depth_are_bounded() -> None:
    text = html_text.to_text("<blockquote>" * 5000 + "deep<br>deeper")
    assert text.splitlines() == ["> " * html_text.MAX_QUOTES_SHOWN + word for word in ("deep", "deeper")]


@pytest.mark.parametrize("name", LONG_RUNS)
def test_time_grows_with_the_length_only(name: str, grows_linearly: GrowsLinearly) -> None:
    grows_linearly(lambda size: html_text.to_text(LONG_RUNS[name](size)))


def _held(text: str) -> None:
    assert not [one for one in text if unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t"]
    assert "\n\n\n" not in text
    assert text == text.rstrip()


@settings(max_examples=400, deadline=None)
@given(tag_soup())
def test_any_soup_of_tags_gives_text(html: str) -> None:
    _held(html_text.to_text(html))


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_characters_give_text(html: str) -> None:
    _held(html_text.to_text(html))


def test_the_corpus_gives_text(corpus: list[Path]) -> None:
    for html in html_parts(corpus):
        _held(html_text.to_text(html))
