"""The public half of the key file's pair: with it the page seals tokens, but can't open them.

Written by the processes that read the key file: the sync as it starts, and the command line. Read by the page.
"""

import base64
import binascii
from datetime import datetime

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339


def note(database: Database, public: bytes, now: datetime) -> None:
    """Stores the public half, in place of an earlier key file's."""
    if find(database) == public:
        return
    sql = (
        "INSERT INTO sealing_keys (id, public_key, noted_at) VALUES (1, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET public_key = excluded.public_key, noted_at = excluded.noted_at"
    )
    with database.transaction():
        database.execute(sql, (base64.b64encode(public).decode(), rfc3339(now)))


def find(database: Database) -> bytes | None:
    """The public half; None if there is none, or it is malformed."""
    row = database.execute("SELECT public_key FROM sealing_keys WHERE id = 1").fetchone()
    try:
        return base64.b64decode(row[0], validate=True) if row else None
    except binascii.Error:
        return None
