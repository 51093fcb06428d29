"""The import of a file of contacts: first a preview of its changes, then the import itself, a hundred rows in each transaction.

An interrupted import continues at the row where it stopped: each transaction also writes how many rows are done. A contact that
was new in the preview may exist when the import runs; repeated rows change nothing. Called by `webapp.jobs`.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

from mailweir.contact_files import forms
from mailweir.contact_files.forms import Form
from mailweir.contact_files.rows import BadRow, Row
from mailweir.errors import BadInput
from mailweir.sentence import said
from mailweir.store.people import contact_import
from mailweir.store.people.contact_import import Imported
from mailweir.store.people.contact_preview import Preview
from mailweir.store.web import jobs
from webapp.forms import MAX_UPLOAD_BYTES
from webapp.work import Report, Work

PREVIEW = "contacts.preview"
IMPORT = "contacts.import"
MAX_ROWS = 200_000  # in a preview, each row takes about 1 KB of memory
SHOWN_BAD_ROWS = 100
EXAMPLES = 10

_PART_ROWS = 100  # in a transaction, which takes some milliseconds: the filter waits for the write lock meanwhile
_PAUSE_SECONDS = 0.01  # between two transactions, for processes that wait for the lock
_LOOKED_AT_ROWS = 500
_COUNTS = ("added", "completed", "unchanged", "kept_company", "companies_added", "left_out")
_CHANGED = ("added", "completed", "companies_added")


def preview(work: Work) -> Report:
    """The changes that the file would make. The file stays for the import."""
    chosen, rows = work.job.parameters, 0
    found = Preview(work.database, work.deployment(), chosen["company"], shared=chosen["shared"])
    for part in _parts(_rows(work), _LOOKED_AT_ROWS):
        rows += len(part)
        if rows > MAX_ROWS:
            raise BadInput(said("the file has more than {most} rows: send it in several files", most=MAX_ROWS))
        found.take(part)
        work.step(rows, chosen["lines"])
    result = found.result(EXAMPLES)
    return {
        **{name: getattr(result, name) for name in _COUNTS},
        "rows": rows,
        "bad": _shown(result.bad),
        "new": [asdict(one) for one in result.new],
        "changed": [asdict(one) for one in result.changed],
    }


def import_rows(work: Work) -> Report:
    """Adds the contacts of the valid rows, and completes those that exist."""
    job, deployment = work.job, work.deployment()
    done, total = job.done, job.parameters["rows"]
    report: dict[str, Any] = {**dict.fromkeys(_COUNTS, 0), "bad": [], **job.report}
    for part in _parts(islice(_rows(work), done, None), _PART_ROWS):
        work.go_on()
        prepared = contact_import.prepare(deployment, part, job.parameters["company"] or None, lambda line: None)
        with work.database.transaction():
            imported = contact_import.run(
                work.database,
                deployment,
                prepared,
                work.clock(),
                partial=True,
                shared=job.parameters["shared"],
                progress=lambda share: None,
            )
            done += len(part)
            report = _with(report, imported)
            work.save(done, total, report)
        time.sleep(_PAUSE_SECONDS)
    detail = ", ".join(f"{name} {report[name]}" for name in _COUNTS if report[name])
    if any(report[name] for name in _CHANGED):
        work.note("contacts.imported", job.parameters["file"], detail)
    return report


def _rows(work: Work) -> Iterator[Row | BadRow]:
    chosen = work.job.parameters
    raw = jobs.upload(work.database, work.job.id, MAX_UPLOAD_BYTES)
    return forms.read(Form(chosen["form"]), raw, exact=chosen["exact"])


def _parts(rows: Iterable[Row | BadRow], size: int) -> Iterator[list[Row | BadRow]]:
    left = iter(rows)
    while part := list(islice(left, size)):
        yield part


def _with(report: dict[str, Any], imported: Imported) -> dict[str, Any]:
    bad = [*report["bad"], *_shown(imported.bad)][:SHOWN_BAD_ROWS]
    return {**{name: report[name] + getattr(imported, name) for name in _COUNTS}, "bad": bad}


def _shown(bad: Iterable[BadRow]) -> list[list[Any]]:
    return [[row.line, row.reason] for row in islice(bad, SHOWN_BAD_ROWS)]
