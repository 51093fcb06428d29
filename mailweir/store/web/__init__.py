"""Rows of the page: who may sign in, sessions, jobs, and who read and changed what."""
