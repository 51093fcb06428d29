"""What is printed can't speak to the terminal, whatever came by mail."""

import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin_cli import output

HOSTILE = "\x1b]0;owned\x07 \x9b31m [red]x[/red] \u202etxt.exe \r\n\x08\x7f \udc80 [link=http://x.example]y[/link]"


def _is_harmless(text: str) -> bool:
    return not any(ord(char) < 32 or 127 <= ord(char) < 160 or "\u202a" <= char <= "\u202e" for char in text)


@given(st.text(st.characters()) | st.text(st.sampled_from(HOSTILE)))
def test_printable_text_has_no_control_characters(text: str) -> None:
    shown = output.printable(text)
    assert _is_harmless(shown)
    assert output.printable(shown) == shown
    shown.encode()


def test_ordinary_text_in_any_script_is_left_alone() -> None:
    for text in ("Angebot für Müller", "見積書", "Здравствуйте", "שלום", "a \U0001f9d1\u200d\U0001f4bb"):
        assert output.printable(text) == text


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_on_a_terminal_sends_its_own_escapes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = _Terminal()
    with contextlib.redirect_stdout(terminal):
        output.table(("id", "subject"), [("1", HOSTILE)], empty="none")
    text = terminal.getvalue()
    assert "[red]x[/red]" in text, "brackets are no markup"
    assert "\\x1b]0;owned\\x07" in text
    assert "\\x9b31m" in text
    assert "\x1b[1m" in text, "the heading is bold"
    assert _is_harmless(text.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\n", ""))


def drawn(monkeypatch: pytest.MonkeyPatch, width: int, columns: tuple[str, ...], *rows: tuple[str, ...]) -> list[str]:
    """The lines of a table on a terminal of that width."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = _Terminal()
    with contextlib.redirect_stdout(terminal):
        output.table(columns, list(rows), empty="none")
    text = terminal.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    return [line.rstrip() for line in text.splitlines()]


def test_a_narrow_table_breaks_no_word_that_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(
        monkeypatch,
        38,
        ("direction", "author", "subject"),
        ("incoming", "somebody@client.example", "your offer of the day before yesterday, and two questions"),
    )
    text = " ".join(lines)
    assert all(f" {word} " in f" {text} " for word in ("direction", "incoming", "yesterday,", "questions"))
    assert max(map(len, lines)) <= 38


def test_a_table_that_is_too_wide_is_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = tuple(f"column-{letter}" for letter in "abcdefgh")
    rows = [tuple(f"{cell}{letter}" for letter in "abcdefgh") for cell in ("x", "y")]
    lines = drawn(monkeypatch, 70, columns, *rows)
    assert lines[:2] == ["column-a  xa", "column-b  xb"]
    assert lines[8] == ""
    assert lines[9] == "column-a  ya"
    assert len(lines) == 17
    assert len(drawn(monkeypatch, 120, columns, *rows)) < 8


def test_a_list_is_harmless_and_leaves_out_what_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(monkeypatch, 10, ("id", "subject", "note"), ("1", HOSTILE, ""))
    assert [line.split()[0] for line in lines] == ["id", "subject"]
    assert _is_harmless("".join(lines))


def test_a_piped_table_is_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("id", "subject", "by"), [("1", "見積書", "a"), ("22", HOSTILE, "b"), ("3", "", "c")], empty="none")
    head, first, hostile, last = capsys.readouterr().out.splitlines()
    assert "\x1b" not in hostile
    assert head.startswith("id  subject ")
    assert first.startswith("1   見積書 ")
    assert head.index("by") == last.index("c") == hostile.rindex("b")
    assert first.index("a") == last.index("c") - 3, "each of these characters takes two columns"


def test_an_empty_table_leaves_stdout_empty(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("id",), [], empty="There is no such activity.")
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", "There is no such activity.\n")


def test_sentences_errors_and_json_are_harmless_too(capsys: pytest.CaptureFixture[str]) -> None:
    output.say(HOSTILE)
    output.complain(HOSTILE)
    output.show_json({"subject": HOSTILE})
    written = capsys.readouterr()
    assert _is_harmless(written.out.replace("\n", ""))
    assert written.err.startswith("mailweir: ")
    assert written.err.count("\n") == 1
    assert _is_harmless(written.err.replace("\n", ""))
    assert json.loads(written.out.split("\n", 1)[1]) == {"subject": HOSTILE}
