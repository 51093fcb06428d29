"""Headers that the relay removes from a submission and adds to it, on the real stack. Nothing else changes; it is recorded and
signed."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import dkim
import pytest
import zstandard

from tests.integration.relay import (
    JANE,
    JOE,
    RICHARD,
    STRANGER,
    Site,
    attachment,
    mail,
    site_on,
    submit,
    without_ours,
    without_signature,
)

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack
    from tests.integration.smtp_sink import MakeSink, Sink


class SigningSite:
    """A site that signs for firm.example."""

    def __init__(self, site: Site) -> None:
        self.site = site
        made = json.loads(
            site.stack.cli("domain", "add", "firm.example", "--deployment", "demo", "--json", check=True).stdout
        )
        self._records = {record["name"]: "".join(record["strings"]).encode() for record in made["records"]}

    def delivered(self, lined: bytes, to: list[str], *options: str) -> bytes:
        """The mail at the sink, without our signature, which must be valid, and without our Received."""
        came = self.site.delivered(lined, to, *options).raw
        assert self.verifies(came)
        return without_ours(without_signature(came))

    def verifies(self, raw: bytes) -> bool:
        """dkimpy's verdict with the record that `domain add` printed."""
        return bool(dkim.verify(raw, dnsfunc=lambda name, timeout=5: self._records.get(name.decode().rstrip("."), b"")))

    def recorded(self, subject: str) -> list[bytes]:
        """The raw messages on demo's record under this subject, in order of arrival."""
        rows = self.site.stack.rows(
            "SELECT content_zstd FROM raw_messages r JOIN activities a ON a.id = r.activity_id"
            " WHERE a.subject = ? AND a.deployment_id = 1 ORDER BY r.id",
            subject,
        )
        return [zstandard.ZstdDecompressor().stream_reader(content).read() for (content,) in rows]


@pytest.fixture(scope="module")
def signing(make_module_stack: "MakeStack", make_module_sink: "MakeSink") -> Iterator[SigningSite]:
    """A site for all tests that don't change it."""
    with site_on(make_module_stack, make_module_sink()) as made:
        yield SigningSite(made)


# --- Bcc --------------------------------------------------------------------------------------------------------------

BCC = {
    "plain": b"Bcc: joe@client.example\r\n",
    "empty": b"Bcc:\r\n",
    "in capitals": b"BCC: joe@client.example\r\n",
    "a space before the colon": b"Bcc : joe@client.example\r\n",
    "folded": b"Bcc:\r\n Joe\r\n\t<joe@client.example>,\r\n secret@client.example\r\n",
    "several": b"bcc: joe@client.example\r\nX-A: b\r\nBcc: secret@client.example\r\n",
    "resent": b"Resent-Bcc: joe@client.example\r\n",
    "in raw 8-bit": "Bcc: Jörg <joe@client.example>\r\n".encode(),
    "NUL in the name": b"B\0cc: joe@client.example\r\n",
    "longer than Postfix takes": b"Bcc: " + b"joe@client.example,\r\n " * 4_000 + b"secret@client.example\r\n",
}


# There are other headers among them, which stay.
BESIDE_BCC = {"several": b"X-A: b\r\n"}


@pytest.mark.parametrize("name", BCC)
def test_bcc_does_not_go_out(signing: SigningSite, name: str) -> None:
    subject = f"bcc-{sorted(BCC).index(name)}"
    bare = mail(subject)
    sent = bare.replace(b"Subject:", BCC[name] + b"Subject:")
    left = bare.replace(b"Subject:", BESIDE_BCC.get(name, b"") + b"Subject:")
    assert signing.delivered(sent, [JANE, JOE, STRANGER], "BODY=8BITMIME") == left
    assert signing.recorded(subject) == [left]
    contacts = signing.site.activity(subject)["contacts"]
    assert [(contact["address"], contact.get("bcc", False)) for contact in contacts] == [(JANE, False), (JOE, True)]


def test_bcc_of_an_attached_message_stays(signing: SigningSite) -> None:
    inner = b"From: a@b.example\r\nBcc: c@d.example\r\nResent-Bcc: e@f.example\r\n\r\nhi\r\n"
    sent = mail("attached", "MIME-Version: 1.0", "Content-Type: message/rfc822").replace(b"hello\r\n", inner)
    assert signing.delivered(sent, [JANE]) == sent


