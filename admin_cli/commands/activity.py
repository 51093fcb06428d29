"""`mailweir activity`: what is on the record."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from admin_cli import attachment_file, context, options, output, reading_text, tables, target_files, wording
from admin_cli.printable import printable
from mailweir.errors import BadInput, NotFound
from mailweir.explain import record
from mailweir.explain.explanation import Explanation
from mailweir.store.record import activities, digest_queue, raw_messages, readings, visibility
from mailweir.store.record.activities import Activity, Participant
from mailweir.store.record.raw_messages import Sighting, Version

BY_COMMAND = "operator"  # who changes things here
COLUMNS = ("id", "recorded", "direction", "author", "verdict", "contacts", "users", "subject")

ActivityId = Annotated[int, typer.Argument(metavar="ID", help="The number that 'mailweir activity list' shows.")]

_AGO = re.compile(r"([0-9]{1,9})([dh])")
# RFC 3339 5.6, where the time, its fraction and its zone may be left out
_DATE = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "activity",
        "What is on the record: captured messages.",
        options.example("mailweir activity list --since 7d"),
    )
    listing = "mailweir activity list --user richard --since 7d", "mailweir activity list --contact jane@client.example"
    group.command("list", epilog=options.example(*listing))(list_some)
    group.command("show", epilog=options.example("mailweir activity show 12"))(show)
    group.command("set", epilog=options.example("mailweir activity set 12 --visibility participants"))(set_choices)
    one_file = "mailweir activity attachment 12 1 --out offer.pdf"
    group.command("attachment", epilog=options.example(one_file))(attachment)
    group.command("raw", epilog=options.example("mailweir activity raw 12 > message.eml"))(raw)


def list_some(
    user: Annotated[str | None, typer.Option("--user", metavar="U", help="Only what is on this user's record.")] = None,
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="A", help="Only what the contact with this address takes part in."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="T", help="A date or time (UTC where no zone is given), or 7d, 24h ago."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")] = None,
    reader: Annotated[
        str | None, typer.Option("--as", metavar="USER", help="As this user may see it; you yourself see all.")
    ] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Lists activities, the one recorded last first."""
    moment = read_since(since, context.now()) if since is not None else None
    wanted = activities.Filter(user, contact, moment, limit, reader)
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = activities.select(database, chosen, wanted)
    if as_json:
        output.show_json([output.plain(activity) for activity in found])
        return
    tables.show(COLUMNS, [row(activity) for activity in found], empty=f"There is no such activity in {chosen.name}.")


def show(
    activity_id: ActivityId,
    is_full: Annotated[bool, typer.Option("--full", help="The whole text, with quotes and signature.")] = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Shows an activity, each time that it was seen, the versions kept of it, and what was written."""
    with context.opened() as database:
        activity = activities.find(database, activity_id, context.narrow(database, deployment))
        seen = raw_messages.sightings(database, activity)
        kept = raw_messages.versions(database, activity)
        reading = readings.leading(database, activity.id)
    if as_json:
        sightings, versions = [output.plain(item) for item in seen], [output.plain(item) for item in kept]
        of_reading = reading_text.as_json(reading)
        output.show_json({**output.plain(activity), "sightings": sightings, "versions": versions, **of_reading})
        return
    _say_details(activity)
    _say_sightings(seen, kept)
    if reading is None:
        output.say("  not read yet: 'mailweir digest status' says what waits")
        return
    for line in reading_text.lines(reading, is_full=is_full):
        output.say(line)


def set_choices(
    activity_id: ActivityId,
    wanted: options.VisibilityOption,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Sets who may read an activity. That wins over all that is recorded of it later, and is logged."""
    with context.opened() as database:
        narrowed = context.narrow(database, deployment)
        visibility.set_by_hand(database, activity_id, wanted, BY_COMMAND, context.now(), narrowed)
        changed = activities.find(database, activity_id)
    if as_json:
        output.show_json(output.plain(changed))
        return
    output.say(f"Activity {changed.id} of {changed.deployment}: {wording.text(record.visibility(changed.visibility))}.")


def raw(
    activity_id: ActivityId,
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", min=1, help="Another version than the leading one.")
    ] = None,
    is_forced: Annotated[bool, typer.Option("--force", help="To a terminal, too, whatever that does to it.")] = False,
    deployment: options.DeploymentOption = None,
) -> None:
    """Writes the message to stdout, byte for byte as it was kept. A terminal is refused: what mail holds may move it."""
    if not is_forced:
        _refuse_terminal("'mailweir activity raw ID > FILE' keeps it, and --force shows it")
    with context.opened() as database:
        activity = activities.find(database, activity_id, context.narrow(database, deployment))
        content = raw_messages.read(database, activity, version)
    output.exact(content)


