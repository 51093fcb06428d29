"""The sync: the scheduler process that sweeps connected Gmail mailboxes. Stores no mail of non-contacts."""
