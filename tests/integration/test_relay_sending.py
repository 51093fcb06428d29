"""Which mail a login may send, under which name, and its record. Mail passes unchanged. On the real stack."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.relay import (
    JANE,
    JOE,
    OLGA,
    RICHARD,
    STRANGER,
    Client,
    Site,
    connect,
    mail,
    people,
    site_on,
    submit,
    without_ours,
)

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack
    from tests.integration.smtp_sink import MakeSink, Sink

Wait = Callable[..., Any]
GMAIL_ASKS = "gmail-noreply@google.com"


@pytest.fixture(scope="module", params=["8BITMIME at the next hop", "no 8BITMIME at the next hop"])
def site(
    request: pytest.FixtureRequest, make_module_stack: "MakeStack", make_module_sink: "MakeSink"
) -> Iterator[Site]:
    """A site for all tests that don't change it."""
    sink = make_module_sink(eight_bit=not request.param.startswith("no"))
    with site_on(make_module_stack, sink) as made:
        yield made


# --- the record -------------------------------------------------------------------------------------------------------


def test_mail_to_a_contact_goes_on_and_is_on_the_record(site: Site) -> None:
    sent = mail("to-jane")
    came = site.delivered(sent, [JANE])
    assert came.sender == RICHARD
    assert came.recipients == (JANE,)
    assert without_ours(came.raw) == sent
    found = site.activity("to-jane")
    assert (found["direction"], found["routes"], found["users"]) == ("outgoing", ["relay"], ["richard"])
    assert [contact["address"] for contact in found["contacts"]] == [JANE]
    assert found["sender_verdict"] == "pass"
    assert site.stack.rows("SELECT COUNT(*) FROM todos") == [(0,)]


def test_a_contact_in_bcc_counts(site: Site) -> None:
    site.delivered(mail("bcc", to=STRANGER), [STRANGER, JOE])
    assert [(contact["address"], contact.get("bcc")) for contact in site.activity("bcc")["contacts"]] == [(JOE, True)]


def test_a_contact_in_bcc_is_shown_to_the_sender_only(site: Site) -> None:
    """olga's capture address is in To, so the mail is on her record, too."""
    site.delivered(mail("bcc-and-to", to=f"{JANE}, olga@demo.example.net"), [JANE, JOE, "olga@demo.example.net"])

    def seen_by(*who: str) -> list[str]:
        listed = site.stack.cli("activity", "list", "--deployment", "demo", "--json", *who, check=True).stdout
        (found,) = [one for one in json.loads(listed) if one["message_id"] == "<bcc-and-to@firm.example>"]
        return [contact["address"] for contact in found["contacts"]]

    assert seen_by("--user", "richard") == seen_by() == [JANE, JOE]
    assert seen_by("--user", "olga") == [JANE]
    assert "(Bcc)" in site.stack.cli("activity", "show", str(site.activity("bcc-and-to")["id"]), check=True).stdout


def test_mail_to_no_contact_goes_on_and_leaves_its_decision_alone(site: Site) -> None:
    site.delivered(mail("to-stranger", to=STRANGER), [STRANGER])
    assert site.activity("to-stranger") is None
    assert site.decision("to-stranger") == ("ignored", "no contact")
    site.delivered(mail("to-olga", to=OLGA), [OLGA])
    assert site.decision("to-olga") == ("ignored", "internal")
    raw = site.stack.rows(
        "SELECT COUNT(*) FROM raw_messages r JOIN activities a ON a.id = r.activity_id"
        " WHERE a.message_id IN ('<to-olga@firm.example>', '<to-stranger@firm.example>')"
    )
    assert raw == [(0,)]


def test_log_and_capture_addresses_are_taken_off_and_the_rest_goes_on(site: Site) -> None:
    came = site.delivered(
        mail("with-log"), [JANE, "log@demo.example.net", "olga@demo.example.net", "rick@b.example.org"]
    )
    assert came.recipients == (JANE,)
    assert site.activity("with-log")["users"] == ["olga", "richard"]
    assert set(site.activity("with-log")["routes"]) == {"relay", "log", "forward"}
    # laws 4 and 8: for the other deployment, the author is an outsider
    assert site.stack.rows(
        "SELECT outcome, reason FROM decisions WHERE message_id = '<with-log@firm.example>' AND deployment_id = 2"
    ) == [("ignored", "unknown author")]


