"""The page: accounts, their roles, sessions, sign-in links, states of OpenID and of Google's consent, jobs, and the two logs.

Only the SHA-256 of a token is stored. `web_accounts`: an account has a name, and for OpenID an issuer and a `sub`. `web_roles`:
an account's role in a deployment; user_id: the account's own user there, or NULL for an admin who isn't a user.
`web_attempts`: the throttle of an account's password. `web_states`: the data to restore after a redirect to another host; kind
`openid` or `gmail`. `web_jobs`: long work with a lease; `web_uploads`: the file of a job. `reader_log`: accounts and the
activities that they read, ids only, once for each hour. It keeps ids of erased activities, so its activity_id isn't a foreign
key. `change_log`: changes and their authors.
"""

from typing import Any

STATEMENTS = (
    """CREATE TABLE web_accounts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        is_operator INTEGER NOT NULL DEFAULT 0,
        password_hash TEXT,
        issuer TEXT,
        subject TEXT,
        email TEXT,
        zone TEXT,
        language TEXT,
        created_at TEXT NOT NULL,
        last_seen_at TEXT,
        removed_at TEXT)""",
    "CREATE UNIQUE INDEX web_accounts_name ON web_accounts(name) WHERE removed_at IS NULL",
    "CREATE UNIQUE INDEX web_accounts_subject ON web_accounts(issuer, subject) WHERE removed_at IS NULL",
    """CREATE TABLE web_roles (
        account_id INTEGER NOT NULL REFERENCES web_accounts(id),
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        role TEXT NOT NULL CHECK (role IN ('admin', 'user')),
        user_id INTEGER REFERENCES users(id),
        PRIMARY KEY (account_id, deployment_id))""",
    "CREATE INDEX web_roles_deployment ON web_roles(deployment_id, account_id)",
    "CREATE INDEX web_roles_user ON web_roles(user_id)",
    """CREATE TABLE web_sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token_hash TEXT NOT NULL UNIQUE,
        account_id INTEGER NOT NULL REFERENCES web_accounts(id),
        deployment_id INTEGER REFERENCES deployments(id),
        made_by TEXT NOT NULL CHECK (made_by IN ('link', 'openid', 'password')),
        browser TEXT NOT NULL,
        created_at TEXT NOT NULL,
        last_seen_at TEXT NOT NULL)""",
    "CREATE INDEX web_sessions_account ON web_sessions(account_id)",
    "CREATE INDEX web_sessions_seen ON web_sessions(last_seen_at)",
    """CREATE TABLE web_links (
        token_hash TEXT NOT NULL PRIMARY KEY,
        account_id INTEGER NOT NULL REFERENCES web_accounts(id),
        deployment_id INTEGER REFERENCES deployments(id),
        expires_at TEXT NOT NULL)""",
    "CREATE INDEX web_links_account ON web_links(account_id)",
    "CREATE INDEX web_links_expiry ON web_links(expires_at)",
    """CREATE TABLE web_attempts (
        name TEXT NOT NULL PRIMARY KEY,
        failures INTEGER NOT NULL,
        last_at TEXT NOT NULL)""",
    "CREATE INDEX web_attempts_last ON web_attempts(last_at)",
    """CREATE TABLE web_states (
        state_hash TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('gmail', 'openid')),
        bound_to TEXT NOT NULL,
        content TEXT NOT NULL,
        expires_at TEXT NOT NULL)""",
    "CREATE INDEX web_states_expiry ON web_states(expires_at)",
    """CREATE TABLE web_jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        account_id INTEGER NOT NULL REFERENCES web_accounts(id),
        kind TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waits' CHECK (state IN ('done', 'failed', 'runs', 'waits')),
        parameters TEXT NOT NULL,
        done_count INTEGER NOT NULL DEFAULT 0,
        total_count INTEGER,
        report TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        lease_owner TEXT,
        lease_until TEXT,
        created_at TEXT NOT NULL,
        finished_at TEXT)""",
    # A separate table: SQLite rewrites a whole row if one of its columns changes, and a job's progress changes often.
    """CREATE TABLE web_uploads (
        job_id INTEGER NOT NULL PRIMARY KEY REFERENCES web_jobs(id),
        content_zstd BLOB NOT NULL)""",
    "CREATE INDEX web_jobs_deployment ON web_jobs(deployment_id, id)",
    "CREATE INDEX web_jobs_open ON web_jobs(state, id)",
    """CREATE TABLE reader_log (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        deployment_id INTEGER NOT NULL REFERENCES deployments(id),
        account_id INTEGER NOT NULL REFERENCES web_accounts(id),
        activity_id INTEGER NOT NULL,
        what TEXT NOT NULL CHECK (what IN ('attachment', 'html', 'raw', 'text')),
        hour TEXT NOT NULL,
        read_at TEXT NOT NULL,
        UNIQUE (activity_id, account_id, what, hour))""",
    "CREATE INDEX reader_log_deployment ON reader_log(deployment_id, id)",
    "CREATE INDEX reader_log_read ON reader_log(read_at)",
    """CREATE TABLE change_log (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        deployment_id INTEGER REFERENCES deployments(id),
        changed_by TEXT NOT NULL,
        changed_at TEXT NOT NULL,
        what TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL DEFAULT '')""",
    "CREATE INDEX change_log_deployment ON change_log(deployment_id, id)",
)

# SQLite's syntax, and PostgreSQL's replacement.
_FOR_POSTGRESQL = (
    ("id INTEGER PRIMARY KEY AUTOINCREMENT", "id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    (" INTEGER", " BIGINT"),
    (" BLOB", " BYTEA"),
)


def up(migrator: Any, db: Any) -> None:
    """Makes the tables."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in STATEMENTS:
        for word, own_word in () if is_sqlite else _FOR_POSTGRESQL:
            statement = statement.replace(word, own_word)
        db.execute_sql(statement)
