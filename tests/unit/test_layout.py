"""The layout that the design asks for: import names, docstrings, and the names in documents."""

import ast
import importlib
import re
import subprocess
import sys

import pytest

from tests.imports import REPOSITORY, modules, sources, within

PACKAGES = ("mailweir", "milter", "postfix", "admin_cli", "gmail_sync", "integrations", "bench", "tests")


def test_pymilter_keeps_its_names() -> None:
    """pymilter installs `milter`, `Milter` and `mime`: a package or module of ours with that name would hide its own."""
    assert not (REPOSITORY / "milter" / "__init__.py").exists()
    assert not (REPOSITORY / "tests" / "milter").exists()
    assert [file for file in sources(PACKAGES) if file.name.lower() in ("mime.py", "milter.py")] == []
    taken = [folder for folder in REPOSITORY.iterdir() if folder.is_dir() and folder.name in ("Milter", "mime")]
    assert taken == []


@pytest.mark.parametrize("path", [["."], [".", "milter"], []])
def test_pymilter_can_be_imported_from_the_root(path: list[str]) -> None:
    code = "import sys; sys.path[:0] = sys.argv[1:]; import Milter, milter, mime; milter.setconn; Milter.Base; mime.MimeMessage"
    ran = subprocess.run(
        [sys.executable, "-c", code, *path], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_the_filters_package_can_be_imported() -> None:
    assert importlib.import_module("capture_milter").__name__ == "capture_milter"


def test_tests_are_no_packages() -> None:
    assert [file for file in (REPOSITORY / "tests").rglob("__init__.py")] == []


def test_no_module_of_ours_is_named_for_nothing() -> None:
    vague = {"utils", "helpers", "manager", "common", "util", "misc", "base", "core"}
    assert [file for file in sources(PACKAGES) if file.stem in vague] == []


def test_each_module_says_what_it_is() -> None:
    assert [file for file in sources(PACKAGES) if not ast.get_docstring(ast.parse(file.read_text("utf-8")))] == []


def _users_in_docstring(text: str) -> list[str]:
    """The modules in "Called by `a`, `b` and `c`." of a module's docstring; commands and functions aren't modules."""
    sentences = re.findall(r"(?:Called|Used) by .*?(?:\. |\.$|;|\(|, which|, within)", text)
    named = [name for sentence in sentences for name in re.findall(r"`([^`]+)`", sentence)]
    return [name for name in named if re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", name) and name != "main"]


def test_who_calls_a_module_by_its_docstring_does_import_it() -> None:
    known = modules()
    assert {"mailweir.gmail", "capture_milter.session", "gmail_sync.sweep"} < set(known)
    wrong = [
        f"{name}: {user}"
        for name, module in known.items()
        for user in _users_in_docstring(module.docstring)
        if not any(
            within(imported, [name])
            for other, importer in known.items()
            if f".{user}." in f".{other}."
            for imported in importer.imports
        )
    ]
    assert wrong == []


def test_the_files_that_documents_name_exist() -> None:
    """Decision records aren't rewritten, and the changelog describes the past."""
    shelves = [one for one in (REPOSITORY / "docs").rglob("*.md") if one.parent.name != "decisions"]
    documents = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *shelves]
    ours = [
        file for file in (*REPOSITORY.glob("[!.]*"), *REPOSITORY.glob("[!.]*/**/*")) if "node_modules" not in file.parts
    ]
    paths = [f"/{file.relative_to(REPOSITORY)}" for file in ours if file.is_file()]
    missing = [
        f"{document.name}: {name}"
        for document in documents
        for name in re.findall(r"`([\w./-]+\.(?:py|sh|md|c))`", document.read_text("utf-8"))
        if not any(path.endswith(f"/{name}") for path in paths)
    ]
    assert missing == []


def test_the_filter_starts_without_what_it_seldom_needs() -> None:
    """It saves a worker's memory: DKIM, DNS and migrations are loaded when they are needed."""  # psycopg: by peewee, if there
    code = "import sys; import capture_milter.server; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    ran = subprocess.run(
        [sys.executable, "-c", "import sys; sys.path[:0] = ['.', 'milter']; " + code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(ran.stdout.split())
    assert {"capture_milter", "mailweir", "milter"} <= loaded
    assert loaded & {"dkim", "dns", "typer", "jinja2", "playhouse", "cryptography", "pytest"} == set()
    # only pymilter's C module, whose licence lists its versions (decision 0025)
    assert loaded & {"Milter", "mime"} == set()
