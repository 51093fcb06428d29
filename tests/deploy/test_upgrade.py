"""An upgrade under load: the wheel of the commit before serves, mail comes in all the time, and all of it is there after."""

import subprocess
from pathlib import Path

import pytest

from tests.deploy import outside
from tests.deploy.conftest import REPOSITORY, SUBNET, MakeHost, build, offline
from tests.deploy.hosts import Host
from tests.deploy.images import PEER
from tests.deploy.playbook import Site

pytestmark = pytest.mark.slow

_LOAD = """\
i=0; while [ ! -e /tmp/stop ]; do i=$((i+1));
swaks --silent 3 --server 127.0.0.1 --from jane@client.example --to richard@demo.example.net \
--header "Subject: load $i" --header 'From: jane@client.example' && echo $i > /tmp/accepted; sleep 0.3; done
"""


@pytest.fixture(scope="module")
def wheel_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the commit before the newest one."""
    source, folder = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("dist-before")
    archive = subprocess.run(["git", "archive", "HEAD~1"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
    version = source / "setup.cfg"
    version.write_text(version.read_text().replace("version = 0.1.0", "version = 0.0.9"))
    build(source, folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def client_mta(make_host: MakeHost) -> Host:
    made = make_host("upclient", PEER)
    outside.sends(made, SUBNET, ["upgraded"])
    return made


def test_no_mail_is_lost(
    make_host: MakeHost, client_mta: Host, wheel_before: Path, wheel: Path, tmp_path: Path
) -> None:
    host = make_host("upgraded")
    site = Site(
        tmp_path,
        {"front_ends": [host.name], "sync_hosts": [host.name]},
        **offline(
            mailweir_outbound="outbox",
            mailweir_fail2ban=False,
        ),
    )
    site.converge(mailweir_wheel=str(wheel_before))
    assert host.says("mailweir --version") == "mailweir 0.0.9\n"
    host.run("mailweir user add richard --email richard@firm.example")
    host.run("mailweir contact add Jane jane@client.example")
    client_mta.put({"/tmp/load.sh": _LOAD.encode()})
    client_mta.container.exec_run(["sh", "/tmp/load.sh"], detach=True)
    host.wait_until(lambda: host.count("activity") >= 5, "mail flows")
    ran = site.converge(mailweir_wheel=str(wheel))
    assert ran.changed[host.name] > 0
    assert host.says("mailweir --version") != "mailweir 0.0.9\n"
    after = host.count("activity")
    host.wait_until(lambda: host.count("activity") > after + 3, "mail flows again")
    client_mta.run("touch /tmp/stop; sleep 1")
    client_mta.wait_until(lambda: outside.waiting(client_mta) == 0, "the client's queue is empty", 120)
    sent = int(client_mta.says("cat /tmp/accepted"))
    subjects = [one["subject"] for one in host.json("mailweir activity list --json")]
    assert sorted(subjects, key=lambda text: int(text.split()[1])) == [
        f"load {number}" for number in range(1, sent + 1)
    ]
    log = client_mta.says("cat /var/log/postfix.log")
    assert "status=bounced" not in log
    assert site.converge(mailweir_wheel=str(wheel)).changed == {host.name: 0}
