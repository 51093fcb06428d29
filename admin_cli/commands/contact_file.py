"""`mailweir contact import` and `mailweir contact export`: contacts from and to files, CSV or vCard."""

from pathlib import Path
from typing import Annotated

import typer

from admin_cli import context, options, output, progress, target_files
from admin_cli.change_notes import changes, reads
from mailweir.contact_files import forms
from mailweir.contact_files.forms import Form
from mailweir.contact_files.lines import MAX_FILE_BYTES
from mailweir.errors import BadInput, MailweirError
from mailweir.store.people import contact_import, contacts
from mailweir.store.people.contact_import import Imported

_SHOWN_BAD_ROWS = 20


def register(group: typer.Typer) -> None:
    """Adds both commands to the noun `contact`."""
    lines = (
        "mailweir contact import clients.csv",
        "mailweir contact import cards.vcf --company 'Client Ltd' --partial",
    )
    group.command("import", epilog=options.example(*lines))(import_file)
    group.command("export", epilog=options.example("mailweir contact export --output clients.csv"))(export)


@changes("contacts.imported", "file")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV (name, address[;address…], company) or vCard.")],
    form: Annotated[Form | None, typer.Option("--format", help="FILE's format, if its name doesn't show it.")] = None,
    company: Annotated[
        str | None, typer.Option("--company", metavar="NAME", help="The company of contacts that have none in FILE.")
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Import the good rows even if others are bad.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="FILE was exported with --exact: take every cell as it is.")
    ] = False,
    shared: options.SharedOption = False,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Imports contacts from a file. If a row is bad, no row is imported. Importing the same file again changes nothing."""
    form = form or _form_of(file)
    raw = _read(file)
    steps = raw.count(b"\n")
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        with progress.bar("reading", steps) as advance:
            prepared = contact_import.prepare(chosen, forms.read(form, raw, exact=exact), company, advance)
        del raw
        with progress.bar("importing", len(prepared.rows)) as advance:
            count = len(prepared.rows)
            imported = contact_import.run(
                database,
                chosen,
                prepared,
                context.now(),
                partial=partial,
                shared=shared,
                progress=lambda part: advance(part * count),
            )
    _report(file, chosen.name, imported, as_json)


@reads
def export(
    form: Annotated[
        Form | None, typer.Option("--format", help="csv or vcard. Default: as the file's name says, else csv.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="The file to write. Default, and for -: stdout.")
    ] = None,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="CSV for programs: cells that look like formulas stay as they are."),
    ] = False,
    deployment: options.DeploymentOption = None,
) -> None:
    """Writes a deployment's contacts as CSV or vCard, for `contact import`. In CSV, a cell that a spreadsheet would take for a
    formula gets an apostrophe, which the import removes."""
    target = None if target == Path("-") else target
    if form is None:
        form = Form.CSV if target is None else _form_of(target)
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        # made in memory: the target must not be opened as the database's owner, and an error must not leave half a file
        written = b"".join(part.encode() for part in forms.write(form, contacts.each(database, chosen), exact=exact))
    _write(target, written)
    if target is not None:
        output.remark(f"The contacts of {chosen.name} are in {target}.")


def _write(target: Path | None, content: bytes) -> None:
    if target is not None:
        target_files.write(target, content)
        return
    try:
        output.whole(content)
    except OSError as error:
        raise BadInput(f"stdout can't be written: {error.strerror or error}") from error


def _form_of(file: Path) -> Form:
    form = forms.form_of(file.name)
    if form is None:
        raise BadInput(f"{file}: its name doesn't show its format, as .csv or .vcf would; give --format csv or vcard")
    return form


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{file} can't be read: {error.strerror or error}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise BadInput(f"{file} is larger than {MAX_FILE_BYTES // 1024**2} MB: import it in several files")
    return raw


def _report(file: Path, deployment: str, imported: Imported, as_json: bool) -> None:
    """Prints what was done. Errors: _BadRows if a row was left out."""
    good = imported.added + imported.completed + imported.unchanged
    if as_json:
        bad = [row._asdict() for row in imported.bad]
        output.show_json({"file": str(file), "deployment": deployment, **output.plain(imported), "bad": bad})
    elif imported.written:
        output.say(
            f"{file}: {imported.added} contacts added, {imported.completed} completed, {imported.unchanged} unchanged"
            f" in {deployment}; {imported.companies_added} companies added."
        )
        if imported.kept_company:
            output.say(f"{imported.kept_company} contacts keep their company, although the file names another.")
    if not imported.left_out:
        return
    shown = imported.bad[:_SHOWN_BAD_ROWS]
    for row in shown:
        output.complain(f"{file} line {row.line}: {row.reason}")
    if imported.left_out > len(shown):
        output.complain(f"and {imported.left_out - len(shown)} more bad rows")
    if imported.written:
        raise _BadRows(f"kept {good}, left out {imported.left_out}")
    raise _BadRows(
        f"nothing is imported: {imported.left_out} rows are bad; with --partial the {good} others would be kept"
    )


class _BadRows(MailweirError):
    """Rows of a file can't be imported."""
