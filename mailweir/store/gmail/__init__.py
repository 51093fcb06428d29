"""Rows of Gmail's sync: mailboxes, their leases, the queue of messages, and the sync's processes."""
