"""`mailweir up`: runs the whole stack on one machine, in the foreground.

It checks first, and changes nothing if a check fails. Its flags override DIR/mailweir.toml for this run only: the daemons read
the settings in force from DIR/run/mailweir.toml. Called by an admin, by `mailweir demo` and by the tests.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Annotated

import typer

from admin_cli import context, key_files, options, output, preflight, processes, settings_files, supervisor
from admin_cli.change_notes import unnoted
from admin_cli.chores import Chore
from admin_cli.ownership import acting_for
from admin_cli.processes import CannotStart, Lock, Program, Remembered, still_ending_with_parent
from admin_cli.supervisor import Supervisor, accepts_mail
from mailweir import daemons
from mailweir import settings as reader
from mailweir.errors import SettingsError
from mailweir.settings import PATH_VARIABLE, Settings
from mailweir.store.database import versions
from postfix import listener
from postfix.instance import Account, Instance, make_folder, make_run_folder

Say = Callable[[str], None]

FIRST_PRUNE_SECONDS = 300.0  # not at the start, when there is other work
FIRST_REPORT_SECONDS = 30.0
REPORT_SECONDS = 60.0
PORT_WAIT_SECONDS = 10.0  # for a port that an earlier run, now ended, still held


@dataclass(frozen=True)
class Ports:
    """The flags; None if the settings file decides."""

    smtp_port: int | None = None
    submission_port: int | None = None
    submissions_port: int | None = None
    web_port: int | None = None


PortOption = Annotated[int | None, typer.Option(min=1, max=65535, metavar="PORT", help="Overrides the settings file.")]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("up", epilog=options.example("sudo mailweir up --data /var/lib/mailweir"))(up)


@unnoted
def up(
    data: Annotated[
        Path,
        typer.Option(
            "--data", metavar="DIR", readable=False, help="The folder for all data. It is made if it doesn't exist."
        ),
    ],
    smtp_port: PortOption = None,
    submission_port: PortOption = None,
    submissions_port: PortOption = None,
    web_port: PortOption = None,
) -> None:
    """Runs Postfix, the look-ups, the relay's logins, the filter, the page and, if it is set up, Gmail's sync, until you press
    Ctrl-C. Prints 'ready' when mail is accepted. Needs root."""
    run_up(data, Ports(smtp_port, submission_port, submissions_port, web_port), output.say)


def run_up(data: Path, ports: Ports, say: Say) -> None:
    """Runs the stack until SIGTERM, SIGINT or SIGHUP. If it can't run, raises MailweirError, and nothing is left running."""
    preflight.check_root()
    # An admin's strict umask would hide files from the daemons that read them. Secret files have a mode of their own.
    os.umask(0o022)
    scripts = preflight.check_programs()
    data_dir = data.absolute().resolve()
    try:
        _check_and_run(data_dir, ports, scripts, say)
    except OSError as error:
        # others can change the data folder's content, even between its check and its use
        if error.filename is None or not Path(os.fsdecode(error.filename)).is_relative_to(data_dir):
            raise
        raise CannotStart(f"can't use {os.fsdecode(error.filename)}: {error.strerror}") from error


def _check_and_run(data_dir: Path, ports: Ports, scripts: dict[str, str], say: Say) -> None:
    preflight.check_folder(data_dir)
    settings, is_new = _settings(data_dir, ports)
    account = preflight.check_account(settings.run_as)
    preflight.check_reach(data_dir, account)
    preflight.check_database_folder(settings, account)
    preflight.check_certificate(settings)
    preflight.check_names(settings, account)
    preflight.check_parts(settings)
    lock = Lock(settings.milter_socket.with_name("up.lock"))
    if not settings.milter_socket.parent.exists():
        # before anything is made; in a used folder, an earlier run may still hold the port
        preflight.check_port(settings)
    _make_data_dir(settings, account)
    remembered = lock.take()
    try:
        # From here on, a stop waits for the supervisor: otherwise Postfix's own checks would continue in the background.
        with supervisor.blocked(supervisor.STOP_SIGNALS):
            _take_over(settings, lock, remembered, say)
            _remove_retired(settings)
            if is_new:
                _write_first(settings, data_dir, say)
            _run(settings, account, scripts, lock, say, is_new=is_new)
    finally:
        lock.release()


def _settings(data_dir: Path, ports: Ports) -> tuple[Settings, bool]:
    """The settings in force, and whether the data folder is new."""
    path = data_dir / preflight.SETTINGS_NAME
    is_new = not path.exists()
    settings = settings_files.first_settings(data_dir, os.uname().nodename) if is_new else reader.load(path)
    if settings.data_dir.resolve() != data_dir:
        raise SettingsError(f"{path}: data_dir is {settings.data_dir}, but must be the folder of this file; change it")
    return _with_flags(settings, ports), is_new


def _with_flags(settings: Settings, ports: Ports) -> Settings:
    smtp = {
        "smtp_port": ports.smtp_port,
        "submission_port": ports.submission_port,
        "submissions_port": ports.submissions_port,
    }
    web = {"port": ports.web_port}
    return settings.model_copy(
        update={
            name: section.model_copy(update={key: port for key, port in flags.items() if port is not None})
            for name, section, flags in (("smtp", settings.smtp, smtp), ("web", settings.web, web))
        }
    )


def _make_data_dir(settings: Settings, account: Account) -> None:
    settings.data_dir.parent.mkdir(parents=True, exist_ok=True)
    make_folder(settings.data_dir, 0o711)  # to be passed through, not to be listed
    make_run_folder(settings, account)