def test_bcc_of_what_comes_by_port_25_stays_on_the_record(signing: SigningSite) -> None:
    sent = mail("by-port-25", f"Bcc: {JOE}", "Resent-Bcc: x@y.example", sender=JANE, to="richard@firm.example")
    code, text = signing.site.stack.transact(JANE, ["richard@demo.example.net"], sent)
    assert code == 250, text
    assert signing.recorded("by-port-25") == [sent]


# --- Message-ID and Date ----------------------------------------------------------------------------------------------

_ID, _DATE = rb"Message-ID: [^\r\n]*\r\n", rb"Date: [^\r\n]*\r\n"
OWN_ID, OWN_DATE = rb"Message-ID: (<mwr\.[a-z2-7]{32}@firm\.example>)\r\n", rb"Date: ([^\r\n]*) \(MWR\)\r\n"
LACKING = {"both": (_ID, _DATE), "Message-ID": (_ID,), "Date": (_DATE,)}


def lacking(subject: str, *names: bytes, of: Callable[..., bytes] = mail) -> bytes:
    """A plain message without these headers."""
    made = of(subject)
    for name in names or (_ID, _DATE):
        made, count = re.subn(name, b"", made, count=1)
        assert count == 1
    return made


def added(came: bytes, sent: bytes) -> bytes:
    """The headers that were added after the message's own headers."""
    head, body = sent.split(b"\r\n\r\n", 1)
    assert came.startswith(head + b"\r\n")
    assert came.endswith(b"\r\n\r\n" + body)
    return came[len(head) + 2 : -len(body) - 2]


def id_of(came: bytes) -> str:
    """The Message-ID that was added."""
    (found,) = re.findall(OWN_ID, came)
    return str(found.decode())


def activities(signing: SigningSite, subject: str) -> Any:
    """Message-IDs and routes of demo's activities of this subject."""
    listed = signing.site.stack.cli("activity", "list", "--deployment", "demo", "--json", check=True).stdout
    return [(one["message_id"], sorted(one["routes"])) for one in json.loads(listed) if one["subject"] == subject]


ADDED = {"both": OWN_ID + OWN_DATE, "Message-ID": OWN_ID, "Date": OWN_DATE}


@pytest.mark.parametrize("to", [JANE, STRANGER], ids=["to a contact", "to nobody we know"])
@pytest.mark.parametrize("name", LACKING)
def test_law_7_what_a_message_lacks_is_added(signing: SigningSite, name: str, to: str) -> None:
    sent = lacking(f"added-{name}", *LACKING[name])
    came = signing.delivered(sent, [to])
    assert re.fullmatch(ADDED[name], added(came, sent))


@pytest.mark.parametrize("name", ["both", "Date"])
def test_law_7_a_date_that_is_added_is_the_moment(signing: SigningSite, name: str) -> None:
    sent = lacking(f"dated-{name}", *LACKING[name])
    before = datetime.now(UTC) - timedelta(seconds=1)
    match = re.fullmatch(ADDED[name], added(signing.delivered(sent, [STRANGER]), sent))
    assert match
    assert before <= parsedate_to_datetime(match[match.lastindex or 0].decode()) <= datetime.now(UTC)


@pytest.mark.parametrize("name", LACKING)
def test_law_7_what_a_message_lacks_is_signed_and_recorded(signing: SigningSite, name: str) -> None:
    subject = f"lacks-{name}"
    came = signing.delivered(lacking(subject, *LACKING[name]), [JANE])
    assert signing.recorded(subject) == [came]
    (found,) = activities(signing, subject)
    assert found == ({"Date": f"<{subject}@firm.example>"}.get(name) or id_of(came), ["relay"])
    told = signing.site.stack.cli("why", found[0])
    assert (told.returncode, "captured as activity" in told.stdout) == (0, True), told.stderr


