"""Checks of the record, the mailboxes and DNS, and what a check finds: what `mailweir doctor` and the page show, once."""
