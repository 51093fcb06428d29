"""Texts in which the page differs from the command line: where a sentence names a command, the page has a button instead. Users
of the page have nothing to do with settings.

Pure. Called by `english`.
"""

from collections.abc import Mapping

PAGE: Mapping[str, str] = {
    "decision.unknown_group": (
        "author {author} is not a contact of {deployment}, but the mail says that somebody known wrote it; if {author} is "
        "a group of the firm's and is added as one, such mail is recorded from then on"
    ),
    "decision.unknown_group.naming": (
        "author {author} is not a contact of {deployment}, but the mail says that somebody known wrote it: it names {names}; if "
        "{author} is a group of the firm's and is added as one, such mail is recorded from then on"
    ),
    "decision.company_removed": (
        "{author} was taken off a contact of {deployment}, so no mail makes a contact of it again: somebody has to add it"
    ),
    "decision.not_synced": "the mailbox is synced, but not in this direction",
    "decision.held_too_much": (
        "from {author}; it would have waited for its reading, but more such mail waits in {deployment} already than is allowed"
    ),
    "verdict_reason.seal_not_trusted": "{domain} sealed it, and isn't one of the sealers that count here",
    "sync.given_up": "given up by the sync after {attempts} tries: {error}",
    "sync.nobody_sweeps": "The sync isn't running, so no mailbox is swept. Tell the person who runs Mailweir.",
    "tracking.nothing": (
        "Nothing is known of {text}: it has not come here, or it was ignored more than {days} days ago, or it was refused."
    ),
    "hint.register_alias": "if {author} is a user's own address, add it to the user",
    "mailbox.refused": "{error}; asked again {again:%Y-%m-%d %H:%M:%SZ}",
    "hint.look_into_gmail": (
        "in Gmail of {mailbox}: Settings, Forwarding and POP/IMAP: is 'Forward a copy of incoming mail to {capture_address}' "
        "still on? Gmail turns it off by itself where mail is refused for long; also see Filters and Blocked Addresses"
    ),
    "hint.check_mailbox": "see whether {mailbox} is right and takes mail; then ask Gmail to send it again",
    "hint.ask_gmail_again": "ask Gmail to send it again, a while later",
    "relay.loopback_only": "this host can't be reached from outside yet",
    "relay.other_ports": "Gmail's form offers ports 587 and 465 alone, and this host has others",
    "relay.self_signed": "this host's certificate is self-signed",
}
