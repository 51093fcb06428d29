"""`mailweir-milter` whose database may not have more pages than the number in the file `max_page_count`, in its working folder.

SQLite keeps that limit per connection, so each new connection gets it. Started by `mailweir up` in the filter's place
(faults.put_in_place puts it there).
"""

from pathlib import Path
from typing import Any

import peewee

from capture_milter import server

LIMIT = Path("max_page_count")
_CLASS: Any = peewee.SqliteDatabase
_connect = _CLASS._connect


def _limited(database: Any) -> Any:
    connection = _connect(database)
    if LIMIT.exists():
        connection.execute(f"PRAGMA max_page_count = {int(LIMIT.read_text())}")
    return connection


_CLASS._connect = _limited
server.main()
