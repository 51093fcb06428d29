"""`mailweir postfix`: files that a provisioned host's Postfix needs. Called by the Ansible role."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from admin_cli import context, options, output, preflight, target_files
from admin_cli.change_notes import unnoted
from mailweir.errors import MailweirError, SettingsError
from mailweir.settings import Settings, load
from postfix import rendering
from postfix.certificate import ensure_self_signed
from postfix.instance import Account, make_folder
from postfix.rendering import Places


def register(app: typer.Typer) -> None:
    """Adds the noun to the command line."""
    example = "mailweir postfix config --out /tmp/postfix"
    group = options.noun(app, "postfix", "Configuration of Postfix.", options.example(example))
    group.command("config", epilog=options.example(example))(config)
    group.command("certificate", epilog=options.example("sudo mailweir postfix certificate"))(certificate)


@unnoted
def config(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder for the files. It is made if it doesn't exist.")
    ],
    as_json: options.JsonOption = False,
) -> None:
    """Writes main.cf and master.cf for the settings in force. Doesn't touch a file that wouldn't change.

    The paths in the files follow the settings (run_by), not DIR: you can look at the files, or copy them into place.
    """
    changed: dict[str, bool] = {}
    texts = _texts(load())
    target_files.refuse_foreign_links(out / "main.cf")
    with _refusing(out):
        out.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name, text in texts.items():
            file = out / name
            changed[name] = _what_is_there(file) != text
            if changed[name]:
                rendering.write_file(file, text)
    if as_json:
        output.show_json({"files": [{"name": name, "changed": is_changed} for name, is_changed in changed.items()]})
    elif any(changed.values()):
        output.say(f"changed in {out}: {', '.join(name for name, is_changed in changed.items() if is_changed)}")
    else:
        output.say(f"{out} matches the settings already")


def _what_is_there(file: Path) -> str | None:
    """A file's content. None if it isn't a regular file, or is a link: then it is replaced."""
    if not stat.S_ISREG(file.lstat().st_mode if os.path.lexists(file) else 0):
        return None
    return file.read_text(encoding="utf-8", errors="replace")


def _texts(settings: Settings) -> dict[str, str]:
    try:
        account = Account.named(settings.run_as)
    except KeyError as error:
        raise SettingsError(
            f"the user '{settings.run_as}' (the setting run_as) doesn't exist on this host: make it first"
        ) from error
    made = rendering.render(settings, run_as_uid=account.uid, run_as_gid=account.gid)
    return {"main.cf": made.main_cf, "master.cf": made.master_cf}


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    """Turns an error of the file system into an error with one line."""
    try:
        yield
    except OSError as error:
        raise MailweirError(f"can't write in {folder}: {error.strerror or error}") from error


@unnoted
def certificate(as_json: options.JsonOption = False) -> None:
    """Makes a self-signed certificate if the settings name none, and keeps an existing one. Needs root."""
    settings = load()
    own = settings.smtp.tls_certificate_file
    file = own or Places.of(settings).certificate_file
    is_made = False
    if own is None:
        preflight.check_root("'mailweir postfix certificate'")
        with _refusing(file.parent):
            make_folder(file.parent, 0o700)
            is_made = ensure_self_signed(file, settings.hostname, context.now())
    if as_json:
        output.show_json({"file": str(file), "made": is_made})
    else:
        output.say(f"made {file}" if is_made else f"the certificate is {file}")
