"""The words of the search: one row for each version that was read (`store/record/search_index`).

SQLite has an FTS5 index without the text, and beside it the words themselves, compressed: they are needed to remove a row from
the index. PostgreSQL has them as text with a GIN index. `erasures` has a row while deleted content is still in the database's
files.
"""

from typing import Any

ON_SQLITE = (
    """CREATE TABLE search_texts (
        raw_id INTEGER PRIMARY KEY REFERENCES raw_messages(id),
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        words BLOB NOT NULL)""",
    # ascii: splits at ASCII separators alone, because `search_query.words` has done the rest
    "CREATE VIRTUAL TABLE search_words USING fts5(words, content='', columnsize=0, tokenize='ascii')",
    # The index's pieces are merged late, and never all at once: of 800 transactions of 50 messages the longest held the write
    # lock for 28 ms, not 47.
    "INSERT INTO search_words (search_words, rank) VALUES ('automerge', 16)",
    "INSERT INTO search_words (search_words, rank) VALUES ('crisismerge', 64)",
    "INSERT INTO search_words (search_words, rank) VALUES ('usermerge', 16)",  # a step of `erasing` only continues its merge
)
ON_POSTGRESQL = (
    """CREATE TABLE search_texts (
        raw_id BIGINT PRIMARY KEY REFERENCES raw_messages(id),
        deployment_id BIGINT NOT NULL REFERENCES deployments(id),
        words TEXT NOT NULL)""",
    # The list of entries that aren't in the index yet is kept short: the writer that fills it moves all of it into the index.
    # With the default of 4 MB this took over a second in one of a hundred transactions. With 128 kB it takes a quarter of that,
    # and all transactions together take a tenth longer.
    "CREATE INDEX search_texts_words ON search_texts USING gin (array_to_tsvector(string_to_array(words, ' ')))"
    " WITH (gin_pending_list_limit = 128)",
)
ON_BOTH = (
    # No existing reading is indexed yet, so a rebuild that is running now starts again, with all versions.
    "DELETE FROM digest_rebuilds WHERE stage = 'reading'",
    "INSERT INTO digest_rebuilds (stage, which, below_raw_id, began_at)"
    " SELECT 'reading', 'all', MAX(id) + 1, '' FROM raw_messages HAVING MAX(id) IS NOT NULL",
    """CREATE TABLE erasures (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        deletions INTEGER NOT NULL,
        merging INTEGER)""",
)


def up(migrator: Any, db: Any) -> None:
    """Makes the tables."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in ON_SQLITE if is_sqlite else ON_POSTGRESQL:
        db.execute_sql(statement)
    for statement in ON_BOTH:
        db.execute_sql(statement if is_sqlite else statement.replace(" INTEGER", " BIGINT"))
