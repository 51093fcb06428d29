"""`mailweir up`: its checks, starts, restarts, stops, and takeovers."""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import needs, scratch
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

Wait = Callable[..., Any]

RUN_AS = "mailweir"
NAMES = ["postfix", "mailweir-lookups", "mailweir-auth", "mailweir-milter", "mailweir-digest"]


def processes_in(data_dir: Path) -> dict[int, tuple[str, int]]:
    """Processes that work in this folder: pid -> name and uid."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(data_dir):
                found[int(process.name)] = ((process / "comm").read_text().strip(), _uid(process))
    return found


def _uid(process: Path) -> int:
    """Its real uid: if a process can't be inspected, its /proc folder belongs to root."""
    match = re.search(r"^Uid:\s+(\d+)", (process / "status").read_text(), re.MULTILINE)
    assert match
    return int(match[1])


def zombies_of_postfix() -> set[int]:
    """Dead Postfix processes that nobody has reaped."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (process / "stat").read_text()
            if text.rpartition(")")[2].split()[0] == "Z" and "(trivial-rewrite)" in text:
                found.add(int(process.name))
    return found


def sockets_in(data_dir: Path) -> list[Path]:
    """Sockets and FIFOs in this folder."""
    kinds = (stat.S_ISSOCK, stat.S_ISFIFO)
    return [path for path in data_dir.rglob("*") if any(is_kind(path.lstat().st_mode) for is_kind in kinds)]


def takes_mail(stack: "Stack") -> bool:
    """Does mail pass the whole way? The probe's recipient is unknown, so nothing is delivered."""
    with contextlib.suppress(OSError), stack.connect() as client:
        return client.mail("a@elsewhere.example")[0] == 250 and client.rcpt("a@elsewhere.example")[0] == 554
    return False


def assert_refuses(stack: "Stack", *words: str, flags: tuple[str, ...] = ()) -> None:
    """It ends with 1 and a single line with these words."""
    before = len(stack.said)
    stack.start(*flags, ready=False)
    assert stack.process is not None
    assert stack.process.wait(60) == 1
    (line,) = stack.said[before:]
    assert line.startswith("mailweir: ")
    for word in words:
        assert word in line


def test_a_new_folder(make_stack: "MakeStack") -> None:
    """If there is no settings file, it writes one without the flags. The daemons use the flags."""
    stack = make_stack(start=False)
    stack.config.unlink()
    stack.data_dir.rmdir()
    ports = zip(
        ("--smtp-port", "--submission-port", "--submissions-port"),
        (stack.smtp_port, stack.submission_port, stack.submissions_port),
        strict=True,
    )
    web_port = free_port()
    stack.start(*(str(word) for pair in ports for word in pair), "--web-port", str(web_port))
    assert any(f"{stack.config} mailweir web link --operator" in line for line in stack.said)
    assert stack.cli("web", "link", "--operator", check=True).stdout.startswith(
        f"http://localhost:{web_port}/sign-in/link/"
    )
    written = tomllib.loads(stack.config.read_text())
    assert written["outbound"] == "outbox"
    assert written["data_dir"] == str(stack.data_dir)
    assert written["smtp"] == {
        "bind_address": "127.0.0.1",
        "smtp_port": 2525,
        "submission_port": 2587,
        "submissions_port": 2465,
    }
    assert takes_mail(stack)
    assert stack.cli("deployment", "add", "demo", "--domain", "demo.example.net").returncode == 0
    with stack.connect() as client:
        client.mail("a@elsewhere.example")
        assert client.rcpt("log@demo.example.net")[0] == 250
    stack.cli("user", "add", "richard", "--email", "richard@firm.example", check=True)

    def told(verb: str) -> tuple[int, int]:
        made = json.loads(stack.cli("relay", verb, "richard", "--json", check=True).stdout)
        return made["submission_port"], made["submissions_port"]

    # the address for Gmail's form has a listener
    assert told("connect") == (stack.submission_port, stack.submissions_port)
    stack.stop()
    assert told("rotate") == (2587, 2465)
    assert stack.cli("web", "link", "--operator", check=True).stdout.startswith("http://localhost:8025/sign-in/link/")


