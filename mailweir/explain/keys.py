"""All that an edge may have to say: each key with the names of its parameters. Pure. Standard library only.

A key never changes, for programs read it; it may gain parameters, and loses none. A reason's key is `decision.` with the name
of its `decision.Reason`, and an ending where its sentence differs: by direction, or where From names others.

author: "" where there is none. names: addresses, with commas. rule: an address, or `@` and a domain.
"""

from collections.abc import Mapping

_NONE: frozenset[str] = frozenset()


def _of(*names: str) -> frozenset[str]:
    return frozenset(names)


_DECISIONS = {
    "decision.author_is_user": _of("author", "deployment"),
    "decision.author_is_user.incoming": _of("author", "deployment"),
    "decision.author_is_user.outgoing": _of("author", "deployment"),
    "decision.author_is_contact": _of("author", "deployment"),
    "decision.author_is_contact.incoming": _of("author", "deployment"),
    "decision.author_is_contact.outgoing": _of("author", "deployment"),
    "decision.unknown_author": _of("author", "deployment"),
    "decision.unknown_group": _of("author", "deployment"),
    "decision.unknown_group.naming": _of("author", "deployment", "names"),
    "decision.unreadable_author": _NONE,
    "decision.unreadable_author.naming": _of("names"),
    "decision.internal": _of("author", "deployment"),
    "decision.no_contact": _of("author", "deployment"),
    "decision.unreadable_recipients": _of("author", "deployment"),
    "decision.unknown_recipient": _NONE,
    "decision.confirmation": _NONE,
    "decision.unproven_confirmation": _NONE,
    "decision.confirmation_for_nobody": _NONE,
    "decision.confirmation_for_another": _NONE,
    "decision.confirmation_limit": _NONE,
    "decision.returned_confirmation": _NONE,
    "decision.bounce": _NONE,
    "decision.not_the_logins": _NONE,
    "decision.login_limit": _NONE,
    "decision.never_log": _of("deployment", "rule"),
    "decision.never_log_of_user": _of("rule", "user"),
    "decision.not_synced": _NONE,
    "decision.held_forward": _of("author", "deployment"),
    "decision.held_company": _of("author"),
    "decision.held_thread": _of("author"),
    "decision.held_too_much": _of("author", "deployment"),
    "decision.held_unread": _of("author"),
    "decision.forwarded_by_user": _of("original", "user"),
    "decision.unproven_forwarder": _of("author", "deployment"),
    "decision.forward_of_staff": _of("author", "deployment"),
    "decision.forward_of_nobody": _of("author", "deployment"),
    "decision.no_such_recipient": _NONE,
    "decision.postfix_refused": _NONE,
    "decision.postfix_put_off": _NONE,
    "decision.send_as_confirmation": _NONE,
}

