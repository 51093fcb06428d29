"""Several `mailweir-web` processes, on one host or many: it doesn't matter which of them answers, or which of them dies."""

import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailweir import passwords
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import contacts, deployments
from mailweir.store.web import accounts, credentials, jobs
from mailweir.store.web.jobs import State
from tests import openid_provider, programs
from tests.live_page import HOST, LiveBrowser, LivePage, LiveSite, Wait
from webapp import serving
from webapp.job_kinds import contact_files

_ROWS = 20_000
_PASSWORD = "a boiler in the cellar"


# --- two hosts --------------------------------------------------------------------------------------------------------


def test_a_session_of_one_is_the_others_too(live: LiveSite, two: tuple[LivePage, LivePage]) -> None:
    one, other = two
    richard = live.signed_in(one, "richard")
    assert [richard.get(page, "/account").status for page in two] == [200, 200]
    fields = {"csrf_token": richard.token(one), "zone": "Europe/Berlin", "language": "de"}
    assert richard.post(other, "/account/preferences", {**fields, "csrf_token": "0" * 64}).status == 403
    assert richard.post(other, "/account/preferences", fields).status == 303
    assert 'lang="de"' in richard.get(one, "/account").text
    assert richard.post(other, "/sign-out", {"csrf_token": fields["csrf_token"]}).status == 303


def test_who_signs_out_at_one_is_signed_out_at_the_other(live: LiveSite, two: tuple[LivePage, LivePage]) -> None:
    richard = live.signed_in(two[0], "richard")
    kept = dict(richard.cookies)
    assert richard.post(two[1], "/sign-out", {"csrf_token": richard.token(two[0])}).status == 303
    assert [LiveBrowser(kept).get(page, "/account").status for page in two] == [303, 303]


def test_a_link_is_spent_once_by_many_who_press_at_both(live: LiveSite, two: tuple[LivePage, LivePage]) -> None:
    path = live.link("richard")
    with ThreadPoolExecutor(8) as pool:
        pressed = [pool.submit(LiveBrowser().post, two[number % 2], path) for number in range(8)]
    assert sorted(one.result().status for one in pressed) == [303, *[410] * 7]


def test_wrong_passwords_are_counted_over_both_and_lock_nobody(live: LiveSite, two: tuple[LivePage, LivePage]) -> None:
    live.link("richard")
    account = accounts.named(live.database, "richard")
    assert account is not None
    credentials.set_password(live.database, account.id, passwords.digest(passwords.typed(_PASSWORD)))
    pages = [two[number % 2] for number in range(4)]
    wrong = [LiveBrowser().post(page, "/sign-in/password", {"name": "richard", "password": "no"}) for page in pages]
    assert [one.status for one in wrong] == [403, 403, 403, 429]
    time.sleep(int(wrong[-1].headers["Retry-After"]))
    right = {"name": "richard", "password": _PASSWORD}
    assert LiveBrowser().post(two[0], "/sign-in/password", right).status == 303


def test_a_sign_in_by_openid_is_begun_at_one_and_answered_at_the_other(live: LiveSite, tmp_path: Path) -> None:
    live.link("richard")  # creates his account
    with openid_provider.running(time.time) as provider:
        settings = provider.settings(tmp_path)
        section = (
            f'[web.openid.example]\nissuer = "{settings.issuer}"\nclient_id = "{settings.client_id}"\n'
            f'client_secret_file = "{settings.client_secret_file}"\n'
        )
        one, other = live.start(section), live.start(section)
        browser = LiveBrowser()
        begun = browser.get(one, "/sign-in/openid/example?to=/account")
        back = provider.send_browser(begun.headers["Location"]).partition(HOST)[2]
        assert LiveBrowser().get(other, back).status == 400  # another browser's
        answered = browser.get(other, back)
        assert (answered.status, answered.headers["Location"]) == (303, "/account")
        assert browser.get(one, "/account").status == 200
        assert browser.get(one, back).status == 400  # once


