"""Numbered, forward-only steps of the database's shape; `mailweir.store.database.versions` runs them."""
