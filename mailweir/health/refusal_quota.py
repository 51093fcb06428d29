"""Limits the refusals of Postfix that are written as decisions, by minute and day for each deployment: a flood of refused mail
must not fill the database. Pure. Called by `refusal_chore`.
"""

import json
from collections import Counter
from datetime import datetime

A_MINUTE = 20
A_DAY = 2_000


class RefusalQuota:
    """Counts the refusals of one host, by the minute and the day in which it read them. text: the counts of the previous reading,
    "" at first."""

    def __init__(self, text: str, now: datetime) -> None:
        self._minute, self._day = f"{now:%Y-%m-%dT%H:%M}", f"{now:%Y-%m-%d}"
        before: dict[str, dict[str, int]] = json.loads(text) if text else {}
        self._in_minute = Counter(before.get(self._minute, {}))
        self._in_day = Counter(before.get(self._day, {}))
        self.left_out: Counter[int] = Counter()  # by deployment

    def take(self, deployment_id: int) -> bool:
        """May one more be written for the deployment? Refusals over the limit are counted in `left_out`."""
        key = str(deployment_id)
        if self._in_minute[key] >= A_MINUTE or self._in_day[key] >= A_DAY:
            self.left_out[deployment_id] += 1
            return False
        self._in_minute[key] += 1
        self._in_day[key] += 1
        return True

    @property
    def text(self) -> str:
        """The counts, to be stored for the next reading."""
        return json.dumps({self._minute: self._in_minute, self._day: self._in_day}, sort_keys=True)