def test_a_restored_backup_knows_no_session_and_no_link(live: LiveSite, tmp_path: Path) -> None:
    page, path = live.start(), live.link("anna")
    richard = live.signed_in(page, "richard")
    own = os.environ | {"MAILWEIR_CONFIG": str(tmp_path / "mailweir-0.toml")}
    script = Path(sys.executable).with_name("mailweir")
    programs.run(script, "db", "backup", tmp_path / "kept", env=own)
    assert richard.get(page, "/account").status == 200
    page.process.send_signal(signal.SIGTERM)
    assert page.process.wait(60) == 0
    live.database.close()
    programs.run(script, "db", "restore", tmp_path / "kept", env=own)
    again = live.start()
    assert richard.get(again, "/account").status == 303
    assert (LiveBrowser().get(again, path).status, LiveBrowser().post(again, path).status) == (410, 410)
    assert live.signed_in(again, "richard").get(again, "/account").status == 200


# --- long work --------------------------------------------------------------------------------------------------------


def _wanted_import(live: LiveSite) -> int:
    raw = "".join(f"Person {number},p{number}@client.example\r\n" for number in range(_ROWS)).encode()
    now = datetime.now(UTC)
    demo, boss = deployments.find(live.database, "demo"), accounts.named(live.database, "richard")
    assert boss is not None
    chosen = {"file": "clients.csv", "form": "csv", "exact": False, "company": "", "shared": False, "rows": _ROWS}
    return jobs.add(live.database, demo.id, boss.id, contact_files.IMPORT, chosen, now, raw)


def _job(live: LiveSite, job_id: int) -> jobs.Job:
    return jobs.find(live.database, deployments.find(live.database, "demo").id, job_id)


def _let_the_lease_lapse(live: LiveSite, job_id: int) -> None:
    with live.database.transaction():
        lapsed = rfc3339(datetime.now(UTC) - timedelta(seconds=1))
        live.database.execute("UPDATE web_jobs SET lease_until = ? WHERE id = ?", (lapsed, job_id))


def _owner(live: LiveSite, job_id: int) -> str:
    return str(live.database.execute("SELECT lease_owner FROM web_jobs WHERE id = ?", (job_id,)).fetchone()[0])


@pytest.mark.slow
def test_a_job_of_one_that_is_killed_goes_on_at_the_other(
    live: LiveSite, two: tuple[LivePage, LivePage], wait_until: Wait
) -> None:
    richard = live.signed_in(two[0], "richard", is_admin=True)
    job_id = _wanted_import(live)
    wait_until(lambda: _job(live, job_id).done > 0, "the import has begun", 60)
    owner, path = _owner(live, job_id), f"/admin/jobs/{job_id}"
    running = [richard.get(page, path) for page in two]
    assert [(one.status, one.headers["Refresh"]) for one in running] == [(200, "2")] * 2  # both processes show it
    (dead,) = [page for page in two if f":{page.children()[0]}:" in owner]
    (living,) = {id(page): page for page in two if page is not dead}.values()
    os.kill(dead.children()[0], signal.SIGKILL)
    dead.kill()
    broken_off = _job(live, job_id)
    time.sleep(2.5)  # the other process looks each second
    assert (_job(live, job_id).done, _owner(live, job_id)) == (broken_off.done, owner)  # as long as the lease lasts
    assert (broken_off.state, 0 < broken_off.done < _ROWS) == (State.RUNS, True)
    _let_the_lease_lapse(live, job_id)
    wait_until(lambda: not _job(live, job_id).is_open, "the import is over", 120)
    done = _job(live, job_id)
    assert (done.state, done.report["added"], done.report["unchanged"]) == (State.DONE, _ROWS, 0)  # no row twice
    assert len(contacts.list_all(live.database, deployments.find(live.database, "demo"))) == _ROWS
    assert "Refresh" not in richard.get(living, path).headers


