"""Activities, mailboxes, forwarding and logins, in English: a text for each key. Pure. Called by `english`."""

from collections.abc import Mapping

STATES: Mapping[str, str] = {
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
    "verdict_reason.not_timely": "the signature by {domain} has expired, or is dated in the future",
    "verdict_reason.covers_too_little": (
        "the signature by {domain} doesn't prove enough: it leaves out From or a part of the text, or its "
        "algorithm proves nothing"
    ),
    "verdict_reason.wrong_identity": "the signature by {domain} names a domain that its key isn't for (t=s)",
    "verdict_reason.key_missing": "the key of the signature by {domain} isn't published",
    "verdict_reason.key_revoked": "the key of the signature by {domain} is revoked",
    "verdict_reason.key_unusable": "the record published for the signature by {domain} is not a key for it",
    "verdict_reason.key_too_short": "the key of the signature by {domain} is too short",
    "verdict_reason.seal_not_trusted": "{domain} sealed it, which [digest] trusted_sealers doesn't name",
    "verdict_reason.seal_broken": "its seals don't hold: it was changed after they were made, or they aren't genuine",
    "verdict_reason.seal_saw_no_proof": "{domain} sealed it, and saw no proof of the author either",
    "verdict_reason.unreadable_headers": "its headers hold a malformed line, so no signature counts",
    "verdict_reason.doubled_headers": (
        "a header that may occur only once occurs twice, and mail programs differ in which they show, so no "
        "signature counts"
    ),
    "verdict_reason.too_many_headers": "it has too many headers for its signatures to be checked",
    "verdict_reason.through_group": "a group passed it on and changed it, and left no proof of the author",
    "verdict_reason.author_in_doubt": "From leaves doubt about the author, so no signature can prove the author",
    "verdict_reason.forwarded_by_hand": "only the forwarder names the author: the mail itself is the forwarder's",
    "verdict_reason.damaged": "its bytes are damaged in the database",
    "verdict_reason.examiner_died": "it couldn't be examined: several tries failed",
    "author.repaired": (
        "From was repaired: no common mail program shows it without doubt, and no signature can prove it"
    ),
    "author.forwarded": "the person who forwarded the mail by hand says so: no signature can prove it",
    "author.several": ("From can be read in several ways, all of them this contact's: no signature can prove it"),
    "author.via": (
        "it came through {via}, which put its own address into From; the author is the person who wrote it "
        "before, as the mail says"
    ),
    "forwarded.by": "by {user}, who says that it is from {original}",
    "author.known_thread": "unknown address, in a thread on the record",
    "author.known_thread.naming": "unknown address, in a thread of {names}",
    "contact.company_domain": "{address}: contact added by mail from the domain of {company} on {made_at:%Y-%m-%d}",
    "todo.open": "open",
    "todo.done": "done since {since:%Y-%m-%d %H:%M:%SZ}",
    "mailbox.connected": "connected",
    "mailbox.waits": "waits",
    "mailbox.reconnect": "reconnect",
    "mailbox.refused": "{error} ('mailweir gmail connect {username}'); asked again {again:%Y-%m-%d %H:%M:%SZ}",
    "mailbox.waits_for_app": "waits for the app",
    "mailbox.failing": "{error}; again {again:%Y-%m-%d %H:%M:%SZ}",
    "mailbox.consent_ends": (
        "the consent ends {ends:%Y-%m-%d %H:%M:%SZ}, because the app is in testing at Google: publish it "
        "(Audience in Google's console), and connect again"
    ),
    "consent.service_account": (
        "a service account read it, and still has access: you can end that for all mailboxes in the Admin "
        "console under Security, API controls, Domain-wide delegation"
    ),
    "consent.shared": "the consent stays at Google: {address} is connected for another user too",
    "consent.untold": (
        "Google didn't receive the revocation ({error}): Mailweir tries again; {address} can also withdraw "
        "the consent at https://myaccount.google.com/connections"
    ),
    "forwarding.usual": "mail is forwarded as usual, the last one at {last:%Y-%m-%d %H:%M}Z",
    "forwarding.not_yet": "no forwarded mail has been seen yet",
    "forwarding.never": "no forwarded mail has ever been seen",
    "forwarding.quiet": (
        "forwarding went quiet: nothing for {days} days, since {last:%Y-%m-%d %H:%M}Z; before, pauses were "
        "usually at most {usual_days:.1f} days"
    ),
    "forwarding.rare": (
        "no mail was forwarded since {last:%Y-%m-%d %H:%M}Z; too little came before to tell whether that is usual"
    ),
    "forwarding.none_of_late": "no mail was forwarded recently; too little came before to tell whether that is usual",
    "forwarding.confirmation_bounced": (
        "Gmail's forwarding confirmation of {seen_at:%Y-%m-%d %H:%M}Z could not be delivered to {mailbox}"
    ),
    "forwarding.confirmation_held_back": (
        "Gmail's forwarding confirmation of {seen_at:%Y-%m-%d %H:%M}Z was not sent on, because the limit was "
        "already reached"
    ),
    "forwarding.unconfirmed": (
        "Gmail's forwarding confirmation was sent on to {mailbox} on {seen_at:%Y-%m-%d %H:%M}Z, and Gmail "
        "has forwarded nothing since"
    ),
    "hint.forward": (
        "let the mailbox {mailbox} forward to {capture_address}, unless this user only sends copies to {log_address}"
    ),
    "hint.look_into_gmail": (
        "in Gmail of {mailbox}, look at Settings, Forwarding and POP/IMAP: is 'Forward a copy of incoming mail to "
        "{capture_address}' still on? Gmail turns it off by itself when mail is refused for a long time; also see Filters and "
        "Blocked Addresses, and 'mailweir why {capture_address}'"
    ),
    "hint.ask_the_user": "ask {username} whether the forwarding is still on",
    "hint.check_mailbox": (
        "check that {mailbox} is right and accepts mail ('mailweir user list'); then ask Gmail to send it again"
    ),
    "hint.ask_gmail_again": "see [confirmation] in the settings; then ask Gmail to send it again",
    "hint.click_the_link": (
        "let its owner click the link in it, and then choose 'Forward a copy of incoming mail' in Gmail and save"
    ),
    "login.in_use": "in use",
    "login.suspended": "suspended: {reason}",
    "relay.loopback_only": "Postfix listens on {address} only (smtp.bind_address)",
    "relay.other_ports": "its form offers only ports 587 and 465 (smtp.submission_port, smtp.submissions_port)",
    "relay.self_signed": "the certificate is self-signed (smtp.tls_certificate_file)",
}
