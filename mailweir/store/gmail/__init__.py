"""What Gmail's sync keeps: mailboxes, their leases, the queue of messages, and who works."""