def test_mail_to_log_alone_is_recorded_and_goes_nowhere(site: Site) -> None:
    site.stack.drain()
    before = len(site.sink.received)
    assert site.submit(mail("log-alone"), ["log@demo.example.net"])[0] == 250
    assert site.activity("log-alone") is not None
    site.stack.drain()
    assert len(site.sink.received) == before


def test_an_unknown_capture_address_is_refused_at_rcpt(site: Site) -> None:
    code, text = site.submit(mail("x"), ["nobody@demo.example.net"])
    assert (code, "nobody by that name" in text) == (550, True)


def test_a_login_of_another_deployment_is_an_outsider(site: Site) -> None:
    sent = mail("rick", sender="rick@other.example")
    code, text = submit(site.stack, site.rick, "rick@other.example", [JANE, "richard@demo.example.net"], sent)
    assert code == 250, text
    assert site.decision("rick") == ("ignored", "unknown author")


# --- the sender's name ------------------------------------------------------------------------------------------------

_FROM = b"From: Richard <richard@firm.example>\r\n"
SPOOFS = {
    "another's": (b"From: <ceo@other.example>\r\n", "ceo@other.example"),
    "a colleague's": (b"From: olga@firm.example\r\n", OLGA),
    "the capture address": (b"From: richard@demo.example.net\r\n", "richard@demo.example.net"),
    "two Froms": (_FROM + b"From: ceo@other.example\r\n", "exactly one From"),
    "twice the same": (_FROM + _FROM, "exactly one From"),
    "none": (b"", "exactly one From"),
    "a list": (b"From: richard@firm.example, ceo@other.example\r\n", "one address"),
    "a group": (b"From: us: richard@firm.example;\r\n", "one address"),
    "an empty group": (b"From: undisclosed:;\r\n", "one address"),
    "a second address as name": (b"From: ceo@other.example <richard@firm.example>\r\n", "one address"),
    "in quotes": (b'From: "ceo@other.example\r\n" <richard@firm.example>\r\n', "one address"),
    "folded": (b"From:\r\n ceo@other.example,\r\n\trichard@firm.example\r\n", "one address"),
    "folded within": (b"From: ceo@other.example\r\n <richard@firm.example>\r\n", "one address"),
    "NUL": (b"From: richard@firm.example\0@other.example\r\n", "From"),
    "NUL before": (b"From: ceo@other.example\0 <richard@firm.example>\r\n", "one address"),
    "a space before the colon": (_FROM + b"From : ceo@other.example\r\n", "exactly one From"),
    "NUL in the name": (_FROM + b"Fr\0om: ceo@other.example\r\n", "exactly one From"),
    "in capitals": (_FROM + b"FROM: ceo@other.example\r\n", "exactly one From"),
    "a comment": (b"From: richard@firm.example (ceo@other.example)\r\n", "one address"),
    "Gmail": (b"From: richard@gmail.com\r\n", "Gmail's to send"),
    "Gmail's other name": (b"From: richard@GoogleMail.com\r\n", "Gmail's to send"),
    "Sender": (_FROM + b"Sender: ceo@other.example\r\n", "its Sender ceo@other.example"),
    "Sender unreadable": (_FROM + b"Sender: a:b@c.example;\r\n", "its Sender"),
    "Resent-From": (_FROM + b"Resent-From: ceo@other.example\r\n", "its Resent-From ceo@other.example"),
    "Resent-From second": (_FROM + b"Resent-From: richard@firm.example\r\nResent-From: a@b.example\r\n", "a@b.example"),
    "Resent-Sender": (_FROM + b"Resent-Sender: ceo@other.example\r\n", "its Resent-Sender ceo@other.example"),
    "percent": (b"From: 100%s%n@other.example\r\n", "100%s%n@other.example"),
    "too long": (b"From: " + b"(x)\r\n " * 12_000 + b"richard@firm.example\r\n", "From"),
}


