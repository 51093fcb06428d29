"""Times as the tables store them: UTC, RFC 3339 with microseconds and a Z, so that their texts sort by time.

In Python a time is an aware datetime in UTC. It becomes text only where `store/` writes it and where a log or JSON shows it; both
conversions are here.
"""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """The text of an aware moment (RFC 3339 5.6), always 27 characters."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def rfc3339_or_none(moment: datetime | None) -> str | None:
    """The same for a column that may be NULL."""
    return None if moment is None else rfc3339(moment)


def parse(text: str) -> datetime:
    """The aware moment, in UTC, of a text made by `rfc3339`. ValueError for text without UTC's Z."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not UTC:
        raise ValueError(f"a stored time isn't in UTC: '{text}'")
    return moment


def parse_or_none(text: str | None) -> datetime | None:
    """The same for a column that may be NULL."""
    return None if text is None else parse(text)


def with_offset(moment: datetime) -> str:
    """The text of an aware moment with its offset: a local time, as in an invitation."""
    return moment.isoformat()


def parse_with_offset(text: str) -> datetime:
    """The aware moment of a text made by `with_offset`. ValueError for one without an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a stored time has no offset: '{text}'")
    return moment
