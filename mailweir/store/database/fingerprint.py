"""A number for a text, computed by the database, for indexes that must not contain the text.

SQLite leaves copies of index entries behind if it splits or joins pages, and `secure_delete` doesn't reach them. So the key of an
index is never a text that can be erased, but a number made of some of its characters. Equal texts have equal numbers. Different
texts may share one, so a statement compares the text as well. Addresses of one domain, such as numbered ones, often differ in a
few neighbouring characters alone, so an address's number is made of more characters. Pure. Called by migrations 0038 and 0042 and
by `decision_search`.
"""

# Places of characters, counted from 1. They go up to 26, because Message-IDs may begin alike. Never change them: existing
# databases have indexes by them, and other places need another migration.
_PLACES = (1, 2, 4, 6, 8, 10, 12, 13, 16, 19, 22, 26)
_BASE = 11  # its eleventh power times the highest code point is below 2**63
# Places in an address: most of the local part, then some of the domain. Each of the two rows makes a number below 2**31.
_PLACES_OF_ADDRESS = (tuple(range(1, 17)), (17, 18, 20, 22, 24, 26, 29, 33))
_BASE_OF_ADDRESS, _CODES = 13, 128  # the fifteenth power of the base times 128 is below 2**63
_MODULUS = 2**31 - 1


def sql(column: str, *, is_sqlite: bool) -> str:
    """The SQL expression for the number of a text column; NULL for NULL."""
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


def address_sql(column: str, *, is_sqlite: bool) -> str:
    """The SQL expression for a column of addresses; NULL for NULL. PostgreSQL's own function reads the whole text."""
    if not is_sqlite:
        return f"HASHTEXTEXTENDED({column}, 0)"
    first, second = (
        " + ".join(
            f"COALESCE(UNICODE(SUBSTR({column}, {place}, 1)), 0) % {_CODES} * {_BASE_OF_ADDRESS**power}"
            for power, place in enumerate(places)
        )
        for places in _PLACES_OF_ADDRESS
    )
    return f"(LENGTH({column}) * 0 + ({first}) % {_MODULUS} * {2**31} + ({second}) % {_MODULUS})"


def asked_address(text: str, *, is_sqlite: bool) -> tuple[str, int | str]:
    """The number of an address that a search looks for: SQL with one parameter, and the parameter's value."""
    return ("?", _of_address(text)) if is_sqlite else ("HASHTEXTEXTENDED(CAST(? AS TEXT), 0)", text)


def _of_address(text: str) -> int:
    first, second = (
        sum(
            ord(text[place - 1]) % _CODES * int(_BASE_OF_ADDRESS**power)
            for power, place in enumerate(places)
            if place <= len(text)
        )
        for places in _PLACES_OF_ADDRESS
    )
    return first % _MODULUS * 2**31 + second % _MODULUS
