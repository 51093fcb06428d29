"""Times as a page shows them: in the reader's zone, with its name, in a `<time>` that has UTC."""

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import flask_babel
from babel.dates import format_datetime
from flask_babel import gettext, ngettext
from markupsafe import Markup

from webapp import here


def zone() -> tzinfo:
    """The account's zone, or the host's setting."""
    account = here.account_or_none()
    return _named((account.zone if account else None) or here.site().settings.web.time_zone)


def _named(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def moment(value: datetime | None, *, is_long: bool = False) -> Markup:
    """A `<time>`: the time of day if the value is today, else the day. is_long: both, with the zone's name."""
    if value is None:
        return Markup(gettext("not known"))
    local, today = _local(value), here.now().astimezone(zone())
    whole = f"{_formatted(local, gettext('EEEE, d MMMM y, HH:mm'))} {local.tzname()}"
    if is_long:
        shown = whole
    elif local.date() == today.date():
        shown = _formatted(local, "HH:mm")
    elif local.year == today.year:
        shown = _formatted(local, gettext("d MMM"))
    else:
        shown = _formatted(local, gettext("d MMM y"))
    return Markup('<time datetime="{}" title="{}">{}</time>').format(_utc(value), whole, shown)


def until(start: datetime, end: datetime) -> Markup:
    """Two `<time>` elements, with the zone's name. If both are on the same day, the second one shows only the time of day."""
    first, last = _local(start), _local(end)
    if first.date() != last.date():
        return moment(start, is_long=True) + Markup(" – ") + moment(end, is_long=True)
    begins, ends = _formatted(first, gettext("EEEE, d MMMM y, HH:mm")), f"{_formatted(last, 'HH:mm')} {last.tzname()}"
    return Markup('<time datetime="{}">{}</time> – <time datetime="{}">{}</time>').format(
        _utc(start), begins, _utc(end), ends
    )


def ago(value: datetime | None) -> Markup:
    """A `<time>` that says how long ago that was: `12 minutes ago`, or the day if it was more than a week ago."""
    if value is None:
        return Markup(gettext("never"))
    passed = here.now() - value
    if passed > timedelta(days=7) or passed < timedelta(minutes=-1):
        return moment(value)
    minutes = int(passed.total_seconds() // 60)
    if minutes < 1:
        said = gettext("just now")
    elif minutes < 60:
        said = ngettext("%(num)d minute ago", "%(num)d minutes ago", minutes)
    elif minutes < 24 * 60:
        said = ngettext("%(num)d hour ago", "%(num)d hours ago", minutes // 60)
    else:
        said = ngettext("%(num)d day ago", "%(num)d days ago", minutes // 1440)
    local = _local(value)
    whole = f"{_formatted(local, gettext('EEEE, d MMMM y, HH:mm'))} {local.tzname()}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(_utc(value), whole, said)


def _local(value: datetime) -> datetime:
    """The time in the reader's zone. It stays unchanged if it would leave the years 1 to 9999 there: a mail may name any time."""
    try:
        return value.astimezone(zone())
    except OverflowError:
        return value


def zone_name() -> str:
    """The zone's name, e.g. `Europe/Berlin`."""
    return str(zone())


def _formatted(value: datetime, pattern: str) -> str:
    """The time by this pattern, which must have no seconds and no zone: both are removed here."""
    return _in_words(str(flask_babel.get_locale()), pattern, value.replace(second=0, microsecond=0, tzinfo=None))


@lru_cache(maxsize=4_096)  # a list repeats the same times, and Babel takes as long for one as the rest of the row takes
def _in_words(locale: str, pattern: str, value: datetime) -> str:
    return str(format_datetime(value, pattern, locale=locale))


def _utc(value: datetime) -> str:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")
