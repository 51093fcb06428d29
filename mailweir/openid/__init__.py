"""Providers of OpenID Connect: they authenticate a person who signs in to the page. The only package that imports Authlib.
Knows no database.

The page calls `provider`; `fetching` makes HTTP requests; `id_token` verifies a provider's token; `kept` caches its documents;
`refusals` lists the errors. Used by the page.
"""
