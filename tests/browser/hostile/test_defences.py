"""A test takes away each defence of a message's page: the others hold. Without all of them, the tests see the harm."""

import uuid
from collections.abc import Iterator

import pytest

from tests.browser.hostile.mails import Hostile, all_mails
from tests.browser.hostile.onlooker import Onlooker
from tests.browser.hostile.served import Served

_OUT = "http://tracker.example/x.png"
# HTML that runs or sends something by itself in today's browsers, without a defence.
_BITING = {
    "script": "<script>alert(1)</script>",
    "handler": "<img src=x onerror=alert(1)>",
    "svg": "<svg onload=alert(1)></svg>",
    "svg animate": "<svg><animate onbegin=alert(1) attributeName=x dur=1s></svg>",
    "mutation": "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript><svg></p><style><a id='</style>"
    "<img src=x onerror=alert(1)>'>",
    "picture": f"<img src={_OUT}>",
    "srcset": f"<img srcset='{_OUT} 2x, {_OUT}?1 1x'>",
    "poster": f"<video poster={_OUT}></video>",
    "background": f"<table background={_OUT}><tr><td>x</table>",
    "style": f"<style>@import '{_OUT}';</style>",
    "escaped style": f"<p style='background:\\75rl({_OUT})'>x",
    "image-set": f"<p style='background:image-set(\"{_OUT}\" 1x)'>x",
    "stylesheet": f"<link rel=stylesheet href={_OUT}>",
    "prefetch": f"<link rel=preload as=image href={_OUT}>",
    "frame": f"<iframe src={_OUT}></iframe>",
    "base": "<base href=http://tracker.example/><img src=x.png>",
    "refresh": f"<meta http-equiv=refresh content='0;url={_OUT}'>",
    "math": "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></table></mtext></math>"
    "<img src=x onerror=alert(1)>",
}
_SETTLES = 300


@pytest.fixture
def mail(served: Served) -> Iterator[int]:
    """A mail with HTML. Afterwards the defences that the test took away are there again."""
    one = next(_with_html())
    raw = one.raw.replace(b".offer@", f".{uuid.uuid4()}@".encode())  # no test sees another test's mail
    yield served.deliver(Hostile(one.kind, raw, one.html))
    served.has_policy = True
    served.escape(templates=True)


@pytest.mark.parametrize("kind", _BITING)
def test_without_the_sanitizer_the_policy_holds(kind: str, mail: int, served: Served, onlooker: Onlooker) -> None:
    served.put_raw_html(mail, _BITING[kind])
    assert onlooker.look(f"/activities/{mail}?view=html", f"/activities/{mail}/html", settles=_SETTLES).harm == []


@pytest.mark.parametrize("kind", _BITING)
def test_without_sanitizer_and_policy_it_runs_or_goes_out(
    kind: str, mail: int, served: Served, onlooker: Onlooker
) -> None:
    served.put_raw_html(mail, _BITING[kind])
    served.has_policy = False
    assert onlooker.look(f"/activities/{mail}/html", settles=_SETTLES).harm


def test_without_sanitizer_and_policy_the_frame_lets_no_script_run(
    mail: int, served: Served, onlooker: Onlooker
) -> None:
    served.put_raw_html(mail, "".join(_BITING[kind] for kind in ("script", "handler", "svg")))
    served.has_policy = False
    assert onlooker.look(f"/activities/{mail}?view=html", settles=_SETTLES).ran == []


def test_without_the_sanitizer_the_policy_holds_for_all_that_we_know(
    mail: int, served: Served, onlooker: Onlooker
) -> None:
    found = {}
    for one in _with_html():
        served.put_raw_html(mail, one.html)
        found[one.html] = onlooker.look(f"/activities/{mail}?view=html").harm
    assert {html: harm for html, harm in found.items() if harm} == {}


def test_without_a_policy_the_sanitizer_holds(mail: int, served: Served, onlooker: Onlooker) -> None:
    served.has_policy = False
    assert onlooker.look(f"/activities/{mail}/html").harm == []


@pytest.mark.parametrize(("has_policy", "is_harm"), [(True, False), (False, True)], ids=["the policy holds", "it runs"])
def test_without_the_templates_escaping(
    has_policy: bool, is_harm: bool, mail: int, served: Served, onlooker: Onlooker
) -> None:
    text = b"<script>alert(1)</script><img src=x onerror=alert(1)>"
    raw = (
        b"From: jane@client.example\r\nTo: x@firm.example\r\nSubject: x\r\nMessage-ID: <esc%d@x>\r\n\r\n" % has_policy
        + text
    )
    number = served.deliver(Hostile("text", raw))
    served.escape(templates=False)
    served.has_policy = has_policy
    assert bool(onlooker.look(f"/activities/{number}", settles=_SETTLES).ran) is is_harm


def test_a_link_of_a_mail_opens_a_tab_and_says_nothing_of_the_page(
    mail: int, served: Served, onlooker: Onlooker
) -> None:
    html = b"<p><a href='http://client.example/offer'>the offer</a></p>"
    head = b"From: jane@client.example\r\nTo: x@firm.example\r\nSubject: x\r\nMessage-ID: <link@x>\r\nContent-Type: text/html"
    number = served.deliver(Hostile("link", head + b"\r\n\r\n" + html))
    requests = [one.lower() for one in onlooker.follow(f"/activities/{number}?view=html").out if one]
    assert requests[0].startswith(b"get /offer http/1.1\r\nhost: client.example")
    assert b"referer" not in requests[0]


def _with_html() -> Iterator[Hostile]:
    return (one for one in all_mails() if one.html)
