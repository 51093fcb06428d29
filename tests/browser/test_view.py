"""HTML views in a real browser, alone, without a policy or a sandbox around them: nothing runs, nothing is fetched."""

import pytest

from mailweir.reading import html_view
from tests.browser.visit import Visitor
from tests.hostile_html import HOSTILE, MUTATING

_WITHIN = ("{}", "<table><tr><td>{}", "<svg>{}", "<math><mtext>{}", "<select><noscript>{}", "<!--x{}")


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<p onmouseover=alert(1)>x",
        "<img src=//tracker.example/x>",
        "<a href=javascript:alert(1)>x</a>",
        "<p style='background:url(//tracker.example/x)'>x",
        "<style>@import '//tracker.example/x';</style>x",
        "<meta http-equiv=refresh content='0;url=http://tracker.example/'>",
        "<link rel=preconnect href=https://tracker.example/>",
        "<link rel=prefetch href=http://tracker.example/x>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>",
        "<img name=getElementById alt=x>",
        "<p style='position:fixed'>x",
        "<p title='<img src=x onerror=alert(1)>'>x<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<base href=http://tracker.example/><img src=attachments/3>",
    ],
)
def test_the_judge_finds_what_must_not_be(html: str, visitor: Visitor) -> None:
    assert visitor.faults(html)


@pytest.mark.parametrize(
    "html", ["<p>Hi <b style='color:red'>you</b><a href='https://a.example/'>x</a><img src=attachments/3><table><td>x</table>"]
)  # fmt: skip
def test_the_judge_lets_ordinary_html_be(html: str, visitor: Visitor) -> None:
    assert visitor.faults(html) == []


@pytest.mark.parametrize("html", [*HOSTILE, *MUTATING])
def test_a_browser_only_shows_what_is_left_of_hostile_html(html: str, visitor: Visitor) -> None:
    """As a whole, and inside of the other samples: each sample is a mail of its own, and all are on one page."""
    mails = (around.format(html) for around in _WITHIN)
    shown = "".join(html_view.sanitise(mail, {"a@b": 3}).html for mail in mails)
    assert visitor.faults(shown) == [], shown
