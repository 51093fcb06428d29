"""Gmail over HTTP: requests, authorisation, and the interpretation of answers. The only package that imports Google's libraries.
Knows no database.

`api` queries mailboxes; `tokens` and `consent` get the authorisation; `oauth_files` holds our credentials; `errors` lists the
errors. Used by the sync, the page and the command line.
"""
