"""A firm on the real stack (Postfix, filter, digest), with its own and its client's key in DNS: for tests of decisions by
proof."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from mailweir.store.database.connection import Database
from tests.forwarded_mail import RICHARD
from tests.integration.relay import people
from tests.moody_zone import MoodyZoneServer

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.postgresql import Cluster

LOG = "log@demo.example.net"
SELECTOR = "sel"
Wait = Callable[..., Any]


@dataclass
class Firm:
    """A stack, the keys of the firm and the client, and their DNS."""

    stack: "Stack"
    key: SigningKey
    zone: MoodyZoneServer
    wait_until: Wait

    def signed(self, raw: bytes, domain: str = "firm.example", *, headers: Sequence[str] | None = None) -> bytes:
        """The mail as the domain's own server sends it. headers: covered by its signature, if not the usual ones."""
        return signing.sign(raw, self.key, selector=SELECTOR, domain=domain, headers=headers)

    def log(self, raw: bytes) -> None:
        """Delivers a mail to the log address, at the port for mail from outside."""
        assert self.stack.deliver(RICHARD, [LOG], raw) == {}

    def rows(self, sql: str) -> list[Any]:
        """Straight from the database."""
        with contextlib.closing(Database(self.stack.settings.database_url)) as database:
            return [tuple(row) for row in database.execute(sql).fetchall()]

    def decided(self, message_id: str) -> tuple[str, str]:
        """The decision on a mail, once it isn't held any more."""
        sql = (
            "SELECT outcome, reason FROM decisions"
            " WHERE reason NOT IN ('held forward', 'held mail of a company', 'held mail of a thread')"
            f" AND message_id = '{message_id}' ORDER BY id DESC"
        )
        found: tuple[str, str] = self.wait_until(lambda: self.rows(sql), f"a decision on {message_id}", seconds=60)[0]
        return found

    def shown(self, message_id: str) -> dict[str, Any]:
        """The `activity show` output for a mail."""
        ((activity_id,),) = self.rows(f"SELECT activity_id FROM decisions WHERE message_id = '{message_id}'")
        done = self.stack.cli("activity", "show", str(activity_id), "--json", check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextlib.contextmanager
def on_stack(request: pytest.FixtureRequest, make_stack: "MakeStack", wait_until: Wait) -> Iterator[Firm]:
    """A firm for the block, on the database that the fixture's parameter names."""
    key = SigningKey.generate()
    records = {(signing.key_name(SELECTOR, one), "TXT"): [key.record] for one in ("firm.example", "client.example")}
    with contextlib.ExitStack() as kept:
        zone = kept.enter_context(MoodyZoneServer(records))
        database = kept.enter_context(_database(request))
        digest = {"poll_seconds": 0.05, "held_erase_seconds": 1.0}
        dns = {"nameserver": "127.0.0.1", "port": zone.port, "timeout_seconds": 2.0}
        stack = make_stack(database=database, digest=digest, dns=dns)
        kept.callback(stack.stop)
        people(stack)
        yield Firm(stack, key, zone, wait_until)


@contextlib.contextmanager
def _database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The setting's value."""
    if request.param == "sqlite":
        yield ""
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    url = cluster.make_database()
    yield str(url)
    cluster.drop_database(url)
