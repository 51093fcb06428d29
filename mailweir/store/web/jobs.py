"""Long work of the page, such as an import: the task, its worker, its progress.

A worker leases a job and renews the lease while it works; if the worker dies, the lease expires and another worker, on any host,
continues. A worker that lost the lease can't write: each write checks the lease within its transaction. Called by the page and
its workers.
"""

import enum
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import zstandard

from mailweir.errors import BadInput, MailweirError, NotFound
from mailweir.sentence import said
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 5  # leases without progress: after as many, the job itself probably kills its workers
MAX_OPEN = 10  # of a deployment
UPLOAD_KEPT = timedelta(hours=24)  # of a preview that nobody imports
KEPT = timedelta(days=30)


class State(enum.StrEnum):
    """WAITS: for a worker. RUNS: one has it. DONE, FAILED: it is over."""

    WAITS = "waits"
    RUNS = "runs"
    DONE = "done"
    FAILED = "failed"


class LeaseLost(MailweirError):
    """Another worker has the job by now, or it is deleted."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job. account: the name of its requester. done, total: in the steps of its kind; total None: not known yet. report:
    its results so far. has_upload: is its file stored? Times: UTC."""

    id: int
    deployment_id: int
    account_id: int
    account: str
    kind: str
    state: State
    parameters: Mapping[str, Any]
    report: Mapping[str, Any]
    done: int
    total: int | None
    attempts: int
    has_upload: bool
    created_at: datetime
    finished_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Is it still to be done?"""
        return self.state in (State.WAITS, State.RUNS)


def add(
    database: Database,
    deployment_id: int,
    account_id: int,
    kind: str,
    parameters: Mapping[str, Any],
    now: datetime,
    upload: bytes | None = None,
) -> int:
    """Requests a job; returns its id, or that of an open job for the same work. A file replaces those that the account uploaded
    before for the same kind. BadInput if MAX_OPEN jobs are open."""
    packed = (
        None if upload is None else zstandard.compress(upload)
    )  # before the transaction, because the filter waits while that lasts
    with database.transaction():
        same = _open_one(database, deployment_id, kind, parameters) if packed is None else None
        if same is not None:
            return same
        _refuse_many(database, deployment_id)
        if packed is not None:
            _drop_earlier_uploads(database, deployment_id, account_id, kind)
        job_id = _insert(database, deployment_id, account_id, kind, parameters, now)
        if packed is not None:
            database.execute("INSERT INTO web_uploads (job_id, content_zstd) VALUES (?, ?)", (job_id, packed))
    return job_id


def add_with_upload_of(
    database: Database, earlier: Job, account_id: int, kind: str, parameters: Mapping[str, Any], now: datetime
) -> int:
    """Requests a job with the file of an earlier job, which then no longer has it. BadInput if the file is gone: somebody else
    was first, or it was too old. BadInput also if MAX_OPEN jobs are open."""
    with database.transaction():
        _refuse_many(database, earlier.deployment_id)
        job_id = _insert(database, earlier.deployment_id, account_id, kind, parameters, now)
        sql = "UPDATE web_uploads SET job_id = ? WHERE job_id = ?"
        if database.execute(sql, (job_id, earlier.id)).rowcount != 1:
            raise BadInput(
                said(
                    "the file isn't stored any more: it was imported or discarded, or is older than a day. Send it again"
                )
            )
    return job_id


def find(database: Database, deployment_id: int, job_id: int) -> Job:
    """A deployment's job with this id. NotFound."""
    found = _select(database, "j.deployment_id = ? AND j.id = ?", (deployment_id, job_id))
    if not found:
        raise NotFound(said("there is no such job"))
    return found[0]


def recent(database: Database, deployment_id: int, before: int | None, limit: int) -> list[Job]:
    """A deployment's jobs, the newest first. before: those with a smaller id."""
    if before is None:
        return _select(database, "j.deployment_id = ? ORDER BY j.id DESC LIMIT ?", (deployment_id, limit))
    condition = "j.deployment_id = ? AND j.id < ? ORDER BY j.id DESC LIMIT ?"
    return _select(database, condition, (deployment_id, before, limit))


