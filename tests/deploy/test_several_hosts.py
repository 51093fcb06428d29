"""Two front ends and a sync host on one PostgreSQL: mail through either; one of them is away, then the database; nothing is lost.

The hosts have all Debians of the run, as they do while an admin upgrades one after the other; so this runs once. The database
begins on the oldest and ends on the newest.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.deploy import debian, outside
from tests.deploy.conftest import SUBNET, MakeHost, offline
from tests.deploy.hosts import Host
from tests.deploy.playbook import Site

pytestmark = [pytest.mark.slow, pytest.mark.one_suite]

FRONT_ENDS, SYNC = ("front1", "front2"), "sync"
PASSWORD = "a-password-of-this-test"


@pytest.fixture(scope="module")
def database(make_host: MakeHost, suites: tuple[str, ...]) -> Host:
    """A PostgreSQL server with an empty database."""
    made = make_host.peer("database", suite=suites[0])
    made.run(
        f"cd /etc/postgresql/*/main; echo \"listen_addresses = '*'\" > conf.d/net.conf;"
        f" echo 'host mailweir mailweir {SUBNET} scram-sha-256' >> pg_hba.conf; systemctl restart postgresql@*"
    )
    for statement in (f"CREATE ROLE mailweir LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE mailweir OWNER mailweir"):
        made.run(f'cd /; su postgres -c "psql -qc \\"{statement}\\""')
    return made


@pytest.fixture(scope="module")
def client_mta(make_host: MakeHost) -> Host:
    """A client's server that knows both front ends."""
    made = make_host.peer("client")
    outside.sends(made, SUBNET, FRONT_ENDS)
    return made


@pytest.fixture(scope="module")
def next_hop(make_host: MakeHost) -> Host:
    """The server that relayed mail goes to."""
    made = make_host.peer("nexthop")
    outside.keeps(made, SUBNET)
    return made


