"""Checks of the record, the mailboxes and DNS, and their findings, for `mailweir doctor` and the page."""
