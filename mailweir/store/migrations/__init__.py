"""Numbered, forward-only steps of the database's shape; `mailweir.store.versions` runs them."""