def test_a_message_without_a_body_and_a_large_one(signing: SigningSite) -> None:
    empty = lacking("empty").replace(b"hello\r\n", b"")
    came = signing.delivered(empty, [JANE])
    assert came.startswith(empty[:-2])
    assert re.fullmatch(OWN_ID + OWN_DATE + b"\r\n", came[len(empty) - 2 :])
    assert signing.recorded("empty") == [came]
    large = lacking("large").replace(b"hello\r\n", attachment(3_000_000))
    came = signing.delivered(large, [JANE])
    assert re.fullmatch(OWN_ID + OWN_DATE, added(came, large))
    assert signing.recorded("large") == [came]


def test_the_signature_covers_what_is_added(signing: SigningSite) -> None:
    came = signing.site.delivered(lacking("covered"), [JANE]).raw
    assert signing.verifies(came)
    assert not signing.verifies(came.replace(b"Message-ID: <mwr.", b"Message-ID: <mwq."))
    assert not signing.verifies(came.replace(b" (MWR)", b""))
    assert not signing.verifies(came.replace(b"Subject:", b"Message-ID: <x@y.example>\r\nSubject:"))


PRESENT = {
    "blank": (b"Message-ID: \r\n", b"Date:  \r\n"),
    "empty": (b"Message-ID:\r\n", b"Date:\r\n"),
    "unreadable": (b"Message-ID: <<x y>\r\n", b"Date: soon\r\n"),
    "in capitals": (b"MESSAGE-ID: <x@firm.example>\r\n", b"DATE: Tue, 24 Nov 2026 03:12:55 +0000\r\n"),
    "folded": (b"Message-ID:\r\n <y@firm.example>\r\n", b"Date:\r\n\tTue, 24 Nov 2026 03:12:55\r\n +0000\r\n"),
    "twice": (b"Message-ID: <1@a.example>\r\nMessage-ID: <2@a.example>\r\n", b"Date: x\r\nDate: y\r\n"),
    "in raw 8-bit": ("Message-ID: <ü@firm.example>\r\n".encode(), "Date: Di., 24. Nov. 2026 ü\r\n".encode()),
}


@pytest.mark.parametrize("name", PRESENT)
def test_what_is_there_stays_as_it_is(signing: SigningSite, name: str) -> None:
    subject = f"present-{name}"
    sent = lacking(subject).replace(b"Subject:", b"".join(PRESENT[name]) + b"Subject:")
    assert signing.delivered(sent, [JANE], "BODY=8BITMIME") == sent
    assert signing.recorded(subject) == [sent]


@pytest.mark.parametrize(
    ("sent_as", "comes_as"),
    [
        (b"Message-ID : <x@y.example>\r\nDate\t: x\r\n", b"Message-ID: <x@y.example>\r\nDate: x\r\n"),
        (b"Mess\0age-ID: <x@y.example>\r\nD\0ate: x\r\n", b"Message-ID: <x@y.example>\r\nDate: x\r\n"),
    ],
    ids=["a space before the colon", "NUL in the name"],
)
def test_what_postfix_puts_right_is_there(signing: SigningSite, sent_as: bytes, comes_as: bytes) -> None:
    bare = lacking(f"right-{len(sent_as)}")
    came = signing.delivered(bare.replace(b"Subject:", sent_as + b"Subject:"), [JANE])
    assert came == bare.replace(b"Subject:", comes_as + b"Subject:")


