"""The first schema: known people (deployments, users, companies, contacts), the record, and every decision.

Times are UTC as RFC 3339 text with microseconds, so that they sort and read alike on both databases. Addresses and domains are in
the normal form of `mailweir.address`.
"""

from typing import Any

STATEMENTS = (
    """CREATE TABLE deployments (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        domain TEXT NOT NULL UNIQUE,
        created_at TEXT NOT NULL)""",
    # A removed user's row stays, because the record refers to it; the username is free again.
    """CREATE TABLE users (
        id INTEGER PRIMARY KEY,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        username TEXT NOT NULL,
        name TEXT NOT NULL,
        mailbox TEXT NOT NULL,
        created_at TEXT NOT NULL,
        removed_at TEXT)""",
    "CREATE UNIQUE INDEX users_username ON users(deployment_id, username) WHERE removed_at IS NULL",
    # The main mailbox and the further own addresses: an author is matched with these.
    """CREATE TABLE user_addresses (
        id INTEGER PRIMARY KEY,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        user_id INTEGER NOT NULL REFERENCES users(id),
        address TEXT NOT NULL,
        UNIQUE (deployment_id, address))""",
    "CREATE INDEX user_addresses_user ON user_addresses(user_id)",
    """CREATE TABLE companies (
        id INTEGER PRIMARY KEY,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        name TEXT NOT NULL,
        domain TEXT,
        created_at TEXT NOT NULL,
        UNIQUE (deployment_id, name))""",
    """CREATE TABLE contacts (
        id INTEGER PRIMARY KEY,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        company_id INTEGER REFERENCES companies(id),
        name TEXT NOT NULL,
        created_at TEXT NOT NULL,
        removed_at TEXT)""",
    "CREATE INDEX contacts_deployment ON contacts(deployment_id)",
    # Two contacts may share an address (an office's mailbox): mail is then recorded for both.
    """CREATE TABLE contact_addresses (
        id INTEGER PRIMARY KEY,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        contact_id INTEGER NOT NULL REFERENCES contacts(id),
        address TEXT NOT NULL,
        UNIQUE (deployment_id, address, contact_id))""",
    "CREATE INDEX contact_addresses_contact ON contact_addresses(contact_id)",
    # One activity for one message of a deployment. `identity` is the key by which two sightings are one message.
    """CREATE TABLE activities (
        id INTEGER PRIMARY KEY,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        identity BLOB NOT NULL,
        direction TEXT NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
        author TEXT NOT NULL,
        subject TEXT NOT NULL,
        sent_at TEXT,
        recorded_at TEXT NOT NULL,
        message_id TEXT,
        sender_verdict TEXT NOT NULL DEFAULT 'pending'
            CHECK (sender_verdict IN ('pending', 'pass', 'fail', 'none')),
        leading_raw_id INTEGER,
        UNIQUE (deployment_id, identity))""",
    # Every body under one identity is kept; activities.leading_raw_id is the leading one.
    """CREATE TABLE raw_messages (
        id INTEGER PRIMARY KEY,
        activity_id INTEGER NOT NULL REFERENCES activities(id),
        body_digest BLOB NOT NULL,
        size_bytes INTEGER NOT NULL,
        content_zstd BLOB NOT NULL,
        recorded_at TEXT NOT NULL,
        UNIQUE (activity_id, body_digest))""",
    """CREATE TABLE sightings (
        id INTEGER PRIMARY KEY,
        activity_id INTEGER NOT NULL REFERENCES activities(id),
        route TEXT NOT NULL CHECK (route IN ('forward', 'log', 'relay', 'gmail_in', 'gmail_out')),
        source_id TEXT NOT NULL,
        user_id INTEGER REFERENCES users(id),
        raw_message_id INTEGER NOT NULL REFERENCES raw_messages(id),
        seen_at TEXT NOT NULL)""",
    # COALESCE: NULLs are distinct in an index, so a sighting without a user (log address) could be stored again and again.
    "CREATE UNIQUE INDEX sightings_once ON sightings(activity_id, source_id, route, COALESCE(user_id, 0))",
    """CREATE TABLE activity_contacts (
        activity_id INTEGER NOT NULL REFERENCES activities(id),
        contact_id INTEGER NOT NULL REFERENCES contacts(id),
        address TEXT NOT NULL,
        PRIMARY KEY (activity_id, contact_id, address)){without_rowid}""",
    "CREATE INDEX activity_contacts_contact ON activity_contacts(contact_id)",
    """CREATE TABLE activity_users (
        activity_id INTEGER NOT NULL REFERENCES activities(id),
        user_id INTEGER NOT NULL REFERENCES users(id),
        PRIMARY KEY (activity_id, user_id)){without_rowid}""",
    "CREATE INDEX activity_users_user ON activity_users(user_id)",
    """CREATE TABLE todos (
        id INTEGER PRIMARY KEY,
        activity_id INTEGER NOT NULL REFERENCES activities(id),
        user_id INTEGER NOT NULL REFERENCES users(id),
        created_at TEXT NOT NULL,
        done_at TEXT,
        UNIQUE (user_id, activity_id))""",
    # Every acknowledged message has a decision for each deployment; nothing else is stored of mail that isn't captured.
    """CREATE TABLE decisions (
        id INTEGER PRIMARY KEY,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        source_id TEXT NOT NULL,
        decided_at TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('captured', 'ignored', 'redirected', 'refused')),
        reason TEXT NOT NULL,
        recipients TEXT NOT NULL,
        author TEXT,
        message_id TEXT,
        activity_id INTEGER REFERENCES activities(id),
        UNIQUE (source_id, deployment_id))""",
    "CREATE INDEX decisions_message_id ON decisions(message_id)",
    "CREATE INDEX decisions_author ON decisions(author)",
    # A proven forwarding confirmation, for the user who can click its link: one row per user and Message-ID.
    """CREATE TABLE forwarding_confirmations (
        id INTEGER PRIMARY KEY,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        user_id INTEGER NOT NULL REFERENCES users(id),
        message_id TEXT NOT NULL,
        requester TEXT,
        link TEXT,
        token TEXT NOT NULL,
        seen_at TEXT NOT NULL,
        redirected_at TEXT,
        redirects INTEGER NOT NULL,
        bounced_at TEXT,
        UNIQUE (user_id, message_id))""",
    "CREATE INDEX forwarding_confirmations_token ON forwarding_confirmations(token)",
)


# SQLite's syntax, and PostgreSQL's replacement.
_FOR_POSTGRESQL = (
    ("id INTEGER PRIMARY KEY", "id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    (" INTEGER", " BIGINT"),
    (" BLOB", " BYTEA"),
    ("{without_rowid}", ""),
)
# Without this, SQLite would store such a table's rows and its key separately: one more page to write for each message.
_FOR_SQLITE = (("{without_rowid}", " WITHOUT ROWID"),)


def up(migrator: Any, db: Any) -> None:
    """Makes all tables."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in STATEMENTS:
        for word, own_word in _FOR_SQLITE if is_sqlite else _FOR_POSTGRESQL:
            statement = statement.replace(word, own_word)
        db.execute_sql(statement)
