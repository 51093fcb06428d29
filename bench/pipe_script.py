"""The way many CRMs take mail, for comparison: Postfix's pipe(8) starts this script for each message; it writes a row and ends.

    pipe_script.py DATABASE

Never part of an installation. Exit 75 (EX_TEMPFAIL, pipe(8)) if the row can't be written.
"""

import sqlite3
import sys
from email import message_from_bytes, policy

EX_TEMPFAIL = 75


def main() -> int:
    """Reads a message from stdin and writes it."""
    raw = sys.stdin.buffer.read()
    message = message_from_bytes(raw, policy=policy.compat32)
    values = (str(message["Message-ID"]), str(message["From"]), str(message["Subject"]), raw)
    try:
        with sqlite3.connect(sys.argv[1], timeout=60) as database:
            database.execute("INSERT INTO mail (message_id, author, subject, raw) VALUES (?, ?, ?, ?)", values)
    except sqlite3.Error:
        return EX_TEMPFAIL
    return 0


if __name__ == "__main__":
    sys.exit(main())
