"""`contact import`, `contact export` and `contact add --shared`, on a real database and real files."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailweir.contact_files.lines import MAX_FILE_BYTES
from mailweir.store.database.connection import Database
from tests import needs

Mailweir = Any
TABLES = ("companies", "contacts", "contact_addresses")
CSV = "Company,Name,E-mail 1 - Value,E-mail 2 - Value\nClient Ltd,Jane,jane@client.example,j@x.example\n,Joe,joe@x.example,\n"
VCARD = (
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Jane\r\nORG:Client Ltd\r\nEMAIL:jane@client.example\r\nitem1.EMAIL;PREF=1:j@x.example\r\n"
    "END:VCARD\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nN:;Joe;;;\r\nEMAIL:joe@x.example\r\nEND:VCARD\r\n"
)


def _content(database: Database) -> list[Any]:
    return [database.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in TABLES]


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    """A command line with one deployment and one user."""
    assert mailweir("deployment", "add", "demo", "--domain", "demo.example.net").code == 0
    assert mailweir("user", "add", "richard", "--email", "richard@firm.example").code == 0
    return mailweir


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a test's files."""
    (tmp_path / "clients.csv").write_text(CSV)
    (tmp_path / "cards.vcf").write_text(VCARD)
    return tmp_path


@pytest.mark.parametrize("name", ["clients.csv", "cards.vcf"])
def test_a_file_is_imported_and_a_second_time_changes_nothing(
    demo: Mailweir, database: Database, folder: Path, name: str
) -> None:
    file = str(folder / name)
    ran = demo("contact", "import", file)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{file}: 2 contacts added, 0 completed, 0 unchanged in demo; 1 companies added.\n"
    listed = {row["name"]: row for row in demo("contact", "list", "--json").json}
    assert listed["Jane"]["addresses"] == ["jane@client.example", "j@x.example"]
    assert (listed["Jane"]["company"], listed["Joe"]["company"]) == ("Client Ltd", None)
    before = _content(database)
    again = demo("contact", "import", file, "--json")
    assert (again.code, again.err) == (0, "")
    assert again.json == {
        "file": file,
        "deployment": "demo",
        "written": True,
        "added": 0,
        "completed": 0,
        "unchanged": 2,
        "kept_company": 0,
        "companies_added": 0,
        "left_out": 0,
        "bad": [],
    }
    assert _content(database) == before


def test_a_bad_row_holds_all_back_without_partial(demo: Mailweir, database: Database, folder: Path) -> None:
    file = folder / "clients.csv"
    file.write_text(CSV + ",Zoe,zoe,\n,Rich,richard@firm.example,\n,A\x1b[31m,a@x.example,\n")
    before = _content(database)
    ran = demo("contact", "import", str(file))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        f"mailweir: {file} line 4: 'zoe' is not a mail address; one looks like jane@example.com",
        f"mailweir: {file} line 5: richard@firm.example is already an address of the user richard in demo",
        f"mailweir: {file} line 6: the contact's name 'A\\x1b[31m' holds a control character",
        "mailweir: nothing is imported: 3 rows are bad; with --partial the 2 others would be kept",
    ]
    assert _content(database) == before
    ran = demo("contact", "import", str(file), "--json")
    assert (ran.code, ran.json["written"], ran.json["left_out"]) == (1, False, 3)
    assert [row["line"] for row in ran.json["bad"]] == [4, 5, 6]
    assert _content(database) == before
    ran = demo("contact", "import", str(file), "--partial")
    assert ran.code == 1
    assert "2 contacts added" in ran.out
    assert ran.err.splitlines()[-1] == "mailweir: kept 2, left out 3"
    assert len(demo("contact", "list", "--json").json) == 2


def test_of_many_bad_rows_the_first_are_listed(demo: Mailweir, folder: Path) -> None:
    (folder / "bad.csv").write_text("name,address\n" + "Joe,joe\n" * 50)
    lines = demo("contact", "import", str(folder / "bad.csv")).err.splitlines()
    assert [line.partition(" line ")[2].partition(":")[0] for line in lines[:20]] == [str(n) for n in range(2, 22)]
    assert lines[20:] == [
        "mailweir: and 30 more bad rows",
        "mailweir: nothing is imported: 50 rows are bad; with --partial the 0 others would be kept",
    ]


