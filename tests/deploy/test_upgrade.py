"""An upgrade under load: an earlier version serves, mail comes in all the time, and all of it is recorded afterwards.

Changing releases depends on the program and the role, not on Debian, so this runs once. test_system_upgrade covers the way from
the last version with Dovecot, on Debian 12, to this version, and from there to Debian 13.
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.deploy import outside
from tests.deploy.conftest import REPOSITORY, SUBNET, MakeHost, build, offline
from tests.deploy.hosts import Host
from tests.deploy.load import load
from tests.deploy.playbook import Site

pytestmark = [pytest.mark.slow, pytest.mark.one_suite]

# a step that the database lacks, as a later version would have it
_STEP = """\
"Nothing that anybody uses."

def up(migrator, db):
    db.execute_sql("CREATE TABLE of_a_later_version (id INTEGER)")
"""


@pytest.fixture(scope="module")
def wheel_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout under an earlier version's number: it is another release with the same database."""
    return as_version("0.0.9", checkout(tmp_path_factory), tmp_path_factory.mktemp("dist-before"))


@pytest.fixture(scope="module")
def wheel_later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, with a change of the database."""
    source = checkout(tmp_path_factory)
    (source / "mailweir/store/database/migrations/9999_later.py").write_text(_STEP)
    return as_version("0.9.9", source, tmp_path_factory.mktemp("dist-later"))


def checkout(folders: pytest.TempPathFactory) -> Path:
    """A copy of this checkout."""
    source = folders.mktemp("source") / "mailweir"
    shutil.copytree(REPOSITORY, source, ignore=shutil.ignore_patterns(".*", "node_modules", "build", "dist", "tests"))
    return source


def as_version(version: str, source: Path, folder: Path) -> Path:
    """A wheel of that source, with that version number."""
    settings = source / "setup.cfg"
    settings.write_text(re.sub(r"(?m)^version = .*", f"version = {version}", settings.read_text()))
    build(source, folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def client_mta(make_host: MakeHost) -> Host:
    made = make_host.peer("upclient")
    outside.sends(made, SUBNET, ["upgraded"])
    return made


@pytest.fixture(scope="module")
def host(make_host: MakeHost) -> Host:
    return make_host("upgraded")


@pytest.fixture(scope="module")
def site(host: Host, wheel_before: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site in service, with the version before."""
    variables = offline(mailweir_outbound="outbox", mailweir_fail2ban=False)
    made = Site(tmp_path_factory.mktemp("site"), {"front_ends": [host.name], "sync_hosts": [host.name]}, **variables)
    made.converge(mailweir_wheel=str(wheel_before))
    assert host.says("mailweir --version") == "mailweir 0.0.9\n"
    host.run("mailweir user add richard --email richard@firm.example")
    host.run("mailweir contact add Jane jane@client.example")
    return made


def test_no_mail_is_lost(site: Site, host: Host, client_mta: Host, wheel: Path) -> None:
    with load(host, client_mta, "load"):
        ran = site.converge(mailweir_wheel=str(wheel))
        assert "mailweir : Stop them" not in ran.tasks
        assert host.says("mailweir --version") != "mailweir 0.0.9\n"
    assert site.converge(mailweir_wheel=str(wheel)).changed == {host.name: 0}


def test_the_way_back(site: Site, host: Host, client_mta: Host, wheel: Path, wheel_later: Path) -> None:
    """As docs/admin/upgrade.md describes it: the old program is refused while the database is too new, and it restores the
    backup."""
    site.converge(mailweir_wheel=str(wheel))
    old = host.says("readlink /opt/mailweir/current").strip()
    host.run("mailweir db backup /root/backup")
    recorded = host.count("activity")
    site.converge(mailweir_wheel=str(wheel_later))
    ran = site.run(mailweir_wheel=str(wheel))
    assert ran.code != 0
    assert "is newer than this program (it has 9999_later)" in ran.failure
    assert host.says("mailweir --version") == "mailweir 0.9.9\n"
    with load(host, client_mta, "refused"):
        pass
    host.run("systemctl stop 'mailweir-*'")
    host.run(f"{old}/bin/mailweir db restore /root/backup")
    site.converge(mailweir_wheel=str(wheel))
    assert host.count("activity") == recorded
    with load(host, client_mta, "back"):
        pass
    assert [one for one in host.doctor()["wrong"] if not one.startswith("DNS")] == []


def test_no_mail_is_lost_where_the_database_changes_too(
    site: Site, host: Host, client_mta: Host, wheel: Path, wheel_later: Path
) -> None:
    """The old programs stop before the change, and nothing that they write meanwhile is lost."""
    site.converge(mailweir_wheel=str(wheel))
    dry = site.run("--check", mailweir_wheel=str(wheel_later))
    assert dry.code == 0, dry.output[-4000:]
    with load(host, client_mta, "changed"):
        ran = site.converge(mailweir_wheel=str(wheel_later))
        assert {"mailweir : Stop them", "mailweir : Bring the database to this version"} <= set(ran.tasks)
        assert host.says("mailweir --version") == "mailweir 0.9.9\n"
    assert "451" in client_mta.says("cat /var/log/postfix.log")
    assert [one for one in host.doctor()["wrong"] if not one.startswith("DNS")] == []
