"""The envelope: recipients and sender as given, and as they count."""

import pytest

from mailweir.envelope import read_recipient, read_sender


@pytest.mark.parametrize(
    ("typed", "read", "address"),
    [
        ("<Richard@Demo.example.net>", None, "richard@demo.example.net"),
        ('<"richard"@Demo.example.net.>', None, "richard@demo.example.net"),
        ("<@relay.example:richard@demo.example.net>", None, "richard@demo.example.net"),
        # Postfix's reading counts, because Postfix uses it for the look-ups.
        ("<richard (he) @demo.example.net>", "richard@demo.example.net", "richard@demo.example.net"),
        ("<richard (he) @demo.example.net>", None, None),
        ("<postmaster>", None, None),
        ("<>", None, None),
    ],
)
def test_a_recipient_has_its_normal_form(typed: str, read: str | None, address: str | None) -> None:
    recipient = read_recipient(typed, read)
    assert (recipient.typed, recipient.address) == (typed, address)


@pytest.mark.parametrize(
    ("typed", "sender"),
    [
        ("<>", ""),
        ("", ""),
        ("<Jane@Client.example>", "jane@client.example"),
        ("jane@client.example", "jane@client.example"),
        ("<Jane+CAF_=Richard=Demo.example.net@gmail.com>", "jane+caf_=richard=demo.example.net@gmail.com"),
        ("<MAILER-DAEMON>", "mailer-daemon"),
        ("<jane doe@client.example>", "jane doe@client.example"),
        ("<\udcff@client.example>", "\udcff@client.example"),
    ],
)
def test_a_sender_is_read_and_what_is_no_address_stays(typed: str, sender: str) -> None:
    assert read_sender(typed) == sender
