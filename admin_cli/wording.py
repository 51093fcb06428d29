"""Explanations in English, as an admin at the command line reads them: a text for each key of `mailweir.explain`.

A text holds the parameters of its key, and moments in the form that stands there. Called by the commands and the demo.
"""

from collections.abc import Mapping

from mailweir.explain.explanation import Explanation

_NO_AUTHOR = "(no author)"

WORDS: Mapping[str, str] = {
    "decision.author_is_user": "mail from {author}, a user of {deployment}",
    "decision.author_is_user.incoming": "incoming from {author}, a user of {deployment}",
    "decision.author_is_user.outgoing": "outgoing from {author}, a user of {deployment}",
    "decision.author_is_contact": "mail from {author}, a contact of {deployment}",
    "decision.author_is_contact.incoming": "incoming from {author}, a contact of {deployment}",
    "decision.author_is_contact.outgoing": "outgoing from {author}, a contact of {deployment}",
    "decision.unknown_author": "author {author} is not a contact of {deployment}",
    "decision.unknown_group": (
        "author {author} is not a contact of {deployment}, but the mail says that somebody known wrote it; if {author} is "
        "a group of the firm's, 'mailweir group add {author}' has such mail recorded from now on"
    ),
    "decision.unknown_group.naming": (
        "author {author} is not a contact of {deployment}, but the mail says that somebody known wrote it: it names {names}; if "
        "{author} is a group of the firm's, 'mailweir group add {author}' has such mail recorded from now on"
    ),
    "decision.company_unproven": (
        "author {author} writes from a company's domain, which makes contacts in {deployment}, but isn't proven"
    ),
    "decision.company_automatic": (
        "author {author} is not a contact of {deployment}, and a program's mail makes none, also from a company's domain"
    ),
    "decision.company_removed": (
        "{author} was taken off a contact of {deployment}, so no mail makes a contact of it again: 'mailweir contact add' does"
    ),
    "decision.company_limit": (
        "author {author} is not a contact of {deployment}, and the company's domain has made as many contacts as a day may"
    ),
    "decision.company_not_alone": (
        "author {author} is not a contact of {deployment}, and makes none: others than the company write from the domain, too"
    ),
    "decision.known_thread": "incoming from {author}, no contact of {deployment}, but in a thread that is on the record",
    "decision.unknown_thread": (
        "author {author} is not a contact of {deployment}, and the mail answers nothing that its users have on the record"
    ),
    "decision.thread_unproven": (
        "author {author} is not a contact of {deployment}, answers in a thread, and isn't proven to write from that domain"
    ),
    "decision.thread_limit": (
        "author {author} is not a contact of {deployment}, and as much mail of unknown addresses is in the thread as may be"
    ),
    "decision.unreadable_author": "its From header doesn't name one author, or can be read in two ways",
    "decision.unreadable_author.naming": (
        "its From header doesn't name one author, or can be read in two ways: it names {names}"
    ),
    "decision.internal": "internal mail: author {author} and all recipients are users of {deployment}",
    "decision.no_contact": "author {author} is a user of {deployment}, but no recipient is a contact",
    "decision.unreadable_recipients": (
        "author {author} is a user of {deployment}, but To couldn't be read: no address is in To or Cc"
    ),
    "decision.unknown_recipient": "the capture address was no user's any more when the message came",
    "decision.confirmation": "Gmail's forwarding confirmation, sent on to the owner's own mailbox",
    "decision.unproven_confirmation": (
        "it looked like a Gmail forwarding confirmation, but Google's signature doesn't prove it, so it was not sent on"
    ),
    "decision.confirmation_for_nobody": (
        "Gmail's forwarding confirmation for the log address, which is nobody's: let the mailbox forward to its user's capture "
        "address instead"
    ),
    "decision.confirmation_for_another": (
        "Gmail's forwarding confirmation, but To names another address than the capture address that it came to, so it was not "
        "sent on: add the capture address itself as the forwarding address"
    ),
    "decision.confirmation_limit": (
        "Gmail's forwarding confirmation, but as many as the settings allow were sent on already; its link is kept"
    ),
    "decision.returned_confirmation": (
        "a forwarding confirmation that was sent on already came back from the mailbox, and stops here so that it can't loop"
    ),
    "decision.bounce": "a forwarding confirmation that was sent on could not be delivered, and this is the bounce",
    "decision.not_the_logins": "sent by the relay, and an address in it isn't one of the login's; see the filter's log",
    "decision.login_limit": "sent by the relay, and the login is over its limit for this hour",
    "decision.never_log": "never-log rule {rule} of {deployment}",
    "decision.never_log_of_user": "never-log rule {rule} of {user}, and nobody else has it",
    "decision.not_synced": (
        "the mailbox is synced, but not in this direction: 'mailweir gmail connect USERNAME --inbound --outbound' sets both"
    ),
    "decision.held_forward": (
        "author {author} is a user of {deployment}, and may have forwarded a client's mail: "
        "it waits until its reading says whose it is"
    ),
    "decision.held_company": (
        "author {author} may be a new contact of a known company: it waits until its reading says whose it is"
    ),
    "decision.held_thread": (
        "author {author} may answer in a known conversation: it waits until its reading says whose it is"
    ),
    "decision.held_too_much": (
        "from {author}; it would have waited for its reading, but more of such mail waits in {deployment} already than the "
        "settings allow (digest.held_author_bytes, digest.held_deployment_bytes)"
    ),
    "decision.held_unread": "from {author}; it waited for its reading, could not be read in time, and was erased",
    "decision.forwarded_by_user": "forwarded by {user}, says from {original}",
    "decision.unproven_forwarder": (
        "author {author} is a user of {deployment}, but it isn't proven that this user sent it, so nobody looks whom it forwards"
    ),
    "decision.forward_of_staff": "forwarded by {author}, but what is forwarded was written by users of {deployment}",
    "decision.forward_of_nobody": (
        "forwarded by {author}, but nobody who wrote what is forwarded is a contact of {deployment}; make the contact, "
        "and forward it to the log address again"
    ),
    "decision.no_such_recipient": "nobody has the capture address that it was for",
    "decision.postfix_refused": "Postfix refused it for good; its log, on the host that it came to, has what the sender was told",
    "decision.postfix_put_off": "Postfix told the sender to come again; its log, on the host that it came to, says why",
    "decision.send_as_confirmation": "Gmail's question whether an address is the user's, sent on by the relay as it was",
    "stored.word": "{word}",
    "outcome.captured": "captured",
    "outcome.captured.activity": "captured as activity {activity}",
    "outcome.ignored": "ignored",
    "outcome.redirected": "redirected",
    "outcome.refused": "refused",
    "outcome.put_off": "put off",
    "sync.given_up": (
        "given up by the sync after {attempts} tries: {error}; 'mailweir gmail retry {username}' tries it again"
    ),
    "sync.held": (
        "own mail that is to be sent later: nothing is decided before its date, {until:%Y-%m-%dT%H:%M:%S.%fZ}"
    ),
    "sync.failing": "waits in the sync, to be tried again, after {attempts} tries: {error}",
    "sync.waiting": "waits in the sync, and wasn't looked at yet",
    "sync.app_refused": "Google refuses the app since {since:%Y-%m-%d %H:%M:%SZ}, so no mailbox can be read: {error}",
    "sync.nobody_sweeps": (
        "No mailweir-gmail-sync is at work, so no mailbox is swept: start 'mailweir up', or start it again."
    ),
    "postfix.refused": "refused at {stage}: {reply}",
    "postfix.put_off": "put off at {stage}, so that the sender comes again: {reply}",
    "postfix.broken_off": "broken off at {stage}, so that the sender comes again as a rule: {reply}",
    "tracking.nothing": (
        "No decision is known for {text}: it has not come here, was refused before the part of the log that is read, "
        "or was ignored more than {days} days ago."
    ),
    "hint.register_alias": "if {author} is a user's own address: mailweir user alias USERNAME {author}",
    "direction.incoming": "incoming",
    "direction.outgoing": "outgoing",
    "route.forward": "forward",
    "route.log": "log",
    "route.relay": "relay",
    "route.gmail_in": "gmail_in",
    "route.gmail_out": "gmail_out",
    "visibility.everyone": "everyone may read it",
    "visibility.metadata": "only its participants may read it; others see who and when",
    "visibility.participants": "only its participants may see it",
    "verdict.pass": "pass",
    "verdict.fail": "fail",
    "verdict.none": "none",
    "verdict.pending": "pending",
    "verdict_reason.dkim": "proven by DKIM of {domain}",
    "verdict_reason.seal": "proven by {domain}'s seal",
    "verdict_reason.seal_spf": "proven by {domain}'s seal, which saw SPF pass",
    "verdict_reason.login": "proven by a login of ours",
    "verdict_reason.no_signature": "it has no signature",
    "verdict_reason.other_domain": "only {domain} signed it, which isn't the author's domain",
    "verdict_reason.body_changed": "the text was changed after {domain} signed it, on the way or by somebody else",
    "verdict_reason.headers_changed": (
        "the signature by {domain} doesn't fit: headers were changed after it, or another key made it"
    ),
    "verdict_reason.malformed_signature": "the signature by {domain} is malformed",
    "verdict_reason.malformed_signature.nobodys": "its signature can't be read",
    "verdict_reason.not_timely": "the signature by {domain} has expired, or is of a time to come",
    "verdict_reason.covers_too_little": (
        "the signature by {domain} covers too little: not From, not the whole text, or by an algorithm that proves nothing"
    ),
    "verdict_reason.wrong_identity": "the signature by {domain} names a domain that its key isn't for (t=s)",
    "verdict_reason.key_missing": "the key of the signature by {domain} isn't published",
    "verdict_reason.key_revoked": "the key of the signature by {domain} is revoked",
    "verdict_reason.key_unusable": "what is published for the signature by {domain} is no key for it",
    "verdict_reason.key_too_short": "the key of the signature by {domain} is too short",
    "verdict_reason.seal_not_trusted": "{domain} sealed it, which [digest] trusted_sealers doesn't name",
    "verdict_reason.seal_broken": "its seals don't hold: it was changed after they were made, or they aren't genuine",
    "verdict_reason.seal_saw_no_proof": "{domain} sealed it, and saw no proof of the author either",
    "verdict_reason.unreadable_headers": "its headers hold a line that is none, so no signature counts",
    "verdict_reason.doubled_headers": (
        "a header stands there twice that may stand once, and readers differ in which they show, so no signature counts"
    ),
    "verdict_reason.too_many_headers": "it has too many headers for its signatures to be checked",
    "verdict_reason.through_group": "a group passed it on and changed it, and left no proof of the author",
    "verdict_reason.author_in_doubt": "From leaves a doubt about its author, so no signature can prove one",
    "verdict_reason.forwarded_by_hand": "the author is whom the forwarder names: the mail itself is the forwarder's",
    "verdict_reason.damaged": "its bytes are damaged in the database",
    "verdict_reason.examiner_died": "it couldn't be examined: the examiner failed on it, several times",
    "author.repaired": ("From was repaired: no common reader shows it without doubt, and no signature can prove it"),
    "author.forwarded": "whoever forwarded the mail by hand says so: no signature can prove it",
    "author.several": ("From can be read in several ways, all of them this contact's: no signature can prove it"),
    "author.via": "it came by {via}, which put its own address into From; the author is who the mail says wrote it before",
    "forwarded.by": "by {user}, says from {original}",
    "author.known_thread": "unknown address, in a thread on the record",
    "author.known_thread.naming": "unknown address, in thread of {names}",
    "contact.company_domain": "{address}: contact made from the domain of {company} on {made_at:%Y-%m-%d}",
    "todo.open": "open",
    "todo.done": "done since {since:%Y-%m-%d %H:%M:%SZ}",
    "mailbox.connected": "connected",
    "mailbox.waits": "waits",
    "mailbox.reconnect": "reconnect",
    "mailbox.refused": "{error} ('mailweir gmail connect {username}'); asked again {again:%Y-%m-%d %H:%M:%SZ}",
    "mailbox.waits_for_app": "waits for the app",
    "mailbox.failing": "{error}; again {again:%Y-%m-%d %H:%M:%SZ}",
    "mailbox.consent_ends": (
        "the consent ends {ends:%Y-%m-%d %H:%M:%SZ}, for the app is in testing at Google: publish it (Audience in Google's "
        "console), and connect again"
    ),
    "consent.service_account": (
        "a service account read it, and still may: that ends for all mailboxes in the Admin console under Security, "
        "API controls, Domain-wide delegation"
    ),
    "consent.shared": "the consent stays at Google: {address} is connected for another user too",
    "consent.untold": (
        "Google wasn't told ({error}): the token is forgotten here, and {address} can withdraw the consent at "
        "https://myaccount.google.com/connections"
    ),
    "forwarding.usual": "mail is forwarded as is usual, the last one at {last:%Y-%m-%d %H:%M}Z",
    "forwarding.not_yet": "no forwarded mail has been seen yet",
    "forwarding.never": "no forwarded mail has ever been seen",
    "forwarding.quiet": (
        "forwarding went quiet: nothing for {days} days, since {last:%Y-%m-%d %H:%M}Z; "
        "usually no pause was longer than {usual_days:.1f} days"
    ),
    "forwarding.rare": (
        "no mail was forwarded since {last:%Y-%m-%d %H:%M}Z; too little came before to tell whether that is usual"
    ),
    "forwarding.none_of_late": "no mail was forwarded of late; too little came before to tell whether that is usual",
    "forwarding.confirmation_bounced": (
        "Gmail's forwarding confirmation of {seen_at:%Y-%m-%d %H:%M}Z could not be delivered to {mailbox}"
    ),
    "forwarding.confirmation_held_back": (
        "Gmail's forwarding confirmation of {seen_at:%Y-%m-%d %H:%M}Z was not sent on, for as many as allowed were before"
    ),
    "forwarding.unconfirmed": (
        "Gmail's forwarding confirmation was sent on to {mailbox} on {seen_at:%Y-%m-%d %H:%M}Z, and no mail came since"
    ),
    "hint.forward": (
        "let the mailbox {mailbox} forward to {capture_address}, unless this user only copies {log_address}"
    ),
    "hint.look_into_gmail": (
        "in Gmail of {mailbox}: Settings, Forwarding and POP/IMAP: is 'Forward a copy of incoming mail to {capture_address}' "
        "still on? Gmail turns it off by itself where mail is refused for long; also see Filters and Blocked Addresses, and "
        "'mailweir why {capture_address}'"
    ),
    "hint.ask_the_user": "ask {username} whether the forwarding is still on",
    "hint.check_mailbox": (
        "see whether {mailbox} is right and takes mail ('mailweir user list'); then ask Gmail to send it again"
    ),
    "hint.ask_gmail_again": "see [confirmation] in the settings; then ask Gmail to send it again",
    "hint.click_the_link": (
        "let its owner click the link in it, and then choose 'Forward a copy of incoming mail' in Gmail and save"
    ),
    "login.in_use": "in use",
    "login.suspended": "suspended: {reason}",
    "relay.loopback_only": "Postfix listens on {address} only (smtp.bind_address)",
    "relay.other_ports": "its form offers ports 587 and 465 alone (smtp.submission_port, smtp.submissions_port)",
    "relay.self_signed": "the certificate is self-signed (smtp.tls_certificate_file)",
}


def text(explanation: Explanation) -> str:
    """The words of an explanation: a part of a sentence, without a full stop as a rule."""
    values = dict(explanation.parameters)
    if values.get("author") == "":
        values["author"] = _NO_AUTHOR
    return WORDS[explanation.key].format(**values)
