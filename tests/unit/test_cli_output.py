"""Output can't control the terminal, whatever a mail contains."""

import contextlib
import io
import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from admin_cli import output, tables
from mailweir.printable import printable
from mailweir.store.people.deployments import Deployment
from mailweir.store.record.activities import Activity, Participant

HOSTILE = "\x1b]0;owned\x07 \x9b31m [red]x[/red] \u202etxt.exe \r\n\x08\x7f \udc80 [link=http://x.example]y[/link]"


def _is_harmless(text: str) -> bool:
    return not any(ord(char) < 32 or 127 <= ord(char) < 160 or "\u202a" <= char <= "\u202e" for char in text)


@given(st.text(st.characters()) | st.text(st.sampled_from(HOSTILE)))
def test_printable_text_has_no_control_characters(text: str) -> None:
    shown = printable(text)
    assert _is_harmless(shown)
    assert printable(shown) == shown
    shown.encode()


JOINED = (
    "a \U0001f9d1\u200d\U0001f4bb",  # a technologist
    "\U0001f468\U0001f3fd\u200d\u2764\ufe0f\u200d\U0001f468\U0001f3fb",  # a couple, each with a skin tone
    "\U0001f3f3\ufe0f\u200d\U0001f308 1\ufe0f\u20e3 \u2122\ufe0e",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland
    "می\u200cخواهم",  # Persian: one word, two parts
    "क\u094d\u200dष \u0d28\u0d4d\u200d",  # Devanagari; Malayalam, at a word's end
    "\u845b\U000e0100\u57ce",  # a Japanese name with a rare form of its first character
    "\u182d\u180b\u1820",  # Mongolian
    "\u0661\u0662\u0663 \u06dd",
)


@pytest.mark.parametrize(
    "text", [*JOINED, "Angebot für Müller", "見積書", "Здравствуйте", "שלום", "naïve e\u0301 \xa0 \u3000"]
)
def test_ordinary_text_in_any_script_is_left_alone(text: str) -> None:
    assert printable(text) == text
    assert printable(f"Re: {text}!") == f"Re: {text}!"


@pytest.mark.parametrize(
    "char", list("\u200b\u200c\u200d\u2060\ufeff\xad\u034f\u3164\ufe0f\U000e0100\u180b\u202e\u2066\ufff9\U000e0061")
)
def test_what_cant_be_seen_is_shown_where_it_doesnt_belong(char: str) -> None:
    code = char.encode("unicode_escape").decode()
    for before, after in (
        ("Ja", "ne"),
        ("", "Jane"),
        ("Jane", ""),
        ("Müller ", " x"),
        ("\u202e", "\u200d"),
        ("5", "7"),
    ):
        shown = printable(f"{before}{char}{after}")
        assert code in shown
        assert char not in shown
    assert char not in printable(f"Jane{char}{char}") + printable(f"\U0001f9d1{char}{char}x").removesuffix("x")[2:]


def test_of_all_characters_the_unseen_are_shown_and_no_others() -> None:
    """By Unicode's categories, with the characters that are ignorable by default. Arabic's number signs are visible format
    characters."""
    seen = {0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606)}
    ignorable = {
        0x34F,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        0x3164,
        0xFFA0,
        0x2065,
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
    }
    ignorable |= {*range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)}
    # unassigned characters may be assigned in a later version of Unicode
    decided = [code for code in range(0x110000) if unicodedata.category(chr(code)) != "Cn" or code in ignorable]
    for code in decided:
        unseen = unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in seen
        is_shown = printable(f"x{chr(code)}x") != f"x{chr(code)}x"
        assert is_shown == (unseen or code in ignorable), hex(code)


@given(st.text(st.sampled_from("".join(JOINED) + HOSTILE + "\u200b\u200c\ufe0f\U000e0061ab")))
def test_shown_once_it_stays_as_it_is(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    assert not set(shown) & set("\u200b\u202e\x1b\ufeff")


def test_a_whole_message_is_exact_but_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    raw = b"Subject: \x1b]0;owned\x07\xff\r\n\tfolded\r\n\r\n\xe2\x80\xaetxt.exe\r\n"
    output.whole(raw)
    assert capsysbinary.readouterr().out == raw
    terminal = _Terminal()
    with contextlib.redirect_stdout(terminal):
        output.whole(raw)
    assert terminal.getvalue() == "Subject: \\x1b]0;owned\\x07\\xff\n\tfolded\n\n\\u202etxt.exe\n"


def test_a_table_of_80_columns_holds_what_was_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ("1", "Ja\u200bne", "\u202e" * 8 + "x" * 60, "a"),
        ("2", "見積書", "\U000e0061" * 20, "b"),
        ("3", "Jane", "x", "c"),
    ]
    lines = drawn(monkeypatch, 80, ("id", "name", "subject", "by"), *rows)
    assert max(map(cell_len, lines)) <= 80
    starts = {line.split()[0]: line for line in lines if line.split() and line.split()[0] in "123"}
    assert "Ja\\u200bne" in starts["1"]
    columns = {
        cell_len(line[: line.rindex(by)]) for line, by in ((starts["1"], "a"), (starts["2"], "b"), (starts["3"], "c"))
    }
    assert len(columns) == 1


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_on_a_terminal_sends_its_own_escapes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = _Terminal()
    with contextlib.redirect_stdout(terminal):
        tables.show(("id", "subject"), [("1", HOSTILE)], empty="none")
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
        tables.show(columns, list(rows), empty="none")
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
    tables.show(("id", "subject", "by"), [("1", "見積書", "a"), ("22", HOSTILE, "b"), ("3", "", "c")], empty="none")
    head, first, hostile, last = capsys.readouterr().out.splitlines()
    assert "\x1b" not in hostile
    assert head.startswith("id  subject ")
    assert first.startswith("1   見積書 ")
    assert head.index("by") == last.index("c") == hostile.rindex("b")
    assert first.index("a") == last.index("c") - 3, "each of these characters takes two columns"


def test_an_empty_table_leaves_stdout_empty(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(("id",), [], empty="There is no such activity.")
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


def test_a_time_has_one_text_for_programs_and_one_for_people() -> None:
    made = datetime(2026, 11, 24, 5, 12, 55, tzinfo=timezone(timedelta(hours=2)))
    tenant = Deployment(1, "demo", "demo.example.net", made)
    assert output.plain(tenant)["created_at"] == output.json_value(made) == "2026-11-24T03:12:55.000000Z"
    assert (output.json_value(None), output.moment(None)) == (None, "-")
    assert output.moment(made) == "2026-11-24 03:12:55Z"
    assert output.moment(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01 00:00:00Z"


def test_what_is_rare_has_a_key_only_where_it_is_so() -> None:
    made = datetime(2026, 11, 24, tzinfo=UTC)
    with_bcc = (Participant("Jane", "jane@x.example", None), Participant("Joe", "joe@x.example", None, bcc=True))
    activity = Activity(
        1, "demo", "incoming", (), "a@x.example", with_bcc, (), "", None, made, None, "pass", None, "b@x.example"
    )
    found = output.plain(activity)
    assert [sorted(one) for one in found["contacts"]] == [
        ["address", "company", "name"],
        ["address", "bcc", "company", "name"],
    ]
    assert (found["via"], found["sent_at"], "author_doubt" in found) == ("b@x.example", None, False)
    assert json.loads(json.dumps(found)) == found
