"""`mailweir activity`: the messages on the record."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from admin_cli import (
    activity_text,
    change_notes,
    context,
    options,
    output,
    reading_text,
    tables,
    target_files,
)
from admin_cli.change_notes import changes, reads
from mailweir.errors import BadInput, NotFound
from mailweir.explain import english, record
from mailweir.extraction import Extractor
from mailweir.printable import printable
from mailweir.reading.labels import Label
from mailweir.store.database.connection import Database
from mailweir.store.people import auto_contacts, deployments
from mailweir.store.record import (
    activities,
    conversations,
    digest_queue,
    forwarded_versions,
    raw_messages,
    readings,
    visibility,
)
from mailweir.store.record.activities import Activity
from mailweir.store.record.readings import KeptReading

BY_COMMAND = "operator"  # the author of changes by commands

ActivityId = Annotated[int, typer.Argument(metavar="ID", help="The number that 'mailweir activity list' shows.")]

_AGO = re.compile(r"([0-9]{1,9})([dh])")
# RFC 3339 5.6, where the time, its fraction and its zone may be left out
_DATE = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    group = options.noun(
        app,
        "activity",
        "The messages on the record.",
        options.example("mailweir activity list --since 7d"),
    )
    listing = "mailweir activity list --user richard --since 7d", "mailweir activity list --contact jane@client.example"
    group.command("list", epilog=options.example(*listing))(list_some)
    group.command("show", epilog=options.example("mailweir activity show 12"))(show)
    group.command("thread", epilog=options.example("mailweir activity thread 12"))(thread)
    group.command("set", epilog=options.example("mailweir activity set 12 --visibility participants"))(set_choices)
    one_file = "mailweir activity attachment 12 1 --out offer.pdf"
    group.command("attachment", epilog=options.example(one_file))(attachment)
    group.command("raw", epilog=options.example("mailweir activity raw 12 > message.eml"))(raw)


@reads
def list_some(
    user: Annotated[
        str | None, typer.Option("--user", metavar="U", help="Only activities on this user's record.")
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="A", help="Only activities with the contact who has this address."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="T", help="A date or time (UTC if you give no zone), or an age such as 7d or 24h."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="The most results to show.")] = None,
    reader: Annotated[
        str | None, typer.Option("--as", metavar="USER", help="Show only what this user may see. Default: all.")
    ] = None,
    label: Annotated[
        Label | None, typer.Option("--label", metavar="L", help=f"Only activities with this label: {', '.join(Label)}.")
    ] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Lists activities, the most recently recorded first."""
    moment = read_since(since, context.now()) if since is not None else None
    wanted = activities.Filter(user, contact, moment, limit, reader, label)
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        found = activities.select(database, chosen, wanted)
    if as_json:
        output.show_json([output.plain(activity) for activity in found])
        return
    rows = [activity_text.row(activity) for activity in found]
    tables.show(activity_text.COLUMNS, rows, empty=f"There is no such activity in {chosen.name}.")