def test_the_written_settings_stay_the_admins(make_stack: "MakeStack") -> None:
    stack = make_stack()
    text = stack.config.read_text()
    stack.stop()
    stack.start("--web-port", str(free_port()))
    assert stack.config.read_text() == text


def test_folders_are_open_to_nobody_who_needs_not_enter(make_stack: "MakeStack") -> None:
    stack = make_stack()
    run_as = pwd.getpwnam(RUN_AS)
    postfix = pwd.getpwnam("postfix")
    expected = {
        ".": (0, 0, 0o711),
        "db": (run_as.pw_uid, run_as.pw_gid, 0o700),
        "run": (run_as.pw_uid, postfix.pw_gid, 0o2750),
        "outbox": (run_as.pw_uid, run_as.pw_gid, 0o700),
        # Postfix owns its log. It can pass through the folder, but can't list it.
        "log": (0, postfix.pw_gid, 0o710),
        "log/postfix.log": (postfix.pw_uid, postfix.pw_gid, 0o640),
        "tls": (0, 0, 0o700),
        "tls/self-signed.pem": (0, 0, 0o600),
        "db/mailweir.db": (run_as.pw_uid, run_as.pw_gid, 0o600),
        "run/milter.sock": (run_as.pw_uid, postfix.pw_gid, 0o660),
        "run/lookups.sock": (run_as.pw_uid, postfix.pw_gid, 0o660),
        "run/auth.sock": (0, postfix.pw_gid, 0o660),  # the supervisor owns it
    }
    found = {name: (stack.data_dir / name).stat() for name in expected}
    assert {name: (one.st_uid, one.st_gid, stat.S_IMODE(one.st_mode)) for name, one in found.items()} == expected


def test_an_admins_strict_umask_closes_nothing_to_the_daemons(make_stack: "MakeStack") -> None:
    stack = make_stack(start=False)
    before = os.umask(0o077)
    try:
        stack.start()
    finally:
        os.umask(before)
    assert takes_mail(stack)


def test_only_postfixs_master_stays_root(make_stack: "MakeStack") -> None:
    stack = make_stack()
    processes = processes_in(stack.data_dir).values()
    assert {name for name, uid in processes if uid == 0} == {"master"}
    names = {name for name, _ in processes}
    assert {"mailweir-milter", "mailweir-lookup", "mailweir-auth", "qmgr"} <= names


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_leaves_nothing(make_stack: "MakeStack", number: signal.Signals) -> None:
    stack = make_stack()
    assert takes_mail(stack)
    before = processes_in(stack.data_dir)
    assert "trivial-rewrite" in {name for name, _ in before.values()}
    assert stack.process is not None
    stack.process.send_signal(number)
    assert stack.process.wait(30) == 0
    assert processes_in(stack.data_dir) == {}
    assert sockets_in(stack.data_dir) == []
    assert zombies_of_postfix().isdisjoint(before)
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", stack.smtp_port))
    assert stack.said[-1] == "stopped"


@pytest.mark.parametrize("after_seconds", [0.3, 0.6, 0.9, 1.2])
def test_a_stop_in_the_middle_of_a_start(make_stack: "MakeStack", after_seconds: float) -> None:
    stack = make_stack(start=False)
    stack.start(ready=False)
    time.sleep(after_seconds)
    assert stack.process is not None
    stack.process.terminate()
    stack.process.wait(60)
    assert processes_in(stack.data_dir) == {}
    assert sockets_in(stack.data_dir) == []


def kill_all(stack: "Stack", name: str) -> set[int]:
    """Kills all that ran."""
    before = stack.pids(name)
    assert before
    for pid in before:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return set(before)


@pytest.mark.parametrize("name", ["master", "mailweir-lookups", "mailweir-auth", "mailweir-milter"])
def test_what_dies_is_started_again(make_stack: "MakeStack", wait_until: Wait, name: str) -> None:
    stack = make_stack()
    assert takes_mail(stack)
    before = kill_all(stack, name)
    wait_until(lambda: stack.pids(name) and not set(stack.pids(name)) & before, f"another {name} runs", 60)
    wait_until(lambda: takes_mail(stack), "mail is accepted again", 60)
    assert any("signal 9; starting it again in 0.2 s" in line for line in stack.said)


