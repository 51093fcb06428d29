"""The database: connections to SQLite and PostgreSQL, its version, migrations and backups."""
