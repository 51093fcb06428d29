"""docs/reference agrees with the program: `make reference` would change nothing, and `--help` has the same texts."""

import re
from typing import Any

import pytest

from admin_cli import main
from scripts import write_reference

COMMANDS = list(write_reference.walk())
PAGES = write_reference.pages()


@pytest.mark.parametrize("name", ["commands.md", "settings.md"])
def test_the_pages_are_up_to_date(name: str) -> None:
    """If this fails, run `make reference`."""
    assert (write_reference.FOLDER / name).read_text("utf-8") == PAGES[name]


def _packed(text: str) -> str:
    """A text without blanks and line ends, because each terminal wraps it differently."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_help_and_page_are_one_text(path: tuple[str, ...], command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([*path[1:], "--help"]) == 0
    shown = _packed(capsys.readouterr().out)
    texts = [*write_reference.help_texts(command), *[one.help for one in write_reference.parameters(command)]]
    assert [text for text in texts if _packed(text) not in shown] == []
    page = re.sub(r"\\([*<|])", r"\1", PAGES["commands.md"])
    assert f" {' '.join(path)}\n" in page
    assert [text for text in texts if _packed(text) not in _packed(page)] == []


def test_each_setting_says_what_it_means() -> None:
    assert min(write_reference.sample().values(), key=len) != ""
