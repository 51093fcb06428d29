"""Rows of the page: accounts, sessions, jobs, and the logs of readers and changes."""