NOT_THERE = {
    "in a fold": b"X-A: b\r\n Message-ID: <x@y.example>\r\n\tDate: x\r\n",
    "of other names": b"X-Message-ID: <x@y.example>\r\nResent-Message-ID: <x@y.example>\r\nResent-Date: x\r\n",
    "in a word": b"Message-IDs: <x@y.example>\r\nDates: x\r\n",
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_what_only_looks_like_one_is_none(signing: SigningSite, name: str) -> None:
    sent = lacking(f"none-{name}").replace(b"Subject:", NOT_THERE[name] + b"Subject:")
    assert re.fullmatch(OWN_ID + OWN_DATE, added(signing.delivered(sent, [JANE]), sent))


def test_where_a_line_that_is_no_header_ends_the_headers_one_in_the_body_is_none(signing: SigningSite) -> None:
    head = lacking("junk").split(b"\r\n\r\n")[0] + b"\r\n"
    body = b">From x\r\nMessage-ID: <x@y.example>\r\nDate: x\r\n\r\nhello\r\n"
    came = signing.delivered(head + body, [JANE])
    assert re.fullmatch(OWN_ID + OWN_DATE, added(came, head + b"\r\n" + body))
    assert signing.recorded("junk") == [came]


def test_a_header_that_postfix_cuts_is_there(signing: SigningSite) -> None:
    long = b"Message-ID: <" + b"x" * 70_000 + b"@firm.example>\r\n"
    came = signing.delivered(lacking("cut").replace(b"Subject:", long + b"Subject:"), [JANE])
    assert came.count(b"Message-ID:") == 1
    assert b"mwr." not in came


def test_of_a_port_25_copy_nothing_is_added(signing: SigningSite) -> None:
    sent = lacking("port-25", of=lambda name: mail(name, sender=JANE, to=RICHARD))
    code, text = signing.site.stack.transact(JANE, ["richard@demo.example.net"], sent)
    assert code == 250, text
    assert signing.recorded("port-25") == [sent]


def test_mail_to_log_alone_goes_nowhere_and_is_recorded_as_it_came(signing: SigningSite) -> None:
    sent = lacking("log-alone")
    assert signing.site.submit(sent, ["log@demo.example.net"])[0] == 250
    assert signing.recorded("log-alone") == [sent]


def test_gmails_own_confirmation_gets_nothing(signing: SigningSite) -> None:
    sent = lacking("gmail-asks", of=lambda name: mail(name, sender="gmail-noreply@google.com", to=RICHARD))
    assert without_ours(signing.site.delivered(sent, [RICHARD]).raw) == sent


# --- one activity -----------------------------------------------------------------------------------------------------


def test_law_2_a_retry_has_the_same_message_id_and_is_no_second_activity(signing: SigningSite) -> None:
    sent = lacking("retry")
    first = signing.delivered(sent, [JANE])
    again = signing.delivered(b"Received: from a by b; x\r\n" + sent, [JANE])
    assert id_of(first) == id_of(again)
    assert activities(signing, "retry") == [(id_of(first), ["relay"])]
    other = signing.delivered(sent.replace(b"hello", b"hell0"), [JANE])
    assert id_of(other) != id_of(first)
    assert len(activities(signing, "retry")) == 2


def test_two_logins_have_two_message_ids_for_the_same_bytes(signing: SigningSite) -> None:
    """Law 4: one deployment's mail reveals nothing about another's."""
    stack, sent = signing.site.stack, lacking("two-logins")
    stack.cli("user", "alias", "rick", RICHARD, "--deployment", "b", check=True)
    try:
        mine = signing.delivered(sent, [JANE])
        before = len(signing.site.sink.received)
        code, text = submit(stack, signing.site.rick, RICHARD, [JANE], sent)
        assert code == 250, text
        theirs = signing.site.sink.wait(before + 1, 60)[-1].raw
    finally:
        stack.cli("user", "alias", "rick", RICHARD, "--remove", "--deployment", "b", check=True)
    assert id_of(theirs) != id_of(mine)


@pytest.mark.parametrize("name", LACKING)
def test_law_2_the_copies_of_what_was_relayed_are_one_activity(signing: SigningSite, name: str) -> None:
    """One copy is as submitted. The other is as it went out, and a colleague's mailbox forwards it."""
    subject, stack = f"copies-{name}", signing.site.stack
    sent = lacking(subject, *LACKING[name])
    came = signing.site.delivered(sent, [JANE]).raw
    for copy, to in ((sent, "log@demo.example.net"), (came, "olga@demo.example.net")):
        code, text = stack.transact(RICHARD, [to], copy)
        assert code == 250, text
    (found,) = activities(signing, subject)
    assert found[1] == ["forward", "log", "relay"]


def test_without_the_key_file_it_is_a_random_one(make_stack: "MakeStack", sink: "Sink") -> None:
    with site_on(make_stack, sink) as site:
        assert not site.stack.settings.token_key_path.exists()
        came = [without_ours(site.delivered(lacking("random"), [JANE]).raw) for _ in range(2)]
        assert id_of(came[0]) != id_of(came[1])
        assert site.stack.rows("SELECT message_id FROM activities") == [(id_of(came[0]),)]
