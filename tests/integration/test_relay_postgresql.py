"""The relay on two hosts that share a PostgreSQL database: one login's limits, one key that signs, one password."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dkim
import pytest

from tests.integration.relay import (
    JANE,
    JOE,
    MAX_WORKER_BYTES,
    OLGA,
    RICHARD,
    STRANGER,
    Client,
    attachment,
    connect,
    mail,
    peak_bytes,
    people,
    submit,
)

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.integration.smtp_sink import MakeSink, Sink
    from tests.postgresql import Cluster

MESSAGES, RECIPIENTS = 3, 5


@pytest.fixture(scope="module")
def hosts(
    make_module_stack: "MakeStack", make_module_sink: "MakeSink", cluster: "Cluster"
) -> Iterator[list[tuple["Stack", "Sink"]]]:
    """Two hosts, each with a Postfix and a sink of its own."""
    database_url = cluster.make_database()
    sinks = [make_module_sink() for _ in range(2)]
    relay = {"max_messages_per_hour": MESSAGES, "max_recipients_per_hour": RECIPIENTS, "suspend_after_refusals": 3}
    stacks = [
        make_module_stack(database=str(database_url), outbound=f"relayhost 127.0.0.1:{sink.port}", relay=relay)
        for sink in sinks
    ]
    people(stacks[0])
    yield list(zip(stacks, sinks, strict=True))
    for stack in stacks:
        stack.stop()
    cluster.drop_database(database_url)


def test_a_login_has_one_limit_on_both_hosts(hosts: list[tuple["Stack", "Sink"]]) -> None:
    (first, _), (second, _) = hosts
    richard, olga = connect(first, "richard"), connect(second, "olga")
    for number in range(MESSAGES):
        assert submit(first, richard, RICHARD, [JANE], mail(f"full-{number}"))[0] == 250
    code, text = submit(second, richard, RICHARD, [JANE], mail("over"))
    assert (code, f"{MESSAGES} messages within an hour" in text) == (451, True)
    four = [JANE, JOE, STRANGER, "y@stranger.example"]
    assert submit(second, olga, OLGA, four, mail("four", sender=OLGA))[0] == 250
    code, text = submit(first, olga, OLGA, [JANE, JOE], mail("two", sender=OLGA))
    assert (code, f"{RECIPIENTS} recipients within an hour" in text) == (451, True)
    assert submit(first, olga, OLGA, [JANE], mail("one", sender=OLGA))[0] == 250
    # Refusals count together, too: the third one, on any host, suspends the login everywhere.
    assert submit(first, richard, RICHARD, [JANE], mail("over-2"))[0] == 451
    assert submit(second, richard, RICHARD, [JANE], mail("over-3"))[0] == 451
    for host in (first, second):
        with Client(host) as client:
            assert client.auth(*richard)[0] == 535
    listed = json.loads(first.cli("relay", "list", "--json", check=True).stdout)
    assert {one["username"]: (one["messages"], one["recipients"], one["refused"]) for one in listed} == {
        "olga": (2, 5, 1), "richard": (3, 3, 3)
    }  # fmt: skip
    for name in ("richard", "olga"):
        second.cli("relay", "disconnect", name, check=True)


def test_a_key_that_one_host_made_signs_on_the_other_and_a_mail_of_30_mb_takes_little_memory(
    hosts: list[tuple["Stack", "Sink"]],
) -> None:
    (first, _), (second, sink) = hosts
    login = connect(first, "olga")
    try:
        key = json.loads(first.cli("domain", "add", "firm.example", "--json", check=True).stdout)
        raw = mail("signed", sender=OLGA)
        assert submit(second, login, OLGA, [JANE], raw)[0] == 451  # this host doesn't have the key file yet
        source, target = (host.settings.token_key_path for host in (first, second))
        with contextlib.suppress(FileExistsError):
            target.parent.mkdir(mode=0o700)
            shutil.copystat(source.parent, target.parent)
            shutil.chown(target.parent, source.owner(), source.group())
        shutil.copy2(source, target)
        shutil.chown(target, source.owner(), source.group())
        second.drain()
        before = len(sink.received)
        assert submit(second, login, OLGA, [JANE], raw)[0] == 250
        came = sink.wait(before + 1)[-1].raw
        large = mail("large", sender=OLGA) + attachment(30_000_000)
        assert submit(second, login, OLGA, [JANE], large)[0] == 250
        large_came = sink.wait(before + 2, 60)[-1].raw
    finally:
        first.cli("relay", "disconnect", "olga", check=True)
    assert came.endswith(raw)
    value = key["records"][0]["value"].encode()
    assert dkim.verify(came, dnsfunc=lambda *_, **__: value)
    assert not dkim.verify(came.replace(b"hello", b"hallo"), dnsfunc=lambda *_, **__: value)
    assert large_came.endswith(large)
    assert dkim.verify(large_came, dnsfunc=lambda *_, **__: value)
    assert peak_bytes(second) < MAX_WORKER_BYTES
    # deferred mail isn't counted twice
    listed = json.loads(second.cli("activity", "list", "--json", check=True).stdout)
    assert [one["author"] for one in listed if one["message_id"] == "<signed@firm.example>"] == [OLGA]