def test_what_dies_of_postfixs_own_is_postfixs_to_start_again(make_stack: "MakeStack", wait_until: Wait) -> None:
    stack = make_stack()
    assert takes_mail(stack)
    kill_all(stack, "smtpd")
    wait_until(lambda: takes_mail(stack), "mail is accepted again", 60)


def test_what_the_dead_leave_behind_holds_no_port(make_stack: "MakeStack", wait_until: Wait) -> None:
    """A hanging smtpd doesn't notice that its master is gone, and listens on the port that the next master needs."""
    stack = make_stack()
    assert takes_mail(stack)
    (smtpd,), (master,) = stack.pids("smtpd"), stack.pids("master")
    os.kill(smtpd, signal.SIGSTOP)
    os.kill(master, signal.SIGKILL)
    wait_until(lambda: stack.pids("master") not in ([], [master]), "another master runs")
    wait_until(lambda: takes_mail(stack), "mail is accepted again")
    assert sum("postfix" in line and "starting it again" in line for line in stack.said) == 1


def test_the_pause_grows_for_what_dies_again_and_again(make_stack: "MakeStack", wait_until: Wait) -> None:
    stack = make_stack()
    for pause in ("0.2", "0.4", "0.8"):
        (pid,) = wait_until(lambda: stack.pids("mailweir-lookups"), "the look-ups run")
        os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda pause=pause: any(f"starting it again in {pause} s" in line for line in stack.said),
            f"a pause of {pause} s",
        )
    wait_until(lambda: takes_mail(stack), "mail is accepted again")


def test_it_ends_with_who_started_it(make_stack: "MakeStack", wait_until: Wait) -> None:
    """The demo and the tests start it, so that nothing keeps running if they are killed."""
    stack = make_stack(start=False)
    code = (
        "import sys; from pathlib import Path; from admin_cli import processes\n"
        "program = processes.Program('mailweir', sys.argv[2:], None, Path(sys.argv[1]))\n"
        "processes.start(program, work_dir=Path('/'), environment={}).wait()\n"
    )
    script = Path(sys.executable).with_name("mailweir")
    said = stack.data_dir / "said"
    starter = subprocess.Popen([sys.executable, "-c", code, said, script, "up", "--data", stack.data_dir])
    wait_until(lambda: said.exists() and "ready" in said.read_text().splitlines(), "it is ready", 90)
    starter.kill()
    starter.wait()
    wait_until(lambda: "stopped" in said.read_text().splitlines(), "it has stopped")
    wait_until(lambda: not processes_in(stack.data_dir), "nothing is left")


@pytest.fixture
def whole(make_stack: "MakeStack", wait_until: Wait) -> "Stack":
    """A stack that runs completely: `ready` doesn't wait for the digest."""
    stack = make_stack()
    wait_until(lambda: "event=serving" in stack.log("mailweir-digest"), "the digest")
    return stack


def test_a_killed_supervisor_leaves_nothing_in_the_way(whole: "Stack", wait_until: Wait) -> None:
    before = processes_in(whole.data_dir)
    whole.kill()
    wait_until(lambda: not set(processes_in(whole.data_dir)) & set(before), "its children end by themselves")
    whole.start()
    assert takes_mail(whole)
    assert whole.stop() == 0
    assert processes_in(whole.data_dir) == {}


def test_a_killed_supervisor_whose_children_hang_leaves_nothing_in_the_way(whole: "Stack") -> None:
    stack, before = whole, processes_in(whole.data_dir)
    for pid in before:
        os.kill(pid, signal.SIGSTOP)  # none of them notices that its parent is gone
    stack.kill()
    stack.start()
    assert takes_mail(stack)
    assert not set(processes_in(stack.data_dir)) & set(before)
    assert any("ended processes of an earlier run: " + ", ".join(sorted(NAMES)) in line for line in stack.said)
    assert stack.stop() == 0
    assert processes_in(stack.data_dir) == {}


