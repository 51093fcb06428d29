"""The sync: the scheduler process that sweeps connected Gmail mailboxes. Doesn't store mail of non-contacts."""
