"""Compares the load server's mail with the record: every message with a contact is there once, with its bytes; nothing else is.

Called by `chaos_run`. Reads through the store's own connection, so it is the same for both databases.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import zstandard

from mailweir.store.database.connection import Database
from tests.chaos.verdict import named
from tests.gmail.emulator import CLIENT_SECRET
from tests.gmail.load_client import LoadServer
from tests.gmail.load_mail import Message
from tests.gmail.load_mailboxes import FIRST_HISTORY_ID
from tests.gmail.load_site import LoadSite

_SECRETS = re.compile(rf"(?:refresh|access)-\d|{re.escape(CLIENT_SECRET)}")
_UNEXPECTED = re.compile(r"Traceback|unexpected|event=\"?sweep failed|event=\"?dead letter|event=\"?reconnect needed")
# All cursors of the load server have as many digits, so they compare as text
_BACKWARDS = (
    "CREATE TABLE chaos_backwards (mailbox_id BIGINT, was TEXT, became TEXT)",
    "CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.cursor < OLD.cursor THEN"
    " INSERT INTO chaos_backwards VALUES (OLD.id, OLD.cursor, NEW.cursor); END IF; RETURN NULL; END $$",
    "CREATE TRIGGER chaos_backwards_noted AFTER UPDATE OF cursor ON gmail_mailboxes FOR EACH ROW"
    " EXECUTE FUNCTION chaos_note()",
)
_BACKWARDS_SQLITE = (
    _BACKWARDS[0],
    "CREATE TRIGGER chaos_backwards_noted AFTER UPDATE OF cursor ON gmail_mailboxes WHEN NEW.cursor < OLD.cursor"
    " BEGIN INSERT INTO chaos_backwards VALUES (OLD.id, OLD.cursor, NEW.cursor); END",
)
_RECORD = (
    "SELECT a.message_id, a.direction, r.content_zstd,"
    " (SELECT COUNT(*) FROM raw_messages x WHERE x.activity_id = a.id),"
    " (SELECT COUNT(*) FROM activity_contacts c WHERE c.activity_id = a.id),"
    " (SELECT COUNT(*) FROM activity_users y WHERE y.activity_id = a.id),"
    " (SELECT COUNT(*) FROM sightings s WHERE s.activity_id = a.id),"
    " (SELECT MIN(s.source_id) FROM sightings s WHERE s.activity_id = a.id)"
    " FROM activities a LEFT JOIN raw_messages r ON r.id = a.leading_raw_id"
)


def watch_cursors(site: LoadSite) -> None:
    """Makes the database record each cursor that goes backwards, as an unfenced sweep would cause."""
    with closing(site.open()) as database:
        for statement in _BACKWARDS_SQLITE if database.is_sqlite else _BACKWARDS:
            database.execute(statement)


def decided(site: LoadSite) -> int:
    """The number of messages that have a decision."""
    with closing(site.open()) as database:
        return _count(database, "SELECT COUNT(*) FROM decisions")


def is_settled(site: LoadSite, server: LoadServer) -> bool:
    """Has every mailbox's history been read to its end, and is no message left in the queue?"""
    with closing(site.open()) as database:
        return not list(_unread(database, server)) and not _count(database, _WAITING)


_WAITING = "SELECT COUNT(*) FROM gmail_queue WHERE dead_at IS NULL"


def judge(database: Database, server: LoadServer, logs: Sequence[str]) -> list[str]:
    """The violations."""
    wrong = [*_unread(database, server)]
    if waiting := _count(database, _WAITING):
        wrong.append(f"still waiting: {waiting} messages")
    wrong += [f"dead letter: {row}" for row in database.execute("SELECT * FROM gmail_queue WHERE dead_at IS NOT NULL")]
    wrong += [
        f"a cursor went backwards: of mailbox {mailbox_id}, from {was} to {became}"
        for mailbox_id, was, became in database.execute("SELECT mailbox_id, was, became FROM chaos_backwards")
    ]
    wrong += _wrong_decisions(database, server)
    wrong += _wrong_record(database, server)
    for text in logs:
        wrong += [f"a secret in a log: {line}" for line in text.splitlines() if _SECRETS.search(line)]
        wrong += [f"unexpected in a log: {line}" for line in text.splitlines() if _UNEXPECTED.search(line)]
    return named(wrong)


def _unread(database: Database, server: LoadServer) -> Iterator[str]:
    rows = database.execute("SELECT id, cursor, list_since, state FROM gmail_mailboxes").fetchall()
    counts = server.put_counts()
    for id_, cursor, list_since, state in rows:
        end = str(FIRST_HISTORY_ID + counts.get(id_ - 1, 0))
        if (cursor, list_since, state) != (end, None, "connected"):
            yield f"not read to its end: mailbox {id_} ({state}) is at {cursor} of {end}, to be listed since {list_since}"


def _wrong_decisions(database: Database, server: LoadServer) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for source_id, outcome in database.execute("SELECT source_id, outcome FROM decisions"):
        found.setdefault(source_id, []).append(outcome)
    for one in server.all_new():
        outcomes = found.pop(_source_id(one), [])
        if outcomes != ["captured" if one.is_contact else "ignored"]:
            yield f"decided otherwise: {one.id}: {outcomes}"
    yield from (f"a decision on nobody's message: {source_id}" for source_id in found)


def _wrong_record(database: Database, server: LoadServer) -> Iterator[str]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in database.execute(_RECORD):
        found.setdefault(row[0], []).append(row[1:])
    for one in server.of_contacts():
        activities = found.pop(one.message_id, [])
        if len(activities) != 1:
            yield f"{'missing' if not activities else 'doubled'}: {one.message_id} has {len(activities)} activities"
            continue
        direction, content, *counts, source_id = activities[0]
        if direction != ("outgoing" if one.outgoing else "incoming"):
            yield f"wrong direction: {one.message_id} is {direction}"
        if _unpacked(content) != one.raw(server.mix.size):
            yield f"other bytes: {one.message_id}"
        if counts != [1, 1, 1, 1] or source_id != _source_id(one):
            yield f"versions, contacts, users, sightings: {one.message_id} has {counts}, of {source_id}"
    yield from (f"an activity of a stranger's or nobody's message: {message_id}" for message_id in found)


def _source_id(one: Message) -> str:
    return f"{one.id}@{one.mailbox + 1}"  # the rows of the mailboxes are in their order


def _unpacked(content: bytes | None) -> bytes:
    return zstandard.ZstdDecompressor().decompress(content) if content else b""


def _count(database: Database, sql: str) -> int:
    return int(database.execute(sql).fetchone()[0])
