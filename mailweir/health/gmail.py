"""The synced Gmail mailboxes: can they be read, are they swept, is anything missing or given up."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailweir import secrets_file
from mailweir.errors import SettingsError
from mailweir.gmail import oauth_files
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import Kept, Sentence, said
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_app, gmail_mailboxes, gmail_revocations, gmail_waiting, gmail_workers
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, State
from mailweir.store.people.deployments import Deployment

AREA = "gmail"
_LATE_SWEEPS = 5
_LEAST_LATE = timedelta(minutes=10)


def check_file(settings: Settings) -> Iterator[Finding]:
    """Can the user that the sync runs as use the files that identify us at Google?"""
    if not settings.gmail.is_set_up:
        return
    try:
        oauth_files.load_all(settings.gmail)
    except SettingsError as error:
        yield wrong(
            AREA,
            str(error),
            said("put the right file in its place: owner {run_as}, mode 0600", run_as=settings.run_as),
            key="gmail.file_unusable",
            why=str(error),
        )
        return
    for file in settings.gmail.identity_files:
        if foreign := secrets_file.foreign(file, settings.run_as):
            yield wrong(
                AREA,
                foreign,
                said("chown {run_as} {file}", run_as=settings.run_as, file=file),
                key="gmail.file_foreign",
                file=str(file),
            )
        else:
            yield ok(AREA, said("{file} can be read", file=file), key="gmail.file_fine", file=str(file))


def check_sync(settings: Settings, database: Database, now: datetime) -> Iterator[Finding]:
    """If there are mailboxes to sweep, does a process sweep them?"""
    app = gmail_app.find(database)
    if settings.gmail.is_set_up and app:
        since = _text(app.since)
        yield wrong(
            AREA,
            said("Google has refused the app since {since}: {error}", since=since, error=Kept(app.error)),
            said("no user has to consent for that"),
            key="gmail.app_refused",
            since=app.since,
            why=app.error,
        )
    alive = gmail_workers.alive(database, now)
    if settings.gmail.is_set_up and not alive:
        yield wrong(
            AREA,
            said("no mailweir-gmail-sync has been seen for a minute: no mailbox is swept"),
            said("start it; see its log"),
            key="gmail.no_process",
            **_since(gmail_workers.last_seen(database)),
        )
    elif alive:
        yield ok(
            AREA,
            said("{number} processes of mailweir-gmail-sync at work", number=alive)
            if alive > 1
            else said("1 process of mailweir-gmail-sync at work"),
            key="gmail.processes",
            processes=alive,
        )


def check_mailboxes(settings: Settings, database: Database, deployment: Deployment, now: datetime) -> Iterator[Finding]:
    """Each mailbox that needs a person, and the number of mailboxes without problems."""
    area, well = f"{AREA} {deployment.name}", 0
    app = gmail_app.find(database)
    for mailbox in gmail_mailboxes.list_all(database, deployment):
        if app and mailbox.error == app.error:
            continue  # reported once, for all mailboxes
        given_up_at = gmail_waiting.given_up_since(database, mailbox.id) if mailbox.dead else None
        found = list(_examine(settings, mailbox, area, now, given_up_at))
        yield from found
        well += not found
    if well:
        yield ok(
            area,
            said("{number} mailboxes synced, without problems", number=well)
            if well > 1
            else said("1 mailbox synced, without problems"),
            key="gmail.mailboxes_fine",
            mailboxes=well,
        )


def check_consents(database: Database, deployment: Deployment, now: datetime) -> Iterator[Finding]:
    """Consents that nobody needs any more, and that couldn't be given back to Google within hours."""
    for one in gmail_revocations.late(database, deployment, now):
        since = _text(one.asked_at)
        sentence = (
            said(
                "The consent for {address} of {username} couldn't be given back to Google since {since}: {error}",
                address=one.address,
                username=one.username,
                since=since,
                error=Kept(one.error),
            )
            if one.error
            else said(
                "The consent for {address} of {username} couldn't be given back to Google since {since}: no "
                "mailweir-gmail-sync has tried",
                address=one.address,
                username=one.username,
                since=since,
            )
        )
        yield wrong(
            f"{AREA} {deployment.name}",
            sentence,
            said(
                "Mailweir tries again at least daily. Or the owner of {address} withdraws it at "
                "https://myaccount.google.com/connections; then run: mailweir gmail forget-consent {address}",
                address=one.address,
            ),
            key="gmail.consent_not_returned",
            username=one.username,
            mailbox=one.address,
            since=one.asked_at,
            why=one.error or "",
        )