@reads
def show(
    activity_id: ActivityId,
    is_full: Annotated[bool, typer.Option("--full", help="The whole text, with quotes and signature.")] = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Shows an activity: its text, its sightings, and the versions kept of it."""
    with context.opened() as database:
        activity = activities.find(database, activity_id, context.narrow(database, deployment))
        seen = raw_messages.sightings(database, activity)
        kept = raw_messages.versions(database, activity)
        reading = readings.leading(database, activity.id)
        said = forwarded_versions.of_leading(database, activity.id)
        copies = _copies(database, activity, reading) if reading and not as_json else {}
        made = auto_contacts.in_activity(database, activity.id)
    if as_json:
        sightings, versions = [output.plain(item) for item in seen], [output.plain(item) for item in kept]
        of_reading = reading_text.as_json(reading, said)
        output.show_json({**output.plain(activity), "sightings": sightings, "versions": versions, **of_reading})
        return
    activity_text.say_details(activity)
    if said:
        output.say(f"  {'forwarded':<11} {english.text(record.forwarded(said))}")
    for one in made:
        output.say(f"  {'':<11} {english.text(record.origin(one))}")
    activity_text.say_sightings(seen, kept)
    if reading is None:
        output.say("  not read yet: 'mailweir digest status' says what waits")
        return
    if activity.thread is not None:
        output.say(f"  {'thread':<11} {activity.thread}: 'mailweir activity thread {activity.id}' shows it")
    for line in reading_text.lines(reading, copies, is_full=is_full, is_told=said is not None):
        output.say(line)


def _copies(database: Database, activity: Activity, reading: KeptReading) -> dict[int, list[int]]:
    """The other activities of the deployment that have the same file, by the file's number. Leaves out empty files, and files in
    the text, because every mail has a signature's picture."""
    tenant = deployments.find(database, activity.deployment)
    most = reading_text.MOST_COPIES + 2  # this activity, and one more than are shown
    found = {}
    for number, file in enumerate(reading.attachments, 1):
        if file.size_bytes and not file.is_inline:
            same = readings.same_file(database, tenant.id, file.sha256, most)
            found[number] = [one for one in dict.fromkeys(other for other, _ in same) if one != activity.id]
    return found


@reads
def thread(
    activity_id: ActivityId,
    reader: Annotated[
        str | None, typer.Option("--as", metavar="USER", help="Show only what this user may see. Default: all.")
    ] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Shows the conversation that an activity belongs to, oldest message first. A thread keeps its id when a later thread
    is merged into it."""
    with context.opened() as database:
        activity = activities.find(database, activity_id, context.narrow(database, deployment))
        tenant = deployments.find(database, activity.deployment)
        found = conversations.of(database, tenant, activity.id, reader)
    if as_json:
        shown = [output.plain(one) for one in found.activities]
        output.show_json({"thread": found.thread, "activities": shown})
        return
    if found.thread is not None:
        count = len(found.activities)
        output.say(f"Thread {found.thread} of {tenant.name}: {count} {'activity' if count == 1 else 'activities'}")
    elif reader is None:
        output.say("not read yet, so its thread isn't known: 'mailweir digest status' says what waits")
    else:
        output.say(f"No thread is known, or {reader} may not see it:")
    activity_text.say_conversation(found.activities)


@changes("activity.visibility", "activity_id")
def set_choices(
    activity_id: ActivityId,
    wanted: options.VisibilityOption,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Sets who may read an activity. Mail that is recorded later doesn't change this choice. The change is logged."""
    with context.opened() as database:
        narrowed = context.narrow(database, deployment)
        deployment_of = activities.find(database, activity_id, narrowed).deployment
        change_notes.of_deployments([deployments.find(database, deployment_of).id])
        visibility.set_by_hand(database, activity_id, wanted, BY_COMMAND, context.now(), narrowed)
        changed = activities.find(database, activity_id)
    if as_json:
        output.show_json(output.plain(changed))
        return
    output.say(f"Activity {changed.id} of {changed.deployment}: {english.text(record.visibility(changed.visibility))}.")


@reads
def raw(
    activity_id: ActivityId,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", min=1, help="The number of another version than the leading one."),
    ] = None,
    is_forced: Annotated[
        bool, typer.Option("--force", help="Write to a terminal, too, whatever the bytes do to it.")
    ] = False,
    deployment: options.DeploymentOption = None,
) -> None:
    """Writes the message to stdout, byte for byte as it was kept. Refuses a terminal, because bytes in mail may control it."""
    if not is_forced:
        _refuse_terminal("'mailweir activity raw ID > FILE' keeps it, and --force shows it")
    with context.opened() as database:
        activity = activities.find(database, activity_id, context.narrow(database, deployment))
        content = raw_messages.read(database, activity, version)
    output.exact(content)


@reads
def attachment(
    activity_id: ActivityId,
    number: Annotated[
        int, typer.Argument(metavar="N", min=1, help="The attachment's number, as 'mailweir activity show' lists it.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The file to write. Default: stdout.")
    ] = None,
    is_forced: Annotated[
        bool,
        typer.Option("--force", help="Replace an existing file; write to a terminal, whatever the bytes do to it."),
    ] = False,
    deployment: options.DeploymentOption = None,
) -> None:
    """Writes an attachment to the file that you name. The name in the mail is never used."""
    if out is None and not is_forced:
        _refuse_terminal("--out FILE keeps it, and --force shows it")
    with context.opened() as database:
        activity = activities.find(database, activity_id, context.narrow(database, deployment))
        reading = readings.leading(database, activity.id)
        files = reading.attachments if reading else ()
        if reading is None:
            raise NotFound(f"activity {activity.id} isn't read yet: 'mailweir digest status' says what waits")
        if number > len(files):
            raise NotFound(f"activity {activity.id} has no attachment {number}: {_count(len(files))}")
        version = digest_queue.version(database, reading.raw_id)
    if version is None:
        raise NotFound(f"activity {activity_id} is off the record")
    with Extractor(1).file(version, files[number - 1]) as taken_out:
        content = taken_out.read()
    if out is None:
        output.exact(content)
    else:
        target_files.write(out, content, may_replace=is_forced)


def _count(files: int) -> str:
    return f"it has {files}, from 1 on" if files > 1 else ("it has one, which is 1" if files else "it has none")


def _refuse_terminal(instead: str) -> None:
    if sys.stdout.isatty():
        raise BadInput(f"bytes in mail may control a terminal: {instead}")


def read_since(text: str, now: datetime) -> datetime:
    """The time that `--since` means: a date, a date and time, or `7d`, `24h` ago. A usage error for anything else."""
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