def _take_over(settings: Settings, lock: Lock, remembered: list[Remembered], say: Say) -> None:
    """Clears up after a run that was killed: its processes, its sockets, its port."""
    ended = processes.end_sessions(remembered, settings.data_dir)
    if ended:
        say(f"ended processes of an earlier run: {', '.join(ended)}")
    lock.write([])
    _remove_sockets(settings)
    preflight.check_port(settings, wait_seconds=PORT_WAIT_SECONDS if remembered else 0.0)


def _remove_sockets(settings: Settings) -> None:
    for path in (settings.milter_socket, settings.lookups_socket, settings.auth_socket):
        path.unlink(missing_ok=True)


def _remove_retired(settings: Settings) -> None:
    """Removes unused files that earlier versions made at each start: Dovecot's files, and the socket for its questions."""
    old = settings.data_dir / "dovecot"
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
    settings.auth_socket.with_name("logins.sock").unlink(missing_ok=True)


def _write_first(settings: Settings, data_dir: Path, say: Say) -> None:
    """Writes the admin's file without the flags, which are for this run only."""
    path = data_dir / preflight.SETTINGS_NAME
    settings_files.write_first(settings_files.first_settings(data_dir, settings.hostname), path)
    say(f"made the settings file {path}")


def _run(settings: Settings, account: Account, scripts: dict[str, str], lock: Lock, say: Say, *, is_new: bool) -> None:
    in_force = settings.milter_socket.with_name("mailweir.toml")
    settings_files.write_in_force(settings, in_force)
    _upgrade(settings, account, say)
    if settings.gmail.web_client_file:
        key_files.note_public_half(settings)  # so that the page can seal the tokens of users' consents
    instance = Instance(settings, account)
    instance.prepare(context.now())
    # We hold the socket, so that requests wait while mailweir-auth restarts: a new smtpd that finds no socket ends.
    logins = listener.listening(settings.auth_socket)
    stack = Supervisor(
        _programs(settings, account, scripts, instance, logins),
        lock=lock,
        data_dir=settings.data_dir,
        environment={PATH_VARIABLE: str(in_force)},
        say=say,
        chores=_chores(settings, account, say),
    )
    smtp = settings.smtp
    sync = ", and the sync of Gmail" if settings.gmail.is_set_up else ""
    say(f"starting Postfix on {smtp.bind_address} port {smtp.smtp_port}, look-ups and filter{sync}")
    say(f"the relay: ports {smtp.submission_port} (STARTTLS) and {smtp.submissions_port} (TLS)")
    if settings.web.port:
        say(f"the page: {settings.web.url}")
        if is_new:
            say(f"sign in to it with the link from: {_first_link(settings)}")
    say(f"mail that goes out: {_where_out(settings)}; logs: {settings.log_dir}")
    try:
        stack.run(lambda: accepts_mail(settings))
    finally:
        logins.close()
        instance.remove_sockets()
        _remove_sockets(settings)
    say("stopped")


def _first_link(settings: Settings) -> str:
    """The command that signs in the person who set this up: nobody has an account yet."""
    file = shlex.quote(str(settings.data_dir / preflight.SETTINGS_NAME))
    return f"sudo {PATH_VARIABLE}={file} mailweir web link --operator"


def _where_out(settings: Settings) -> str:
    return f"files in {settings.outbox_dir}" if settings.outbound == "outbox" else settings.outbound


def _upgrade(settings: Settings, account: Account, say: Say) -> None:
    """Runs as the unprivileged user, who has to write the files later on."""
    database_url = settings.database_url
    if isinstance(database_url, Path) and database_url.parent.is_relative_to(settings.data_dir):
        make_folder(database_url.parent, 0o700, account)
    with still_ending_with_parent(), acting_for(database_url):
        applied = versions.upgrade(database_url)
    if applied:
        say(f"upgraded the database {database_url}: {', '.join(applied)}")


def _programs(
    settings: Settings,
    account: Account,
    scripts: dict[str, str],
    instance: Instance,
    logins: socket,
) -> list[Program]:
    """In the order in which they are stopped. logins: the socket on which mailweir-auth answers Postfix."""
    logs = settings.log_dir
    return [
        Program("postfix", instance.command(), None, logs / "postfix.log"),
        *(
            Program(one.name, [scripts[one.name]], account, logs / one.log, logins if one is daemons.AUTH else None)
            for one in preflight.wanted(settings)
        ),
    ]


def _chores(settings: Settings, account: Account, say: Say) -> list[Chore]:
    """Periodic chores. Root checks the host's health, because others may not read all that the check reads."""
    script, logs = str(Path(sys.executable).with_name("mailweir")), settings.log_dir
    report = [script, "health", "report", "--quiet"]
    health = Program("mailweir health report", report, None, logs / "mailweir-health.log")
    chores = [Chore(health, every_seconds=REPORT_SECONDS, first_after_seconds=FIRST_REPORT_SECONDS, say=say)]
    every_seconds = settings.retention.prune_hours * 3600
    if every_seconds:
        prune = Program("mailweir db prune", [script, "db", "prune"], account, logs / "mailweir-prune.log")
        first_after = min(FIRST_PRUNE_SECONDS, every_seconds)
        chores.append(Chore(prune, every_seconds=every_seconds, first_after_seconds=first_after, say=say))
    return chores