def upload(database: Database, job_id: int, most_bytes: int) -> bytes:
    """The file of a job. NotFound if it is gone; BadInput if it can't be decompressed. most_bytes: counts only for a zstd frame
    that doesn't give its content's size; those of `add` give it."""
    row = database.execute("SELECT content_zstd FROM web_uploads WHERE job_id = ?", (job_id,)).fetchone()
    if row is None:
        raise NotFound(said("the file isn't stored any more. Send it again"))
    try:
        return zstandard.ZstdDecompressor().decompress(bytes(row[0]), max_output_size=most_bytes)
    except zstandard.ZstdError as error:
        raise BadInput(said("the file can't be read from the database. Send it again")) from error


def drop_upload(database: Database, deployment_id: int, job_id: int) -> None:
    """Deletes the file of a finished job."""
    sql = (
        "DELETE FROM web_uploads WHERE job_id IN (SELECT id FROM web_jobs WHERE deployment_id = ? AND id = ?"
        " AND state IN ('done', 'failed'))"
    )
    with database.transaction(alone=False):
        database.execute(sql, (deployment_id, job_id))


# --- for workers ------------------------------------------------------------------------------------------------------


def lease(database: Database, owner: str, kinds: Collection[str], now: datetime) -> Job | None:
    """The oldest job of these kinds without a worker, leased; None if there is none. A job that was leased MAX_ATTEMPTS times
    without progress is set to FAILED instead."""
    marks = ",".join("?" * len(kinds))
    free = (
        f"SELECT id, attempts FROM web_jobs WHERE state = 'waits' AND kind IN ({marks}) UNION ALL"
        f" SELECT id, attempts FROM web_jobs WHERE state = 'runs' AND lease_until <= ? AND kind IN ({marks})"
        " ORDER BY id LIMIT 1"
    )
    found = database.execute(free, (*kinds, rfc3339(now), *kinds)).fetchone()
    if found is None:
        return None
    is_hopeless = found[1] >= MAX_ATTEMPTS
    with database.transaction(alone=False):
        sql = (
            "UPDATE web_jobs SET state = 'runs', attempts = attempts + 1, lease_owner = ?, lease_until = ?"
            " WHERE id = ? AND (state = 'waits' OR (state = 'runs' AND lease_until <= ?))"
        )
        leased_until = rfc3339(now + LEASE)
        if database.execute(sql, (owner, leased_until, found[0], rfc3339(now))).rowcount != 1:
            return None  # another worker was first
    (job,) = _select(database, "j.id = ?", (found[0],))
    if is_hopeless:
        report = {**job.report, "error": f"it was begun {MAX_ATTEMPTS} times and never went on"}
        finish(database, job, owner, State.FAILED, report, now)
        return None
    return job


def renew(database: Database, job: Job, owner: str, now: datetime) -> None:
    """Extends the lease. LeaseLost."""
    sql = "UPDATE web_jobs SET lease_until = ? WHERE id = ? AND lease_owner = ? AND state = 'runs'"
    with database.transaction(alone=False):
        _held(database.execute(sql, (rfc3339(now + LEASE), job.id, owner)).rowcount)


