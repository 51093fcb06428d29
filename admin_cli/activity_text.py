"""Activities as a person gets them from the command line: as rows, in detail, as a conversation. Called by `activity`."""

import shutil
import sys
from collections.abc import Sequence

from admin_cli import output
from mailweir.explain import english, record
from mailweir.explain.explanation import Explanation
from mailweir.printable import printable
from mailweir.reading.search_snippet import cut, cut_behind_word
from mailweir.store.record.activities import Activity, Participant
from mailweir.store.record.raw_messages import Sighting, Version

COLUMNS = ("id", "recorded", "direction", "author", "verdict", "contacts", "users", "subject")

_COLUMNS_ELSE = 80  # for output that isn't a terminal
_FEWEST_COLUMNS = 60
_INDENT = "    "


def row(activity: Activity) -> tuple[str, ...]:
    """An activity as a row under COLUMNS."""
    return (
        str(activity.id),
        output.moment(activity.recorded_at),
        activity.direction,
        _author(activity),
        activity.sender_verdict,
        ", ".join(dict.fromkeys(contact.name for contact in activity.contacts)),
        ", ".join(activity.users),
        activity.subject,
    )


def say_conversation(found: Sequence[Activity]) -> None:
    """Prints the activities: for each a line with time and author, then its subject and its snippet."""
    width = max(_FEWEST_COLUMNS, shutil.get_terminal_size().columns) if sys.stdout.isatty() else _COLUMNS_ELSE
    id_columns = max(2, *(len(str(one.id)) for one in found))
    output.say(f"{'id'.rjust(id_columns)}  {'sent':<17}  direction  verdict  author")
    for one in found:
        sent, verdict = output.moment(one.sent_at or one.recorded_at), english.text(record.verdict(one.sender_verdict))
        start = f"{str(one.id).rjust(id_columns)}  {sent[:16]}Z  {one.direction:<9}  {verdict:<7}  "
        output.say(start + cut(printable(_author(one)), width - len(start)))
        subject = cut(printable(one.subject or "(no subject)"), width - len(_INDENT))
        output.say(_INDENT + subject)
        if one.snippet:
            output.say(_INDENT + cut_behind_word(printable(one.snippet), width - len(_INDENT)))


def say_details(activity: Activity) -> None:
    """The activity's facts, without its text."""
    direction, verdict = record.direction(activity.direction), record.verdict(activity.sender_verdict)
    output.say(f"Activity {activity.id} of {activity.deployment}: {english.text(direction)}")
    for name, value in (
        ("subject", activity.subject or "-"),
        ("author", f"{activity.author} (sender verdict: {english.text(verdict)})"),
        *(("", english.text(one)) for one in _about_author(activity)),
        ("users", ", ".join(activity.users) or "-"),
        ("sent", output.moment(activity.sent_at)),
        ("recorded", output.moment(activity.recorded_at)),
        ("Message-ID", activity.message_id or "-"),
        ("visibility", english.text(record.visibility(activity.visibility))),
        *(("contact", _in_words(contact) + (" (Bcc)" if contact.bcc else "")) for contact in activity.contacts),
    ):
        output.say(f"  {name:<11} {value}")


def say_sightings(seen: Sequence[Sighting], kept: Sequence[Version]) -> None:
    """Each sighting of the activity, and the kept versions."""
    for sighting in seen:
        who = f" for {sighting.user}" if sighting.user else ""
        version = f", version {sighting.version}" if len(kept) > 1 else ""
        when, route = output.moment(sighting.seen_at), english.text(record.route(sighting.route))
        output.say(f"  seen        {when} by {route}{who} as {sighting.source_id}{version}")
    for item in kept:
        leads = ", leading" if item.leading and len(kept) > 1 else ""
        reason = record.verdict_reason(item.verdict_reason, item.verdict_domain)
        why = f" ({english.text(reason)})" if reason else ""
        output.say(
            f"  kept        version {item.number}: {item.size_bytes} bytes, {output.moment(item.recorded_at)},"
            f" verdict {english.text(record.verdict(item.verdict))}{why}{leads}"
        )


def _author(activity: Activity) -> str:
    return activity.author + (f" via {activity.via}" if activity.via else "")


def _about_author(activity: Activity) -> list[Explanation]:
    reason = record.verdict_reason(activity.sender_verdict_reason, activity.sender_verdict_domain)
    return [*([reason] if reason else ()), *record.author(activity)]


def _in_words(contact: Participant) -> str:
    return f"{contact.name} <{contact.address}>" + (f", {contact.company}" if contact.company else "")
