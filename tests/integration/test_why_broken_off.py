"""`why` explains mail that Postfix gave up after it had accepted the recipients, on a real Postfix."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.site import can_mount
from tests.integration import wire
from tests.needs import lacks

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

JANE, RICHARD = "jane@client.example", "richard@demo.example.net"
LINE = b"y" * 900 + b"\r\n"
ROOM = "100m"


@pytest.fixture(scope="module")
def stack(make_module_stack: "MakeStack") -> Iterator["Stack"]:
    """A stack with its queue on a small file system of its own, a low limit on messages, and short time-outs."""
    made = make_module_stack(start=False, smtp={"max_message_bytes": 1_000_000})
    folder = made.data_dir / "postfix"
    folder.mkdir()
    mounts = can_mount(made.data_dir / "probe")
    if mounts:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=755", "queue", folder], check=True)
    try:
        made.start()
        for line in (
            "deployment add demo --domain demo.example.net",
            "deployment add other --domain other.example.org",
            "user add richard --email richard@firm.example --deployment demo",
            "user add rick --email rick@other.example --deployment other",
        ):
            made.cli(*line.split(), check=True)
        made.postfix("postconf", "-e", "smtpd_timeout=2s")
        made.postfix("postfix", "reload")
        yield made
    finally:
        made.stop()
        if mounts:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _mail(name: str, *, author: str = JANE, hops: int = 0) -> bytes:
    head = [f"From: {author}", f"Subject: {name}", f"Message-ID: <{name}@client.example>"]
    return ("\r\n".join([*head, *["Received: from a.example by b.example"] * hops]) + "\r\n\r\nhi\r\n").encode()


def _begin(connection: wire.Connection, *recipients: str, sender: str = JANE) -> None:
    connection.command(f"MAIL FROM:<{sender}>")
    for recipient in recipients or (RICHARD,):
        assert connection.command(f"RCPT TO:<{recipient}>")[0] == 250
    assert connection.command("DATA")[0] == 354


def _why(stack: "Stack", text: str, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stack.cli("why", text, *options, "--json").stdout)
    return found


def _told(stack: "Stack", name: str, wait_until: Any, *, recipient: str = RICHARD) -> dict[str, Any]:
    """The only answer for a message. It is the same by its Message-ID, its queue id, its sender and its recipient."""
    one: dict[str, Any]
    (one,) = wait_until(lambda: _why(stack, f"{name}@client.example"), f"an answer of `why` about {name}")
    assert (one["author"], one["recipients"], one["deployment"]) == (JANE, [recipient], "demo")
    assert one["message_id"] == f"<{name}@client.example>"
    assert "from unknown[127.0.0.1]" in one["reason"]
    without_id = {**one, "message_id": None}
    for text in (one["queue_id"], JANE, recipient):
        assert without_id in [{**other, "message_id": None} for other in _why(stack, text)], text
    return one


def test_too_many_hops(stack: "Stack", wait_until: Any) -> None:
    with wire.Connection(stack.smtp_port) as connection:
        code, text = connection.send(JANE, RICHARD, _mail("hops", hops=120))
    assert (code, "too many hops" in text) == (554, True)
    assert "refused at END-OF-MESSAGE: 554 5.4.0 Error: too many hops" in _told(stack, "hops", wait_until)["reason"]


def test_as_many_hops_as_a_chain_of_forwards_can_have_are_taken(stack: "Stack") -> None:
    """RFC 5321 6.3: the limit is 100 hops, and our own hop is one of them."""
    with wire.Connection(stack.smtp_port) as connection:
        assert connection.send(JANE, RICHARD, _mail("within", hops=98))[0] == 250
        assert connection.send(JANE, RICHARD, _mail("beyond", hops=99))[0] == 554


def test_too_large_a_message(stack: "Stack", wait_until: Any) -> None:
    with wire.Connection(stack.smtp_port) as connection:
        assert connection.send(JANE, RICHARD, _mail("large") + LINE * 1_500)[0] == 552
    assert "552 5.3.4 Error: message file too big" in _told(stack, "large", wait_until)["reason"]


def test_a_disk_that_fills_amid_a_message(stack: "Stack", wait_until: Any) -> None:
    folder = stack.data_dir / "postfix"
    folder.is_mount() or lacks("needs the right to mount a file system")
    full = folder / "full"
    with wire.Connection(stack.smtp_port) as connection:
        _begin(connection)
        free = os.statvfs(folder)
        with full.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, (free.f_bavail - 8) * free.f_frsize)
        try:
            code, _ = connection.finish(_mail("full") + LINE * 500)
        finally:
            full.unlink()
    assert code == 451
    one = _told(stack, "full", wait_until)
    assert "put off at END-OF-MESSAGE" in one["reason"]
    assert "queue file write error (No space left on device)" in one["reason"]


def test_a_killed_cleanup(stack: "Stack", wait_until: Any) -> None:
    with wire.Connection(stack.smtp_port) as connection:
        _begin(connection)
        for pid in stack.pids("cleanup"):
            os.kill(pid, 9)
        assert connection.finish(_mail("killed"))[0] == 451
    # cleanup's death lost the Message-ID
    (one,) = [
        one for one in wait_until(lambda: _why(stack, RICHARD), "an answer of `why`") if "write error" in one["reason"]
    ][:1]
    assert (one["author"], one["outcome"]) == (JANE, "refused")


def test_a_connection_that_is_lost_amid_a_message(stack: "Stack", wait_until: Any) -> None:
    with wire.Connection(stack.smtp_port) as connection:
        _begin(connection)
        connection.send_part(_mail("lost"))
    one = _told(stack, "lost", wait_until)
    assert one["outcome"] == "broken off"
    assert f"the connection was lost ({len(_mail('lost'))} bytes)" in one["reason"]


def test_a_client_that_says_no_more(stack: "Stack", wait_until: Any) -> None:
    with wire.Connection(stack.smtp_port) as connection:
        _begin(connection)
        connection.send_part(_mail("silent"))
        assert connection.reply()[0] == 421
    one = _told(stack, "silent", wait_until)
    assert "put off at DATA" in one["reason"]
    assert "timeout exceeded" in one["reason"]


def test_a_message_ahead_of_its_turn(stack: "Stack", wait_until: Any) -> None:
    with wire.Connection(stack.smtp_port) as connection:
        connection.command("MAIL FROM:<early@client.example>")
        connection.command(f"RCPT TO:<{RICHARD}>")
        connection.send_part(b"DATA\r\n" + _mail("early") + b".\r\n")
        assert connection.reply()[0] == 554
    (one,) = wait_until(lambda: _why(stack, "early@client.example"), "an answer of `why`")
    assert "554 5.5.0 Error: SMTP protocol synchronization" in one["reason"]


def test_each_recipient_is_told_in_its_deployment_alone(stack: "Stack", wait_until: Any) -> None:
    """Law 4. A second message in the session isn't taken for the first one."""
    rick, both = "rick@other.example.org", "both@client.example"
    with wire.Connection(stack.smtp_port) as connection:
        _begin(connection, RICHARD, rick, sender=both)
        assert connection.finish(_mail("both", hops=120))[0] == 554
        assert connection.send("after@client.example", RICHARD, _mail("after", author="after@client.example"))[0] == 250
    found = wait_until(lambda: _why(stack, both), "an answer of `why`")
    assert sorted((one["deployment"], one["recipients"]) for one in found) == [("demo", [RICHARD]), ("other", [rick])]
    assert [one["recipients"] for one in _why(stack, both, "--deployment", "other")] == [[rick]]
    assert [one["recipients"] for one in _why(stack, rick)] == [[rick]]
    assert [one["outcome"] for one in _why(stack, "after@client.example")] == ["ignored"]


