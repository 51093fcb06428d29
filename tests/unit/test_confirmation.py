"""Gmail's forwarding confirmation: every known form, and look-alikes."""

import base64
import quopri
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import confirmation, headers

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly

OURS = frozenset({"demo.example.net"})
LINK = "https://mail-settings.google.com/mail/vf-%5BANGjdJ9-x_Y.z~0%5D-AbC12-dEf"
CANCEL = "https://mail-settings.google.com/mail/uf-%5BANGjdJ8-x%5D-AbC12-dEf"
BODY = f"""x@gmail.com has requested to automatically forward mail to your email
address richard@demo.example.net.
Confirmation code: 99427480

To allow x@gmail.com to automatically forward mail to your address,
please click the link below to confirm the request:

{LINK}

If you accidentally clicked the link, please click this link to cancel this verification:

{CANCEL}
""".replace("\n", "\r\n")


def _view(
    subject: str = "Forwarding Confirmation",
    encoding: str = "7bit",
    sender: str = confirmation.SENDER,
    *,
    mark: bool = False,
) -> headers.HeaderView:
    lines = [
        (b"From", f" Gmail Team <{sender}>".encode()),
        (b"To", b" richard@demo.example.net"),
        (b"Subject", f" {subject}".encode()),
        (b"Content-Transfer-Encoding", f" {encoding}".encode()),
    ]
    return headers.look([*lines, (b"X-Google-Address-Confirmation", b" x")] if mark else lines)


def _read(view: headers.HeaderView, body: str) -> confirmation.Confirmation:
    found = confirmation.read(view, body.encode(), OURS)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "subject",
    [
        "(#99427480) Gmail Forwarding Confirmation - Receive Mail from x@gmail.com",
        "(Gmail Forwarding Confirmation - Receive Mail from x@gmail.com",
        "(#43643746) Example.net Forwarding Confirmation - Receive Mail from x@gmail.com",
        "(#416704879) Gmail 转发确认 - 从 x@gmail.com 接收邮件",
        "(#416704879) Gmail 转发确认 - 从x@gmail.com接收邮件",
        "（#123456789）Gmail の転送の確認 - x@gmail.com からメールを受信",
        "（#123456789）x@gmail.comからメールを受信",
        "(n° 123456789) Confirmation de transfert Gmail - Recevoir des messages de x@gmail.com",
        "(#123456789) Confirmación de reenvío de Gmail: recibir correo de x@gmail.com",
        "=?utf-8?q?=28=23416704879=29_Gmail_=E8=BD=AC=E5=8F=91_x=40gmail=2Ecom_=E6=8E=A5?=",
        "=?utf-8?b?R21haWwgeEBnbWFpbC5jb20=?=",
        "Receive mail from <x@gmail.com>.",
        "richard@demo.example.net will receive the mail of x@gmail.com",
        "forwarding-noreply@google.com: x@gmail.com asks",
    ],
)
def test_who_asks_is_found_in_a_subject_of_any_language(subject: str) -> None:
    assert _read(_view(subject), LINK) == confirmation.Confirmation(LINK, "x@gmail.com")


@pytest.mark.parametrize(
    "requester", ["x@gmail.com", "first.last+tag@example.com", "o'neil@example.com", "x@mail.sub-domain.example.org"]
)
def test_who_asks_is_found_in_the_body_where_the_subject_does_not_say(requester: str) -> None:
    assert _read(_view("Confirmation"), BODY.replace("x@gmail.com", requester)).requester == requester


def test_who_asks_may_be_unknown() -> None:
    assert _read(_view("Confirmation"), LINK).requester is None
    assert _read(_view("For richard@demo.example.net"), f"log@DEMO.example.net {LINK}").requester is None


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("7bit", BODY),
        ("", BODY),
        ("8bit", "Überprüfung " + BODY),
        ("base64", base64.encodebytes(BODY.encode()).decode().replace("\n", "\r\n")),
        ("BASE64", base64.b64encode(BODY.encode()).decode()),
        ("quoted-printable", quopri.encodestring(BODY.encode()).decode().replace("\n", "\r\n")),
        ("Quoted-Printable", BODY.replace("-AbC12", "=\r\n-AbC12")),
    ],
)
def test_the_confirming_link_is_found_in_every_encoding(encoding: str, body: str) -> None:
    assert _read(_view("(#1)", encoding), body) == confirmation.Confirmation(LINK, "x@gmail.com")


