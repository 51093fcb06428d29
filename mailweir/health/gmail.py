"""The synced Gmail mailboxes: can they be read, are they swept, is anything missing or given up."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailweir import secrets_file
from mailweir.errors import SettingsError
from mailweir.gmail import oauth_files
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_app, gmail_mailboxes, gmail_waiting, gmail_workers
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, State
from mailweir.store.people.deployments import Deployment

AREA = "gmail"
_LATE_SWEEPS = 5
_LEAST_LATE = timedelta(minutes=10)


def check_file(settings: Settings) -> Iterator[Finding]:
    """Can the files be used that say as whom Gmail is asked, and by the user that the sync runs as?"""
    if not settings.gmail.is_set_up:
        return
    try:
        oauth_files.load_all(settings.gmail)
    except SettingsError as error:
        yield wrong(
            AREA,
            str(error),
            f"put the right file in its place: owner {settings.run_as}, mode 0600",
            key="gmail.file_unusable",
            why=str(error),
        )
        return
    for file in settings.gmail.identity_files:
        if foreign := secrets_file.foreign(file, settings.run_as):
            yield wrong(AREA, foreign, f"chown {settings.run_as} {file}", key="gmail.file_foreign", file=str(file))
        else:
            yield ok(AREA, f"{file} can be read", key="gmail.file_fine", file=str(file))


def check_sync(settings: Settings, database: Database, now: datetime) -> Iterator[Finding]:
    """Is there a process that sweeps, where there are mailboxes to sweep?"""
    app = gmail_app.find(database)
    if settings.gmail.is_set_up and app:
        since = _text(app.since)
        yield wrong(
            AREA,
            f"Google refuses the app since {since}: {app.error}",
            "no user has to consent for that",
            key="gmail.app_refused",
            since=app.since,
            why=app.error,
        )
    alive = gmail_workers.alive(database, now)
    if settings.gmail.is_set_up and not alive:
        yield wrong(
            AREA,
            "no mailweir-gmail-sync has been seen for a minute: no mailbox is swept",
            "start it; see its log",
            key="gmail.no_process",
            **_since(gmail_workers.last_seen(database)),
        )
    elif alive:
        yield ok(
            AREA,
            f"{alive} process{'es' if alive > 1 else ''} of mailweir-gmail-sync at work",
            key="gmail.processes",
            processes=alive,
        )


def check_mailboxes(settings: Settings, database: Database, deployment: Deployment, now: datetime) -> Iterator[Finding]:
    """Each mailbox that needs somebody, and how many don't."""
    area, well = f"{AREA} {deployment.name}", 0
    app = gmail_app.find(database)
    for mailbox in gmail_mailboxes.list_all(database, deployment):
        if app and mailbox.error == app.error:
            continue  # told once, for all
        given_up_at = gmail_waiting.given_up_since(database, mailbox.id) if mailbox.dead else None
        found = list(_examine(settings, mailbox, area, now, given_up_at))
        yield from found
        well += not found
    if well:
        yield ok(
            area,
            f"{well} mailbox{'es' if well > 1 else ''} synced, with nothing to say",
            key="gmail.mailboxes_fine",
            mailboxes=well,
        )


def _examine(
    settings: Settings, mailbox: GmailMailbox, area: str, now: datetime, given_up_at: datetime | None
) -> Iterator[Finding]:
    who = f"{mailbox.username}'s mailbox {mailbox.address}"
    about = {"username": mailbox.username, "mailbox": mailbox.address}
    if not settings.gmail.is_set_up:
        sentence = f"{who} is connected, and the settings name no client for Gmail"
        yield wrong(area, sentence, "see [gmail] in the settings", key="gmail.not_set_up", **about)
        return
    if mailbox.state is State.RECONNECT:
        to_do = f"mailweir gmail connect {mailbox.username}"
        sentence = f"{who} can't be read: {mailbox.error}"
        yield wrong(
            area, sentence, to_do, key="gmail.reconnect", why=mailbox.error or "", since=_last(mailbox), **about
        )
        return
    yield from _sweeping(settings, mailbox, area, now)
    if mailbox.consent_ends_at:
        yield note(
            area,
            f"the consent of {who} ends {_text(mailbox.consent_ends_at)}, for the app is in testing at Google",
            f"publish the app (Audience in Google's console); then: mailweir gmail connect {mailbox.username}",
            key="gmail.consent_ends",
            at=mailbox.consent_ends_at,
            **about,
        )
    yield from _missing(mailbox, area, given_up_at)


def _sweeping(settings: Settings, mailbox: GmailMailbox, area: str, now: datetime) -> Iterator[Finding]:
    """Is it looked at as often as it should be?"""
    who = f"{mailbox.username}'s mailbox {mailbox.address}"
    about = {"username": mailbox.username, "mailbox": mailbox.address}
    late = max(_LATE_SWEEPS * timedelta(seconds=settings.gmail.sweep_seconds), _LEAST_LATE)
    last = _last(mailbox)
    if now - last > late:
        why = f": {mailbox.error}" if mailbox.error else ""
        sentence = f"{who} wasn't swept since {_text(last)}{why}"
        yield wrong(area, sentence, "see mailweir-gmail-sync's log", key="gmail.not_swept", last=last, **about)
    elif mailbox.error:
        yield note(area, f"{who} waits: {mailbox.error}", key="gmail.waits", why=mailbox.error, since=last, **about)


def _missing(mailbox: GmailMailbox, area: str, given_up_at: datetime | None) -> Iterator[Finding]:
    """Messages that aren't on the record, or weren't for a while."""
    who = f"{mailbox.username}'s mailbox {mailbox.address}"
    about = {"username": mailbox.username, "mailbox": mailbox.address}
    if mailbox.dead:
        given_up = "1 message was" if mailbox.dead == 1 else f"{mailbox.dead} messages were"
        to_do = (
            f"see which: mailweir gmail status {mailbox.username}; try again: mailweir gmail retry {mailbox.username}"
        )
        sentence = f"{given_up} given up of {who}"
        yield wrong(area, sentence, to_do, key="gmail.given_up", messages=mailbox.dead, **_since(given_up_at), **about)
    if mailbox.audit_missing:
        yield wrong(
            area,
            f"the audit of {who} found {mailbox.audit_missing} of {mailbox.audit_listed} messages that the sweeps had missed; "
            "they are looked at now",
            f"compare again: mailweir gmail audit {mailbox.username}; if it happens twice, tell us",
            key="gmail.audit_missing",
            messages=mailbox.audit_missing,
            **_since(mailbox.audited_at),
            **about,
        )


def _last(mailbox: GmailMailbox) -> datetime:
    """Until when all was well, as far as the record knows."""
    return mailbox.swept_at or mailbox.connected_at


def _since(moment: datetime | None) -> dict[str, datetime]:
    """The fact, where it is known."""
    return {} if moment is None else {"since": moment}


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
