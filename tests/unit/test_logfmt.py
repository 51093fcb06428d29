"""A log line contains its input and nothing else, whatever a mail contains."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailweir import logfmt

_FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "=]*)(?: |\Z)')


def parse(line: str) -> dict[str, str]:
    """Parses a line as logfmt parsers do; AssertionError if it is invalid."""
    found: dict[str, str] = {}
    at = 0
    while at < len(line):
        match = _FIELD.match(line, at)
        assert match, line[at:]
        key, value = match[1], match[2]
        assert key not in found
        found[key] = json.loads(value) if value.startswith('"') else value
        at = match.end()
    return found


NASTY = st.text() | st.text(alphabet='"\\=\n\r\t\x00\x1b\x7f\x85\u2028\u202e\ud800 ab', max_size=30)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the machine may be busy
@given(st.dictionaries(st.sampled_from(["event", "author", "message_id", "reason"]), NASTY | st.integers()))
def test_a_line_is_read_back_as_it_was_given(fields: dict[str, object]) -> None:
    line = logfmt.line(fields)
    assert line.isascii()
    assert line.isprintable()
    assert parse(line) == {key: str(value) for key, value in fields.items()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<1@client.example>", "k=<1@client.example>"),
        ("author is a contact", 'k="author is a contact"'),
        ("", 'k=""'),
        (12, "k=12"),
        ("a=b", 'k="a=b"'),
        ("x\nevent=captured", 'k="x\\nevent=captured"'),
    ],
)
def test_plain_values_stand_bare(value: object, expected: str) -> None:
    assert logfmt.line({"k": value}) == expected


def test_what_is_none_is_left_out() -> None:
    assert logfmt.line({"a": None, "b": 1}) == "b=1"
