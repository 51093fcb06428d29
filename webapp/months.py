"""A small picture of the last twelve months, made by the server: bars, and the same numbers as a table for who can't see them.

Called by the pages of a contact and of a company.
"""

from dataclasses import dataclass
from datetime import datetime

import flask_babel

from mailweir.store.record.monthly import Monthly

WIDTH, HEIGHT = 260, 64
_BARS_HEIGHT = 48
_GAP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A month. short, long: its name. x, y, width, height: in the picture's own units; where there was mail, it is seen."""

    short: str
    long: str
    count: int
    x: int
    y: int
    width: int
    height: int


def bars(counted: Monthly) -> list[Bar]:
    """The picture's bars, the oldest month first."""
    most = max((count for _, count in counted.months), default=0)
    step = WIDTH // max(1, len(counted.months))
    return [_bar(name, count, most, number * step, step - _GAP) for number, (name, count) in enumerate(counted.months)]


def _bar(name: str, count: int, most: int, x: int, width: int) -> Bar:
    first = datetime.fromisoformat(f"{name}-15")
    height = max(2, round(_BARS_HEIGHT * count / most)) if count else 0
    return Bar(
        short=_formatted(first, "LLL"),
        long=_formatted(first, "LLLL y"),
        count=count,
        x=x,
        y=_BARS_HEIGHT - height,
        width=width,
        height=height,
    )


def _formatted(moment: datetime, pattern: str) -> str:
    return str(flask_babel.format_datetime(moment, pattern, rebase=False))
