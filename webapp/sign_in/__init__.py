"""Signing in: by a link, by OpenID Connect, by a password."""