@pytest.mark.parametrize("name", SPOOFS)
def test_law_10_no_login_sends_as_somebody_else(site: Site, name: str) -> None:
    lines, said = SPOOFS[name]
    sent = mail(f"spoof-{len(name)}").replace(_FROM, lines)
    assert said in site.refused(sent)


def test_a_refusal_is_a_decision_and_why_tells_of_it(site: Site) -> None:
    site.refused(mail("refused", sender=OLGA))
    assert site.decision("refused") == ("refused", "not the login's address")
    told = site.stack.cli("why", "<refused@firm.example>")
    assert told.returncode == 0
    assert "login" in told.stdout


@pytest.mark.parametrize(
    "sender", ["ceo@other.example", OLGA, "richard@demo.example.net", "", "Richard@Firm.example@x.example"]
)
def test_law_10_nor_in_the_envelope(site: Site, sender: str) -> None:
    with Client(site.stack) as client:
        assert client.auth(*site.richard)[0] == 235
        code, text = client.send(sender, [JANE], mail("envelope"))
    assert 500 <= code < 600, text


def test_an_alias_counts_from_the_moment_it_is_made(site: Site) -> None:
    alias = "r.smith@firm.example"
    with Client(site.stack) as client:
        client.auth(*site.richard)
        assert client.send(alias, [JANE], mail("alias", sender=alias))[0] == 553
    site.stack.cli("user", "alias", "richard", alias, "--deployment", "demo", check=True)
    try:
        sent = mail("alias", f"Sender: {RICHARD}", sender=alias)
        assert without_ours(site.delivered(sent, [JANE], sender=alias).raw) == sent
    finally:
        site.stack.cli("user", "alias", "richard", alias, "--remove", "--deployment", "demo", check=True)
    assert "r.smith" in site.refused(mail("alias", sender=alias))


def test_gmails_own_confirmation_passes_untouched_to_the_logins_own_address_alone(site: Site) -> None:
    sent = mail("gmail-asks", sender=GMAIL_ASKS, to=RICHARD).replace(b"Richard <", b"Gmail Team <")
    for sender in (GMAIL_ASKS, RICHARD):
        came = site.delivered(sent, [RICHARD], sender=sender)
        assert without_ours(came.raw) == sent
    assert site.decision("gmail-asks") == ("ignored", "Gmail's confirmation of a login's address")
    for to in ([JANE], [RICHARD, JANE], [OLGA]):
        assert GMAIL_ASKS in site.refused(sent, to, sender=GMAIL_ASKS)
    assert GMAIL_ASKS in site.refused(mail("borrowed"), [RICHARD], sender=GMAIL_ASKS)


# --- read receipts ----------------------------------------------------------------------------------------------------

_REPORT = "Content-Type: multipart/report; report-type=disposition-notification; boundary=b"
RECEIPTS = {
    "as RFC 8098 has it": _REPORT,
    "in other words": 'content-type:\r\n\tMultipart/Report;\r\n boundary="b";\r\n REPORT-TYPE = "disposition-notification"',
}
NO_RECEIPTS = {
    "plain": "Content-Type: text/plain",
    "without a type": "X-A: b",
    "a bounce": "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
    "another type": "Content-Type: multipart/mixed; report-type=disposition-notification; boundary=b",
    "longer": "Content-Type: multipart/report; report-type=disposition-notifications",
    "two types": f"{_REPORT}\r\nContent-Type: text/plain",
}


def receipt(name: str, line: str, *, sender: str = RICHARD) -> bytes:
    """A mail program's receipt for mail that was read."""
    part = b"--b\r\nContent-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; richard@firm.example\r\n"
    return mail(name, line, sender=sender).replace(b"hello\r\n", part + b"--b--\r\n")


@pytest.mark.parametrize("name", RECEIPTS)
def test_a_read_receipt_goes_out_with_the_null_sender(site: Site, name: str) -> None:
    """RFC 8098 3 requires that. A receipt is on the record, and counts within the limits as any mail does."""
    name, line = f"receipt-{len(name)}", RECEIPTS[name]
    uses = "SELECT SUM(messages), SUM(recipients) FROM relay_uses"
    before = [count or 0 for count in site.stack.rows(uses)[0]]
    came = site.delivered(receipt(name, line), [JANE], sender="")
    assert (came.sender, came.recipients) == ("", (JANE,))
    assert without_ours(came.raw) == receipt(name, line)
    assert (site.activity(name)["direction"], site.activity(name)["routes"]) == ("outgoing", ["relay"])
    assert site.stack.rows(uses) == [(before[0] + 1, before[1] + 1)]


