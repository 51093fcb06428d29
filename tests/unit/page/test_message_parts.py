"""Separate parts of a message: its HTML as a separate document, its files, and its bytes."""

from typing import IO

import pytest

from mailweir.extraction import Busy, Extractor
from mailweir.reading.attachments import Attachment
from mailweir.store.record import visibility
from mailweir.store.record.digest_queue import Version
from mailweir.store.web import reader_log
from mailweir.store.web.accounts import Role
from mailweir.visibility import Visibility
from tests.page import OFFER, Page
from tests.page_raw_mail import raw_mail, with_files
from webapp.pages import message_parts

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


# --- HTML -----------------------------------------------------------------------------------------------------------------


def test_html_is_shown_on_wish_in_a_frame_of_its_own(sqlite_page: Page) -> None:
    html = b"<p>Hello <b>there</b></p><img src=https://tracker.example/1.png><img src=https://tracker.example/2.png>"
    one = sqlite_page.deliver(raw_mail(html, b"MIME-Version: 1.0", b"Content-Type: text/html"))
    browser = sqlite_page.browser("richard")
    assert "<iframe" not in browser.text(f"/activities/{one}")
    shown = browser.text(f"/activities/{one}?view=html")
    assert "<b>there</b>" not in shown
    assert "2 images from elsewhere" in shown
    frame = shown.partition("<iframe")[2].partition(">")[0]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox allow-same-origin"' in frame
    document = browser.get(f"/activities/{one}/html")
    assert b"<b>there</b>" in document.get_data()
    assert b"tracker.example" not in document.get_data()


def test_a_mails_document_has_a_policy_of_its_own(sqlite_page: Page) -> None:
    one = sqlite_page.deliver(raw_mail(b"<p>Hi", b"Content-Type: text/html"))
    headers = sqlite_page.browser("richard").get(f"/activities/{one}/html").headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "img-src": f"https://mail.example.net/activities/{one}/attachments/ data:",
        "style-src": "'unsafe-inline'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'self'",
        "sandbox": "allow-popups allow-popups-to-escape-sandbox allow-same-origin",
    }
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("SAMEORIGIN", "nosniff")
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_a_mail_without_html_has_no_document(sqlite_page: Page) -> None:
    one, browser = sqlite_page.deliver(OFFER), sqlite_page.browser("richard")
    assert browser.get(f"/activities/{one}/html").status_code == 404
    assert "<iframe" not in browser.text(f"/activities/{one}?view=html")


# --- files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "declared", "content", "media_type", "how"),
    [
        ("a.png", "image/png", PNG, "image/png", "inline"),
        ("a.jpg", "text/html", b"\xff\xd8\xff\xe0" + bytes(30), "image/jpeg", "inline"),
        ("a.gif", "image/gif", b"GIF89a" + bytes(30), "image/gif", "inline"),
        ("a.webp", "image/webp", b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(30), "image/webp", "inline"),
        ("a.svg", "image/svg+xml", SVG, "application/octet-stream", "attachment"),
        ("a.png", "image/png", SVG, "application/octet-stream", "attachment"),
        ("a.html", "text/html", b"<script>alert(1)</script>", "application/octet-stream", "attachment"),
        ("a.pdf", "application/pdf", b"%PDF-1.7\n" + bytes(30), "application/octet-stream", "attachment"),
        ("a.xml", "text/xml", b"<?xml version='1.0'?><x/>", "application/octet-stream", "attachment"),
        ("a.eml", "message/rfc822", b"From: a@b.example\r\n\r\nx", "application/octet-stream", "attachment"),
    ],
)  # fmt: skip
def test_pictures_alone_are_shown_and_by_their_bytes(
    sqlite_page: Page, name: str, declared: str, content: bytes, media_type: str, how: str
) -> None:
    one = sqlite_page.deliver(with_files((name, declared, content)))
    answer = sqlite_page.browser("richard").get(f"/activities/{one}/attachments/1")
    headers = answer.headers
    assert (answer.status_code, answer.get_data()) == (200, content)
    assert headers["Content-Type"] == media_type
    assert headers["Content-Disposition"].startswith(how)
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert int(headers["Content-Length"]) == len(content)


def test_a_picture_can_be_saved_too(sqlite_page: Page) -> None:
    one = sqlite_page.deliver(with_files(("a.png", "image/png", PNG)))
    answer = sqlite_page.browser("richard").get(f"/activities/{one}/attachments/1?save=1")
    assert answer.headers["Content-Disposition"] == "attachment; filename=a.png"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("../../etc/passwd", "attachment; filename=passwd"),
        ("a\r\nSet-Cookie: x=y.txt", 'attachment; filename="a Set-Cookie_ x=y.txt"'),
        (".htaccess", "attachment; filename=htaccess"),
        ("gpj.\u202eexe", "attachment; filename=gpj.exe"),
        ('a".txt', "attachment; filename=a_.txt"),
        ("Ünïcode ☃.txt", "attachment; filename=\"Unicode .txt\"; filename*=UTF-8''%C3%9Cn%C3%AFcode%20%E2%98%83.txt"),
    ],
)
def test_the_name_of_a_file_does_no_harm(sqlite_page: Page, name: str, header: str) -> None:
    one = sqlite_page.deliver(with_files((name, "application/zip", b"PK\x03\x04")))
    answer = sqlite_page.browser("richard").get(f"/activities/{one}/attachments/1")
    assert (answer.status_code, answer.headers["Content-Disposition"]) == (200, header)