PARAMETERS: Mapping[str, frozenset[str]] = {
    **_DECISIONS,
    # a word that the record keeps and this version doesn't know
    "stored.word": _of("word"),
    # what was done with a message
    "outcome.captured": _NONE,
    "outcome.captured.activity": _of("activity"),
    "outcome.ignored": _NONE,
    "outcome.redirected": _NONE,
    "outcome.refused": _NONE,
    "outcome.put_off": _NONE,
    # a message that nothing was decided of yet
    "sync.given_up": _of("attempts", "error", "username"),
    "sync.held": _of("until"),
    "sync.failing": _of("attempts", "error"),
    "sync.waiting": _NONE,
    # what keeps all mailboxes from being read
    "sync.app_refused": _of("since", "error"),
    "sync.nobody_sweeps": _NONE,
    # what Postfix did at its own stages
    "postfix.refused": _of("stage", "reply"),
    "postfix.put_off": _of("stage", "reply"),
    "postfix.broken_off": _of("stage", "reply"),
    # what became of a message, where nothing is known of it; what would help
    "tracking.nothing": _of("text", "days"),
    "hint.register_alias": _of("author"),
    # an activity
    "direction.incoming": _NONE,
    "direction.outgoing": _NONE,
    "route.forward": _NONE,
    "route.log": _NONE,
    "route.relay": _NONE,
    "route.gmail_in": _NONE,
    "route.gmail_out": _NONE,
    "visibility.everyone": _NONE,
    "visibility.metadata": _NONE,
    "visibility.participants": _NONE,
    "verdict.pass": _NONE,
    "verdict.fail": _NONE,
    "verdict.none": _NONE,
    "verdict.pending": _NONE,
    # why the verdict is what it is; domain: whose signature or seal it is about
    "verdict_reason.dkim": _of("domain"),
    "verdict_reason.seal": _of("domain"),
    "verdict_reason.seal_spf": _of("domain"),
    "verdict_reason.login": _NONE,
    "verdict_reason.no_signature": _NONE,
    "verdict_reason.other_domain": _of("domain"),
    "verdict_reason.body_changed": _of("domain"),
    "verdict_reason.headers_changed": _of("domain"),
    "verdict_reason.malformed_signature": _of("domain"),
    "verdict_reason.malformed_signature.nobodys": _NONE,
    "verdict_reason.not_timely": _of("domain"),
    "verdict_reason.covers_too_little": _of("domain"),
    "verdict_reason.wrong_identity": _of("domain"),
    "verdict_reason.key_missing": _of("domain"),
    "verdict_reason.key_revoked": _of("domain"),
    "verdict_reason.key_unusable": _of("domain"),
    "verdict_reason.key_too_short": _of("domain"),
    "verdict_reason.seal_not_trusted": _of("domain"),
    "verdict_reason.seal_broken": _NONE,
    "verdict_reason.seal_saw_no_proof": _of("domain"),
    "verdict_reason.unreadable_headers": _NONE,
    "verdict_reason.doubled_headers": _NONE,
    "verdict_reason.too_many_headers": _NONE,
    "verdict_reason.through_group": _NONE,
    "verdict_reason.author_in_doubt": _NONE,
    "verdict_reason.forwarded_by_hand": _NONE,
    "verdict_reason.damaged": _NONE,
    "verdict_reason.examiner_died": _NONE,
    "author.repaired": _NONE,
    "author.several": _NONE,
    "author.forwarded": _NONE,
    "author.via": _of("via"),
    # what a user forwarded by hand; original: the author by the forwarder's word
    "forwarded.by": _of("original", "user"),
    "todo.open": _NONE,
    "todo.done": _of("since"),
    # a synced mailbox: its state, and what there is to say of it
    "mailbox.connected": _NONE,
    "mailbox.waits": _NONE,
    "mailbox.reconnect": _NONE,
    "mailbox.refused": _of("error", "username", "again"),
    "mailbox.waits_for_app": _NONE,
    "mailbox.failing": _of("error", "again"),
    "mailbox.consent_ends": _of("ends"),
    # what is left at Google, once a mailbox is disconnected
    "consent.service_account": _NONE,
    "consent.shared": _of("address"),
    "consent.untold": _of("address", "error"),
    # a user's forwarding, and what to do about it
    "forwarding.usual": _of("last"),
    "forwarding.not_yet": _NONE,
    "forwarding.never": _NONE,
    "forwarding.quiet": _of("days", "last", "usual_days"),
    "forwarding.rare": _of("last"),
    "forwarding.none_of_late": _NONE,
    "forwarding.confirmation_bounced": _of("seen_at", "mailbox"),
    "forwarding.confirmation_held_back": _of("seen_at"),
    "forwarding.unconfirmed": _of("seen_at", "mailbox"),
    "hint.forward": _of("mailbox", "capture_address", "log_address"),
    "hint.look_into_gmail": _of("mailbox", "capture_address"),
    "hint.ask_the_user": _of("username"),
    "hint.check_mailbox": _of("mailbox"),
    "hint.ask_gmail_again": _NONE,
    "hint.click_the_link": _NONE,
    # the relay
    "login.in_use": _NONE,
    "login.suspended": _of("reason"),
    "relay.loopback_only": _of("address"),
    "relay.other_ports": _NONE,
    "relay.self_signed": _NONE,
}