def test_a_shared_address_needs_leave(demo: Mailweir, folder: Path) -> None:
    assert demo("contact", "add", "Office", "jane@client.example").code == 0
    ran = demo("contact", "import", str(folder / "clients.csv"))
    assert (ran.code, ran.out) == (1, "")
    assert "line 2: jane@client.example is already an address of the contact Office in demo" in ran.err
    ran = demo("contact", "add", "Zoe", "jane@client.example")
    assert "already an address of the contact Office" in ran.err
    assert demo("contact", "import", str(folder / "clients.csv"), "--shared").code == 0
    assert demo("contact", "add", "Zoe", "jane@client.example", "--shared", "--json").json["name"] == "Zoe"
    assert demo("contact", "add", "zoe", "jane@client.example", "--shared").code == 1
    assert demo("contact", "add", "X", "richard@firm.example", "--shared").code == 1
    holders = [
        row["name"] for row in demo("contact", "list", "--json").json if "jane@client.example" in row["addresses"]
    ]
    assert holders == ["Jane", "Office", "Zoe"]


def test_company_and_deployment_may_be_named(demo: Mailweir, folder: Path) -> None:
    demo("deployment", "add", "other", "--domain", "other.example.net")
    file = str(folder / "clients.csv")
    assert "name one with --deployment" in demo("contact", "import", file).err
    assert "name one with --deployment" in demo("contact", "export").err
    assert demo("contact", "import", file, "--deployment", "other", "--company", "Rest Ltd").code == 0
    assert demo("contact", "list", "--deployment", "demo", "--json").json == []
    companies = {row["name"]: row["company"] for row in demo("contact", "list", "--deployment", "other", "--json").json}
    assert companies == {"Jane": "Client Ltd", "Joe": "Rest Ltd"}
    assert demo("contact", "export", "--deployment", "demo").out == "name,address,company\r\n"


@pytest.mark.parametrize("form", ["csv", "vcard"])
def test_an_export_is_imported_as_the_same(demo: Mailweir, database: Database, folder: Path, form: str) -> None:
    demo("deployment", "add", "copy", "--domain", "copy.example.net")
    demo("company", "add", 'Müller; Söhne, "GmbH"', "--deployment", "demo")
    for name in ("=1+1", "@Doe, Jane; \\n", "Jürgen"):
        assert demo(
            "contact", "add", name, f"{name[-3:-2]}a@x.example", '"a;b, c"@x.example', "--shared", "--company",
            "Müller; Söhne, \"GmbH\"", "--deployment", "demo",
        ).code == 0  # fmt: skip
    ran = demo("contact", "export", "--format", form, "--deployment", "demo")
    assert (ran.code, ran.err) == (0, "")
    target = folder / "out.txt"
    ran_to_file = demo("contact", "export", "--format", form, "--output", str(target), "--deployment", "demo")
    assert (ran_to_file.code, ran_to_file.out) == (0, "")
    assert target.read_bytes() == ran.raw_out
    assert demo("contact", "export", "--format", form, "--output", "-", "--deployment", "demo").raw_out == ran.raw_out
    assert demo("contact", "import", str(target), "--format", form, "--deployment", "copy", "--shared").code == 0
    both = [
        [
            (row["name"], row["addresses"], row["company"])
            for row in demo("contact", "list", "--deployment", of, "--json").json
        ]
        for of in ("demo", "copy")
    ]
    assert both[0] == both[1]
    assert len(both[0]) == 3
    before = _content(database)
    assert demo("contact", "import", str(target), "--format", form, "--deployment", "demo").code == 0
    assert _content(database) == before


