"""Texts of the page that differ from the command line's: the page has buttons instead of commands, and its users can't change
settings.

Pure. Called by `english`.
"""

from collections.abc import Mapping

PAGE: Mapping[str, str] = {
    "decision.unknown_group": (
        "author {author} is not a contact of {deployment}, but the mail says that a known person wrote it; "
        "if {author} is a group of the firm, add it as a group: such mail is recorded from then on"
    ),
    "decision.unknown_group.naming": (
        "author {author} is not a contact of {deployment}, but the mail says that a known person wrote it: "
        "it names {names}; if {author} is a group of the firm, add it as a group: such mail is recorded from "
        "then on"
    ),
    "decision.company_removed": (
        "{author} was removed from a contact of {deployment}, so mail doesn't add it again: somebody has to "
        "add it by hand"
    ),
    "decision.not_synced": "the mailbox is synced, but not in this direction",
    "decision.held_too_much": (
        "from {author}; the mail would have been held, but the limit of held mail in {deployment} was reached"
    ),
    "verdict_reason.seal_not_trusted": "{domain} sealed it, but its seals don't count here",
    "sync.given_up": "given up by the sync after {attempts} tries: {error}",
    "sync.nobody_sweeps": "The sync isn't running, so no mailbox is swept. Tell the person who runs Mailweir.",
    "tracking.nothing": (
        "Nothing is known of {text}: it has not come here, or it was ignored more than {days} days ago, or it was refused."
    ),
    "hint.register_alias": "if {author} is a user's own address, add it to the user",
    "mailbox.refused": "{error}; asked again {again:%Y-%m-%d %H:%M:%SZ}",
    "hint.look_into_gmail": (
        "in Gmail of {mailbox}, look at Settings, Forwarding and POP/IMAP: is 'Forward a copy of incoming "
        "mail to {capture_address}' still on? Gmail turns it off by itself when mail is refused for a long "
        "time; also see Filters and Blocked Addresses"
    ),
    "hint.check_mailbox": "check that {mailbox} is right and accepts mail; then ask Gmail to send it again",
    "hint.ask_gmail_again": "ask Gmail later to send it again",
    "relay.loopback_only": "this host can't be reached from outside yet",
    "relay.other_ports": "Gmail's form offers only ports 587 and 465, and this host has others",
    "relay.self_signed": "this host's certificate is self-signed",
}
