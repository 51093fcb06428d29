"""The public half of the key in the database, and the client that a mailbox's token belongs to. On both databases."""

from datetime import datetime
from pathlib import Path

import pytest

from admin_cli import key_files
from mailweir import secrets_file
from mailweir.database_url import DatabaseUrl
from mailweir.errors import BadInput, NotFound
from mailweir.secrets_file import Sealer
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_connections, gmail_mailboxes, sealing_keys
from tests.gmail_rows import connect, make_firm, take


def test_the_public_half_is_noted_and_replaced(database: Database, now: datetime) -> None:
    assert sealing_keys.find(database) is None
    for public in (b"a" * 32, b"a" * 32, b"b" * 32):
        sealing_keys.note(database, public, now)
        assert sealing_keys.find(database) == public
    database.execute("UPDATE sealing_keys SET public_key = '?'")
    assert sealing_keys.find(database) is None


def test_the_command_line_makes_the_key_file_and_notes_its_half(
    sqlite_database: Database, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, database=f"sqlite:{sqlite_url}")
    key_files.note_public_half(settings)
    found = sealing_keys.find(sqlite_database)
    assert found is not None
    sealed = Sealer(found).seal(b"a token", "its purpose")
    assert secrets_file.load(settings.token_key_path).open(sealed, "its purpose") == b"a token"
    key_files.note_public_half(settings)
    assert sealing_keys.find(sqlite_database) == found


def test_a_mailbox_keeps_its_tokens_client(database: Database, now: datetime) -> None:
    demo = make_firm(database, now)
    made = connect(database, demo, "richard", now)
    assert (gmail_mailboxes.client_id(database, made.id), take(database, made.id, now).client_id) == (None, None)
    connect(database, demo, "richard", now, token_sealed=b"new", client_id="web.apps.example")
    assert gmail_mailboxes.client_id(database, made.id) == "web.apps.example"
    assert take(database, made.id, now).client_id == "web.apps.example"
    connect(database, demo, "richard", now, token_sealed=b"newer")
    assert gmail_mailboxes.client_id(database, made.id) is None


def test_new_directions_fence_off_who_sweeps_by_the_old_ones(database: Database, now: datetime) -> None:
    demo = make_firm(database, now)
    made = connect(database, demo, "richard", now)
    leased = take(database, made.id, now)
    changed = gmail_connections.set_directions(database, demo, "richard", inbound=False, outbound=True, now=now)
    assert (changed.inbound, changed.outbound, changed.id) == (False, True, made.id)
    again = take(database, made.id, now)
    assert again.epoch > leased.epoch + 1
    assert (again.inbound, again.outbound, again.token_sealed) == (False, True, b"sealed")


def test_directions_that_record_nothing_are_refused(database: Database, now: datetime) -> None:
    demo = make_firm(database, now)
    with pytest.raises(NotFound):
        gmail_connections.set_directions(database, demo, "richard", inbound=True, outbound=True, now=now)
    connect(database, demo, "richard", now)
    with pytest.raises(BadInput, match="would record nothing"):
        gmail_connections.set_directions(database, demo, "richard", inbound=False, outbound=False, now=now)
    assert gmail_mailboxes.find(database, demo, "richard").inbound
