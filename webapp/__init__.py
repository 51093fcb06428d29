"""The page: Integrations, to-dos and the record in a browser, and an admin's pages. Never parses mail in its own process."""