def test_formulas_are_text_to_a_spreadsheet_unless_exact_is_asked_for(
    demo: Mailweir, database: Database, folder: Path
) -> None:
    demo("company", "add", "@Work", "--deployment", "demo")
    for name, address in (("+44 20 7946 0000", "-a@x.example"), ("=1+1", "b@x.example"), ("'=2", "c@x.example")):
        assert demo("contact", "add", "--company", "@Work", "--", name, address).code == 0
    guarded = (
        "name,address,company",
        "'+44 20 7946 0000,'-a@x.example,'@Work",
        "''=2,c@x.example,'@Work",
        "'=1+1,b@x.example,'@Work",
    )
    exact = (
        "name,address,company",
        "+44 20 7946 0000,-a@x.example,@Work",
        "'=2,c@x.example,@Work",
        "=1+1,b@x.example,@Work",
    )
    before = _content(database)
    for lines, options in ((guarded, ()), (exact, ("--exact",))):
        out = demo("contact", "export", *options).out
        assert sorted(out.splitlines()) == sorted(lines)
        (folder / "out.csv").write_text(out)
        assert "3 unchanged" in demo("contact", "import", str(folder / "out.csv"), *options).out
        assert _content(database) == before


def test_an_export_follows_no_link_of_somebody_else(demo: Mailweir, folder: Path) -> None:
    needs.root()
    victim, link = folder / "victim", folder / "laid.csv"
    victim.write_text("untouched")
    link.symlink_to(victim)
    os.chown(link, 65534, 65534, follow_symlinks=False)
    ran = demo("contact", "export", "--output", str(link))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "leads through a symbolic link that somebody else made" in ran.err
    assert victim.read_text() == "untouched"


def test_the_format_is_told_by_the_name(demo: Mailweir, folder: Path) -> None:
    assert demo("contact", "import", str(folder / "cards.vcf")).code == 0
    for name, begin in (("a.VCF", b"BEGIN:VCARD"), ("a.csv", b"name,address")):
        assert demo("contact", "export", "--output", str(folder / name)).code == 0
        assert (folder / name).read_bytes().startswith(begin)


def test_what_cant_be_read_or_written_is_one_line(demo: Mailweir, database: Database, folder: Path) -> None:
    (folder / "clients").write_text(CSV)
    with (folder / "huge.csv").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    before = _content(database)
    for line, words in (
        (f"contact import {folder}/none.csv", "No such file"),
        (f"contact import {folder}", "give --format"),
        (f"contact import {folder} --format csv", "Is a directory"),
        (f"contact import {folder}/clients", "give --format csv or vcard"),
        (f"contact import {folder}/huge.csv", "larger than 200 MB"),
        (f"contact import {folder}/clients.csv --deployment nope", "unknown deployment"),
        (f"contact export --output {folder}/none/x.csv", "can't be written: No such file"),
        (f"contact export --output {folder}/x", "give --format"),
    ):
        ran = demo(*line.split())
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1), line
        assert words in ran.err
    assert demo("contact", "import", str(folder / "clients"), "--format", "nonsense").code == 2
    assert _content(database) == before


def _read(terminal: int) -> bytes:
    """Reads the terminal; nothing if the other end is closed."""
    try:
        return os.read(terminal, 4096)
    except OSError:  # EIO
        return b""


def test_a_terminal_gets_a_bar_and_stdout_stays_clean(demo: Mailweir, folder: Path, database: Database) -> None:
    database.close()
    (folder / "many.csv").write_text("name,address\n" + "".join(f"P{n},p{n}@x.example\n" for n in range(6000)))
    code = "import sys; from admin_cli.main import run; sys.exit(run())"
    terminal, stderr = pty.openpty()
    # Output beyond a terminal's buffer would block the program. So the test reads it meanwhile.
    with subprocess.Popen(
        [sys.executable, "-c", code, "contact", "import", str(folder / "many.csv"), "--json"],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"},
    ) as process:
        os.close(stderr)
        shown = b"".join(iter(lambda: _read(terminal), b""))
        os.close(terminal)
        assert process.stdout is not None
        out = process.stdout.read()
    assert process.returncode == 0, shown
    assert b"importing" in shown
    assert b"100%" in shown
    assert out.startswith(b"{")
    assert b'"added": 6000' in out