@pytest.mark.slow
def test_the_first_process_alone_works_and_its_heir_goes_on(sqlite_live: LiveSite, wait_until: Wait) -> None:
    page = sqlite_live.start(processes=2)
    sqlite_live.link("richard", is_admin=True)
    job_id = _wanted_import(sqlite_live)
    wait_until(lambda: _job(sqlite_live, job_id).done > 0, "the import has begun", 60)
    worker = int(_owner(sqlite_live, job_id).split(":")[1])
    (other,) = set(page.children()) - {worker}
    os.kill(worker, signal.SIGKILL)
    _let_the_lease_lapse(sqlite_live, job_id)
    wait_until(lambda: f":{worker}:" not in _owner(sqlite_live, job_id), "another worker has it", 60)
    heir = int(_owner(sqlite_live, job_id).split(":")[1])
    assert set(page.children()) == {heir, other}
    wait_until(lambda: not _job(sqlite_live, job_id).is_open, "the import is over", 120)
    assert _job(sqlite_live, job_id).report["added"] == _ROWS


# --- several processes of one host ------------------------------------------------------------------------------------


def test_processes_share_a_port_and_one_that_dies_is_no_outage(live: LiveSite, wait_until: Wait) -> None:
    page = live.start(processes=2)
    richard = live.signed_in(page, "richard")
    before = page.children()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    assert {richard.get(page, "/account").status for _ in range(30)} == {200}
    wait_until(lambda: page.said("serving") == 3, "another process serves", 60)
    assert len(page.children()) == 2
    assert before[0] not in page.children()
    assert {richard.get(page, "/account").status for _ in range(10)} == {200}


def test_who_connects_while_the_only_process_is_replaced_waits(sqlite_live: LiveSite) -> None:
    page = sqlite_live.start()
    os.kill(page.children()[0], signal.SIGKILL)
    assert page.ask("GET", "/sign-in").status == 200


def test_one_that_stands_still_takes_nobody_along(sqlite_live: LiveSite) -> None:
    page = sqlite_live.start(processes=2)
    os.kill(page.children()[0], signal.SIGSTOP)
    assert {page.ask("GET", "/sign-in").status for _ in range(10)} == {200}


def test_processes_die_with_their_parent_and_the_port_is_free(sqlite_live: LiveSite, wait_until: Wait) -> None:
    page = sqlite_live.start(processes=2)
    page.kill()
    wait_until(lambda: not _listens(page.port), "nobody listens")


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_what_is_asked_for_when_it_is_told_to_end_is_answered(live: LiveSite, wait_until: Wait) -> None:
    page, path = live.start(processes=2), live.link("richard")
    lock = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(_hold, live, lock)
        pressed = pool.submit(LiveBrowser().post, page, path)
        time.sleep(1.0)  # it waits for the lock now
        page.process.send_signal(signal.SIGTERM)
        time.sleep(1.0)
        assert not pressed.done()
        lock.set()
        assert pressed.result().status == 303
        holder.result()
    assert page.process.wait(30) == 0
    assert not _listens(page.port)


def _hold(live: LiveSite, lock: threading.Event) -> None:
    with live.database.transaction():
        lock.wait(60)


# --- slow clients -----------------------------------------------------------------------------------------------------


def _half_a_request(page: LivePage) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", page.port))
    client.sendall(f"POST /sign-in/password HTTP/1.1\r\nHost: {HOST}\r\nX-Slow: ".encode())
    return client


@pytest.mark.slow
def test_many_slow_clients_keep_nobody_out_and_are_hung_up_on(sqlite_live: LiveSite) -> None:
    page = sqlite_live.start()
    slow = [_half_a_request(page) for _ in range(300)]
    begun = time.monotonic()
    assert {page.ask("GET", "/sign-in").status for _ in range(5)} == {200}
    left = list(slow)
    while left and time.monotonic() < begun + 3 * serving.HEAD_SECONDS:
        left = [client for client in left if _drips(client)]
        time.sleep(1.0)
    assert left == []
    assert time.monotonic() - begun > serving.HEAD_SECONDS / 2
    assert page.ask("GET", "/sign-in").status == 200


def _drips(client: socket.socket) -> bool:
    """Sends one more byte; False if the server hung up."""
    try:
        client.sendall(b"x")
        client.setblocking(False)
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