def test_killed_right_away_and_started_at_once(make_stack: "MakeStack") -> None:
    stack = make_stack()
    for _ in range(3):
        stack.kill()
        stack.start(ready=False)
        time.sleep(0.7)
    stack.kill()
    stack.start()
    assert takes_mail(stack)


def test_one_up_a_folder(make_stack: "MakeStack") -> None:
    stack = make_stack()
    second = subprocess.run(
        [shutil.which("mailweir", path=str(Path(sys.executable).parent)) or "", "up", "--data", stack.data_dir],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr == f"mailweir: another 'mailweir up' runs on {stack.data_dir}; stop it first\n"
    assert takes_mail(stack)


def test_a_port_that_is_taken(make_stack: "MakeStack") -> None:
    stack = make_stack(start=False)
    with socket.create_server(("127.0.0.1", stack.smtp_port)):
        assert_refuses(stack, f"127.0.0.1 port {stack.smtp_port}", "another program", "--smtp-port")
    with socket.create_server(("127.0.0.1", stack.submissions_port)):
        assert_refuses(stack, f"127.0.0.1 port {stack.submissions_port}", "another program", "--submissions-port")
    assert_refuses(stack, "the same", flags=("--submission-port", str(stack.smtp_port)))
    assert [path.name for path in stack.data_dir.iterdir()] == ["mailweir.toml"]


def test_an_address_that_is_not_ours(make_stack: "MakeStack") -> None:
    assert_refuses(make_stack(start=False, smtp={"bind_address": "192.0.2.1"}), "192.0.2.1", "assign")


def test_a_closed_folder_above(make_stack: "MakeStack") -> None:
    stack = make_stack(start=False)
    closed = stack.data_dir / "closed"
    closed.mkdir(mode=0o700)
    assert_refuses(stack, RUN_AS, f"because {closed} is closed", "chmod o+x", flags=("--data", str(closed / "data")))
    assert not (closed / "data").exists()


def test_a_folder_of_something_else(make_stack: "MakeStack") -> None:
    stack = make_stack(start=False)
    stack.config.rename(stack.data_dir / "else.txt")
    mode = stack.data_dir.stat().st_mode
    assert_refuses(stack, "holds other files", "new or an empty folder")
    assert stack.data_dir.stat().st_mode == mode


@pytest.mark.parametrize("name", ["with space", "with$dollar", "with:colon", "with,comma", "x" * 120])
def test_a_folder_that_postfix_cannot_name(make_stack: "MakeStack", name: str) -> None:
    stack = make_stack(start=False)
    folder = stack.data_dir / name
    assert_refuses(stack, "choose a", flags=("--data", str(folder)))
    assert not folder.exists()


@pytest.fixture
def unreachable_interpreter() -> Iterator[Path]:
    """An environment like this one whose interpreter is in a closed folder."""
    with tempfile.TemporaryDirectory(dir=scratch.open_folder()) as closed:  # 0700
        environment = Path(closed) / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        site = next((environment / "lib").iterdir()) / "site-packages"
        own = next(path for path in sys.path if path.endswith("site-packages"))
        (site / "all.pth").write_text(f"{own}\nimport site; site.addsitedir({own!r})\n")
        for script in Path(sys.executable).parent.glob("mailweir*"):
            text = script.read_text().splitlines(keepends=True)
            (environment / "bin" / script.name).write_text(f"#!{environment}/bin/python\n" + "".join(text[1:]))
            (environment / "bin" / script.name).chmod(0o755)
        yield environment / "bin" / "mailweir"


def test_an_interpreter_that_the_daemons_cannot_run(make_stack: "MakeStack", unreachable_interpreter: Path) -> None:
    stack = make_stack(start=False)
    done = subprocess.run(
        [unreachable_interpreter, "up", "--data", stack.data_dir],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"mailweir: the user '{RUN_AS}' can't run ")


def test_without_root(make_stack: "MakeStack") -> None:
    stack = make_stack(start=False)
    nobody = pwd.getpwnam("nobody")
    done = subprocess.run(
        [Path(sys.executable).with_name("mailweir"), "up", "--data", stack.data_dir],
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "mailweir: 'mailweir up' needs root (Postfix's master does): run it with sudo\n"


def test_without_postfix(make_stack: "MakeStack", tmp_path: Path) -> None:
    """It runs in a mount namespace without Postfix."""
    needs.mount_namespace()
    stack = make_stack(start=False)
    nothing = tmp_path / "nothing"
    nothing.touch(mode=0o644)
    script = 'mount --bind "$1" /usr/sbin/postfix && shift && exec "$@"'
    up = [str(Path(sys.executable).with_name("mailweir")), "up", "--data", str(stack.data_dir)]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(nothing), *up],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("mailweir: the program 'postfix' isn't here: install the Debian package 'postfix'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('run_as = "nobody-of-that-name"', ("no user 'nobody-of-that-name'", "run_as")),
        ('run_as = "root"', ("unprivileged",)),
        ("smpt_port = 1", ("unknown key 'smpt_port'",)),
        ("not TOML", ("mailweir.toml",)),
        ('database = "sqlite:/nowhere/mailweir.db"', ("/nowhere",)),
        ('hostname = "a b"', ("hostname",)),
        ("[smtp]\ntls_certificate_file = '/nowhere.pem'\ntls_key_file = '/nowhere.key'", ("/nowhere.pem",)),
    ],
)
def test_settings_that_cannot_be(make_stack: "MakeStack", text: str, words: tuple[str, ...]) -> None:
    stack = make_stack(start=False)
    stack.config.write_text(f'data_dir = "{stack.data_dir}"\n{text}\n')
    assert_refuses(stack, *words, flags=("--smtp-port", str(stack.smtp_port)))
    assert processes_in(stack.data_dir) == {}


