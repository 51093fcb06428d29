"""The version of a message that names a contact: a contact that only an unproven version names isn't on a proven activity.

Existing rows get the leading version.
"""

from typing import Any

STATEMENTS = (
    """CREATE TABLE contacts_of_versions (
        activity_id INTEGER NOT NULL REFERENCES activities(id),
        contact_id INTEGER NOT NULL REFERENCES contacts(id),
        address TEXT NOT NULL,
        raw_message_id INTEGER NOT NULL REFERENCES raw_messages(id),
        PRIMARY KEY (activity_id, contact_id, address, raw_message_id)){without_rowid}""",
    "INSERT INTO contacts_of_versions (activity_id, contact_id, address, raw_message_id)"
    " SELECT c.activity_id, c.contact_id, c.address, a.leading_raw_id"
    " FROM activity_contacts c JOIN activities a ON a.id = c.activity_id WHERE a.leading_raw_id IS NOT NULL",
    "DROP TABLE activity_contacts",
    "ALTER TABLE contacts_of_versions RENAME TO activity_contacts",
    "CREATE INDEX activity_contacts_contact ON activity_contacts(contact_id)",
)
_FOR_POSTGRESQL = ((" INTEGER", " BIGINT"), ("{without_rowid}", ""))
_FOR_SQLITE = (("{without_rowid}", " WITHOUT ROWID"),)


def up(migrator: Any, db: Any) -> None:
    """Recreates the table with the version in its key, because SQLite can't change a primary key."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in STATEMENTS:
        for word, own_word in _FOR_SQLITE if is_sqlite else _FOR_POSTGRESQL:
            statement = statement.replace(word, own_word)
        db.execute_sql(statement)