def test_look_ups_that_cleanup_cant_ask(stack: "Stack", wait_until: Any) -> None:
    """When cleanup accepts mail to postmaster@, it needs another query for its owner."""
    role, asked = "postmaster@demo.example.net", stack.postfix("postconf", "-h", "virtual_alias_maps").stdout.strip()
    stack.postfix("postconf", "-e", f"virtual_alias_maps = socketmap:unix:{stack.data_dir}/none:alias")
    stack.postfix("postfix", "reload")
    try:
        with wire.Connection(stack.smtp_port) as connection:
            assert connection.send("away@client.example", role, _mail("away"))[0] == 451
    finally:
        stack.postfix("postconf", "-e", f"virtual_alias_maps = {asked}")
        stack.postfix("postfix", "reload")
    (one,) = wait_until(lambda: _why(stack, "away@client.example"), "an answer of `why`")
    assert "queue file write error (virtual_alias_maps map lookup problem for" in one["reason"]
    assert one["recipients"] == [role]


def test_a_log_that_was_rotated_amid_a_message_is_read_as_one(stack: "Stack", wait_until: Any) -> None:
    log = stack.data_dir / "log" / "postfix.log"
    with wire.Connection(stack.smtp_port) as connection:
        _begin(connection, sender="turned@client.example")
        wait_until(lambda: "turned@client.example" in stack.log(), "the sender in the log")
        log.with_name("postfix.log.1").write_bytes(log.read_bytes())
        log.write_bytes(b"")
        assert connection.finish(_mail("turned", hops=120))[0] == 554
    (one,) = wait_until(lambda: _why(stack, "turned@client.example"), "an answer of `why`")
    assert "too many hops" in one["reason"]


def test_what_a_client_wrote_into_the_log_neither_hides_nor_turns_the_line(stack: "Stack", wait_until: Any) -> None:
    name = "no\u200bbo\u202edy@demo.example.net"
    with wire.Connection(stack.smtp_port) as connection:
        assert connection.command("MAIL FROM:<hidden@client.example> SMTPUTF8")[0] == 250
        assert connection.command(f"RCPT TO:<{name}>")[0] == 554
    (one,) = wait_until(lambda: _why(stack, "hidden@client.example"), "an answer of `why`")
    assert one["recipients"] == [name]
    said = stack.cli("why", "hidden@client.example").stdout
    assert "to no\\u200bbo\\u202edy@demo.example.net" in said
    assert "\u200b" not in said
    assert "\u202e" not in said
