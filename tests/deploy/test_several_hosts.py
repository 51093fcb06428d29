"""Two front ends and a sync host on one PostgreSQL: mail by either, one of them away, the database away; nothing is lost."""

from pathlib import Path
from typing import Any

import pytest

from tests.deploy import outside
from tests.deploy.conftest import SUBNET, MakeHost, offline
from tests.deploy.hosts import Host
from tests.deploy.playbook import Site

pytestmark = pytest.mark.slow

FRONT_ENDS, SYNC = ("front1", "front2"), "sync"
PASSWORD = "a-password-of-this-test"


@pytest.fixture(scope="module")
def database(make_host: MakeHost) -> Host:
    """A PostgreSQL server with an empty database."""
    made = make_host.peer("database")
    made.run(
        "pg_lsclusters -h | grep -q main || pg_createcluster 15 main; cd /etc/postgresql/15/main; echo"
        f" \"listen_addresses = '*'\" > conf.d/net.conf; echo 'host mailweir mailweir {SUBNET} scram-sha-256' >> pg_hba.conf;"
        " systemctl restart postgresql@15-main"
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
    """Where relayed mail goes."""
    made = make_host.peer("nexthop")
    outside.keeps(made, SUBNET)
    return made


@pytest.fixture(scope="module")
def site(
    database: Host, next_hop: Host, make_host: MakeHost, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    for name in (*FRONT_ENDS, SYNC):
        make_host(name)
    variables: dict[str, Any] = offline(
        mailweir_wheel=str(wheel),
        mailweir_outbound=f"relayhost {next_hop.name}:25",
        mailweir_database=f"postgresql://mailweir@{database.name}:5432/mailweir",
        mailweir_database_password=PASSWORD,
    )
    made = Site(tmp_path_factory.mktemp("site"), {"front_ends": FRONT_ENDS, "sync_hosts": [SYNC]}, **variables)
    made.converge()
    return made


@pytest.fixture(scope="module")
def fronts(site: Site, make_host: MakeHost) -> list[Host]:
    """Both, with a user and a contact on the record."""
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
    """Subjects on the record, as any host sees it."""
    return sorted(one["subject"] for one in host.json("mailweir activity list --json"))


def test_the_second_run_changes_nothing(site: Site, fronts: list[Host]) -> None:
    ran = site.converge()
    assert (set(ran.changed.values()), ran.tasks) == ({0}, [])


def test_all_hosts_have_one_key_and_one_record(fronts: list[Host], make_host: MakeHost) -> None:
    hosts = [*fronts, make_host.named(SYNC)]
    assert len({host.says("sha256sum < /etc/mailweir/token.key") for host in hosts}) == 1
    assert {host.count("deployment") for host in hosts} == {1}
    assert {host.count("user") for host in hosts} == {1}
    for host in hosts:
        assert [one for one in host.doctor()["wrong"] if not one.startswith("DNS")] == [], host.name


def test_mail_comes_by_either_and_a_stopped_front_end_loses_nothing(fronts: list[Host], client_mta: Host) -> None:
    send(client_mta, ["both up"])
    fronts[0].wait_until(lambda: "both up" in recorded(fronts[1]), "it is on the record")
    fronts[0].container.pause()
    try:
        send(client_mta, [f"one down {number}" for number in range(5)])
        fronts[1].wait_until(lambda: len(recorded(fronts[1])) == 6, "the other takes it all", 120)
    finally:
        fronts[0].container.unpause()
    fronts[0].run("systemctl stop mailweir-milter mailweir-lookups.socket mailweir-lookups")
    fronts[1].run("systemctl stop postfix")
    send(client_mta, ["both down"])
    client_mta.wait_until(
        lambda: "451" in client_mta.says("cat /var/log/postfix.log"), "the one without a filter says 451"
    )
    assert outside.waiting(client_mta) == 1
    fronts[0].run("systemctl start mailweir-lookups mailweir-milter")
    fronts[1].run("systemctl start postfix")
    fronts[0].wait_until(lambda: outside.waiting(client_mta) == 0, "the client's queue is empty", 120)
    assert recorded(fronts[0]) == sorted(["both up", "both down", *(f"one down {number}" for number in range(5))])


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
    database.run("systemctl stop postgresql@15-main")
    sent = [f"database away {number}" for number in range(5)]
    send(client_mta, sent)
    client_mta.wait_until(lambda: outside.waiting(client_mta) == 5, "all of it waits at the client's")
    assert any("database" in one for one in fronts[0].doctor()["wrong"])
    database.run("systemctl start postgresql@15-main")
    client_mta.wait_until(lambda: outside.waiting(client_mta) == 0, "the client's queue is empty", 120)
    fronts[0].wait_until(lambda: recorded(fronts[0]) == sorted([*before, *sent]), "each is on the record, once")
    for front in fronts:
        assert "NRestarts=0" in front.says("systemctl show -p NRestarts mailweir-milter")


def test_the_database_host_itself_goes_away_and_comes_back(
    fronts: list[Host], client_mta: Host, database: Host
) -> None:
    """Nobody says that it is away: packets aren't answered."""
    before = recorded(fronts[0])
    database.container.pause()
    try:
        sent = [f"host away {number}" for number in range(3)]
        send(client_mta, sent)
        client_mta.wait_until(lambda: outside.waiting(client_mta) == 3, "all of it waits at the client's")
    finally:
        database.container.unpause()
    client_mta.wait_until(lambda: outside.waiting(client_mta) == 0, "the client's queue is empty", 180)
    fronts[0].wait_until(lambda: recorded(fronts[0]) == sorted([*before, *sent]), "each is on the record, once")
