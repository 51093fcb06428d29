"""Providers of OpenID Connect: who vouches for a person that signs in to the page. The only place that imports Authlib. Knows no
database.

`provider` is what the page asks; `fetching` speaks HTTP; `id_token` says whether a token is the provider's word; `kept` holds its
documents; `refusals` is what can go wrong. Used by the page.
"""
