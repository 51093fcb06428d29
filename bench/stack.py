"""The stack under measurement: the project's own Postfix instance and look-ups, with one port for each variant.

All variants use one main.cf, and the look-ups answer every RCPT; only `smtpd_milters` and the service differ by port. Unlike with
`mailweir up`, mail that passes the filter ends at `discard:`. Everything is in a separate folder on a disk (TMPDIR, or /var/tmp),
which is removed with the stack. Needs root, like `mailweir up`.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

from bench import variants
from bench.variants import Door, Filter, Variant
from mailweir import settings
from mailweir.database_url import DatabaseUrl
from mailweir.errors import MailweirError
from mailweir.settings import Settings
from postfix.instance import SEARCH_PATH, Account, Instance

READY_SECONDS = 15.0
DRAIN_SECONDS = 120.0
SIGNED = "bench-signed"
NO_LIMIT = 10_000_000
OWN_PROGRAMS = Path(sys.executable).parent  # the checkout's
_HERE = Path(__file__).parent
BUILD_DIR = _HERE / "build"


class BenchError(MailweirError):
    """The measurement isn't possible, or its result is inconsistent."""


def build() -> None:
    """Compiles the C sources again if they have changed."""
    BUILD_DIR.mkdir(exist_ok=True)
    for target, source, options in (
        ("noop_filter", "noop_filter.c", ("-lmilter", "-lpthread")),
        ("slow_fsync.so", "slow_fsync.c", ("-shared", "-fPIC", "-ldl")),
    ):
        if _is_older(BUILD_DIR / target, _HERE / source):
            _run("gcc", "-O2", "-Wall", "-Wextra", "-o", str(BUILD_DIR / target), str(_HERE / source), *options)


def _is_older(target: Path, source: Path) -> bool:
    return not target.exists() or target.stat().st_mtime < source.stat().st_mtime