def advance(
    database: Database,
    job: Job,
    owner: str,
    done: int,
    total: int | None,
    report: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    """Records the progress, within the caller's transaction or its own, and extends the lease. report: None leaves it unchanged.
    LeaseLost: the caller must not commit its transaction."""
    sql = (
        "UPDATE web_jobs SET done_count = ?, total_count = ?, report = COALESCE(?, report), attempts = 1, lease_until = ?"
        " WHERE id = ? AND lease_owner = ? AND state = 'runs'"
    )
    text = None if report is None else json.dumps(report)
    with database.transaction(alone=False):
        _held(database.execute(sql, (done, total, text, rfc3339(now + LEASE), job.id, owner)).rowcount)


def finish(
    database: Database,
    job: Job,
    owner: str,
    state: State,
    report: Mapping[str, Any],
    now: datetime,
    *,
    keeps_upload: bool = False,
) -> None:
    """Ends the job, and deletes its file, unless `keeps_upload`: then a next job can take it. LeaseLost."""
    sql = (
        "UPDATE web_jobs SET state = ?, report = ?, finished_at = ?, lease_owner = NULL, lease_until = NULL"
        " WHERE id = ? AND lease_owner = ? AND state = 'runs'"
    )
    with database.transaction(alone=False):
        _held(database.execute(sql, (str(state), json.dumps(report), rfc3339(now), job.id, owner)).rowcount)
        if not keeps_upload:
            database.execute("DELETE FROM web_uploads WHERE job_id = ?", (job.id,))


def give_back(database: Database, job: Job, owner: str) -> None:
    """Lets another worker continue at once, because this one is stopping. Does nothing if the lease is lost."""
    sql = (
        "UPDATE web_jobs SET state = 'waits', attempts = attempts - 1, lease_owner = NULL, lease_until = NULL"
        " WHERE id = ? AND lease_owner = ? AND state = 'runs'"
    )
    with database.transaction(alone=False):
        database.execute(sql, (job.id, owner))


def prune(database: Database, now: datetime) -> None:
    """Deletes old finished jobs, and unclaimed files."""
    before = rfc3339(now - KEPT)
    with database.transaction(alone=False):
        files = (
            "DELETE FROM web_uploads WHERE job_id IN (SELECT id FROM web_jobs WHERE state IN ('done', 'failed')"
            " AND finished_at <= ?)"
        )
        database.execute(files, (rfc3339(now - UPLOAD_KEPT),))
        database.execute("DELETE FROM web_jobs WHERE state IN ('done', 'failed') AND finished_at <= ?", (before,))


def _held(changed: int) -> None:
    if changed != 1:
        raise LeaseLost("another worker has this job by now")


def _refuse_many(database: Database, deployment_id: int) -> None:
    sql = "SELECT COUNT(*) FROM web_jobs WHERE deployment_id = ? AND state IN ('waits', 'runs')"
    if database.execute(sql, (deployment_id,)).fetchone()[0] >= MAX_OPEN:
        raise BadInput(said("{number} jobs aren't done yet: wait until one is done", number=MAX_OPEN))


def _open_one(database: Database, deployment_id: int, kind: str, parameters: Mapping[str, Any]) -> int | None:
    sql = (
        "SELECT id FROM web_jobs WHERE deployment_id = ? AND kind = ? AND parameters = ? AND state IN ('waits', 'runs')"
        " ORDER BY id LIMIT 1"
    )
    row = database.execute(sql, (deployment_id, kind, json.dumps(parameters))).fetchone()
    return None if row is None else int(row[0])


def _insert(
    database: Database, deployment_id: int, account_id: int, kind: str, parameters: Mapping[str, Any], now: datetime
) -> int:
    sql = "INSERT INTO web_jobs (deployment_id, account_id, kind, parameters, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
    row = database.execute(sql, (deployment_id, account_id, kind, json.dumps(parameters), rfc3339(now))).fetchone()
    return int(row[0])


def _drop_earlier_uploads(database: Database, deployment_id: int, account_id: int, kind: str) -> None:
    sql = (
        "DELETE FROM web_uploads WHERE job_id IN (SELECT id FROM web_jobs WHERE deployment_id = ? AND account_id = ?"
        " AND kind = ? AND state IN ('done', 'failed'))"
    )
    database.execute(sql, (deployment_id, account_id, kind))


def _select(database: Database, condition: str, values: tuple[int, ...]) -> list[Job]:
    sql = (
        "SELECT j.id, j.deployment_id, j.account_id, c.name AS account, j.kind, j.state, j.parameters, j.report, j.done_count,"
        " j.total_count, j.attempts, EXISTS (SELECT 1 FROM web_uploads AS f WHERE f.job_id = j.id) AS has_upload,"
        f" j.created_at, j.finished_at FROM web_jobs AS j JOIN web_accounts AS c ON c.id = j.account_id WHERE {condition}"
    )
    return [
        Job(
            id=row["id"],
            deployment_id=row["deployment_id"],
            account_id=row["account_id"],
            account=row["account"],
            kind=row["kind"],
            state=State(row["state"]),
            parameters=json.loads(row["parameters"]),
            report=json.loads(row["report"] or "{}"),
            done=row["done_count"],
            total=row["total_count"],
            attempts=row["attempts"],
            has_upload=bool(row["has_upload"]),
            created_at=parse(row["created_at"]),
            finished_at=parse_or_none(row["finished_at"]),
        )
        for row in rows.named(database.execute(sql, values))
    ]
