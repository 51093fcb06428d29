"""Decisions on messages, in English: a text for each key. Pure. Called by `english`."""

from collections.abc import Mapping

DECISIONS: Mapping[str, str] = {
    "decision.author_is_user": "mail from {author}, a user of {deployment}",
    "decision.author_is_user.incoming": "incoming from {author}, a user of {deployment}",
    "decision.author_is_user.outgoing": "outgoing from {author}, a user of {deployment}",
    "decision.author_is_contact": "mail from {author}, a contact of {deployment}",
    "decision.author_is_contact.incoming": "incoming from {author}, a contact of {deployment}",
    "decision.author_is_contact.outgoing": "outgoing from {author}, a contact of {deployment}",
    "decision.unknown_author": "author {author} is not a contact of {deployment}",
    "decision.unknown_group": (
        "author {author} is not a contact of {deployment}, but the mail says that a known person wrote it; if {author} is "
        "a group of the firm, 'mailweir group add {author}' has such mail recorded from now on"
    ),
    "decision.unknown_group.naming": (
        "author {author} is not a contact of {deployment}, but the mail says that a known person wrote it: it names {names}; if "
        "{author} is a group of the firm, 'mailweir group add {author}' has such mail recorded from now on"
    ),
    "decision.company_unproven": (
        "mail from the company's domain adds contacts to {deployment}, but the author {author} isn't proven"
    ),
    "decision.company_automatic": (
        "author {author} is not a contact of {deployment}, and automatic mail adds no contact, not even from "
        "a company's domain"
    ),
    "decision.company_removed": (
        "{author} was removed from a contact of {deployment}, so mail doesn't add it again: 'mailweir contact add' does"
    ),
    "decision.company_limit": (
        "author {author} is not a contact of {deployment}, and the company's domain has reached its daily limit of new contacts"
    ),
    "decision.company_not_alone": (
        "author {author} is not a contact of {deployment}, and mail adds no contact: people outside the company "
        "write from its domain, too"
    ),
    "decision.known_thread": "incoming from {author}, not a contact of {deployment}, but in a thread that is on the record",
    "decision.unknown_thread": (
        "author {author} is not a contact of {deployment}, and the mail belongs to no thread on its users' record"
    ),
    "decision.thread_unproven": (
        "author {author} is not a contact of {deployment} and answers in a thread, but it isn't proven that "
        "the mail comes from that domain"
    ),
    "decision.thread_limit": (
        "author {author} is not a contact of {deployment}, and the thread has reached its limit of mail from unknown addresses"
    ),
    "decision.unreadable_author": "its From header doesn't name one author, or can be read in two ways",
    "decision.unreadable_author.naming": (
        "its From header doesn't name one author, or can be read in two ways: it names {names}"
    ),
    "decision.internal": "internal mail: author {author} and all recipients are users of {deployment}",
    "decision.no_contact": "author {author} is a user of {deployment}, but no recipient is a contact",
    "decision.unreadable_recipients": (
        "author {author} is a user of {deployment}, but its recipients can't be read: To and Cc hold no address"
    ),
    "decision.unknown_recipient": "the capture address no longer belonged to a user when the message came",
    "decision.confirmation": "Gmail's forwarding confirmation, sent on to the owner's own mailbox",
    "decision.unproven_confirmation": (
        "it looked like a Gmail forwarding confirmation, but Google's signature doesn't prove it, so it was not sent on"
    ),
    "decision.confirmation_for_nobody": (
        "Gmail's forwarding confirmation for the log address, which belongs to no user: let the mailbox forward "
        "to its user's capture address instead"
    ),
    "decision.confirmation_for_another": (
        "Gmail's forwarding confirmation, but To names another address than the capture address that it came "
        "to, so it was not sent on; add the capture address itself as the forwarding address"
    ),
    "decision.confirmation_limit": (
        "Gmail's forwarding confirmation, not sent on because the limit in the settings was reached; its link is kept"
    ),
    "decision.returned_confirmation": (
        "a forwarding confirmation that had been sent on came back from the mailbox; it stops here, so that "
        "it can't loop"
    ),
    "decision.bounce": "the bounce of a forwarding confirmation that was sent on and could not be delivered",
    "decision.not_the_logins": "sent through the relay, but an address in it doesn't belong to the login; see the filter's log",
    "decision.login_limit": "sent through the relay, but the login is over its limit for this hour",
    "decision.never_log": "never-log rule {rule} of {deployment}",
    "decision.never_log_of_user": "never-log rule {rule} of {user}, and no other user has this mail",
    "decision.never_log_of_others": "a never-log rule of another user, and all users who have this mail have such a rule",
    "decision.not_synced": (
        "the mailbox is synced, but not in this direction: 'mailweir gmail connect USERNAME --inbound --outbound' sets both"
    ),
    "decision.held_forward": (
        "author {author} is a user of {deployment} and may have forwarded a contact's mail: it waits until "
        "its reading shows whose it is"
    ),
    "decision.held_company": (
        "author {author} may be a new contact of a known company: the mail waits until its reading shows whose it is"
    ),
    "decision.held_thread": (
        "author {author} may answer in a known thread: the mail waits until its reading shows whose it is"
    ),
    "decision.held_too_much": (
        "from {author}; the mail would have been held, but the limit of held mail in {deployment} was reached "
        "(digest.held_author_bytes, digest.held_deployment_bytes)"
    ),
    "decision.held_unread": "from {author}; the mail was held, could not be read in time, and was erased",
    "decision.forwarded_by_user": "forwarded by {user}, who says that it is from {original}",
    "decision.unproven_forwarder": (
        "author {author} is a user of {deployment}, but it isn't proven that this user sent it, so the forwarded mail isn't "
        "looked at"
    ),
    "decision.forward_of_staff": "forwarded by {author}, but users of {deployment} wrote the forwarded mail",
    "decision.forward_of_nobody": (
        "forwarded by {author}, but no author of the forwarded mail is a contact of {deployment}; add the "
        "contact, and forward it to the log address again"
    ),
    "decision.no_such_recipient": "no user has the capture address that it was sent to",
    "decision.postfix_refused": "Postfix refused it for good; its log, on the host that received it, has the reply to the sender",
    "decision.postfix_put_off": "Postfix told the sender to try again; its log, on the host that received it, says why",
    "decision.send_as_confirmation": "Gmail's question whether an address belongs to the user; the relay sent it on unchanged",
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
        "own mail that is scheduled for later: nothing is decided before its date, {until:%Y-%m-%dT%H:%M:%S.%fZ}"
    ),
    "sync.failing": "waits in the sync for another try, after {attempts} tries: {error}",
    "sync.waiting": "waits in the sync, and hasn't been looked at yet",
    "sync.app_refused": "Google has refused the app since {since:%Y-%m-%d %H:%M:%SZ}, so no mailbox can be read: {error}",
    "sync.nobody_sweeps": (
        "No mailweir-gmail-sync is running, so no mailbox is swept: start 'mailweir up', or start it again."
    ),
    "postfix.refused": "refused at {stage}: {reply}",
    "postfix.put_off": "put off at {stage}; the sender tries again: {reply}",
    "postfix.broken_off": "broken off at {stage}; the sender usually tries again: {reply}",
    "tracking.nothing": (
        "No decision is known for {text}: it has not come here, was refused before the part of the log that is read, "
        "or was ignored more than {days} days ago."
    ),
    "tracking.nothing_since": (
        "Nothing was found here for {text}. The search went back to {until:%Y-%m-%d %H:%M}Z, and there are "
        "older decisions."
    ),
    "tracking.looked_back": "The search went back to {until:%Y-%m-%d %H:%M}Z, and there are older decisions.",
    "tracking.no_queue_id": (
        "NOQUEUE is no queue id: Postfix writes it for mail that it refused before there was one. "
        "Look for such mail by its sender's or recipient's address."
    ),
    "tracking.host": (
        "Mailweir records no hosts, so it finds no decision by {text}. Look for the mail by its author's or recipient's address."
    ),
    "tracking.domain": (
        "If {text} is a domain, look for a whole address in it: decisions aren't found by a domain or a host's name."
    ),
    "tracking.tagged": "Look for {plain} too: that is the address without its tag.",
    "tracking.no_more": "No more is known of {text}.",
    "tracking.no_subjects": (
        "Mail that wasn't recorded has no subject here: look for it by its Message-ID, or by its author's or recipient's address."
    ),
    "tracking.own_alone": (
        "You see mail that wasn't recorded only if it came to your capture address, was sent from your "
        "addresses or was found in your mailbox. An admin can look for the rest."
    ),
    "hint.register_alias": "if {author} is a user's own address: mailweir user alias USERNAME {author}",
}
