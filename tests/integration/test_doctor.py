"""`mailweir doctor`: no findings on a healthy stack; each fault is reported, with exit code 1."""

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admin_cli.doctor import queue
from postfix.instance import SEARCH_PATH
from tests.ports import free_port
from tests.stopped import standing_still

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack

Wait = Callable[..., Any]
Finding = dict[str, Any]


@pytest.fixture(scope="module")
def stack(make_module_stack: "MakeStack") -> "Stack":
    """A healthy stack; its mail goes to a port where nobody listens."""
    made = make_module_stack(outbound="relayhost 127.0.0.1:9", web={"port": free_port()})
    made.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
    made.cli("user", "add", "richard", "--email", "richard@firm.example", check=True)
    made.cli("contact", "add", "Jane", "jane@client.example", check=True)
    made.deliver(
        "jane@client.example",
        ["richard@demo.example.net"],
        b"From: jane@client.example\r\nSubject: x\r\n\r\nhello\r\n",
    )
    return made


def examine(stack: "Stack", *arguments: str) -> tuple[int, list[Finding]]:
    """The exit code and the findings."""
    done = stack.cli("doctor", "--json", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def faults(stack: "Stack") -> list[Finding]:
    """The faults; then the exit code must be 1, and each fault must name a remedy."""
    code, found = examine(stack)
    wrong = [one for one in found if one["level"] == "wrong"]
    assert code == (1 if wrong else 0)
    assert all(one["to_do"] for one in wrong)
    return wrong


def test_nothing_is_wrong_with_a_stack_that_is_well(stack: "Stack") -> None:
    code, found = examine(stack)
    assert code == 0, [one for one in found if one["level"] == "wrong"]
    said = " ".join(one["finding"] for one in found)
    for words in (
        "the filter answers",
        "the look-ups answer",
        f"the relay accepts AUTH within TLS on 127.0.0.1 port {stack.submission_port}",
        f"the relay accepts AUTH within TLS on 127.0.0.1 port {stack.submissions_port}",
        "main.cf matches the settings",
        f"the page answers on 127.0.0.1 port {stack.settings.web.port}, as http://localhost:{stack.settings.web.port}",
        "the certificate is valid",
        "no damage found",
        "it can be written",
        "route forward: last mail at 20",
        "route log: no mail has been captured yet",
    ):
        assert words in said
    assert set(found[0]) == {"area", "level", "finding", "to_do", "key"}
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", one["key"]) for one in found)
    assert "Nothing is wrong." in stack.cli("doctor", check=True).stdout
    assert "Traceback" not in stack.log("mailweir-milter")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mailweir-milter", "no answer from the filter"),
        ("mailweir-lookups", "no answer from the look-ups"),
        ("mailweir-web", "no answer from the page"),
    ],
)
def test_a_daemon_that_hangs_is_named(stack: "Stack", name: str, words: str) -> None:
    with standing_still(stack.pids(name)):
        found = faults(stack)
    assert any(words in one["finding"] for one in found), found


def _none_left(stack: "Stack", name: str) -> bool:
    """Kills all that are left: one may have been starting when the others died."""
    left = stack.pids(name)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return not left


def test_a_relay_that_proves_no_login_is_said(stack: "Stack", wait_until: Callable[..., Any]) -> None:
    assert stack.process is not None
    os.kill(stack.process.pid, signal.SIGSTOP)  # otherwise the supervisor would start it again at once
    try:
        wait_until(lambda: _none_left(stack, "mailweir-auth"), "both of its processes are dead")
        found = faults(stack)
    finally:
        os.kill(stack.process.pid, signal.SIGCONT)
    for port in (stack.submission_port, stack.submissions_port):
        assert any("the relay" in one["finding"] and f"port {port}" in one["finding"] for one in found), found
    wait_until(lambda: examine(stack)[0] == 0, "all is well again", 60)


