"""Files of a mail in a real browser: a file that could be a document of our page is downloaded, with any name and type."""

import base64
from typing import Any

import pytest

from tests.browser.conftest import Chromium
from tests.browser.hostile.mails import Hostile
from tests.browser.hostile.served import Served

_RUNS = b"<script>fetch('/todos');document.title='ran'</script>"
_SVG = b"<svg xmlns='http://www.w3.org/2000/svg'>" + _RUNS + b"</svg>"
_FILES = {
    "page.html": ("text/html", b"<!doctype html><title>x</title>" + _RUNS),
    "picture.svg": ("image/svg+xml", _SVG),
    "picture.png": ("image/png", _SVG),
    "page.xhtml": ("application/xhtml+xml", b"<html xmlns='http://www.w3.org/1999/xhtml'>" + _RUNS + b"</html>"),
    "data.xml": ("text/xml", b"<?xml-stylesheet href='/x'?><x:script xmlns:x='http://www.w3.org/1999/xhtml'>1</x:script>"),
    "mail.mhtml": ("message/rfc822", b"Content-Type: text/html\r\n\r\n" + _RUNS),
    "notes.txt": ("text/plain", _RUNS),
    "page.pdf": ("application/pdf", b"%PDF-1.7\n" + _RUNS),
}  # fmt: skip
# A link, as a mail or a message may contain it. The page's own links request a download.
_LINK = "url => { const one = document.querySelector('main').appendChild(document.createElement('a')); one.id = 'here';"
_LINK += " one.href = url; one.textContent = 'here' }"
# An image by its first bytes, and a script for a program that reads on
_BOTH = b"GIF89a/*" + bytes(20) + b"*/=1;" + _RUNS


def _mail(name: str, kind: str, content: bytes) -> Hostile:
    head = (
        f"From: jane@client.example\r\nTo: x@firm.example\r\nSubject: x\r\nMessage-ID: <file-{name}@x>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: {kind}; name="{name}"\r\n'
        "Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    return Hostile("file", head.encode() + base64.b64encode(content) + b"\r\n--b--\r\n")


@pytest.fixture(scope="module")
def tab(chromium: Chromium, served: Served) -> Any:
    """A tab of richard's that saves files to the disk."""
    page = chromium.browser.new_context(accept_downloads=True).new_page()
    page.goto(served.link())
    with page.expect_navigation():
        page.click("button.main")
    return page


@pytest.mark.parametrize("name", _FILES)
def test_a_file_goes_to_the_disk(name: str, served: Served, tab: Any) -> None:
    number = served.deliver(_mail(name, *_FILES[name]))
    tab.goto(f"{served.url}/todos")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.evaluate(_LINK, f"/activities/{number}/attachments/1")
    with tab.expect_download(timeout=20_000) as saved:
        tab.click("#here")
    assert saved.value.url.endswith("/attachments/1")
    assert tab.url == f"{served.url}/todos"
    assert [one for one in asked if "/static/" not in one] == [f"{served.url}/activities/{number}/attachments/1"]


def test_what_is_a_picture_too_is_a_picture_alone(served: Served, tab: Any) -> None:
    number = served.deliver(_mail("both.gif", "text/html", _BOTH))
    path = f"{served.url}/activities/{number}/attachments/1"
    tab.goto(path)
    assert tab.title() != "ran"
    tab.goto(f"{served.url}/todos")
    said: list[str] = []
    tab.on("console", lambda line: said.append(line.text))
    assert tab.evaluate(
        "url => new Promise(done => { const one = document.createElement('script'); one.src = url;"
        " one.onload = () => done('ran'); one.onerror = () => done('refused'); document.head.append(one) })",
        path,
    ) == "refused"  # fmt: skip
    assert any("MIME type" in line for line in said)