def test_the_same_file_is_named_only_where_the_reader_may_see_it(page: Page) -> None:
    content = with_files(("offer.bin", "application/x-bin", b"\x00\x01\x02 offer"))
    own = page.deliver(content)
    other = page.deliver(content.replace(b"<1@", b"<2@"), to="anna@demo.example.net")
    hidden = page.deliver(content.replace(b"<1@", b"<3@"), to="anna@demo.example.net")
    elsewhere = page.deliver(content.replace(b"<1@", b"<4@"), to="bob@other.example.org")
    visibility.set_by_hand(page.database, hidden, Visibility.PARTICIPANTS, "x", page.clock())
    shown = page.browser("richard").text(f"/activities/{own}")
    assert f'href="/activities/{other}"' in shown
    assert f"/activities/{hidden}" not in shown
    assert f"/activities/{elsewhere}" not in shown


@pytest.mark.parametrize("number", ["0", "2", "9" * 19, "9" * 30])
def test_a_file_that_isnt_there(sqlite_page: Page, number: str) -> None:
    one = sqlite_page.deliver(with_files(("a.png", "image/png", PNG)))
    assert sqlite_page.browser("richard").get(f"/activities/{one}/attachments/{number}").status_code == 404


def test_the_message_itself_is_given_byte_for_byte_to_those_who_take_part(page: Page) -> None:
    one = page.deliver(OFFER)
    answer = page.browser("richard").get(f"/activities/{one}/raw")
    assert (answer.status_code, OFFER in answer.get_data()) == (200, True)
    assert answer.headers["Content-Disposition"] == f"attachment; filename=activity-{one}.eml"
    assert page.browser("anna").get(f"/activities/{one}").status_code == 200
    assert page.browser("anna").get(f"/activities/{one}/raw").status_code == 404
    assert page.browser("boss", Role.ADMIN).get(f"/activities/{one}/raw").status_code == 404


def test_a_damaged_message_says_so(sqlite_page: Page) -> None:
    one = sqlite_page.deliver(with_files(("a.png", "image/png", PNG)))
    sqlite_page.database.execute("UPDATE raw_messages SET content_zstd = ?", (b"rubbish",))
    browser = sqlite_page.browser("richard")
    for path in ("raw", "attachments/1"):
        answer = browser.get(f"/activities/{one}/{path}")
        assert (answer.status_code, "The file can&#39;t be read" in answer.get_data(as_text=True)) == (500, True)


class _Full(Extractor):
    """A pool whose places are all taken."""

    def file(self, kept: Version, attachment: Attachment) -> IO[bytes]:
        raise Busy("full")


def test_too_many_files_at_once_are_put_off(sqlite_page: Page) -> None:
    one = sqlite_page.deliver(with_files(("a.png", "image/png", PNG)))
    sqlite_page.app.extensions[message_parts.EXTRACTOR] = _Full(1)
    answer = sqlite_page.browser("richard").get(f"/activities/{one}/attachments/1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert reader_log.select(sqlite_page.database, sqlite_page.demo.id) == []


def test_an_activity_that_was_joined_to_another_leads_there(page: Page) -> None:
    """Readers with the old address find the mail. Readers who may not know of the mail find nothing."""
    one = page.deliver(with_files(("a.png", "image/png", PNG)))
    gone = one + 1_000
    page.database.execute(
        "INSERT INTO joined_activities (old_id, activity_id, joined_at) VALUES (?, ?, 'x')", (gone, one)
    )
    page.database.execute("INSERT INTO joined_activities (old_id, activity_id) VALUES (?, ?)", (gone + 1, one))
    richard = page.browser("richard")
    for path in ("", "/attachments/1", "/raw"):
        answer = richard.get(f"/activities/{gone}{path}")
        assert (answer.status_code, answer.headers["Location"]) == (307, f"/activities/{one}{path}")
    assert richard.get(f"/activities/{gone + 1}").status_code == 404, "it isn't done yet"
    visibility.set_by_hand(page.database, one, Visibility.PARTICIPANTS, "x", page.clock())
    assert page.browser("anna").get(f"/activities/{gone}").status_code == 404
    assert page.browser("bob", deployment=page.other).get(f"/activities/{gone}").status_code == 404
