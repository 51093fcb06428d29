"""Hostile mails, by class: in each class, some web page was broken in this way before.

The HTML is that of `tests.hostile_html`, and its targets have the names of the samples. Header fields, plain text, invitations,
file names and link targets are defined here.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from tests.hostile_html import HOSTILE, MUTATING

OUT = "http://tracker.example/x.png"
RUN = "alert(1)"
# Each of these runs or fetches something if it is output as HTML: in text, in a quoted attribute, in a script, a style, a title.
MARKUP = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<img src={OUT}>",
    f'"><img src=x onerror={RUN}>',
    f"'><svg onload={RUN}>",
    f"</title></textarea></style></script><svg/onload={RUN}>",
    f"<meta http-equiv=refresh content='0;url={OUT}'>",
    f"<base href={OUT}><link rel=stylesheet href={OUT}>",
    f"{{{{ 7*7 }}}}{{% raw %}}<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f'" autofocus onfocus={RUN} x="',
    f"javascript:{RUN}//<style>@import '{OUT}'</style>",
    f"<details open ontoggle={RUN}><form action={OUT}><input name=getElementById>",
)


@dataclass(frozen=True, slots=True)
class Hostile:
    """A mail. kind: its class. html: its HTML, or "": for a test that removes the sanitizer."""

    kind: str
    raw: bytes
    html: str = ""


def all_mails() -> list[Hostile]:
    """All mails in the order of their classes, each with a Message-ID of its own."""
    made = [*_html(), *_fields(), *_bodies(), *_files(), *_invitations()]
    return [
        Hostile(one.kind, one.raw.replace(b"@NUMBER@", str(number).encode()), one.html)
        for number, one in enumerate(made)
    ]


def one_of_each() -> list[Hostile]:
    """The first mail of each class; of HTML, the first of each group of twelve."""
    mails = all_mails()
    first = {one.kind: one for one in reversed(mails)}
    return list(first.values())


def _mail(body: bytes, *lines: str, **fields: str) -> bytes:
    known = {
        "From": "Jane Doe <jane@client.example>",
        "To": "Richard <richard@firm.example>",
        "Subject": "An offer",
        "Date": "Mon, 23 Nov 2026 09:00:00 +0100",
        "Message-ID": "<@NUMBER@.offer@client.example>",
        "MIME-Version": "1.0",
    }
    head = [f"{name}: {value}" for name, value in {**known, **fields}.items()] + list(lines)
    return "\r\n".join([*head, "", ""]).encode("utf-8", "replace") + body


def _encoded(text: str) -> str:
    """As an encoded word (RFC 2047): nothing changes it in transit."""
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def _html() -> Iterator[Hostile]:
    kinds = ("html: runs, fetches, submits or covers", "html: changes when it is read again")
    for kind, samples in zip(kinds, (HOSTILE, MUTATING), strict=True):
        for place, html in enumerate(samples):
            body = base64.encodebytes(html.encode("utf-8", "replace"))
            lines = ("Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: base64")
            yield Hostile(f"{kind}, {place // 12}", _mail(body, *lines), html)


def _fields() -> Iterator[Hostile]:
    for text in MARKUP:
        word = _encoded(text)
        yield Hostile("field: subject", _mail(b"Hi", Subject=word))
        yield Hostile("field: subject without encoding", _mail(b"Hi", Subject=text))
        yield Hostile("field: display name", _mail(b"Hi", From=f"{word} <jane@client.example>"))
        yield Hostile(
            "field: recipients", _mail(b"Hi", To=f"{word} <richard@firm.example>", Cc=f'"{word}" <x@y.example>')
        )
        yield Hostile(
            "field: Message-ID", _mail(b"Hi", **{"Message-ID": f"<@NUMBER@{text.replace(' ', '')}@x.example>"})
        )
        yield Hostile(
            "field: the thread's ids", _mail(b"Hi", **{"In-Reply-To": f"<{text}>", "References": f"<{text}>"})
        )
        yield Hostile("field: date", _mail(b"Hi", Date=f"Mon, 23 Nov 2026 09:00:00 +0100 ({text})"))
        yield Hostile("field: list and mailer", _mail(b"Hi", **{"List-Id": f"{text} <x.y.example>", "X-Mailer": text}))
        yield Hostile(
            "field: signature's domain",
            _mail(b"Hi", **{"DKIM-Signature": f"v=1; a=rsa-sha256; d={text}; s=x; h=from; bh=x; b=x"}),
        )


def _bodies() -> Iterator[Hostile]:
    for text in MARKUP:
        data = text.encode()
        plain = "Content-Type: text/plain; charset=utf-8"
        yield Hostile("body: plain text", _mail(data + b"\r\n\r\n-- \r\n" + data, plain))
        yield Hostile(
            "body: a quote", _mail(b"Yes.\r\n\r\nOn Monday Jane wrote:\r\n> " + data + b"\r\n> " + data, plain)
        )
        forwarded = b"---------- Forwarded message ---------\r\nFrom: %b <x@y.example>\r\nSubject: %b\r\n\r\n%b"
        yield Hostile("body: a forward", _mail(b"See.\r\n\r\n" + forwarded % (data, data, data), plain))
        yield Hostile("body: text/enriched", _mail(b"<bold>x</bold>" + data, "Content-Type: text/enriched"))
        yield Hostile("body: another type", _mail(data, f"Content-Type: {text}"))
        yield Hostile("body: charset", _mail(data, f'Content-Type: text/plain; charset="{text}"'))


def _files() -> Iterator[Hostile]:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"
    for text in MARKUP:
        for kind, type_, name, content in (
            ("file: name", "application/zip", text, b"PK\x03\x04"),
            ("file: type", text.replace(" ", ""), "a.bin", b"\x00\x01"),
            ("file: SVG as a picture", "image/png", "a.png", svg),
            ("file: TNEF", "application/ms-tnef", "winmail.dat", b"\x78\x9f\x3e\x22" + text.encode()),
        ):
            word = base64.b64encode(name.encode()).decode()
            part = (
                f'Content-Type: {type_}; name="=?utf-8?b?{word}?="\r\nContent-ID: <a@b>\r\n'
                f'Content-Disposition: attachment; filename="=?utf-8?b?{word}?="\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            ).encode() + base64.encodebytes(content)
            html = b"Content-Type: text/html\r\n\r\n<p>See<img src=cid:a@b alt=x>\r\n"
            body = b"--=b\r\n" + html + b"--=b\r\n" + part + b"\r\n--=b--\r\n"
            yield Hostile(kind, _mail(body, 'Content-Type: multipart/related; boundary="=b"'))


def _invitations() -> Iterator[Hostile]:
    for text in MARKUP:
        said = text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
        event = (
            "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\n"
            f"SUMMARY:{said}\r\nLOCATION:{said}\r\nDESCRIPTION:{said}\r\nORGANIZER;CN=x:mailto:{said}\r\n"
            f'DTSTART;TZID="{said.replace(chr(34), "")}":20261201T100000\r\nDTEND:20261201T110000\r\n'
            "END:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        lines = ("Content-Type: text/calendar; method=REQUEST; charset=utf-8", "Content-Transfer-Encoding: 8bit")
        yield Hostile("invitation", _mail(event.encode(), *lines))