def attachment(
    activity_id: ActivityId,
    number: Annotated[
        int, typer.Argument(metavar="N", min=1, help="The file's number, as 'mailweir activity show' has it.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where it is written; without it, to stdout.")
    ] = None,
    deployment: options.DeploymentOption = None,
) -> None:
    """Writes a file of the message, under the name that you give. The name that the mail has for it is never used."""
    if out is None:
        _refuse_terminal("give --out FILE")
    with context.opened() as database:
        activity = activities.find(database, activity_id, context.narrow(database, deployment))
        reading = readings.leading(database, activity.id)
        files = reading.attachments if reading else ()
        if number > len(files) or reading is None:
            raise NotFound(f"activity {activity.id} has no attachment {number}: {len(files)} are known, from 1 on")
        version = digest_queue.version(database, reading.raw_id)
    if version is None:
        raise NotFound(f"activity {activity_id} is off the record")
    content = attachment_file.read(version, files[number - 1])
    if out is None:
        output.exact(content)
    else:
        target_files.write(out, content)


def _refuse_terminal(instead: str) -> None:
    if sys.stdout.isatty():
        raise BadInput(f"what mail holds may move a terminal: {instead}")


def read_since(text: str, now: datetime) -> datetime:
    """The moment that `--since` means: a date, a date and time, or `7d`, `24h` ago. A usage error where it is none of these."""
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return now - (timedelta(days=int(ago[1])) if ago[2] == "d" else timedelta(hours=int(ago[1])))
        if _DATE.fullmatch(text):
            moment = datetime.fromisoformat(text.upper())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter(f"'{printable(text)}' is no time: give 2026-11-24, 2026-11-24T03:12:55Z, 7d or 24h")


def row(activity: Activity) -> tuple[str, ...]:
    """An activity as a row under COLUMNS."""
    return (
        str(activity.id),
        output.moment(activity.recorded_at),
        activity.direction,
        activity.author + (f" via {activity.via}" if activity.via else ""),
        activity.sender_verdict,
        ", ".join(dict.fromkeys(contact.name for contact in activity.contacts)),
        ", ".join(activity.users),
        activity.subject,
    )


def _say_details(activity: Activity) -> None:
    direction, verdict = record.direction(activity.direction), record.verdict(activity.sender_verdict)
    output.say(f"Activity {activity.id} of {activity.deployment}: {wording.text(direction)}")
    for name, value in (
        ("subject", activity.subject),
        ("author", f"{activity.author} (sender verdict: {wording.text(verdict)})"),
        *(("", wording.text(one)) for one in _about_author(activity)),
        ("users", ", ".join(activity.users)),
        ("sent", output.moment(activity.sent_at)),
        ("recorded", output.moment(activity.recorded_at)),
        ("Message-ID", activity.message_id or "-"),
        ("visibility", wording.text(record.visibility(activity.visibility))),
        *(("contact", _in_words(contact) + (" (Bcc)" if contact.bcc else "")) for contact in activity.contacts),
    ):
        output.say(f"  {name:<11} {value}")


def _about_author(activity: Activity) -> list[Explanation]:
    reason = record.verdict_reason(activity.sender_verdict_reason, activity.sender_verdict_domain)
    return [*([reason] if reason else ()), *record.author(activity)]


def _in_words(contact: Participant) -> str:
    return f"{contact.name} <{contact.address}>" + (f", {contact.company}" if contact.company else "")


def _say_sightings(seen: list[Sighting], kept: list[Version]) -> None:
    for sighting in seen:
        who = f" for {sighting.user}" if sighting.user else ""
        version = f", version {sighting.version}" if len(kept) > 1 else ""
        when, route = output.moment(sighting.seen_at), wording.text(record.route(sighting.route))
        output.say(f"  seen        {when} by {route}{who} as {sighting.source_id}{version}")
    for item in kept:
        leads = ", leading" if item.leading and len(kept) > 1 else ""
        reason = record.verdict_reason(item.verdict_reason, item.verdict_domain)
        why = f" ({wording.text(reason)})" if reason else ""
        output.say(
            f"  kept        version {item.number}: {item.size_bytes} bytes, {output.moment(item.recorded_at)},"
            f" verdict {wording.text(record.verdict(item.verdict))}{why}{leads}"
        )
