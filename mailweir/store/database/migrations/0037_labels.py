"""The activities that may have a label, in order (`activity_labels`): a list by a rare label doesn't look at all activities.

The table has each activity with any version that was read with the label, and maybe others. So a list still checks the leading
version's reading. Triggers keep the table current, because the previous version of the program, which may run beside this one,
doesn't know the table. Recording mail writes nothing here, because only reading finds labels. This step is no transaction: it
inserts earlier readings a few at a time. You can run it again wherever it was interrupted.
"""

from typing import Any

from mailweir.store.database import indexes

atomic = False
ONLY_ADDS = True

BATCH = 2_000  # readings
BITS = (1, 2, 4, 8, 16, 32, 64, 128)  # of all labels (`reading.labels`)
TABLE = """CREATE TABLE IF NOT EXISTS activity_labels (
    deployment_id {integer} NOT NULL,
    label {integer} NOT NULL,
    activity_id {integer} NOT NULL,
    PRIMARY KEY (deployment_id, label, activity_id)){without_rowid}"""
_PUT = (
    "INSERT INTO activity_labels (deployment_id, label, activity_id) SELECT a.deployment_id, bits.column1, a.id"
    " FROM readings told JOIN raw_messages r ON r.id = told.raw_id JOIN activities a ON a.id = r.activity_id"
    f" JOIN (VALUES {', '.join(f'({bit})' for bit in BITS)}) AS bits ON (told.labels & bits.column1) <> 0"
    " WHERE told.labels <> 0 AND {which} ON CONFLICT DO NOTHING"
)
_FORGET = (
    "DELETE FROM activity_labels WHERE deployment_id = OLD.deployment_id AND activity_id = OLD.id"
    f" AND label IN ({', '.join(map(str, BITS))})"
)
# Name -> when the trigger runs, and its statement. A version moves to another activity if two activities turn out to be one mail.
TRIGGERS = {
    "readings_labels": (
        "AFTER INSERT ON readings FOR EACH ROW WHEN (NEW.labels <> 0)",
        _PUT.format(which="told.raw_id = NEW.raw_id"),
    ),
    "raw_messages_labels": (
        "AFTER UPDATE OF activity_id ON raw_messages FOR EACH ROW",
        _PUT.format(which="told.raw_id = NEW.id"),
    ),
    "activities_labels": ("AFTER DELETE ON activities FOR EACH ROW", _FORGET),
}
_NEXT = (
    "SELECT MAX(raw_id) FROM (SELECT raw_id FROM readings WHERE labels <> 0 AND raw_id > {mark} ORDER BY raw_id"
    f" LIMIT {BATCH}) AS next"
)
_FILL = _PUT.format(which="told.raw_id > {mark} AND told.raw_id <= {mark}")


def up(migrator: Any, db: Any) -> None:
    """Makes the table and its triggers, and fills the table."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    integer, without_rowid = ("INTEGER", " WITHOUT ROWID") if is_sqlite else ("BIGINT", "")
    db.execute_sql(TABLE.format(integer=integer, without_rowid=without_rowid))
    for name, (when, statement) in TRIGGERS.items():
        if is_sqlite:
            db.execute_sql(f"CREATE TRIGGER IF NOT EXISTS {name} {when} BEGIN {statement}; END")
        else:
            _trigger(db, name, when, statement)
    _fill(db, "?" if is_sqlite else "%s")


def _trigger(db: Any, name: str, when: str, statement: str) -> None:
    body = f"BEGIN {statement}; RETURN NULL; END"
    db.execute_sql(f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    sql = (
        "SELECT 1 FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid"
        " WHERE t.tgname = %s AND c.relnamespace = CAST(current_schema() AS regnamespace)"
    )

    def attempt() -> None:
        if db.execute_sql(sql, (name,)).fetchone() is None:
            db.execute_sql(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()")

    indexes.try_often(db, attempt)


def _fill(db: Any, mark: str) -> None:
    after = 0
    while (last := db.execute_sql(_NEXT.replace("{mark}", mark), (after,)).fetchone()[0]) is not None:
        db.execute_sql(_FILL.replace("{mark}", mark), (after, last))
        after = last
