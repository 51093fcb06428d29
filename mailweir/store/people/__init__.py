"""Rows that an admin sets up: deployments, users, contacts, companies, groups, relay logins and signing keys."""