@pytest.mark.parametrize("name", NO_RECEIPTS)
def test_nothing_else_does(site: Site, name: str) -> None:
    text = site.refused(receipt(f"no-receipt-{len(name)}", NO_RECEIPTS[name]), sender="")
    assert "its envelope sender is empty, and that is for read receipts alone" in text


@pytest.mark.parametrize("sender", [OLGA, "ceo@other.example", "richard@demo.example.net", GMAIL_ASKS])
def test_law_10_no_receipt_is_somebody_elses(site: Site, sender: str) -> None:
    assert sender in site.refused(receipt(f"their-receipt-{len(sender)}", _REPORT, sender=sender), sender="")
    head = receipt("their-sender", f"Sender: {OLGA}\r\n{_REPORT}")
    assert f"its Sender {OLGA}" in site.refused(head, sender="")


@pytest.mark.parametrize("sender", ["(richard@firm.example)", '""', "@firm.example:", "()", " ", "(x)<>"])
def test_what_only_looks_like_no_sender_opens_nothing(site: Site, sender: str) -> None:
    with Client(site.stack) as client:
        assert client.auth(*site.richard)[0] == 235
        code, text = client.send(sender, [JANE], mail("odd-sender"))
    assert 500 <= code < 600, text


# --- law 7 ------------------------------------------------------------------------------------------------------------


def _with(name: str, body: bytes, *more: str) -> bytes:
    return mail(name, *more).replace(b"hello\r\n", body)


MESSAGES = {
    "long line": _with("long", b"x " * 2_500 + b"\r\n"),
    "eight bit": _with("8bit", "Grüße\r\n".encode() + b"\xff\x80\r\n", "Content-Transfer-Encoding: 8bit"),
    "attached": _with(
        "attached",
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\nUser-Agent: x\r\nBcc: c@d.example\r\n"
        b"Received: from a by b with ESMTPSA\r\nSubject:  two  spaces \r\n\r\nhi\r\n--b--\r\n",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="b"',
    ),
    "own Received": b"Received: from laptop ([10.0.0.1]) by x with ESMTPSA id 1\r\n\tfor <c>; x\r\n" + mail("received"),
    "PGP": _with(
        "pgp",
        b"--b\r\n\r\nFrom here \r\n- x\r\n\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\n-----BEGIN PGP\r\n--b--\r\n",
        'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary="b"',
    ),
    "S/MIME": _with(
        "smime",
        b"--b\r\nContent-Type: text/plain\r\n\r\nsigned \t\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nMIAGCSqGSIb3DQEHAqCA\r\n--b--\r\n",
        'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="b"',
    ),
    "dots": _with("dots", b".\r\n..\r\n.x\r\n\r\n\r\n"),
}


@pytest.mark.parametrize("to", [JANE, STRANGER], ids=["to a contact", "to nobody we know"])
@pytest.mark.parametrize("name", MESSAGES)
def test_law_7_what_is_relayed_is_untouched(site: Site, name: str, to: str) -> None:
    assert without_ours(site.delivered(MESSAGES[name], [to], "BODY=8BITMIME").raw) == MESSAGES[name]


JOERG = "jörg@client.example"
UTF8 = mail("utf8", to=JOERG).replace(b"Richard <", "Jürgen <".encode()).replace(b": utf8", ": Grüße".encode())


def test_law_7_with_smtputf8_at_the_next_hop(make_stack: "MakeStack", make_sink: "MakeSink") -> None:
    with site_on(make_stack, make_sink(utf8=True)) as site:
        site.stack.cli("contact", "add", "Jörg", JOERG, "--deployment", "demo", check=True)
        # SMTPUTF8 is requested, but isn't needed
        plain = mail("plain-utf8")
        assert without_ours(site.delivered(plain, [JANE], "SMTPUTF8", "BODY=8BITMIME").raw) == plain
        came = site.delivered(UTF8, [JOERG], "SMTPUTF8", "BODY=8BITMIME")
        assert without_ours(came.raw) == UTF8
        assert came.recipients == (JOERG,)
        assert [contact["address"] for contact in site.activity("utf8")["contacts"]] == [JOERG]


