"""Files of contacts, CSV and vCard: bytes into rows, rows into text. Knows no database and opens no file."""