def _examine(
    settings: Settings, mailbox: GmailMailbox, area: str, now: datetime, given_up_at: datetime | None
) -> Iterator[Finding]:
    who = _who(mailbox)
    about = {"username": mailbox.username, "mailbox": mailbox.address}
    if not settings.gmail.is_set_up:
        sentence = said("{who} is connected, but the settings name no client for Gmail", who=who)
        yield wrong(area, sentence, said("see [gmail] in the settings"), key="gmail.not_set_up", **about)
        return
    if mailbox.state is State.RECONNECT:
        to_do = f"mailweir gmail connect {mailbox.username}"
        sentence = said("{who} can't be read: {error}", who=who, error=Kept(mailbox.error))
        yield wrong(
            area, sentence, to_do, key="gmail.reconnect", why=mailbox.error or "", since=_last(mailbox), **about
        )
        return
    yield from _sweeping(settings, mailbox, area, now)
    if mailbox.consent_ends_at:
        yield note(
            area,
            said(
                "the consent of {who} ends {ends}, because the app is in testing at Google",
                who=who,
                ends=_text(mailbox.consent_ends_at),
            ),
            said(
                "publish the app (Audience in Google's console); then: mailweir gmail connect {username}",
                username=mailbox.username,
            ),
            key="gmail.consent_ends",
            at=mailbox.consent_ends_at,
            **about,
        )
    yield from _missing(mailbox, area, given_up_at)


def _sweeping(settings: Settings, mailbox: GmailMailbox, area: str, now: datetime) -> Iterator[Finding]:
    """Is it swept as often as it should be?"""
    who = _who(mailbox)
    about = {"username": mailbox.username, "mailbox": mailbox.address}
    late = max(_LATE_SWEEPS * timedelta(seconds=settings.gmail.sweep_seconds), _LEAST_LATE)
    last = _last(mailbox)
    if now - last > late:
        sentence = (
            said("{who} wasn't swept since {last}: {error}", who=who, last=_text(last), error=Kept(mailbox.error))
            if mailbox.error
            else said("{who} wasn't swept since {last}", who=who, last=_text(last))
        )
        yield wrong(area, sentence, said("see mailweir-gmail-sync's log"), key="gmail.not_swept", last=last, **about)
    elif mailbox.error:
        yield note(
            area,
            said("{who} waits: {error}", who=who, error=Kept(mailbox.error)),
            key="gmail.waits",
            why=mailbox.error,
            since=last,
            **about,
        )


def _missing(mailbox: GmailMailbox, area: str, given_up_at: datetime | None) -> Iterator[Finding]:
    """Messages that were given up, or that only the audit found."""
    who = _who(mailbox)
    about = {"username": mailbox.username, "mailbox": mailbox.address}
    if mailbox.dead:
        to_do = said(
            "see which: mailweir gmail status {username}; try again: mailweir gmail retry {username}",
            username=mailbox.username,
        )
        sentence = (
            said("1 message was given up in {who}", who=who)
            if mailbox.dead == 1
            else said("{number} messages were given up in {who}", number=mailbox.dead, who=who)
        )
        yield wrong(area, sentence, to_do, key="gmail.given_up", messages=mailbox.dead, **_since(given_up_at), **about)
    if mailbox.audit_missing:
        yield wrong(
            area,
            said(
                "the audit of {who} found {missing} of {listed} messages that the sweeps had missed; "
                "they are looked at now",
                who=who,
                missing=mailbox.audit_missing,
                listed=mailbox.audit_listed,
            ),
            said(
                "compare again: mailweir gmail audit {username}; if it happens twice, tell us",
                username=mailbox.username,
            ),
            key="gmail.audit_missing",
            messages=mailbox.audit_missing,
            **_since(mailbox.audited_at),
            **about,
        )


def _who(mailbox: GmailMailbox) -> Sentence:
    return said("{username}'s mailbox {address}", username=mailbox.username, address=mailbox.address)


def _last(mailbox: GmailMailbox) -> datetime:
    """The last sweep's time, or when the mailbox was connected."""
    return mailbox.swept_at or mailbox.connected_at


def _since(moment: datetime | None) -> dict[str, datetime]:
    """The fact `since`, if the time is known."""
    return {} if moment is None else {"since": moment}


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
