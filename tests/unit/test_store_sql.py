"""Every statement in `store/` names existing tables and columns, including statements that no test runs.

The sources are searched for SQL: each statement is prepared on both databases. Fragments of other statements (conditions,
endings, lists of columns) are checked word by word.
"""

import ast
import importlib
import pkgutil
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mailweir import store
from mailweir.store.database import batches, versions
from mailweir.store.database.connection import Database
from mailweir.store.database.postgresql import numbered
from mailweir.store.record import erasing, writing
from mailweir.store.record.search import Reader

# Values for the placeholders of functions whose SQL has them.
_VARIABLES: dict[str, Any] = {
    "marks": "?",
    "lock": "",
    "skip": "",
    "matches": "LIKE",
    "position": "1",
    "ending": "",
    "which": "",
    "condition": "1 = 1",
    "conditions": ["1 = 1"],
    "source": "WHERE u.deployment_id = ?",
    "columns": "1",
    "keys": ["x"],
    "part": ["x"],
    "ids": [1],
    "activity_ids": [1],
    "users": [1],
    "contacts": [1],
    "text": "x",
    "name": "id",
    "versions": "SELECT id FROM raw_messages WHERE activity_id = ?",
    "sql": "id",
    "column": "c.reason",
    "words": ["x"],
    "further": "",
    "narrower": "",
    "bound": "",
    "of_reader": "?",
    "bcc": "0",
    "hidden": "",
    "by": "",
    "named": "1 = 1",
    "walked": "FROM decisions AS c",
    "beyond": "<",
    "told": "1 = 1",
    "begin": "SELECT 1 FROM contacts AS c",
    "place": "",
    "order": "DESC",
    "last": "MIN",
    "first": "MAX",
    "key": "activity_id",
    "off": "1",
    "united": "SELECT 1 AS looked_id",
    "besides": " AND 1 = 1",
    "chosen": "SELECT 1 AS looked_id",
    "before": "",
    "looked_at": "(SELECT 1 AS looked_id) AS looked_at",
    "gathered": "(SELECT 1 AS gathered_id) AS gathered",
    "several": "FROM contacts AS one CROSS JOIN activity_contacts AS part WHERE part.contact_id = one.id",
    "linked": "activity_threads",
    "number": "0",
    "each": "SELECT 1 AS looked_id",
    "within": "c.id = 1",
    "buckets": "",
    "whose": "one.company_id = ?",
    "is_few": "(SELECT COUNT(*) FROM parts) <= ?",
    "is_address": "1 = 1",
    "is_author": "1 = 1",
    "is_own": "1 = 1",
    "gathering": "SELECT 1 AS part_id",
    "seeing": "FROM activities AS a",
    "counting": "each_one AS (SELECT 1) SELECT COUNT(*) FROM known_ones",
    "aliased": "FROM decisions AS c",
    "beside": "",
    "sorted_by": "",
    "visible": "1 = 1",
    "is_open": "1 = 1",
    "own": "1 = 1",
    "route": "log",
    "sources": "SELECT source_id FROM sightings WHERE activity_id = ?",
    "setting": "jit = off",
    "asker": None,
    "user_ids": [1],
    "seen": "1 = 1",
    "mine": "1 = 1",
    "addressed": ["1 = 1"],
    "message_id_key": "1",
    "author_key": "1",
    "address_key": "1",
    "reader": Reader(whole="1 = 1", whole_values=(), names="1 = 1", names_values=()),
}
_BUILDERS = {
    batches.__name__: {"insert", "update"},
    writing.__name__: {"_insert"},
    erasing.__name__: {"_overwriting"},
}  # in the statement of any table
_ANY_TABLE = {
    "backup",
    "fingerprint",
    "indexes",
    "postgresql_backup",
    "versions",
}  # modules about all tables, or about the database itself
_STATEMENT = re.compile(r"\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+\S+\s+\S+")
_FRAGMENT = re.compile(r"\b(?:AND|ORDER BY|WHERE|FROM|JOIN|IN|IS NULL|SELECT|AS|SET)\b|= \?")
_ALIAS = re.compile(r"\b(?:FROM|JOIN|UPDATE) ([a-z_]+) (?:AS )?([a-z_]+)\b")
_NAMED = re.compile(r"\b(?:AS|WITH) ([a-z_]+)\b")
_QUALIFIED = re.compile(r"\b([a-z_]+)\.([a-z_]+)\b")
_FUNCTIONS = ("current_database", "current_setting", "set_config", "array_to_tsvector", "string_to_array")
_QUOTED = re.compile(
    rf"'[^']*'|\bpg_\w+|\b(?:{'|'.join(_FUNCTIONS)}|xmax|rowid|false|true|looked_id|gathered|gathered_id|buckets?"
    rf"|parts|part_id|seen_id|each_one|known_ones)\b|SET LOCAL .*"
)
_WORD = re.compile(r"\b[a-z_]+\b")
_ONE_DATABASES_OWN = {
    True: re.compile(r"pg_\w+\(|FOR (?:NO KEY )?UPDATE|POSITION\(|GENERATE_SERIES\(|@@|_config|_setting|SET LOCAL"),
    False: re.compile(r"INSTR\(|sqlite_master|sqlite_sequence|search_words|ZEROBLOB"),
}