@pytest.mark.parametrize(
    "link",
    [
        LINK,
        LINK.replace("mail-settings", "mail"),
        "https://mail.google.com/mail/u/0/vf-x_1",
        "https://mail.google.com/mail/vf-%5Ba%5D-b?c=d&e",
    ],
)
def test_each_form_of_the_link_counts(link: str) -> None:
    assert _read(_view(), f"click <{link}> now").link == link


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no link",
        CANCEL,
        LINK.replace("https:", "http:"),
        LINK.replace("google.com", "google.com.evil.example"),
        LINK.replace("google.com", "google.example"),
        LINK.replace("mail-settings", "xmail-settings"),
        LINK.replace("mail-settings.google.com/mail", "mail-settings.google.com/mail/x"),
        LINK.replace("mail-settings.google.com", "mail-settings.google.com@evil.example"),
        "https://mail.google.com/mail/uf-vf-x",
        "https://mail.google.com/mail/vf-",
    ],
)
def test_without_link_and_mark_it_is_no_confirmation(text: str) -> None:
    assert confirmation.read(_view(), text.encode(), OURS) is None
    # With Google's header alone it is one, but never with a link other than the confirming link.
    assert _read(_view(mark=True), text).link is None


def test_the_cancelling_link_is_never_offered() -> None:
    assert _read(_view(mark=True), f"{CANCEL}\r\n{CANCEL}\r\n").link is None
    assert _read(_view(), f"{CANCEL}\r\n{LINK}\r\n{CANCEL}").link == LINK


def test_only_the_beginning_of_a_body_is_looked_at() -> None:
    filler = "x " * (confirmation.MAX_LOOK_BYTES // 2)
    assert confirmation.read(_view(), (filler + LINK).encode(), OURS) is None
    encoded = base64.b64encode((BODY + filler).encode())
    found = confirmation.read(_view(encoding="base64"), encoded, OURS)
    assert found == confirmation.Confirmation(LINK, "x@gmail.com")


@pytest.mark.parametrize(
    ("sender", "author", "expected"),
    [
        (confirmation.SENDER, confirmation.SENDER, True),
        (confirmation.SENDER, "Forwarding-NoReply@Google.com", True),
        ("", confirmation.SENDER, False),
        ("eve@evil.example", confirmation.SENDER, False),
        ("x+caf_=richard=demo.example.net@gmail.com", confirmation.SENDER, False),
        (confirmation.SENDER, "eve@evil.example", False),
        (confirmation.SENDER, "forwarding-noreply@google.com.evil.example", False),
        (confirmation.SENDER, "forwarding-noreply@goog\u217ce.com", False),
        (confirmation.SENDER, f"{confirmation.SENDER}> <eve@evil.example", False),
        (confirmation.SENDER, f"eve@evil.example>, <{confirmation.SENDER}", False),
    ],
)
def test_only_googles_exact_sender_and_author_are_worth_proving(sender: str, author: str, expected: bool) -> None:
    assert confirmation.resembles(sender, _view(sender=author)) is expected


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("jane+caf_=richard=demo.example.net@gmail.com", ("jane@gmail.com", "richard@demo.example.net")),
        ("a+b+caf_=r+x=demo.example.net@firm.example", ("a+b@firm.example", "r+x@demo.example.net")),
        ("a+caf_=b=c+caf_=richard=demo.example.net@x.example", ("a+caf_=b=c@x.example", "richard@demo.example.net")),
        ("jane@gmail.com", None),
        ("", None),
        ("+caf_=richard=demo.example.net@gmail.com", None),
        ("jane+caf_=richard@gmail.com", None),
        ("jane+caf_==demo.example.net@gmail.com", None),
        ("jane+caf_=richard=@gmail.com", None),
        ("jane+caf_=", None),
    ],
)
def test_the_envelope_says_which_mailbox_gmail_forwards(sender: str, expected: tuple[str, str] | None) -> None:
    assert confirmation.forwarder(sender) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["7bit", "base64", "quoted-printable", "x-uuencode", "\xff"]),
    st.sampled_from([b"", LINK.encode(), CANCEL.encode(), b"x@gmail.com"]),
)
def test_reading_never_raises(noise: bytes, encoding: str, piece: bytes) -> None:
    found = confirmation.read(_view(noise.decode("latin-1"), encoding, mark=True), noise + piece + noise, OURS)
    assert found is not None
    assert found.link is None or found.link.startswith("https://mail-settings.google.com/mail/vf-")


@pytest.mark.parametrize(
    "scrap",
    [
        "x",
        "@",
        "x@",
        "x@y.",
        "https://mail.google.com/mail/",
        "vf-",
        "a.",
        "https://mail.google.com/mail/vf-",
        " ",
        "=",
        "=0",
    ],
)
@pytest.mark.parametrize("encoding", ["7bit", "quoted-printable"])
def test_time_grows_with_the_length_only(
    scrap: str, encoding: str, grows_linearly: "GrowsLinearly", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmation, "MAX_LOOK_BYTES", 200_000)
    view, raw = _view(encoding=encoding, mark=True), scrap.encode()
    grows_linearly(lambda size: confirmation.read(view, raw * (size // len(raw)), OURS))