def test_settings_of_another_folder(make_stack: "MakeStack") -> None:
    stack = make_stack(start=False)
    stack.config.write_text('data_dir = "/var/lib/mailweir"\n')
    assert_refuses(stack, "data_dir is /var/lib/mailweir")


def test_what_a_killed_cleanup_left_half_made_stops_no_start(make_stack: "MakeStack") -> None:
    """Postfix's postsuper reports such a file in a log that it must be able to write."""
    stack = make_stack()
    stack.stop()
    left = stack.data_dir / "postfix" / "spool" / "incoming" / "12345.678901"
    left.write_bytes(b"half a queue file")
    left.chmod(0o600)
    owner = pwd.getpwnam("postfix")
    os.chown(left, owner.pw_uid, owner.pw_gid)
    long_ago = time.time() - 3 * 86_400
    os.utime(left, (long_ago, long_ago))
    stack.start()
    assert takes_mail(stack)


def test_a_database_of_a_later_version(make_stack: "MakeStack") -> None:
    stack = make_stack()
    stack.stop()
    with contextlib.closing(sqlite3.connect(stack.data_dir / "db" / "mailweir.db")) as database, database:
        database.execute(
            "INSERT INTO schema_migration (name, applied) SELECT '9999_later', MAX(applied) FROM schema_migration"
        )
    assert_refuses(stack, "newer than this program")
    assert processes_in(stack.data_dir) == {}


def test_a_lock_that_root_did_not_make(make_stack: "MakeStack") -> None:
    """The folder belongs to the unprivileged user. A file there must not make root end anybody's process."""
    stack = make_stack()
    stack.stop()
    lock = stack.data_dir / "run" / "up.lock"
    lock.unlink()
    lock.write_text("[]")
    os.chown(lock, pwd.getpwnam(RUN_AS).pw_uid, -1)
    assert_refuses(stack, "up.lock", "remove it")


def test_a_process_of_the_same_number_is_left_alone(make_stack: "MakeStack") -> None:
    """By now, the stored number may be somebody else's process."""
    stack = make_stack()
    stack.stop()
    other = subprocess.Popen(["sleep", "60"], cwd="/", start_new_session=True)
    try:
        lock = stack.data_dir / "run" / "up.lock"
        lock.write_text(f'[{{"name": "postfix", "pid": {other.pid}, "started_ticks": 0}}]')
        stack.start()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
