"""Import rules. A module's own docstring states its rule, so no list goes out of date.

The layers are import-linter's (setup.cfg).
"""

import re
import sys

import pytest

from tests.imports import Module, intruders, modules, ours, reach, read, sources, within

# The only places that may import these: a library and everything below it, or a package and everything below it.
ONLY_IN = {
    ("peewee", "playhouse", "psycopg", "sqlite3"): ("mailweir.store",),
    ("Milter", "milter", "mime"): ("capture_milter",),
    ("authlib", "joserfc"): ("mailweir.openid",),
    (
        *("google", "googleapiclient", "google_auth_oauthlib", "google_auth_httplib2"),
        *("requests", "urllib3", "httplib2", "urllib.request"),
    ): ("mailweir.gmail",),
}
# They decide, or parse untrusted input: whatever their docstrings say, they and their imports stay pure.
MUST_BE_PURE = (
    "mailweir.matching",
    "mailweir.identity",
    "mailweir.headers",
    "mailweir.confirmation",
    "mailweir.address",
)
# tables, or a parser: no file, clock or network; filetype gets bytes, never a path
PURE_LIBRARIES = {"idna", "filetype", "nh3"}
OPENS_SOMETHING = {
    *("asyncio", "http", "importlib", "logging", "multiprocessing", "os", "pathlib", "shutil", "signal", "socket"),
    *(
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
        "urllib.error",
    ),
}


def is_pure(module: Module) -> bool:
    """Does the docstring say so? The word stands alone, or with its dependencies."""
    return bool(re.search(r"\bPure\b", module.docstring))


PURE = sorted(name for name, module in modules().items() if is_pure(module))
STANDARD_LIBRARY_ONLY = sorted(n for n, module in modules().items() if "Standard library only" in module.docstring)
WITHOUT_DATABASE = sorted(
    name
    for name, module in modules().items()
    if module.is_package and re.search(r"[Kk]nows no database|never asks the database", module.docstring)
)


def faults_of_a_pure_module(module: Module) -> list[str]:
    """Its imports that are neither pure modules of ours nor libraries that open nothing."""
    known = modules()
    found = []
    for imported in sorted(module.imports):
        own = ours(imported, known)
        if own is not None:
            is_fine = is_pure(known[own])
        else:
            top = imported.partition(".")[0]
            is_fine = top in sys.stdlib_module_names | PURE_LIBRARIES and not within(imported, OPENS_SOMETHING)
        if not is_fine:
            found.append(imported)
    return found


@pytest.mark.parametrize("libraries", ONLY_IN, ids=lambda libraries: libraries[0])
def test_a_library_is_imported_in_its_place_alone(libraries: tuple[str, ...]) -> None:
    homes = ONLY_IN[libraries]
    assert intruders(modules(), libraries, homes) == []
    assert intruders(modules(), libraries, ()), "nothing imports them: is the rule still needed?"


def test_what_measures_us_imports_no_library_of_googles() -> None:
    found = {file: read(file.read_text("utf-8")) for file in sources(["bench"])}
    (libraries,) = [names for names in ONLY_IN if "googleapiclient" in names]
    assert intruders({file.name: module for file, module in found.items()}, libraries, ()) == []


def test_the_modules_that_decide_say_that_they_are_pure() -> None:
    readers = {
        name for name in modules() if within(name, ["mailweir.contact_files"]) and not modules()[name].is_package
    }
    assert {*MUST_BE_PURE, *readers} - set(PURE) == set()
    assert len(readers) >= 5


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_imports_pure_ones_and_opens_nothing(name: str) -> None:
    assert faults_of_a_pure_module(modules()[name]) == []


@pytest.mark.parametrize("name", STANDARD_LIBRARY_ONLY)
def test_a_module_that_says_so_imports_the_standard_library_and_ours_alone(name: str) -> None:
    imported = {one.partition(".")[0] for one in modules()[name].imports if not ours(one, modules())}
    assert imported - set(sys.stdlib_module_names) == set()


@pytest.mark.parametrize("name", WITHOUT_DATABASE)
def test_a_package_that_knows_no_database_comes_without_one(name: str) -> None:
    """This includes indirect imports: nothing that it imports may bring in the store."""
    for start in [one for one in modules() if within(one, [name])]:
        came = reach(modules(), start)
        assert {other: by for other, by in came.items() if within(other, ["mailweir.store"])} == {}, start


def test_these_packages_know_no_database() -> None:
    assert {"mailweir.gmail", "mailweir.openid", "mailweir.contact_files", "mailweir.domains"} <= set(WITHOUT_DATABASE)


# --- the rules find faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("import os", "os"),
        ("from pathlib import Path", "pathlib.Path"),
        ("def late():\n    import time", "time"),
        ("import urllib.request", "urllib.request"),
        ("import dns.resolver", "dns.resolver"),
        ("from mailweir.store.people import contacts", "mailweir.store.people.contacts"),
        ("from mailweir import recording", "mailweir.recording"),
    ],
)
def test_what_opens_something_is_not_pure(text: str, fault: str) -> None:
    assert faults_of_a_pure_module(read(text)) == [fault]
    assert faults_of_a_pure_module(read("import re, urllib.parse, idna\nfrom mailweir.address import split")) == []


def test_an_import_outside_of_a_librarys_place_is_found_wherever_it_stands() -> None:
    known = {
        "mailweir.store.a": read("import peewee"),
        "mailweir.storeroom": read("if True:\n    from peewee import Model"),
        "postfix.b": read("def late():\n    import playhouse.pool"),
        "postfix.c": read("import peeweeish"),
    }
    assert intruders(known, ("peewee", "playhouse"), ("mailweir.store",)) == [
        "mailweir.storeroom imports peewee.Model",
        "postfix.b imports playhouse.pool",
    ]


def test_what_comes_with_a_module_is_found_by_way_of_others() -> None:
    known = {
        "a": read("from b import x"),
        "b": read("def late():\n    import c.d"),
        "c": read(""),
        "c.d": read("import a"),
    }
    assert reach(known, "a") == {"a": "", "b": "a", "c.d": "b"}
