"""The reading of a firm's everyday mail: Outlook's replies, forwards with files, bounces."""

import pytest

from mailweir.reading import message
from mailweir.reading.folds import FoldKind
from mailweir.reading.labels import Label
from mailweir.reading.reading import Reading
from tests.unit.reading.mails import ATTACHED, PNG, in_base64, multipart, part

_HEAD = b"From: Jane <jane@client.example>\r\nTo: richard@firm.example\r\nDate: Mon, 3 Jun 2024 10:00:00 +0200\r\n"

_OUTLOOK = (
    '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style>p.MsoNormal{margin:0cm}</style></head><body>'
    '<div class="WordSection1"><p class="MsoNormal">The price is fine.<o:p></o:p></p>'
    '<p class="MsoNormal"><o:p>&nbsp;</o:p></p><p class="MsoNormal">Jane<o:p></o:p></p>'
    '<div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
    '<p class="MsoNormal"><b>From:</b> Richard &lt;richard@firm.example&gt;<br><b>Sent:</b> Monday, June 3, 2024 9:00 AM<br>'
    "<b>To:</b> Jane &lt;jane@client.example&gt;<br><b>Subject:</b> Offer<o:p></o:p></p></div></div>"
    '<p class="MsoNormal">Is the price fine?<o:p></o:p></p></div></body></html>'
)
_FORWARD = (
    "For your file.\r\n\r\n---------- Forwarded message ---------\r\nFrom: Mary <mary@other.example>\r\n"
    "Date: Mon, 3 Jun 2024 at 09:00\r\nSubject: Plan\r\nTo: jane@client.example\r\n\r\nThe plan is attached.\r\n"
)
_STATUS = (
    "Reporting-MTA: dns; mx.client.example\r\n\r\n"
    "Final-Recipient: rfc822; jane@client.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
)


def _read(subject: str, content: bytes, **options: str) -> Reading:
    return message.read(_HEAD + f"Subject: {subject}\r\n".encode() + content, **options)


def _bounce() -> bytes:
    return multipart(
        "report; report-type=delivery-status",
        part("text/plain", "No such user."),
        part("message/delivery-status", _STATUS),
        part("message/rfc822", "From: richard@firm.example\r\nSubject: Offer\r\n\r\nHello\r\n"),
        boundary="r",
    )


def test_outlooks_reply_of_html_alone_shows_the_answer_and_folds_the_rest() -> None:
    found = _read("RE: Offer", part("text/html; charset=utf-8", _OUTLOOK))
    assert found.text.startswith("The price is fine.\n\nJane\n")
    assert found.snippet.startswith("The price is fine.")
    assert "Is the price fine?" not in found.snippet
    assert found.folds[-1].kind is FoldKind.QUOTE
    assert found.folds[-1].end == len(found.text)
    assert "From: Richard" in found.text[found.folds[-1].start :]
    assert found.original is None
    assert found.view is not None
    assert "<style" not in found.view.html


def test_a_forward_with_a_file_tells_its_original_and_lists_the_file() -> None:
    content = multipart(
        "mixed",
        part("text/plain", _FORWARD),
        in_base64("image/png; name=plan.png", PNG, headers=ATTACHED),
        boundary="f",
    )
    found = _read("Fwd: Plan", content)
    assert found.original is not None
    assert (found.original.author, found.original.subject) == ("mary@other.example", "Plan")
    assert found.text[found.original.start :].startswith("---------- Forwarded")
    assert [(one.name, one.media_type, one.is_inline) for one in found.attachments] == [
        ("plan.png", "image/png", False)
    ]


def test_a_bounce_is_labelled_and_what_came_back_is_a_file() -> None:
    found = _read("Undelivered", _bounce(), envelope_sender="")
    assert Label.BOUNCE in found.labels
    assert found.text.startswith("No such user.")
    assert "message/rfc822" in [one.media_type for one in found.attachments]


@pytest.mark.parametrize("subject", ["Fwd: x", "Re: x", "x"])
@pytest.mark.parametrize("rest", [" hello: you", "May 8, 2005 1:17 PM"])
def test_text_behind_a_marker_of_forwarded_mail_is_read(subject: str, rest: str) -> None:
    text = f"Hello\n---------- Forwarded message ---------{rest}"
    assert _read(subject, part("text/plain", text)).text.strip() == text
