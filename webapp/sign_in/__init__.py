"""How somebody signs in: by a link, by OpenID Connect, by a password."""
