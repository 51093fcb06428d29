"""The page: Integrations, to-dos and the record in a browser, and what an admin needs. Never parses mail in its own process."""
