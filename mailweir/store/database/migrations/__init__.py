"""Numbered, forward-only steps of the database's schema; `mailweir.store.database.versions` runs them."""
