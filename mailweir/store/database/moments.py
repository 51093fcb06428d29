"""Times as the tables hold them: UTC, RFC 3339 with microseconds and a Z, so that text sorts by time."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """The text of an aware moment (RFC 3339 5.6), always 27 characters."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