class Stack:
    """A running Postfix and look-ups; `filtering` starts and stops filters."""

    def __init__(
        self,
        folder: Path,
        chosen: Sequence[Variant],
        fsync_delay_ms: float,
        database_url: DatabaseUrl | None = None,
        programs: Path = OWN_PROGRAMS,
    ) -> None:
        self._folder = folder
        self._programs = programs
        self._fsync_delay_ms = fsync_delay_ms
        self._config_file = folder / "mailweir.toml"
        ports = iter(_free_ports(len(chosen) + 3))
        smtp = f"smtp_port = {next(ports)}\nsubmission_port = {next(ports)}\nsubmissions_port = {next(ports)}\n"
        database = f'database = "{database_url}"\n' if database_url else ""
        limits = f"max_messages_per_hour = {NO_LIMIT}\nmax_recipients_per_hour = {NO_LIMIT}\n"
        self._config_file.write_text(f'data_dir = "{folder}"\n{database}[smtp]\n{smtp}[relay]\n{limits}')
        self.settings: Settings = settings.load(self._config_file)
        self.ports = {variant: next(ports) for variant in chosen}
        self._account = Account.named(self.settings.run_as)
        self._instance = Instance(self.settings, self._account)
        self._postfix: subprocess.Popen[bytes] | None = None
        self._lookups: subprocess.Popen[bytes] | None = None
        self._auth: subprocess.Popen[bytes] | None = None
        self._relaying = any(variant.door is not Door.INBOUND for variant in chosen)
        self.credentials: tuple[str, str] | None = None

    @property
    def postfix_pid(self) -> int:
        """Postfix's master."""
        assert self._postfix
        return self._postfix.pid

    @property
    def other_pids(self) -> list[int]:
        """The look-ups, and mailweir-auth's guardian if it runs."""
        return [process.pid for process in (self._lookups, self._auth) if process]

    def start(self) -> None:
        """Makes the database, and starts look-ups and Postfix."""
        for arguments in (
            ("db", "upgrade"),
            ("deployment", "add", "demo", "--domain", "demo.example.net"),
            ("user", "add", variants.USERNAME, "--email", variants.USER),
            ("contact", "add", "The client", variants.CONTACT),
        ):
            _run(str(self._programs / "mailweir"), *arguments, env=self._environment())
        if self._relaying:
            _run(
                str(self._programs / "mailweir"),
                "domain",
                "add",
                variants.USER.partition("@")[2],
                env=self._environment(),
            )
            login = _run(
                str(self._programs / "mailweir"),
                "relay",
                "connect",
                variants.USERNAME,
                "--json",
                env=self._environment(),
            )
            made = json.loads(login)
            self.credentials = (made["username"], made["password"])
        self.settings.log_dir.mkdir(exist_ok=True)
        self._instance.prepare(datetime.now(UTC))
        self._adapt_configuration()
        self._lookups = self._spawn("mailweir-lookups", [str(self._programs / "mailweir-lookups")])
        _wait_for(self.settings.lookups_socket.exists, "the look-ups", self._lookups)
        if self._relaying:
            self._auth = self._spawn("mailweir-auth", [str(self._programs / "mailweir-auth")])
            _wait_for(self.settings.auth_socket.exists, "mailweir-auth", self._auth)
        self._postfix = subprocess.Popen(
            self._instance.command(),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # the master ends its whole process group when it is stopped
        )
        for port in self.ports.values():
            _wait_for(lambda port=port: _listens(port), "Postfix", self._postfix)  # type: ignore[misc]

    def _adapt_configuration(self) -> None:
        config_dir = str(self._instance.places.config_dir)
        # in_flow_delay is in the template too; set here because the comparison depends on it.
        _run("postconf", "-c", config_dir, "-e", "in_flow_delay = 0", "default_transport = discard:bench")
        # Otherwise mail that the no-op filter lets pass would be deferred as mail for a capture domain.
        _run("postconf", "-c", config_dir, "-P", "rewrite-queue/unix/transport_maps=")
        if self._relaying:
            # Postfix logs a line for each signed message; `signed_messages` counts these lines.
            pattern = f"{{ {{/^DKIM-Signature: v=1; a=rsa-sha256/ INFO {SIGNED}}} }}"
            _run("postconf", "-c", config_dir, "-e", f"milter_header_checks = regexp:{pattern}")
        services = "".join(self._service(variant, port) for variant, port in self.ports.items())
        services += self._script_service()
        with (self._instance.places.config_dir / "master.cf").open("a") as file:
            file.write(f"\n# bench: one port a variant\n{services}")

    def _service(self, variant: Variant, port: int) -> str:
        options = [
            f"smtpd_milters={self._milter(variant.filter)}",
            f"content_filter={'script:' if variant.filter is Filter.PIPE else ''}",
        ]
        if variant.door is Door.INBOUND:
            options.append("milter_macro_daemon_name=inbound")
        elif variant.door is Door.RELAY:
            assert self.credentials
            options += [
                "milter_macro_daemon_name=relay",
                f"milter_macro_defaults=auth_authen={self.credentials[0]}",
                "smtpd_relay_restrictions=permit_mynetworks,reject",
                f"{{ smtpd_recipient_restrictions = {self._relayed_recipients()} }}",
            ]
        else:
            options += self._submissions_options()
        return f"127.0.0.1:{port} inet n - n - - smtpd\n" + "".join(f"    -o {option}\n" for option in options)

    def _submissions_options(self) -> list[str]:
        """The options of the submissions port, read from master.cf so that they are the template's."""
        master = (self._instance.places.config_dir / "master.cf").read_text()
        section = master[master.index(f":{self.settings.smtp.submissions_port} inet ") :].splitlines()[1:]
        found = [line.strip().removeprefix("-o ") for line in takewhile(lambda line: line.startswith(" "), section)]
        if not found:
            raise BenchError("master.cf has no service for submission with TLS")
        return found

    def _relayed_recipients(self) -> str:
        (found,) = [line for line in self._submissions_options() if "smtpd_recipient_restrictions" in line]
        return found.partition("=")[2].removesuffix("}").strip()

    def signed_messages(self) -> int:
        """The number of messages signed so far, by Postfix's log."""
        return self.settings.postfix_log_file.read_bytes().count(SIGNED.encode())

    def _script_service(self) -> str:
        # Copied, because the unprivileged user may have no access to the checkout.
        script = shutil.copy(_HERE / "pipe_script.py", self._folder / "pipe_script.py")
        folder = self._folder / "script"
        folder.mkdir()
        with closing(sqlite3.connect(folder / "mail.db")) as database:
            database.execute("CREATE TABLE mail (id INTEGER PRIMARY KEY, message_id, author, subject, raw BLOB)")
        for path in (folder, folder / "mail.db"):
            os.chown(path, self._account.uid, self._account.gid)
        command = f"/usr/bin/python3 {script} {folder / 'mail.db'}"
        return f"script unix - n n - 20 pipe\n    user={self._account.name} argv={command}\n"

    def _milter(self, which: Filter) -> str:
        path = {Filter.OURS: self.settings.milter_socket, Filter.NONE: None, Filter.PIPE: None}.get(
            which, self._noop_socket
        )
        return f"unix:{path}" if path else ""

    @property
    def _noop_socket(self) -> Path:
        return self.settings.milter_socket.with_name("noop.sock")

    def _environment(self) -> dict[str, str]:
        return os.environ | {settings.PATH_VARIABLE: str(self._config_file)}

    def _spawn(self, name: str, arguments: list[str], **environment: str) -> subprocess.Popen[bytes]:
        with (self.settings.log_dir / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                arguments,
                user=self._account.uid,
                group=self._account.gid,
                extra_groups=[],
                env=self._environment() | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )

    @contextmanager
    def filtering(self, which: Filter) -> Iterator[int | None]:
        """Runs this filter while the block runs; yields its process id, or None if there is no filter."""
        if which in (Filter.NONE, Filter.PIPE):
            yield None
            return
        process, path = self._start_filter(which)
        try:
            _wait_for(lambda: _answers(path), f"the filter ({which})", process)
            yield process.pid
        finally:
            _stop(process)
            path.unlink(missing_ok=True)

    def _start_filter(self, which: Filter) -> tuple[subprocess.Popen[bytes], Path]:
        if which is Filter.OURS:
            command = [str(self._programs / "mailweir-milter")]
            environment = self._delay() | self._without_driver()
            return self._spawn("mailweir-milter", command, **environment), self.settings.milter_socket
        # Copied: the unprivileged user may have no access to the checkout.
        program = shutil.copy(BUILD_DIR / "noop_filter", self._folder / "noop_filter")
        lean = ["lean"] if which is Filter.NOOP_LEAN else []
        return self._spawn("noop_filter", [str(program), str(self._noop_socket), *lean]), self._noop_socket

    def _delay(self) -> dict[str, str]:
        if not self._fsync_delay_ms:
            return {}
        library = shutil.copy(BUILD_DIR / "slow_fsync.so", self._folder / "slow_fsync.so")
        return {"LD_PRELOAD": str(library), "SLOW_FSYNC_MS": str(self._fsync_delay_ms)}

    def _without_driver(self) -> dict[str, str]:
        """An environment without psycopg, as on a host with SQLite. peewee would load it, and a worker would take 9 MB more."""
        if not isinstance(self.settings.database_url, Path):
            return {}
        folder = self._folder / "without"
        folder.mkdir(exist_ok=True)
        (folder / "psycopg.py").write_text("raise ImportError('as on a host with SQLite')\n")
        return {"PYTHONPATH": str(folder)}

    def drain(self) -> None:
        """Waits until Postfix has delivered all accepted mail. BenchError if mail is deferred or stays."""
        queue = self._instance.places.queue_dir
        give_up_at = time.monotonic() + DRAIN_SECONDS
        while any(_files(queue / name) for name in ("maildrop", "incoming", "active")):
            if time.monotonic() > give_up_at:
                raise BenchError(f"Postfix still holds mail after {DRAIN_SECONDS:.0f} s; see {self.settings.log_dir}")
            time.sleep(0.05)
        if _files(queue / "deferred"):
            raise BenchError(f"Postfix deferred mail, so the variants don't compare; see {self.settings.log_dir}")

    def stop(self) -> None:
        """Stops Postfix, mailweir-auth and the look-ups."""
        for process in (self._postfix, self._auth, self._lookups):
            if process:
                _stop(process)


