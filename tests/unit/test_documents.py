"""Documents refer to existing things: files and headings, commands with their options, settings, and variables of the role."""

import re
from pathlib import Path

import pytest
import yaml

from tests import documents
from tests.imports import REPOSITORY

# The changelog describes the past; decision records aren't rewritten.
CURRENT = [
    document
    for document in documents.of_folder(REPOSITORY)
    if document.path.name != "CHANGELOG.md" and document.path.parent.name != "decisions"
]
NO_SETTINGS = {
    "gmail.metadata": "one of Google's scopes",
    "gmail.readonly": "likewise",
    "gmail.quota": "a part of the fixture `gmail`",
}
# Quoted texts that a program puts together, with the part that is in its source; texts of libraries have no part.
PUT_TOGETHER = {
    "no answer from the filter": "no answer from ",
    "no answer from the filter: timed out": "no answer from ",
    "no answer from the look-ups": "no answer from ",
    "not running: mailweir-auth": "not running: ",
    "main.cf differs from the settings, from '": " differs from the settings, from ",
    ", not to mailweir": ", not to ",
    ": connection failed": "",
}
MADE_UP = {"docs/old/old.md": "made by test_in_debian"}
ROLE = REPOSITORY / "ansible" / "roles" / "mailweir"


def test_links_lead_to_a_file_and_to_a_heading_of_it() -> None:
    assert list(documents.broken_links(documents.of_folder(REPOSITORY))) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# A\n[b](b.md#its-first-heading) [c](c.md) [a](#a) [d](b.md#first) [e](https://x.example)\n"
    )
    (tmp_path / "b.md").write_text("## Its `first` heading\n```\n[no](link.md)\n```\n")
    assert list(documents.broken_links(documents.of_folder(tmp_path))) == ["a.md: c.md", "a.md: b.md#first"]


def test_documents_that_code_names_exist() -> None:
    named = set(documents.named_in_code(REPOSITORY))
    assert len(named) > 15
    missing = {name for _, name in named if not (REPOSITORY / name).exists()}
    assert missing - set(MADE_UP) == set()


def test_commands_in_documents_exist_with_their_options() -> None:
    found = [
        f"{document.path.name}: {unknown}"
        for document in CURRENT
        for code in document.code
        for unknown in documents.unknown_commands(code)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("mailweir why jane@client.example", []),
        ("sudo mailweir user add richard --email richard@firm.example", []),
        ("/opt/mailweir/releases/OLD/bin/mailweir db restore FILE", []),
        ("no 'mailweir up' runs on DIR", []),
        ("install -o mailweir -m 600 x y; chown mailweir: z; mailweir COMMAND --help", []),
        ("mailweir deployment add|set", []),
        ("mailweir deployment add|put", ["mailweir deployment add|put"]),
        ("mailweir wy jane@client.example", ["mailweir wy jane@client.example"]),
        ("mailweir user add richard --mail x", ["mailweir user add richard --mail x"]),
        ("x && mailweir db save FILE", ["mailweir db save FILE"]),
    ],
)
def test_a_command_that_is_not_there_is_found(code: str, expected: list[str]) -> None:
    assert list(documents.unknown_commands(code)) == expected


def test_settings_in_documents_exist() -> None:
    keys = {line.partition(": ")[0] for line in (documents.FROZEN / "settings.txt").read_text("utf-8").splitlines()}
    tops = "|".join({key.partition(".")[0] for key in keys if "." in key})
    named = {
        (document.path.name, found[1])
        for document in CURRENT
        for span in document.spans
        if (found := re.fullmatch(rf"((?:{tops})\.(?!md$|py$|log$)[a-z_]+)(?: = .*)?", span))
    }
    assert len(named) > 20
    assert {key for _, key in named} - keys == set(NO_SETTINGS)


def test_variables_of_the_role_in_documents_exist() -> None:
    known = {"mailweir_hostname"}.union(
        *(yaml.safe_load((ROLE / part / "main.yml").read_text()) for part in ("defaults", "vars"))
    )
    named = {
        word for document in CURRENT for code in document.code for word in re.findall(r"\bmailweir_[a-z0-9_]+", code)
    }
    assert len(named) > 15
    assert named - known == set()


def test_doctor_says_what_the_admins_document_quotes() -> None:
    (document,) = (one for one in CURRENT if one.path.name == "operations.md")
    quoted = [piece for cell in documents.column(document, "doctor says") for piece in documents.pieces(cell)]
    assert len(quoted) > 20
    assert set(PUT_TOGETHER) <= set(quoted)
    sought = [PUT_TOGETHER.get(piece, piece) for piece in quoted]
    assert [piece for piece in sought if not any(piece in text for text in documents.texts())] == []


def test_cells_and_quotes_are_read_from_a_table(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("| fault | doctor says |\n| --- | --- |\n| a | note: `N MiB free …: less than it` |\n\n| x | y |\n")
    (document,) = documents.of_folder(tmp_path)
    (cell,) = documents.column(document, "doctor says")
    assert list(documents.pieces(cell)) == [" MiB free ", ": less than it"]
