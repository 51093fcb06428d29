"""The digest: `mailweir-digest`, which examines the author of recorded mail, reads the mail, and decides held mail."""
