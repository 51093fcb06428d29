"""Files within a text, as uuencode wrote them."""

import pytest

from mailweir.reading import uuencode

FILE = b"begin 644 a b.txt\n%:&5L;&\\\n`\nend\n"


def found(text: bytes) -> list[tuple[bytes, bytes]]:
    """Name and lines of each file."""
    return [(file.name, text[file.start : file.end]) for file in uuencode.find(text, 0, len(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (FILE, [(b"a b.txt", FILE)]),
        (b"hi\n" + FILE + b"bye", [(b"a b.txt", FILE)]),
        (FILE + FILE, [(b"a b.txt", FILE)] * 2),
        (FILE.replace(b"\n", b"\r\n"), [(b"a b.txt", FILE.replace(b"\n", b"\r\n"))]),
        (b"begin 644 x\n%:&5L;&\\\nthat was all\n", [(b"x", b"begin 644 x\n%:&5L;&\\\n")]),
        (b"begin 644 x\n%:&5L;&\\", [(b"x", b"begin 644 x\n%:&5L;&\\")]),
        (b"begin 644 x\nBegin with the end.\n", []),
        (b"begin 644 x\nWRITTEN IN CAPITALS\n", []),
        (b"begin with the end\n%:&5L;&\\\n", []),
        (b"> begin 644 x\n%:&5L;&\\\n", []),
        (b"begin 644 \n%:&5L;&\\\n", []),
        (b"begin 644 x\nbegin 644 y\n%:&5L;&\\\n`\nend\n", [(b"y", b"begin 644 y\n%:&5L;&\\\n`\nend\n")]),
    ],
)
def test_files_are_found_by_lines_that_hold_what_they_say(text: bytes, expected: list[tuple[bytes, bytes]]) -> None:
    assert found(text) == expected


def test_files_are_looked_for_within_bounds_alone() -> None:
    assert list(uuencode.find(b"x" + FILE + FILE, 1, 1 + len(FILE))) == [uuencode.File(b"a b.txt", 1, 1 + len(FILE))]


def test_there_is_an_end_to_files_and_their_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuencode, "MAX_FILES", 10)
    assert found(b"begin 644 x\n" * 10 + FILE) == []
    monkeypatch.setattr(uuencode, "MAX_LINES", 3)
    text = b"begin 644 x\n" + b"!A   \n" * 10
    assert found(text) == [(b"x", b"begin 644 x\n" + b"!A   \n" * 3)]
    assert len(b"".join(uuencode.decode(text))) == 3
