"""What the relay takes out of the headers of a submission, on the real stack: that alone changes; it is recorded and signed."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dkim
import pytest
import zstandard

from tests.integration.relay import JANE, JOE, STRANGER, Site, mail, site_on, without_ours, without_signature

if TYPE_CHECKING:
    from tests.integration.conftest import MakeSink, MakeStack


class SigningSite:
    """A site that signs for firm.example."""

    def __init__(self, site: Site) -> None:
        self.site = site
        made = json.loads(
            site.stack.cli("domain", "add", "firm.example", "--deployment", "demo", "--json", check=True).stdout
        )
        self._records = {record["name"]: "".join(record["strings"]).encode() for record in made["records"]}

    def delivered(self, lined: bytes, to: list[str], *options: str) -> bytes:
        """What came at the sink, but for our signature, which has to be good, and our Received."""
        came = self.site.delivered(lined, to, *options).raw
        assert self.verifies(came)
        return without_ours(without_signature(came))

    def verifies(self, raw: bytes) -> bool:
        """dkimpy's verdict, by the record that `domain add` printed."""
        return bool(dkim.verify(raw, dnsfunc=lambda name, timeout=5: self._records.get(name.decode().rstrip("."), b"")))

    def recorded(self, subject: str) -> list[bytes]:
        """The raw messages on demo's record under this subject, in order of arrival."""
        rows = self.site.stack.rows(
            "SELECT content_zstd FROM raw_messages r JOIN activities a ON a.id = r.activity_id"
            " WHERE a.subject = ? AND a.deployment_id = 1 ORDER BY r.id",
            subject,
        )
        return [zstandard.ZstdDecompressor().decompress(content) for (content,) in rows]


@pytest.fixture(scope="module")
def signing(make_module_stack: "MakeStack", make_module_sink: "MakeSink") -> Iterator[SigningSite]:
    """For all tests that leave it as it was."""
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


@pytest.mark.parametrize("name", BCC)
def test_bcc_does_not_go_out(signing: SigningSite, name: str) -> None:
    subject = f"bcc-{sorted(BCC).index(name)}"
    bare = mail(subject)
    sent = bare.replace(b"Subject:", BCC[name] + b"Subject:")
    left = bare.replace(b"Subject:", b"X-A: b\r\nSubject:") if name == "several" else bare
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