@pytest.fixture(scope="module")
def site(
    database: Host,
    next_hop: Host,
    make_host: MakeHost,
    suites: tuple[str, ...],
    wheel: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    for name, suite in zip((*FRONT_ENDS, SYNC), (suites[0], suites[-1], suites[-1]), strict=True):
        make_host(name, suite=suite)
    variables: dict[str, Any] = offline(
        mailweir_wheel=str(wheel),
        mailweir_outbound=f"relayhost {next_hop.name}:25",
        mailweir_database=f"postgresql://mailweir@{database.name}:5432/mailweir",
        mailweir_database_password=PASSWORD,
    )
    groups = {"front_ends": FRONT_ENDS, "sync_hosts": [SYNC], "web_hosts": [SYNC]}
    made = Site(tmp_path_factory.mktemp("site"), groups, **variables)
    made.converge()
    return made


@pytest.fixture(scope="module")
def fronts(site: Site, make_host: MakeHost) -> list[Host]:
    """Both front ends, with a user and a contact on the record."""
    made = [make_host.named(name) for name in FRONT_ENDS]
    made[0].run("mailweir user add richard --email richard@firm.example")
    made[0].run("mailweir contact add Jane jane@client.example")
    return made


def send(client_mta: Host, subjects: list[str]) -> None:
    """Gives mail of a contact to the client's own server."""
    for subject in subjects:
        client_mta.run(
            "swaks --silent 2 --server 127.0.0.1 --from jane@client.example --to richard@demo.example.net"
            f" --header 'Subject: {subject}' --header 'From: jane@client.example'"
        )


def recorded(host: Host) -> list[str]:
    """The subjects on the record, as any host reads it."""
    return sorted(one["subject"] for one in host.json("mailweir activity list --json"))


def wrong_with(host: Host) -> list[str]:
    """Its doctor's findings, except for the names of the example domains, which don't exist in DNS."""
    return [one for one in host.doctor()["wrong"] if not one.startswith("DNS")]


def all_arrives(client_mta: Host, fronts: list[Host], subjects: list[str]) -> None:
    """Waits until the client's server has sent everything. Then each subject has to be on the record, once."""
    with outside.explained(client_mta, fronts[0]):
        client_mta.wait_until(lambda: outside.waiting(client_mta) == 0, "the client's queue is empty", 180)
        fronts[0].wait_until(lambda: recorded(fronts[0]) == sorted(subjects), "each is on the record, once")


def test_the_second_run_changes_nothing(site: Site, fronts: list[Host]) -> None:
    ran = site.converge()
    assert (set(ran.changed.values()), ran.tasks) == ({0}, [])


def test_all_hosts_have_one_key_and_one_record(fronts: list[Host], make_host: MakeHost) -> None:
    hosts = [*fronts, make_host.named(SYNC)]
    assert len({host.says("sha256sum < /etc/mailweir/token.key") for host in hosts}) == 1
    assert {host.count("deployment") for host in hosts} == {1}
    assert {host.count("user") for host in hosts} == {1}
    for host in hosts:
        assert wrong_with(host) == [], host.name


def test_mail_comes_by_either_and_a_stopped_front_end_loses_nothing(fronts: list[Host], client_mta: Host) -> None:
    send(client_mta, ["both up"])
    fronts[0].wait_until(lambda: "both up" in recorded(fronts[1]), "it is on the record")
    fronts[0].container.pause()
    try:
        send(client_mta, [f"one down {number}" for number in range(5)])
        with outside.explained(client_mta, fronts[1]):
            fronts[1].wait_until(lambda: len(recorded(fronts[1])) == 6, "the other front end accepts all mail", 120)
    finally:
        fronts[0].container.unpause()
    fronts[0].run("systemctl stop mailweir-milter mailweir-lookups")
    fronts[1].run("systemctl stop postfix")
    send(client_mta, ["both down"])
    client_mta.wait_until(
        lambda: "451" in client_mta.says("cat /var/log/postfix.log"), "the front end without a filter says 451"
    )
    assert outside.waiting(client_mta) == 1
    fronts[0].run("systemctl start mailweir-lookups mailweir-milter")
    fronts[1].run("systemctl start postfix")
    with outside.explained(client_mta, fronts[0]):
        fronts[0].wait_until(lambda: outside.waiting(client_mta) == 0, "the client's queue is empty", 120)
    assert recorded(fronts[0]) == sorted(["both up", "both down", *(f"one down {number}" for number in range(5))])
    # the mail may have gone through the other front end while the first still starts
    fronts[0].wait_until(lambda: not wrong_with(fronts[0]), "both report health again", 180)


def test_a_relayed_mail_arrives_signed_by_either(fronts: list[Host], next_hop: Host) -> None:
    fronts[0].run("mailweir domain add firm.example")
    login = fronts[1].json("mailweir relay connect richard --json")
    for number, front in enumerate(fronts):
        next_hop.run(
            f"swaks --silent 2 --server {front.name} --port 587 -tls --auth PLAIN --auth-user '{login['username']}'"
            f" --auth-password '{login['password']}' --from richard@firm.example --to jane@client.example"
            f" --header 'Subject: relayed {number}' --header 'From: richard@firm.example'"
        )
    next_hop.wait_until(lambda: len(outside.kept(next_hop)) == 2, "both have arrived")
    for raw in outside.kept(next_hop):
        assert b"DKIM-Signature: " in raw
        assert b"d=firm.example" in raw
    assert {"relayed 0", "relayed 1"} <= set(recorded(fronts[0]))


def test_the_database_goes_away_and_comes_back(fronts: list[Host], client_mta: Host, database: Host) -> None:
    before = recorded(fronts[0])
    cluster = f"postgresql@{database.says('ls /etc/postgresql').strip()}-main"
    database.run(f"systemctl stop {cluster}")
    sent = [f"database away {number}" for number in range(5)]
    send(client_mta, sent)
    client_mta.wait_until(lambda: outside.waiting(client_mta) == 5, "all of it waits at the client's")
    assert any("database" in one for one in fronts[0].doctor()["wrong"])
    database.run(f"systemctl start {cluster}")
    all_arrives(client_mta, fronts, [*before, *sent])
    for front in fronts:
        restarts = front.says("systemctl show -p NRestarts mailweir-milter")
        assert "NRestarts=0" in restarts, front.says("journalctl -u mailweir-milter -n 40 --no-pager")


def test_the_database_host_itself_goes_away_and_comes_back(
    fronts: list[Host], client_mta: Host, database: Host
) -> None:
    """There is no sign of it: packets aren't answered."""
    before = recorded(fronts[0])
    database.container.pause()
    try:
        sent = [f"host away {number}" for number in range(3)]
        send(client_mta, sent)
        client_mta.wait_until(lambda: outside.waiting(client_mta) == 3, "all of it waits at the client's")
    finally:
        database.container.unpause()
    all_arrives(client_mta, fronts, [*before, *sent])


def test_the_databases_host_is_upgraded_with_its_cluster(
    fronts: list[Host], client_mta: Host, database: Host, suites: tuple[str, ...]
) -> None:
    """As docs/admin/upgrade.md describes it: the system, then PostgreSQL's cluster. Front ends of either Debian continue with
    it."""
    len(suites) > 1 or pytest.skip("needs both Debians (--suite both)")
    before = recorded(fronts[0])
    old = database.says("pg_lsclusters -h | cut -d' ' -f1").split()
    assert old == ["15"]
    database.run(
        "apt-get purge -y -q postfix"
    )  # from the image; a database host doesn't have it, and without its configuration apt stops
    debian.upgrade(database, suites[-1])
    assert database.says("pg_lsclusters -h | awk '{print $1, $4}'") == "15 online\n"
    sent = [f"cluster upgraded {number}" for number in range(3)]
    database.run(debian.UPGRADE_CLUSTER)
    send(client_mta, sent)
    assert database.says("pg_lsclusters -h | awk '{print $1, $3, $4}'") == "17 5432 online\n"
    all_arrives(client_mta, fronts, [*before, *sent])
    for front in fronts:
        assert wrong_with(front) == []
    # pg_dump can't read a server that is newer than itself. So a backup needs a client of the newer version.
    assert "pg_dump" in fronts[0].run("mailweir db backup /var/tmp/record.backup", code=1)[1]
    assert "record.backup" in fronts[1].says("mailweir db backup /var/tmp/record.backup")