@contextmanager
def running(
    chosen: Sequence[Variant],
    fsync_delay_ms: float = 0.0,
    database_url: DatabaseUrl | None = None,
    programs: Path = OWN_PROGRAMS,
) -> Iterator[Stack]:
    """A stack for these variants in a new folder, which is removed afterwards (kept after a failure).

    programs: the folder with the daemons' and the command line's programs.
    """
    folder = Path(tempfile.mkdtemp(prefix="mailweir-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")))
    try:
        _require_disk(folder)
    except BenchError:
        folder.rmdir()
        raise
    folder.chmod(0o711)
    stack = Stack(folder, chosen, fsync_delay_ms, database_url, programs)
    try:
        stack.start()
        yield stack
    except BaseException:
        stack.stop()
        print(f"bench: logs are kept in {stack.settings.log_dir}", file=sys.stderr)
        raise
    stack.stop()
    shutil.rmtree(folder)


def _require_disk(folder: Path) -> None:
    """BenchError if the folder is in memory: an fsync costs nothing there, and Postfix's queue, which our filter often avoids,
    costs hardly anything."""
    kind = _run("stat", "--file-system", "--format=%T", str(folder)).strip()
    if kind in ("tmpfs", "ramfs"):
        raise BenchError(f"{folder.parent} is in memory ({kind}): set TMPDIR to a folder on a disk")


def _run(*arguments: str, env: dict[str, str] | None = None) -> str:
    path = {"PATH": SEARCH_PATH}
    try:
        done = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            check=False,
            env=(env or dict(os.environ)) | path,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise BenchError(f"can't run {arguments[0]}: {error.strerror}; 'make setup' installs what is needed") from error
    if done.returncode:
        raise BenchError(f"{' '.join(arguments[:4])} …: {' '.join((done.stderr or done.stdout).split())}")
    return done.stdout


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)  # libmilter checks every five seconds
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(ready: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise BenchError(f"{what} didn't start")
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _files(folder: Path) -> bool:
    return any(names for _, _, names in os.walk(folder))
