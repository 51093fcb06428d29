"""The layout that the design fixes: import names, and who may import what."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PURE = (
    *("address", "envelope", "headers", "dates", "month_names", "encoded_words", "confirmation", "matching", "folding"),
    *("identity", "candidates", "subjects", "original_author", "charsets", "added_headers", "automatic"),
    *("decision", "directory", "arrivals", "authorship", "cached_directory", "backoff", "daemons"),
)
CONTACT_FILES = ("rows", "lines", "columns", "csv_file", "vcard")
PACKAGES = ("mailweir", "milter", "postfix", "admin_cli", "gmail_sync", "integrations", "bench", "tests")


def _sources() -> list[Path]:
    found = [file for name in PACKAGES for file in (REPOSITORY / name).rglob("*.py")]
    return [file for file in found if "node_modules" not in file.parts]


def _imports(file: Path) -> set[str]:
    """The modules that a file imports anywhere in it, `from` ones with each of their names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_pymilter_keeps_its_names() -> None:
    """pymilter installs `milter`, `Milter` and `mime`: a package or module of ours by that name would hide one of them."""
    assert not (REPOSITORY / "milter" / "__init__.py").exists()
    assert not (REPOSITORY / "tests" / "milter").exists()
    assert [file for file in _sources() if file.name.lower() in ("mime.py", "milter.py")] == []
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


PURE_LIBRARIES = {"idna"}  # tables, and no file, clock or network


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_imports_the_standard_library_and_pure_modules_only(name: str) -> None:
    allowed = {f"mailweir.{pure}" for pure in PURE}
    for imported in _imports(REPOSITORY / "mailweir" / f"{name}.py"):
        top = imported.partition(".")[0]
        ours = imported in allowed or imported.rpartition(".")[0] in allowed
        assert ours if top == "mailweir" else top in sys.stdlib_module_names | PURE_LIBRARIES, imported


@pytest.mark.parametrize("name", CONTACT_FILES)
def test_a_reader_of_contact_files_imports_no_database_and_opens_nothing(name: str) -> None:
    allowed = {"binascii", "codecs", "collections", "csv", "dataclasses", "io", "re", "typing"}
    for imported in _imports(REPOSITORY / "mailweir" / "contact_files" / f"{name}.py"):
        ours = imported in ("mailweir.address", "mailweir.charsets") or imported.startswith("mailweir.contact_files")
        assert ours or imported.partition(".")[0] in allowed, imported


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_opens_nothing(name: str) -> None:
    forbidden = {
        "os",
        "pathlib",
        "socket",
        "sqlite3",
        "subprocess",
        "threading",
        "time",
        "asyncio",
        "urllib",
        "logging",
    }
    assert {
        imported.partition(".")[0] for imported in _imports(REPOSITORY / "mailweir" / f"{name}.py")
    } & forbidden == set()


def test_no_module_of_ours_is_named_for_nothing() -> None:
    vague = {"utils", "helpers", "manager", "common", "util", "misc", "base", "core"}
    assert [file for file in _sources() if file.stem in vague] == []


def test_each_module_says_what_it_is() -> None:
    assert [file for file in _sources() if not ast.get_docstring(ast.parse(file.read_text("utf-8")))] == []


def _modules() -> dict[str, Path]:
    """Our own programs' modules, by import name; a package by the name of its folder."""
    files = [file for name in PACKAGES[:5] for file in (REPOSITORY / name).rglob("*.py")]
    names = {file: file.relative_to(REPOSITORY).with_suffix("").parts for file in files}
    return {".".join(p for p in parts if p not in ("milter", "__init__")): file for file, parts in names.items()}


def _users_in_docstring(file: Path) -> list[str]:
    """The modules in "Called by `a`, `b` and `c`." of a module's docstring; commands and functions are no modules."""
    text = " ".join((ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split())
    sentences = re.findall(r"(?:Called|Used) by .*?(?:\. |\.$|;|\(|, which|, within)", text)
    named = [name for sentence in sentences for name in re.findall(r"`([^`]+)`", sentence)]
    return [name for name in named if re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", name) and name != "main"]


def test_who_calls_a_module_by_its_docstring_does_import_it() -> None:
    modules = _modules()
    assert {"mailweir.gmail", "capture_milter.session", "gmail_sync.sweep"} < set(modules)
    imports = {name: _imports(file) for name, file in modules.items()}
    wrong = [
        f"{name}: {user}"
        for name, file in modules.items()
        for user in _users_in_docstring(file)
        if not any(
            imported == name or imported.startswith(f"{name}.")
            for other, imported_there in imports.items()
            if f".{user}." in f".{other}."
            for imported in imported_there
        )
    ]
    assert wrong == []


def test_the_files_that_documents_name_exist() -> None:
    """Decision records aren't rewritten, and the changelog tells of what was."""
    documents = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md"), REPOSITORY / "CONTRIBUTING.md"]
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
    """A worker's memory: DKIM, DNS and migrations are loaded when they are needed."""  # psycopg: by peewee, if there
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
    # of pymilter the C module alone, whose licence names its versions (decision 0025)
    assert loaded & {"Milter", "mime"} == set()


def test_googles_libraries_are_in_one_package() -> None:
    libraries = {
        "google",
        "googleapiclient",
        "google_auth_oauthlib",
        "google_auth_httplib2",
        "httplib2",
        "requests",
        "urllib3",
    }
    clean_room = REPOSITORY / "mailweir" / "gmail"
    ours = [file for file in _sources() if (REPOSITORY / "tests") not in file.parents]
    found = {file for file in ours if {name.partition(".")[0] for name in _imports(file)} & libraries}
    assert {file for file in found if clean_room not in file.parents} == set()
    assert {file.name for file in found} >= {"consent.py", "methods.py", "tokens.py", "transport.py"}