def test_law_7_without_smtputf8_at_the_next_hop(make_stack: "MakeStack", make_sink: "MakeSink") -> None:
    sink = make_sink(utf8=False)
    with site_on(make_stack, sink) as site:
        site.stack.cli("contact", "add", "Jörg", JOERG, "--deployment", "demo", check=True)
        # SMTPUTF8 is requested, but isn't needed
        plain = mail("plain-utf8")
        assert without_ours(site.delivered(plain, [JANE], "SMTPUTF8", "BODY=8BITMIME").raw) == plain
        # mail that this hop can't accept is never altered
        assert site.submit(UTF8, [JOERG], "SMTPUTF8", "BODY=8BITMIME")[0] == 250
        site.stack.drain()
        assert len(sink.received) == 1
        assert [contact["address"] for contact in site.activity("utf8")["contacts"]] == [JOERG]


def test_the_limits_of_one_login_are_its_own(make_stack: "MakeStack", sink: "Sink") -> None:
    stack = make_stack(
        outbound=f"relayhost 127.0.0.1:{sink.port}",
        relay={"max_messages_per_hour": 3, "max_recipients_per_hour": 5, "suspend_after_refusals": 3},
    )
    people(stack)
    richard, olga = connect(stack, "richard"), connect(stack, "olga")
    assert submit(stack, richard, RICHARD, [JANE, JOE, STRANGER, "y@stranger.example"], mail("a"))[0] == 250
    code, text = submit(stack, richard, RICHARD, [JANE, JOE], mail("b"))
    assert (code, "5 recipients within an hour; try again after" in text) == (451, True)
    assert submit(stack, richard, RICHARD, [JANE], mail("c"))[0] == 250
    assert submit(stack, olga, OLGA, [JANE], mail("d", sender=OLGA))[0] == 250
    assert submit(stack, richard, RICHARD, [JANE], mail("e"))[0] == 451
    assert submit(stack, richard, RICHARD, [JANE], mail("f"))[0] == 451
    with Client(stack) as client:
        assert client.auth(*richard)[0] == 535  # the third refusal suspended the login
    assert submit(stack, olga, OLGA, [JANE], mail("g", sender=OLGA))[0] == 250
    assert "login suspended" in stack.log("mailweir-milter")
    said = stack.cli("doctor", "--json")
    assert any("richard" in one["finding"] and "suspended" in one["finding"] for one in json.loads(said.stdout))
    new = json.loads(stack.cli("relay", "rotate", "richard", "--json", check=True).stdout)
    assert submit(stack, (new["username"], new["password"]), RICHARD, [JANE], mail("h"))[0] == 250


def test_a_login_that_is_disconnected_within_a_session_sends_no_more(make_stack: "MakeStack") -> None:
    stack = make_stack()
    people(stack)
    with Client(stack) as client:
        assert client.auth(*connect(stack, "richard"))[0] == 235
        assert client.send(RICHARD, [JANE], mail("before"))[0] == 250
        stack.cli("relay", "disconnect", "richard", check=True)
        assert client.send(RICHARD, [JANE], mail("after"))[0] in (550, 553)


def test_without_the_database_everything_waits(make_stack: "MakeStack") -> None:
    stack = make_stack()
    people(stack)
    richard = connect(stack, "richard")
    path = stack.settings.database_path
    with Client(stack) as inside, Client(stack) as outside:
        assert inside.auth(*richard)[0] == 235
        aside = path.with_name("aside.db")
        path.rename(aside)
        try:
            assert outside.auth(*richard)[0] == 454
            assert inside.send(RICHARD, [JANE], mail("down"))[0] == 451
        finally:
            aside.rename(path)
    assert submit(stack, richard, RICHARD, [JANE], mail("up"))[0] == 250
