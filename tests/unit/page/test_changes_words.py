"""The words of the log of changes: each key that a command notes has words, and a command's user is distinct from an account."""

import re
from pathlib import Path

from mailweir.store.web import change_log
from mailweir.store.web.accounts import Role
from mailweir.store.web.change_log import COMMAND_LINE
from tests.page import Page
from webapp import changes

REPOSITORY = Path(__file__).parents[3]


def test_each_key_that_commands_note_has_words(sqlite_page: Page) -> None:
    noted = re.compile(r'(?:@changes|instead)\(\s*"([a-z_.]+)"')
    found = {key for file in (REPOSITORY / "admin_cli").rglob("*.py") for key in noted.findall(file.read_text("utf-8"))}
    assert len(found) > 25
    with sqlite_page.app.test_request_context():
        assert {key for key in found if changes.words(key) == key} == set()


def test_who_ran_a_command_is_no_account(page: Page) -> None:
    for by in (f"{COMMAND_LINE}richard as root", "richard", f"{COMMAND_LINE}<b>\u202eroot"):
        change_log.note(page.database, page.demo.id, by, "group.added", "sales@firm.example", "", page.clock())
    body = page.browser("boss", Role.ADMIN).text("/admin/changes")
    assert "command line: richard as root" in body
    assert "command line: &lt;b&gt;\\u202eroot" in body
    assert body.count("added the group") == 3
