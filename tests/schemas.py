"""A database's tables, read from the database itself, in the same words for SQLite and PostgreSQL."""

import re
from dataclasses import dataclass
from typing import Any

from mailweir.store.database import versions
from mailweir.store.database.connection import Database

_TYPES = {"bigint": "INTEGER", "integer": "INTEGER", "text": "TEXT", "bytea": "BLOB"}
_CHECK = re.compile(r"CHECK \(+(\w+) (?:IN \(|= )(?:ANY \(ARRAY\[)?([^)\]]*)")


@dataclass(frozen=True)
class Column:
    """type: INTEGER, TEXT or BLOB. default: as SQL, or None. not_null: always true for the columns of a primary key."""

    type: str
    not_null: bool
    default: str | None


@dataclass(frozen=True)
class Index:
    """columns: an expression as SQL. where: of a partial index, as SQL."""

    unique: bool
    columns: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class Table:
    """primary_key: columns in order. foreign_keys: (column, table, column). checks: a column, and its quoted values. indexes:
    without the primary key's."""

    columns: dict[str, Column]
    primary_key: tuple[str, ...]
    foreign_keys: frozenset[tuple[str, str, str]]
    indexes: frozenset[Index]
    checks: frozenset[tuple[str, str]]


def read(database: Database) -> dict[str, Table]:
    """Reads the tables by name, without the table that counts the migrations."""
    if database.is_sqlite:
        sql = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> ?"
            # FTS5's own tables; PostgreSQL has an index instead
            " AND name NOT LIKE 'search_words%'"
        )
        made = database.execute(sql, (versions.HISTORY_TABLE,)).fetchall()
        return {name: _sqlite_table(database, name, words) for name, words in made}
    sql = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> ?"
    names = database.execute(sql, (versions.HISTORY_TABLE,)).fetchall()
    return {name: _postgresql_table(database, name) for (name,) in names}


def _plain(sql: str | None) -> str:
    """An expression without the parentheses, types and spaces that only one of the databases adds, and with PostgreSQL's name of
    the function for a character's number."""
    text = re.sub(r"'(\d+)'::bigint", r"\1", sql or "")
    text = re.sub(r"::\w+", "", text)
    text = " ".join(re.sub(r"[()]", " ", text).split()).replace(" ,", ",").lower()
    text = re.sub(r"cast coalesce unicode substr (\w+), (\d+), 1, 0 as bigint", r"ascii substr \1, \2, 1", text)
    # the number of an address, which PostgreSQL has a function for
    return re.sub(r"length (\w+) \* 0 \+ coalesce unicode substr .* % 2147483647$", r"hashtextextended \1, 0", text)


def _checks(sql: str) -> frozenset[tuple[str, str]]:
    return frozenset(
        (column, ",".join(sorted(re.findall(r"\w+", _plain(words))))) for column, words in _CHECK.findall(sql)
    )


def _sqlite_table(database: Database, table: str, made: str) -> Table:
    info = database.execute(f"PRAGMA table_info({table})").fetchall()
    keys = database.execute(f"PRAGMA foreign_key_list({table})").fetchall()
    return Table(
        columns={
            name: Column(kind, bool(not_null or place), default) for _, name, kind, not_null, default, place in info
        },
        primary_key=tuple(row[1] for row in sorted(info, key=lambda row: int(row[5])) if row[5]),
        foreign_keys=frozenset((own, other, column or "id") for _, _, other, own, column, *_ in keys),
        indexes=frozenset(_sqlite_indexes(database, table)),
        checks=_checks(made),
    )


def _sqlite_indexes(database: Database, table: str) -> list[Index]:
    found = []
    for _, name, unique, origin, _ in database.execute(f"PRAGMA index_list({table})").fetchall():
        if origin == "pk":
            continue
        columns = [row[2] for row in database.execute(f"PRAGMA index_info({name})").fetchall()]
        (made,) = database.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        whole, _, where = (made or "").partition(" WHERE ")
        if None in columns:  # for an expression, SQLite gives its position, not its text
            columns = _parts(whole[whole.index("(") + 1 : whole.rindex(")")])
        found.append(Index(bool(unique), tuple(map(_plain, columns)), _plain(where)))
    return found


def _parts(sql: str) -> list[str]:
    """The parts between commas outside of parentheses."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", sql)]


def _postgresql_table(database: Database, table: str) -> Table:
    info = database.execute(
        "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = ? ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    constraints: list[tuple[str, str]] = database.execute(
        "SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = CAST(? AS regclass)", (table,)
    ).fetchall()
    keys = [re.search(r"\((\w+)\) REFERENCES (\w+)\((\w+)\)", made) for kind, made in constraints if _is(kind, "f")]
    (primary,) = [made for kind, made in constraints if _is(kind, "p")]
    return Table(
        columns={
            name: Column(_TYPES[kind], nullable == "NO", re.sub(r"::\w+", "", default) if default else None)
            for name, kind, nullable, default in info
        },
        primary_key=tuple(_parts(primary[primary.index("(") + 1 : primary.rindex(")")])),
        foreign_keys=frozenset((key[1], key[2], key[3]) for key in keys if key),
        indexes=frozenset(_postgresql_indexes(database, table)),
        checks=frozenset().union(*(_checks(made) for kind, made in constraints if _is(kind, "c"))),
    )


def _is(kind: Any, letter: str) -> bool:
    """PostgreSQL's "char" comes as text or as a byte."""
    return kind in (letter, letter.encode())


def _postgresql_indexes(database: Database, table: str) -> list[Index]:
    rows = database.execute(
        "SELECT indisunique, indnkeyatts, indexrelid, pg_get_expr(indpred, indrelid) FROM pg_index"
        " WHERE indrelid = CAST(? AS regclass) AND NOT indisprimary",
        (table,),
    ).fetchall()
    return [
        Index(
            unique,
            tuple(
                _plain(database.execute("SELECT pg_get_indexdef(?, ?, true)", (index, place)).fetchone()[0])
                for place in range(1, count + 1)
            ),
            _plain(where),
        )
        for unique, count, index, where in rows
    ]