def _modules() -> Iterator[tuple[ModuleType, ast.Module]]:
    for found in pkgutil.walk_packages(store.__path__, f"{store.__name__}."):
        if ".migrations" in found.name or found.ispkg or found.name.rpartition(".")[2] in _ANY_TABLE:
            continue
        module = importlib.import_module(found.name)
        assert module.__file__
        yield module, ast.parse(Path(module.__file__).read_text())


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and (_is_text(node.left) or _is_text(node.right))
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _texts(node: ast.AST, path: tuple[ast.AST, ...] = ()) -> Iterator[tuple[ast.expr, tuple[ast.AST, ...]]]:
    """Outermost expressions that make text, without docstrings, each with its context."""
    if isinstance(node, ast.expr) and _is_text(node):
        yield node, path
        return
    if isinstance(node, ast.Expr) and _is_text(node.value):
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, (*path, node))


def _sql() -> Iterator[tuple[str, str]]:
    """(where, text) of everything that looks like SQL."""
    for module, tree in _modules():
        for node, path in _texts(tree):
            functions = {one.name for one in path if isinstance(one, ast.FunctionDef)}
            plain = "".join(str(one.value) for one in ast.walk(node) if isinstance(one, ast.Constant))
            if (
                functions & _BUILDERS.get(module.__name__, set())
                or not _FRAGMENT.search(plain)
                or "'mailweir " in plain
            ):
                continue
            for table in vars(module).get("OF_ACTIVITY", ("",)):
                yield (
                    f"{module.__name__}:{node.lineno}",
                    _evaluated(module, node, table).replace("){})", "))").replace("{}", "?"),
                )


def _evaluated(module: ModuleType, node: ast.expr, table: str) -> str:
    where = f"{module.__name__}:{node.lineno}"
    try:
        text = eval(compile(ast.Expression(node), where, "eval"), vars(module), {**_VARIABLES, "table": table})
    except NameError as error:
        pytest.fail(f"{where}: {error}: add the placeholder's values to _VARIABLES")
    return str(text)


SQL = list(_sql())
STATEMENTS = [(where, sql) for where, sql in SQL if _STATEMENT.match(sql)]


def _inserts() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(where, table, columns) of rows that are written many at a time."""
    for module, tree in _modules():
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            local: dict[str, ast.expr] = {}
            for node in sorted(ast.walk(function), key=lambda one: getattr(one, "lineno", 0)):
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    local[node.targets[0].id] = node.value
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("self._put", "batches.insert"):
                    table, columns = node.args[0:2] if ast.unparse(node.func) == "self._put" else node.args[1:3]
                    columns = local.get(columns.id, columns) if isinstance(columns, ast.Name) else columns
                    names = eval(compile(ast.Expression(columns), "columns", "eval"), vars(module))
                    yield f"{module.__name__}:{node.lineno}", ast.literal_eval(table), names


INSERTS = list(_inserts())


@pytest.fixture(scope="module")
def columns_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The columns of each table."""
    path = tmp_path_factory.mktemp("sql") / "mailweir.db"
    versions.upgrade(path)
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} for table in tables}


def _prepared(connection: Any, sql: str, *, is_sqlite: bool) -> str:
    """Why it can't be prepared, or ""."""
    try:
        if is_sqlite:
            connection.execute(f"EXPLAIN {sql}", [None] * sql.count("?"))
        else:
            connection.execute(f"PREPARE looked_at AS {numbered(sql)}")
            connection.execute("DEALLOCATE looked_at")
    except Exception as error:  # noqa: BLE001  the two databases' errors have no kind in common
        return f"{error}: {sql}"
    return ""


def test_every_statement_can_be_prepared(database: Database) -> None:
    assert len(STATEMENTS) > 150, "the test finds them"
    database.open()
    connection = database.peewee.connection()
    for where, sql in STATEMENTS:
        others = _ONE_DATABASES_OWN[database.is_sqlite].search(sql)
        assert others or _prepared(connection, sql, is_sqlite=database.is_sqlite) == "", where


def test_every_word_of_sql_is_a_table_or_a_column(columns_of: dict[str, set[str]]) -> None:
    columns = set().union(*columns_of.values())
    aliases: dict[str, dict[str, set[str]]] = {}
    for where, sql in SQL:
        known = aliases.setdefault(where.partition(":")[0], {table: {table} for table in columns_of})
        for table, alias in _ALIAS.findall(sql):
            known.setdefault(alias, set()).add(table)
    for where, sql in SQL:
        known, plain = aliases[where.partition(":")[0]], _QUOTED.sub("", sql)
        named = set(_NAMED.findall(plain))
        for alias, column in [one for one in _QUALIFIED.findall(plain) if one[0] != "excluded"]:
            assert alias in known, f"{where}: no table is called {alias} here: {sql}"
            assert any(column in columns_of[table] for table in known[alias]), f"{where}: {alias}.{column}: {sql}"
        for word in _WORD.findall(_QUALIFIED.sub("", plain)):
            assert word in columns or word in known or word in named, f"{where}: {word}: {sql}"


def test_rows_that_are_written_many_at_a_time_have_columns_of_their_table(columns_of: dict[str, set[str]]) -> None:
    assert len(INSERTS) >= 10, "the test finds them"
    for where, table, columns in INSERTS:
        assert set(columns) <= columns_of[table], where
