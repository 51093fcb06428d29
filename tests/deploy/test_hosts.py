"""The hosts of these tests themselves: a script's output is complete, and its exit code is known, whatever the container engine
answers."""

import time
from typing import Any

import pytest

from tests.deploy.conftest import MakeHost
from tests.deploy.hosts import Failed, Host
from tests.deploy.playbook import Site

# the way to reach a host doesn't depend on its Debian
pytestmark = [pytest.mark.slow, pytest.mark.one_suite]

_MUCH = "seq 1 200000; exit 3"


class SaysNothing:
    """A container whose engine answers every request with nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **options: (None, b"")


@pytest.fixture(scope="module")
def host(make_host: MakeHost) -> Host:
    return make_host("asked")


def test_no_answer_of_the_engine_is_needed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "container", SaysNothing())
    code, said = host.run(_MUCH, code=3)
    assert (code, len(said.split())) == (3, 200000)
    host.put({"/root/put": b"bytes \xff"})
    assert host.says("od -An -tx1 /root/put; stat -c '%U %a' /root/put").split()[-3:] == ["ff", "root", "644"]


def test_output_is_what_the_script_wrote(host: Host) -> None:
    assert host.run("printf 'no newline'; printf ' and more' >&2; exit 7", code=7) == (7, "no newline and more")
    assert host.says("true") == ""
    with pytest.raises(Failed, match="exit 1\nwhy"):
        host.run("echo why; false")


def test_a_script_is_on_the_host_alone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs with the host's files, processes, network, users and environment."""
    monkeypatch.setenv("OF_THIS_MACHINE", "yes")
    assert host.says("cat /proc/1/comm; hostname; pwd; umask; echo $HOME $OF_THIS_MACHINE").split() == [
        "systemd",
        host.name,
        "/",
        "0022",
        "/root",
    ]
    assert host.address in host.says("ip -4 -o address")
    assert host.run("id -un", user="nobody") == (0, "nobody\n")
    assert host.run("echo > /root/file", user="nobody", code=None)[0] != 0
    assert host.says('su postgres -c "id -un" 2>/dev/null || su -s /bin/sh daemon -c "id -un"').strip() in (
        "postgres",
        "daemon",
    )


def test_what_a_script_leaves_running_goes_on_and_is_not_waited_for(host: Host) -> None:
    began = time.monotonic()
    started = host.says("sleep 300 & echo $!").strip()
    assert time.monotonic() - began < 200
    assert host.says(f"cat /proc/{started}/comm") == "sleep\n"


def test_it_is_found_again_after_a_boot(host: Host, wheel: Any, tmp_path: Any) -> None:
    """Its init is another process then. Ansible finds it, too."""
    host.run("touch /run/gone /root/stays")
    host.reboot()
    assert host.says("ls /run/gone /root/stays 2>/dev/null || true") == "/root/stays\n"
    assert host.says("systemctl is-active dbus.socket") == "active\n"
    ran = Site(tmp_path, {"front_ends": [host.name]}, mailweir_wheel=str(wheel)).run("--tags", "none")
    assert (ran.code, ran.changed) == (0, {host.name: 0}), ran.output
    assert f"ok: [{host.name}]" in ran.output, "the playbook asked for its facts"
