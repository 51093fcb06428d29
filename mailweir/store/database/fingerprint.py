"""A number for a text, computed by the database and by Python alike, for indexes that must not contain the text.

SQLite leaves copies of index entries behind if it splits or joins pages, and `secure_delete` doesn't reach them. So text that can
be erased isn't the key of an index; a number made of some of its characters is. Equal texts have equal numbers. Different texts
may share one, so a statement compares the text as well. Pure. Called by migration 0038 and `decision_search`.
"""

# Of characters, from 1: a Message-ID differs later than an address. Never change these: existing databases have indexes by them,
# and others take another migration.
_PLACES = (1, 2, 4, 6, 8, 10, 12, 13, 16, 19, 22, 26)
_BASE = 11  # its eleventh power times the highest code point is below 2**63


def sql(column: str, *, is_sqlite: bool) -> str:
    """The expression for a text column; NULL for NULL."""
    code = "COALESCE(UNICODE(SUBSTR({}, {}, 1)), 0)" if is_sqlite else "ASCII(SUBSTR({}, {}, 1))"
    parts = [f"CAST({code.format(column, place)} AS BIGINT) * {_BASE**power}" for power, place in enumerate(_PLACES)]
    return f"(LENGTH({column}) + {' + '.join(parts)})"


def of(text: str) -> int:
    """The number of this text."""
    number = len(text)
    for power, place in enumerate(_PLACES):
        if place <= len(text):
            number += ord(text[place - 1]) * int(_BASE**power)
    return number
