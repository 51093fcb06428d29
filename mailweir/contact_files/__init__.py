"""Files of contacts, CSV and vCard: bytes into rows, rows into text. Doesn't use the database, and opens no file."""
