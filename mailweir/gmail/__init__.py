"""Gmail over HTTP: what is asked, with whose leave, and what the answers mean. The only place that imports Google's libraries.
Knows no database.

`api` asks for mailboxes; `tokens` and `consent` get the leave; `oauth_files` says as whom we ask; `errors` is what can go wrong.
Used by the sync and the command line.
"""
