"""The sync: the scheduler process that sweeps connected Gmail mailboxes. Of strangers' mail it stores only held mail."""
