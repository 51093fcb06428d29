"""peewee without PostgreSQL's driver, until a database is PostgreSQL's. In fresh processes: this one has both."""

import subprocess
import sys

import pytest

from mailweir import daemons
from mailweir.daemons import Daemon
from mailweir.database_url import Postgresql
from mailweir.store.database.connection import Database

_LOADED = "import sys; print([name for name in ('peewee', 'psycopg') if sys.modules.get(name)])"


def _run(program: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("daemon", daemons.ALL, ids=lambda one: one.name)
def test_a_daemon_on_sqlite_does_not_load_the_driver(daemon: Daemon) -> None:
    assert _run(f"import {daemon.entry.partition(':')[0]}; {_LOADED}") == "['peewee']"


def test_the_driver_is_loaded_for_a_postgresql_database(postgresql_url: Postgresql) -> None:
    program = (
        "import sys; from mailweir.database_url import Postgresql; from mailweir.store.database.connection import Database;"
        " database = Database(Postgresql(sys.argv[1]));"
        "\nwith database.transaction(): print(database.execute('SELECT 1').fetchone(), 'psycopg' in sys.modules)"
    )
    assert _run(program, postgresql_url.url) == "(1,) True"


def test_each_later_database_uses_the_same_driver(postgresql_url: Postgresql) -> None:
    for _ in range(2):
        database = Database(postgresql_url)
        assert database.execute("SELECT 1").fetchone() == (1,)
        database.close()