def test_a_locked_database_is_said_and_the_other_checks_go_on(stack: "Stack") -> None:
    with closing(sqlite3.connect(stack.settings.database_path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        code, found = examine(stack)
    assert code == 1
    assert any("can't be written" in one["finding"] and "locked" in one["finding"] for one in found)
    assert any("route forward: last mail" in one["finding"] for one in found)


def test_a_database_that_is_gone_is_said(stack: "Stack") -> None:
    path = stack.settings.database_path
    path.rename(path.with_name("away"))
    try:
        found = faults(stack)
    finally:
        path.with_name("away").rename(path)
    assert any("there is no database at" in one["finding"] for one in found)


def test_a_database_of_another_version_is_said(stack: "Stack") -> None:
    with closing(sqlite3.connect(stack.settings.database_path, isolation_level=None)) as database:
        database.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '2026-01-01')")
        try:
            found = faults(stack)
        finally:
            database.execute("DELETE FROM schema_migration WHERE name = '9999_later'")
    assert any("is newer than this program" in one["finding"] for one in found)


def test_a_database_of_root_is_said(stack: "Stack") -> None:
    path = stack.settings.database_path
    owner = path.stat()
    os.chown(path, 0, 0)
    try:
        found = faults(stack)
    finally:
        os.chown(path, owner.st_uid, owner.st_gid)
    assert any("belongs to uid 0" in one["finding"] for one in found)


def test_a_configuration_that_was_changed_by_hand_is_said(stack: "Stack") -> None:
    file = stack.data_dir / "postfix" / "etc" / "main.cf"
    text = file.read_text()
    file.write_text(text + "mynetworks = 0.0.0.0/0\n")
    try:
        (found,) = faults(stack)
    finally:
        file.write_text(text)
    assert "main.cf differs from the settings" in found["finding"]
    assert "mynetworks = 0.0.0.0/0" in found["finding"]


def test_settings_that_count_at_the_next_start_only_are_noted(stack: "Stack") -> None:
    text = stack.config.read_text()
    stack.config.write_text(text.replace("mx.host.example", "mx2.host.example"))
    try:
        code, found = examine(stack)
    finally:
        stack.config.write_text(text)
    assert code == 0
    assert any("uses other values than the file: hostname" in one["finding"] for one in found)


def test_mail_that_can_not_go_out_is_noted_and_is_wrong_after_an_hour(stack: "Stack", wait_until: Wait) -> None:
    stack.deliver("jane@client.example", ["postmaster@demo.example.net"], b"Subject: x\r\n\r\nhello\r\n")

    def deferred() -> list[Finding]:
        return [one for one in examine(stack)[1] if "wait for another try" in one["finding"] and one["to_do"]]

    (found,) = wait_until(deferred, "a deferred message")
    assert found["level"] == "note"
    assert "refused" in found["finding"]
    (later,) = queue.check(stack.settings, datetime.now(UTC) + timedelta(hours=2))
    assert later.level == "wrong"
    stack.postfix("postsuper", "-d", "ALL")


def test_mail_of_the_hosts_own_programs_is_noted_until_it_is_removed(stack: "Stack") -> None:
    sendmail = ["sendmail", "-C", str(stack.data_dir / "postfix" / "etc"), "root"]
    path = {**os.environ, "PATH": SEARCH_PATH}
    subprocess.run(sendmail, env=path, input=b"Subject: cron\n\nhello\n", check=True, capture_output=True)
    own, nothing_waits = queue.check(stack.settings, datetime.now(UTC))
    assert own.level == "note"
    assert "1 messages of this host's own programs" in own.sentence
    assert "(0 on their way)" in nothing_waits.sentence
    stack.postfix("postsuper", "-d", "ALL", "maildrop")
    (only,) = queue.check(stack.settings, datetime.now(UTC))
    assert only.level == "ok"


def test_a_record_from_the_future_tells_of_a_wrong_clock(stack: "Stack") -> None:
    with closing(sqlite3.connect(stack.settings.database_path, isolation_level=None)) as database:
        database.execute(
            "INSERT INTO decisions (deployment_id, source_id, decided_at, outcome, reason, recipients)"
            " VALUES (1, 'future', '2099-01-01T00:00:00.000000Z', 'ignored', 'x', '[]')"
        )
        try:
            found = faults(stack)
        finally:
            database.execute("DELETE FROM decisions WHERE source_id = 'future'")
    assert any("which is in the future" in one["finding"] for one in found)


def test_an_unknown_deployment_is_said(stack: "Stack") -> None:
    code, found = examine(stack, "--deployment", "nope")
    assert code == 1
    assert any("unknown deployment 'nope'" in one["finding"] for one in found)


def test_settings_that_can_not_be_read_are_one_line(stack: "Stack") -> None:
    done = subprocess.run(
        [stack.script, "doctor"],
        env={**os.environ, "MAILWEIR_CONFIG": "/nonexistent/mailweir.toml"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_a_stack_that_does_not_run_a_bad_certificate_and_damage_are_said(make_stack: "MakeStack") -> None:
    stack = make_stack()
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
    assert faults(stack) == []
    stack.stop()
    (found,) = faults(stack)
    assert "no 'mailweir up' runs" in found["finding"]
    (stack.data_dir / "tls" / "self-signed.pem").write_text("nonsense")
    path = stack.settings.database_path
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : 4096 * 12] = b"\xff" * (4096 * 9)
    path.write_bytes(raw)
    said = " ".join(one["finding"] for one in faults(stack))
    assert "no usable certificate" in said
    assert "damaged" in said or "malformed" in said
    path.write_bytes(b"no database")
    assert "not a database" in " ".join(one["finding"] for one in faults(stack))


def test_refused_mail_is_told_by_why(stack: "Stack") -> None:
    assert stack.transact("jane@client.example", ["nobody@demo.example.net"], b"")[0] == 550
    done = stack.cli("why", "nobody@demo.example.net", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (found,) = json.loads(done.stdout)
    assert (found["outcome"], found["deployment"], found["queue_id"]) == ("refused", "demo", None)
    assert (found["author"], found["recipients"]) == ("jane@client.example", ["nobody@demo.example.net"])
    assert found["reason"].startswith("refused at RCPT: 550 5.1.1 <nobody@demo.example.net>")
    both = json.loads(stack.cli("why", "jane@client.example", "--json").stdout)
    assert [one["outcome"] for one in both] == ["captured", "refused"]
    assert set(both[0]) - set(both[1]) <= {"sender_verdict", "sender_verdict_reason"}  # of captured mail only
    assert set(both[1]) <= set(both[0])
    assert "refused at RCPT: 550 5.1.1" in stack.cli("why", "nobody@demo.example.net").stdout
    assert len(json.loads(stack.cli("why", "jane@client.example", "--json", "--limit", "1").stdout)) == 1
    other = stack.cli("why", "x@y.example", "--json")
    assert (other.returncode, json.loads(other.stdout)) == (1, [])


def test_a_log_that_can_not_be_read_is_one_line_beside_the_decisions(stack: "Stack") -> None:
    log = stack.data_dir / "log" / "postfix.log"
    log.rename(log.with_name("away"))
    try:
        done = stack.cli("why", "jane@client.example", "--json")
    finally:
        log.with_name("away").rename(log)
    assert done.returncode == 0
    # Refused mail is on the record, too, once the supervisor's chore has read the log.
    assert [one["outcome"] for one in json.loads(done.stdout) if one["outcome"] != "refused"] == ["captured"]
    assert done.stderr.count("\n") == 1
    assert "there is no log of Postfix at" in done.stderr


def test_the_supervisor_prunes_and_goes_on_where_that_fails(make_stack: "MakeStack", wait_until: Wait) -> None:
    stack = make_stack(retention={"prune_hours": 1 / 3600})
    log = stack.data_dir / "log" / "mailweir-prune.log"
    wait_until(lambda: log.exists() and log.read_text().count("Deleted 0 decisions") >= 2, "two prunes")
    path = stack.settings.database_path
    path.rename(path.with_name("away"))
    wait_until(lambda: any("mailweir db prune ended with 1 (" in line for line in stack.said), "a failed prune")
    path.with_name("away").rename(path)
    before = log.read_text().count("Deleted")
    wait_until(lambda: log.read_text().count("Deleted") > before, "a prune that works again")
    assert stack.stop() == 0
    assert stack.pids("mailweir") == []


def test_a_socket_that_is_open_to_others_or_closed_to_postfix(stack: "Stack") -> None:
    socket = stack.settings.lookups_socket
    for mode, words in ((0o666, "is open to everybody (mode 666)"), (0o600, "Postfix can't open")):
        socket.chmod(mode)
        try:
            (found,) = [one for one in faults(stack) if one["area"] == "sockets"]
        finally:
            socket.chmod(0o660)
        assert words in found["finding"]
        assert str(socket) in found["finding"]
    folder = socket.parent
    folder.chmod(0o2755)
    try:
        (found,) = [one for one in faults(stack) if one["area"] == "sockets"]
    finally:
        folder.chmod(0o2750)
    assert f"chmod o= {folder}" in found["to_do"]
    assert not [one for one in faults(stack) if one["area"] == "sockets"]


def test_settings_that_say_systemd_where_there_is_none(stack: "Stack") -> None:
    """The deployment's tests look at a host with systemd."""
    text = stack.config.read_text()
    stack.config.write_text('run_by = "systemd"\n' + text)
    try:
        code, found = examine(stack)
    finally:
        stack.config.write_text(text)
    assert code == 1
    assert "run_by = systemd" in next(one["finding"] for one in found if one["area"] == "processes")
