"""The time of users' last mail equals that of all sightings and decisions, for each way of looking it up. On both databases."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailweir.decision import Route
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people import deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.users import User
from mailweir.store.record import overview, retraction, user_routes
from mailweir.store.record.retraction import Because

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
SINCE = BEGAN + timedelta(days=7, hours=11, minutes=20)  # within a day and an hour
DAYS, ACTIVITIES, IGNORED = 40, 400, 300
NAMES = ("richard", "olga", "ann_5", "ivan", "nobody")
NO_USER = None

# Queries over all of a user's sightings and all decisions of a deployment: simple, and slow with many rows.
_LAST_OF_USER = (
    "SELECT s.route, MAX(s.seen_at) FROM activity_users mine JOIN activities a ON a.id = mine.activity_id"
    " JOIN sightings s ON s.activity_id = a.id WHERE mine.user_id = ? AND a.deployment_id = ?"
    " AND (s.user_id = ? OR (s.user_id IS NULL AND s.route = 'log')) GROUP BY s.route"
)
_CAPTURED = (
    "SELECT MIN(s.seen_at), MAX(s.seen_at) FROM activity_users mine JOIN sightings s ON s.activity_id = mine.activity_id"
    " WHERE mine.user_id = ? AND s.user_id = ? AND s.route = 'forward' AND s.seen_at >= ? GROUP BY SUBSTR(s.seen_at, 1, 10)"
)
_IGNORED = (
    "SELECT decided_at, recipients FROM decisions WHERE deployment_id = ? AND outcome = 'ignored' AND decided_at >= ?"
    " ORDER BY decided_at"
)


@pytest.fixture
def tenants(database: Database, now: datetime) -> list[Deployment]:
    """Two firms with people of the same names, one of whom is removed, and a record in random order."""
    made = [deployments.add(database, name, f"{name}.example.net", now) for name in ("demo", "other")]
    for one in made:
        for name in NAMES:
            users.add(database, one, name, f"{name}@{one.name}.example", "", now)
    chance = random.Random(5)
    with database.transaction():
        for table, rows in _rows(database, made, chance).items():
            batches.insert(database, table, tuple(rows[0]), [tuple(row.values()) for row in rows])
        users.remove(database, made[0], "ivan", now)
    return made


def _rows(database: Database, tenants: list[Deployment], chance: random.Random) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("activities", "raw_messages", "activity_users", "sightings", "decisions")
    }
    ids = {one.id: _ids(database, one) for one in tenants}
    for number in range(1, ACTIVITIES + 1):
        tenant = chance.choice(tenants)
        people = chance.sample(ids[tenant.id][:-1], chance.randint(1, 2))
        found["activities"].append(
            {"id": number, "deployment_id": tenant.id, "identity": b"%d" % number, "direction": "incoming"}
            | {"author": "jane@client.example", "subject": "x", "recorded_at": rfc3339(BEGAN)}
        )
        found["raw_messages"].append(
            {"id": number, "activity_id": number, "version_digest": b"x", "size_bytes": 1, "content_zstd": b"x"}
            | {"recorded_at": rfc3339(BEGAN)}
        )
        found["activity_users"] += [{"activity_id": number, "user_id": one} for one in people]
        seen = {(chance.choice(list(Route)), chance.choice(people)), (Route.LOG, chance.choice([NO_USER, *people]))}
        found["sightings"] += [
            {"activity_id": number, "route": str(route), "source_id": f"q{number}", "user_id": user}
            | {"raw_message_id": number, "seen_at": _some_time(chance)}
            for route, user in sorted(seen, key=str)[: chance.randint(1, 2)]
        ]
    for number in range(IGNORED):
        tenant = chance.choice(tenants)
        to = [tenant.capture_address(one) for one in chance.sample(NAMES[:-1], chance.choice([1, 1, 1, 2, 3]))]
        found["decisions"].append(
            {"deployment_id": tenant.id, "source_id": f"i{number}", "decided_at": _some_time(chance)}
            | {"outcome": chance.choice(["ignored", "ignored", "captured", "refused"]), "reason": "unknown author"}
            | {"recipients": json.dumps(to)}
        )
    return found


def _ids(database: Database, tenant: Deployment) -> list[int]:
    return [users.find(database, tenant, name).id for name in NAMES]


def _some_time(chance: random.Random) -> str:
    """There are days without mail, hours with several mails, and the first moment of a day."""
    day = chance.choice([number for number in range(DAYS) if number % 5])
    return rfc3339(BEGAN + timedelta(days=day, minutes=chance.choice([0, 1, 59, 60, 680, 685, 1_439])))


# --- simple queries ------------------------------------------------------------------------------------------------


def _plain_last(database: Database, tenant: Deployment, user: User) -> dict[str, datetime]:
    found = database.execute(_LAST_OF_USER, (user.id, tenant.id, user.id)).fetchall()
    return {route: parse(seen_at) for route, seen_at in found}


def _plain_times(database: Database, tenant: Deployment, user: User) -> list[datetime]:
    captured = database.execute(_CAPTURED, (user.id, user.id, rfc3339(SINCE))).fetchall()
    decided = database.execute(_IGNORED, (tenant.id, rfc3339(SINCE))).fetchall()
    own = [moment for moment, recipients in decided if user.capture_address in json.loads(recipients)]
    first = {moment[:10]: moment for moment in reversed(own)}
    last = {moment[:10]: moment for moment in own}
    return sorted(map(parse, [*(each for pair in captured for each in pair), *first.values(), *last.values()]))


def _compare(database: Database, tenants: list[Deployment]) -> int:
    """Compares all answers; returns their number."""
    answers = 0
    for tenant in tenants:
        days = overview.forwarded_times(database, tenant, SINCE)
        ever = overview.ever_forwarded(database, tenant)
        for user in users.list_all(database, tenant):
            plain, times = _plain_last(database, tenant, user), _plain_times(database, tenant, user)
            assert user_routes.last_of_user(database, tenant, user) == plain, user
            assert sorted(user_routes.forwarded_times(database, tenant, user, SINCE)) == times, user
            assert set(days.get(user.id, [])) >= set(times), user
            assert (user.id in ever) == ("forward" in plain), user
            answers += len(plain) + len(times)
    return answers


def test_what_is_looked_up_is_what_all_rows_say(database: Database, tenants: list[Deployment]) -> None:
    assert _compare(database, tenants) > 200


def test_of_a_user_without_mail_nothing_is_known(database: Database, tenants: list[Deployment]) -> None:
    nobody = users.find(database, tenants[0], "nobody")
    assert user_routes.last_of_user(database, tenants[0], nobody) == {}
    assert user_routes.forwarded_times(database, tenants[0], nobody, SINCE) == []


def _erase(database: Database, activity_id: int, user_id: int) -> None:
    retraction.erase(database, activity_id, Because("never-log rule", "[]"))


def _take_off(database: Database, activity_id: int, user_id: int) -> None:
    retraction.take_off(database, activity_id, user_id, Because("never-log rule", "[]"))


@pytest.mark.parametrize("forget", [_erase, _take_off], ids=["erased", "taken off one user"])
def test_what_is_erased_is_no_ones_last_mail(
    database: Database, tenants: list[Deployment], forget: Callable[[Database, int, int], None]
) -> None:
    richard = users.find(database, tenants[0], "richard")
    before = user_routes.last_of_user(database, tenants[0], richard)
    newest = "SELECT activity_id FROM sightings WHERE user_id = ? AND seen_at = ?"
    for at in before.values():
        for (activity_id,) in database.execute(newest, (richard.id, rfc3339(at))).fetchall():
            with database.transaction(), retraction.unchecked(database):
                forget(database, activity_id, richard.id)
    after = user_routes.last_of_user(database, tenants[0], richard)
    assert {route for route, at in before.items() if after.get(route) == at} <= {"log"}  # which may be a client's copy
    assert _compare(database, tenants) > 200
