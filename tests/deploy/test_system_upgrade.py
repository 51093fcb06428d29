"""A host on Debian 12 with the last version that had Dovecot comes to this version, and then to Debian 13, under load.

As in docs/admin/upgrade.md: the new release on 12, the system, the playbook again. Mail comes in and somebody logs in all the
time: each acknowledged mail is on the record, once; no right password is rejected; Dovecot is removed before the system changes.
If the host uses Dovecot for itself, it stays.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy import debian, images, outside
from tests.deploy.conftest import REPOSITORY, SUBNET, MakeHost, build, offline
from tests.deploy.hosts import Host
from tests.deploy.load import Login, connect, load
from tests.deploy.playbook import Site

# it goes from one Debian to the other
pytestmark = [pytest.mark.slow, pytest.mark.one_suite]

# a file that was removed with Dovecot
_OF_DOVECOT = "ansible/roles/mailweir/templates/mailweir-dovecot.service.j2"
_LEFT_OF_DOVECOT = (
    "ls -d /etc/mailweir/dovecot /var/lib/mailweir/dovecot /var/lib/mailweir/run/logins.sock /etc/dovecot"
    " /etc/systemd/system/*dovecot* /etc/systemd/system/*/*dovecot* /etc/systemd/system/mailweir-lookups.socket"
    " /etc/systemd/system/*/mailweir-lookups.socket 2>/dev/null;"
    # names that dpkg only knows aren't installed packages
    " dpkg-query -W -f '${db:Status-Status} ${Package}\\n' 'dovecot*' 2>/dev/null | grep -v ^not-installed;"
    " systemctl list-units --all --plain --no-legend '*dovecot*';"
    " getent passwd dovecot dovenull; grep -lx -e dovecot -e auth /proc/[0-9]*/comm 2>/dev/null; true"
)
_AS_IF_DOVECOT_HAD_COME_WITH_US = (
    "apt-get install -y -q --no-install-recommends dovecot-core; systemctl disable --now dovecot.service dovecot.socket;"
    " printf '[Service]\\nExecStart=/bin/true\\n' > /etc/systemd/system/mailweir-dovecot.service; systemctl daemon-reload"
)


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def checkout_before(tmp_path_factory: pytest.TempPathFactory, suites: tuple[str, ...]) -> Path:
    """A checkout of the last commit with Dovecot, including its playbook."""
    if suites != images.SUITES:
        pytest.skip("needs both Debians (--suite both)")
    try:
        went = _git("log", "-1", "--diff-filter=D", "--format=%H", "--", _OF_DOVECOT).decode().strip()
        archive = _git("archive", f"{went}^")
    except (OSError, subprocess.CalledProcessError):
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("needs the history of this checkout, back to the last version with Dovecot")
    source = tmp_path_factory.mktemp("before")
    subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
    return source


@pytest.fixture(scope="module")
def wheel_before(checkout_before: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of that commit."""
    folder = tmp_path_factory.mktemp("dist-before")
    build(checkout_before, folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def client_mta(make_host: MakeHost) -> Host:
    made = make_host.peer("upclient")
    outside.sends(made, SUBNET, ["upgraded"])
    return made


class Sites:
    """One host's inventory, for the playbook of the last version with Dovecot and for this version's."""

    def __init__(self, host: Host, folder: Path, before: tuple[Path, Path], wheel: Path) -> None:
        groups = {"front_ends": [host.name], "sync_hosts": [host.name]}
        variables = offline(mailweir_outbound="outbox")
        checkout, wheel_before = before
        self.before = Site(folder / "before", groups, checkout, mailweir_wheel=str(wheel_before), **variables)
        self.now = Site(folder / "now", groups, mailweir_wheel=str(wheel), **variables)


@pytest.fixture(scope="module")
def host(make_host: MakeHost, checkout_before: Path) -> Host:
    return make_host("upgraded", suite=images.BOOKWORM)


@pytest.fixture(scope="module")
def sites(
    host: Host, checkout_before: Path, wheel_before: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Sites:
    return Sites(host, tmp_path_factory.mktemp("sites"), (checkout_before, wheel_before), wheel)


@pytest.fixture(scope="module")
def login(sites: Sites, host: Host) -> Login:
    """A login on the version before, in service."""
    sites.before.converge()
    assert "dovecot" in host.says(_LEFT_OF_DOVECOT)
    host.run("mailweir user add richard --email richard@firm.example")
    host.run("mailweir contact add Jane jane@client.example")
    return connect(host, "richard")


def _finds_nothing_wrong(host: Host) -> bool:
    """The names of the example domains are nowhere in DNS."""
    return [one for one in host.doctor()["wrong"] if not one.startswith("DNS")] == []


def test_the_new_release_comes_and_dovecot_goes(sites: Sites, host: Host, client_mta: Host, login: Login) -> None:
    with load(host, client_mta, "release", login):
        dry = sites.now.run("--check")
        assert dry.code == 0, dry.output[-4000:]
        sites.now.converge()
    assert host.says(_LEFT_OF_DOVECOT) == ""
    assert _finds_nothing_wrong(host), host.doctor()
    again = sites.now.converge()
    assert (again.changed, again.tasks) == ({host.name: 0}, [])


def test_a_dovecot_of_the_hosts_own_stays(sites: Sites, host: Host, login: Login) -> None:
    """Its admin uses it, or has written settings for it."""
    for his_own in ("systemctl enable dovecot.service", "echo 'protocols = lmtp' > /etc/dovecot/local.conf"):
        host.run(_AS_IF_DOVECOT_HAD_COME_WITH_US)
        host.run(his_own)
        sites.now.converge()
        assert host.says("dpkg-query -W -f '${db:Status-Status}' dovecot-core") == "installed", his_own
        assert host.says("ls /etc/systemd/system/mailweir-dovecot.service 2>/dev/null || true") == ""
        host.run("apt-get purge -y -q dovecot-core; rm -rf /etc/dovecot")


def test_the_system_is_upgraded_and_the_playbook_runs_again(
    sites: Sites, host: Host, client_mta: Host, login: Login
) -> None:
    release = host.says("readlink /opt/mailweir/current")
    with load(host, client_mta, "system", login):
        debian.upgrade(host, images.TRIXIE)
        assert host.says("cut -d. -f1 /etc/debian_version") == "13\n"
        assert "Python 3.13" in host.says("/usr/bin/python3 --version")
        dry = sites.now.run("--check")
        assert dry.code == 0, dry.output[-4000:]
        sites.now.converge()
    assert host.says("readlink /opt/mailweir/current") != release
    assert host.says("ls -d /etc/systemd/system/postfix*.service.d") == "/etc/systemd/system/postfix.service.d\n"
    assert _finds_nothing_wrong(host), host.doctor()
    again = sites.now.converge()
    assert (again.changed, again.tasks) == ({host.name: 0}, [])
    host.reboot()
    host.wait_until(lambda: _finds_nothing_wrong(host), "everything works after the next boot, too")
