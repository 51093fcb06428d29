"""One event as one line of logfmt, `key=value key="a value"`, fast enough for the path of every message.

Never lets a value forge a line or a key: a value that isn't plain is written as a JSON string in ASCII, so line ends, quotes,
control characters and bidirectional controls become `\\uXXXX`. Pure. structlog's processors take two to three times as long.
Called by the filter's event log.
"""

import re
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii

_IS_PLAIN = re.compile(r"[A-Za-z0-9.,:;@<>()+*/_~!#$%&^|?-]+").fullmatch


def line(fields: Mapping[str, object]) -> str:
    """The fields in their order, without a line end. Keys are our own words; values of None are left out."""
    return " ".join([f"{key}={_value(value)}" for key, value in fields.items() if value is not None])


def _value(value: object) -> str:
    text = value if type(value) is str else str(value)
    if _IS_PLAIN(text):
        return text
    return encode_basestring_ascii(text).replace("\x7f", "\\u007f")
