"""Every dialog of tests/dialogs against a running stack; and the reader of dialogs itself.

To try a single dialog: pytest tests/integration/test_dialogs.py -k client_forwarded
"""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.dialogs import runner, script

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

FOLDER = Path(script.__file__).parent
FILES = sorted(FOLDER.glob("*.smtp"))
# tests/dialogs/README.md shows it as a table
CAST = (
    ("deployment", "add", "demo", "--domain", "demo.example.net"),
    ("user", "add", "richard", "--email", "richard@firm.example", "--deployment", "demo"),
    ("user", "alias", "richard", "richard@mail.firm.example", "--deployment", "demo"),
    ("user", "add", "mary", "--email", "mary@firm.example", "--deployment", "demo"),
    ("contact", "add", "The client", "client@client.example", "--deployment", "demo"),
    ("contact", "add", "The buyer", "buyer@client.example", "--deployment", "demo"),
    ("deployment", "add", "other", "--domain", "other.example.org"),
    ("user", "add", "olga", "--email", "olga@second.example", "--deployment", "other"),
    ("contact", "add", "The same client", "client@client.example", "--deployment", "other"),
    ("contact", "add", "A buyer", "mary@firm.example", "--deployment", "other"),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def cast(request: pytest.FixtureRequest, make_module_stack: "MakeStack") -> "Stack":
    """A stack that knows the cast of the dialogs, on each kind of database."""
    overrides = {}
    if request.param == "postgresql":
        overrides["database"] = str(request.getfixturevalue("cluster").make_database(empty=True))
    stack = make_module_stack(admin_mailbox="admin@host.example", **overrides)
    for arguments in CAST:
        stack.cli(*arguments, check=True)
    return stack


def test_there_are_dialogs() -> None:
    assert len(FILES) > 20


def hold(name: str, text: str, stack: "Stack") -> None:
    """Runs a dialog's text, with a token of its own."""

    def outbox() -> list[bytes]:
        stack.drain()
        return stack.outbox()

    parsed = script.parse(Path(name), text, secrets.token_hex(8))
    runner.run(parsed, runner.Target(stack.smtp_port, stack.settings.database_url, stack.cli, outbox))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_dialog(file: Path, cast: "Stack") -> None:
    hold(file.name, file.read_text(encoding="utf-8"), cast)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("S: 250 2.1.5", "S: 550 5.1.1"), ": '550 5.1.1' was expected"),
        (("S: 250 2.1.5", "S: 250 2.1"), ": '250 2.1' was expected"),
        (("/STARTTLS/", "/^STARTLESS/"), ": /^STARTLESS/ isn't in"),
        (("S: 221 2.0.0", "S: closed"), ": the server goes on: 221"),
        (("C: QUIT\nS: 221 2.0.0", "C: RSET\nC: QUIT\nS: 250 2.0.0"), "the server says more: 221"),
        (("demo captured", "other captured"), ": no such decision"),
        (("(author is a contact)", "(author is a user)"), ": no such decision"),
        (("todos: richard", "todos: none"), ": todos is 'richard'"),
        (("raw has", "raw lacks"), ": raw lacks"),
        (("activities: +1", "activities: +2"), "client_forwarded.smtp: activities: +1 instead of +2"),
        (("activities: +1", "activities: +1\noutbox: a@b.example"), "went out to nobody instead of a@b.example"),
    ],
)
def test_a_dialog_fails_where_anything_differs(change: tuple[str, str], complaint: str, cast: "Stack") -> None:
    text = (FOLDER / "client_forwarded.smtp").read_text(encoding="utf-8")
    assert change[0] in text
    with pytest.raises(runner.DialogFailure) as raised:
        hold("client_forwarded.smtp", text.replace(*change), cast)
    assert complaint in str(raised.value)
    assert str(raised.value).startswith("client_forwarded.smtp:")


def test_a_dialog_fails_where_it_is_silent_of_a_decision(cast: "Stack") -> None:
    text = (FOLDER / "stranger_ignored.smtp").read_text(encoding="utf-8")
    with pytest.raises(runner.DialogFailure, match="decisions that the dialog doesn't name: demo ignored"):
        hold("stranger_ignored.smtp", text[: text.index("decision:")] + "activities: +0\n", cast)


GOOD = "# Shows it.\nC: EHLO client.example\nS: 250\n---\nactivities: +0\n"


def test_a_dialog_is_read() -> None:
    text = GOOD.replace("S: 250", r"C: A\xe9\n{id}" + "\n" + r"C! \r\n\\" + "\nS: 250 x /y/")
    parsed = script.parse(Path("a.smtp"), text, "token")
    assert parsed.steps[0] == script.Send(2, b"EHLO client.example\r\nA\xe9\\ntoken\r\n\r\n\\")
    assert parsed.steps[1] == script.Expect(5, "250 x", "y")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("# Shows it.\n", ""), "a.smtp:1: a dialog begins with"),
        (("---\n", ""), "a.smtp:4: a dialog has one line '---'"),
        (("S: 250", "S 250"), "a.smtp:3: a line begins with"),
        (("S: 250", "S: ok"), "a.smtp:3: a reply is a code"),
        (("S: 250", "S: 250 /(/"), "a.smtp:3: the pattern can't be read"),
        (("S: 250", "$ rm x"), "a.smtp:3: only 'mailweir …' can be run"),
        (("S: 250", r"C! \q"), "a.smtp:3: an escape is"),
        (("C: EHLO client.example\n", ""), "a.smtp:3: the client says nothing"),
        (("activities: +0", ""), "is missing after"),
        (("activities: +0", "activities: 1"), "a.smtp:5: 'decision: …', 'activities: +N'"),
        (("activities: +0", "  author: x@y.example"), "a.smtp:5: below a decision stands"),
        (("activities: +0", "decision: demo taken"), "a.smtp:5: a decision is"),
    ],
)
def test_what_is_no_dialog_is_named_by_file_and_line(change: tuple[str, str], complaint: str) -> None:
    with pytest.raises(script.ScriptError) as raised:
        script.parse(Path("a.smtp"), GOOD.replace(*change), "token")
    assert complaint in str(raised.value)
