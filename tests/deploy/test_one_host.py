"""One bare host: dry runs, the first run, the second, a changed variable, mail, and refusals."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import outside
from tests.deploy.conftest import SUBNET, MakeHost, offline
from tests.deploy.hosts import Host
from tests.deploy.images import BOOKWORM
from tests.deploy.playbook import Site
from tests.gmail.oauth import client_file_body

pytestmark = pytest.mark.slow

# signs in with a link's path, as a browser does behind a web server
_SIGNS_IN = b"""
import http.client, json, sys

def ask(method, path, cookie=""):
    connection = http.client.HTTPConnection("127.0.0.1", 8025)
    own = "one.host.example"
    connection.request(method, path, headers={"Host": own, "Origin": f"https://{own}", "Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    return answer

(link,) = sys.argv[1:]
ask("GET", link)
cookie, secure, *_ = ask("POST", link).getheader("Set-Cookie").split("; ")
tried = (("GET", "/admin/health", cookie), ("GET", "/admin/health"), ("POST", link))
print(json.dumps([secure, *(ask(*words).status for words in tried)]))
"""


@pytest.fixture(scope="module")
def host(make_host: MakeHost) -> Host:
    return make_host("one")


@pytest.fixture(scope="module")
def hop(make_host: MakeHost) -> Host:
    """The next hop for its mail."""
    made = make_host.peer("hop")
    outside.keeps(made, SUBNET)
    return made


@pytest.fixture(scope="module")
def site(host: Host, hop: Host, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    groups = {"front_ends": [host.name], "sync_hosts": [host.name]}
    variables = offline(
        mailweir_wheel=str(wheel),
        mailweir_outbound=f"relayhost {hop.name}:25",
    )
    return Site(tmp_path_factory.mktemp("site"), groups, **variables)


@pytest.fixture(scope="module")
def converged(site: Site, host: Host) -> Host:
    ran = site.run("--check")
    assert ran.code == 0, ran.output[-4000:]
    there = host.says(
        "ls -d /opt/mailweir /etc/mailweir /etc/postfix /var/lib/mailweir 2>/dev/null; getent passwd mailweir || true"
    )
    assert there == "", "a dry run of a bare host changes nothing"
    site.converge()
    return host


# the controller refuses most of them; the host is asked for little more than its facts
@pytest.mark.one_suite
def test_a_wrong_variable_is_refused_before_anything_is_touched(site: Site, host: Host, tmp_path: Path) -> None:
    (tmp_path / "client.json").write_text('{"installed": {"client_id": "one", "client_secret": "two"}}')
    client = f"{tmp_path}/client.json"
    refused: list[dict[str, tuple[Any, str]]] = [
        {
            "mailweir_smtp_port": ("twenty-five", "mailweir_smtp_port"),
            "mailweir_certificate": ("lets-encrypt", "mailweir_certificate"),
            "mailweir_deployments": ([{"name": "demo"}], "domain"),
        },
        {
            "mailweir_outbound": ("everywhere", "mailweir_outbound"),
            "mailweir_admin_mailbox": ("x@Demo.example.net", "lies within a capture domain"),
            "mailweir_database": ("postgresql://u:secret@db/x", "without the password"),
            "mailweir_certbot_obtain": (True, "mailweir_certbot_obtain is for"),
        },
        {
            "mailweir_admin_mailbox": ("", "mailweir_admin_mailbox must be set"),
            "mailweir_relay_addresses": (["192.0.2.10"], "still has addresses of the example"),
            "mailweir_deployments": ([{"name": "demo", "domain": "demo"}], "demo isn't a domain name"),
            "mailweir_database_password": ("change me", "still that of the example"),
        },
        # in a run of its own: nothing else about the domains is checked then
        {
            "mailweir_relay_addresses": (
                "203.0.113.9",
                "mailweir_relay_addresses, mailweir_settings: a text stands where",
            ),
            "mailweir_settings": ("a=b", "a text stands where a list belongs"),
        },
        {
            "mailweir_wheel": ("/nowhere.whl", "/nowhere.whl"),
            "mailweir_gmail_oauth_client_file": ("nowhere.json", "mailweir_gmail_oauth_client_file: there is no file"),
        },
        {
            "mailweir_web_port": (465, "mailweir_web_port must be"),
            "mailweir_web_public_url": (
                "http://mail.example.net",
                "mailweir_web_public_url 'http://mail.example.net' must be",
            ),
            "mailweir_web_openid": (
                [{"name": "a b", "issuer": "https://x.example", "client_id": "1", "client_secret": "2"}],
                "mailweir_web_openid: a b can't be a provider's name",
            ),
        },
        {"mailweir_gmail_oauth_client_file": (client, "lacks auth_uri, token_uri")},
        {"mailweir_gmail_web_client_file": (client, "not a file of an OAuth client of the type Web application")},
        {"mailweir_gmail_service_account_file": (client, "not a key file of a service account")},
        {"mailweir_python": ("/usr/bin/python3.10", "/usr/bin/python3.10 on one isn't a Python that runs")},
    ]
    for variables in refused:
        ran = site.run(**{name: value for name, (value, _) in variables.items()})
        assert ran.code != 0
        assert [words for _, words in variables.values() if words not in ran.failure] == []
        assert sum(ran.changed.values()) == 0


def test_the_second_run_changes_nothing(site: Site, converged: Host) -> None:
    ran = site.converge()
    assert (ran.changed, ran.tasks) == ({converged.name: 0}, [])
    dry = site.run("--check")
    assert (dry.code, dry.changed) == (0, {converged.name: 0})


def test_doctor_finds_nothing_wrong(converged: Host) -> None:
    found = converged.doctor()
    # the names of the example domains don't exist in DNS
    assert [one for one in found["wrong"] if not one.startswith("DNS")] == []
    said = " ".join(found["ok"])
    for words in (
        "mailweir-milter",
        "mailweir-lookups",
        "mailweir-digest",
        "mailweir-auth",
        "mailweir-web",
        "the page answers on 127.0.0.1 port 8025, as https://one.host.example",
        "main.cf matches the settings",
    ):
        assert words in said


def test_the_host_reports_its_health_by_its_timer_and_by_itself(converged: Host) -> None:
    assert converged.says("systemctl is-enabled mailweir-health.timer").strip() == "enabled"
    # within the unit's own limits: four of root's powers, and it can write only to the database's folder
    converged.run("systemctl start mailweir-health.service")
    shown = converged.says("systemctl show -p Result,ExecMainStatus mailweir-health.service")
    assert set(shown.split()) == {"Result=success", "ExecMainStatus=0"}
    record = "sqlite3.connect('/var/lib/mailweir/db/mailweir.db')"
    asked = f"import sqlite3; print(*{record}.execute('SELECT check_name, state FROM health_reports'))"
    reported = converged.says(f'python3 -c "{asked}"')
    assert "('queue', 'ok')" in reported
    assert "wrong" not in reported
    score = converged.says("systemd-analyze security --no-pager mailweir-health.service || true")
    assert float(re.findall(r"exposure level for \S+: ([\d.]+)", score)[0]) < 3.0


def test_doctor_says_what_is_wrong_and_the_playbook_mends_it(site: Site, converged: Host, suite: str) -> None:
    postfix = {BOOKWORM: "postfix@-"}.get(suite, "postfix")
    for broken, words in (
        ("systemctl stop mailweir-milter", "mailweir-milter doesn't run: inactive"),
        ("true", "no answer from the filter: No such file or directory"),
        ("systemctl stop mailweir-web", "no answer from the page on 127.0.0.1 port 8025"),
        ("rm /etc/mailweir/traces.key", "/etc/mailweir/traces.key is missing"),
        ("systemctl disable --now mailweir-digest", "mailweir-digest is disabled: it isn't started at boot"),
        ("chmod 0755 /var/lib/mailweir/run", "/var/lib/mailweir/run is open to everybody"),
        ("systemctl stop postfix", f"{postfix} doesn't run: inactive"),
        ("echo smtpd_milters = >> /etc/postfix/main.cf", "main.cf differs from the settings"),
    ):
        converged.run(broken)
        assert words in " ".join(converged.doctor()["wrong"])
    site.converge()
    assert [one for one in converged.doctor()["wrong"] if not one.startswith("DNS")] == []


def test_no_unit_runs_as_root_and_each_is_confined(converged: Host) -> None:
    for unit in ("mailweir-milter", "mailweir-lookups", "mailweir-auth", "mailweir-digest", "mailweir-web"):
        shown = converged.says(f"systemctl show -p User,NoNewPrivileges,ProtectSystem,PrivateTmp,MemoryMax {unit}")
        assert {"User=mailweir", "NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes"} <= set(shown.split())
        assert "MemoryMax=infinity" not in shown
        (score,) = re.findall(
            r"exposure level for \S+: ([\d.]+)", converged.says(f"systemd-analyze security --no-pager {unit} || true")
        )
        assert float(score) < 3.0, unit


def test_sockets_and_secrets_are_closed_to_others(converged: Host) -> None:
    for path in ("milter.sock", "lookups.sock", "auth.sock"):
        asked = f"python3 -c \"import socket; socket.socket(socket.AF_UNIX).connect('/var/lib/mailweir/run/{path}')\""
        assert converged.run(asked, code=None, user="nobody")[0] != 0
        assert converged.run(asked, code=None, user="postfix")[0] == 0
    assert converged.says("find /etc/mailweir /var/lib/mailweir -type f -perm /007") == ""


def test_the_page_signs_in_and_is_shut_out_of_what_opens_tokens(converged: Host) -> None:
    converged.run("mailweir web account add boss --admin --email boss@firm.example")
    (link,) = re.findall(r"https://one\.host\.example(/sign-in/link/\S+)", converged.says("mailweir web link boss"))
    converged.put({"/root/signs_in.py": _SIGNS_IN})
    # a page for admins with the session and without it, and the link a second time
    assert json.loads(converged.says(f"python3 /root/signs_in.py {link}")) == ["Secure", 200, 303, 410]
    within = "nsenter -m -t $(systemctl show -p MainPID --value mailweir-web)"
    as_it = f"{within} setpriv --reuid mailweir --regid mailweir --clear-groups"
    for file, code in (("token.key", 1), ("traces.key", 0)):
        assert converged.run(f"{as_it} cat /etc/mailweir/{file}", code=None)[0] == code, file


def test_a_contacts_mail_is_captured_and_a_login_sends(converged: Host, hop: Host) -> None:
    converged.run("mailweir user add richard --email richard@firm.example")
    converged.run("mailweir contact add Jane jane@client.example")
    hop.run(
        f"swaks --silent 2 --server {converged.name} --from jane@client.example --to richard@demo.example.net"
        " --header 'Subject: captured' --header 'From: jane@client.example'"
    )
    (activity,) = converged.json("mailweir activity list --json")
    assert (activity["subject"], activity["direction"]) == ("captured", "incoming")
    converged.run("mailweir domain add firm.example")
    login = converged.json("mailweir relay connect richard --json")
    hop.run(
        f"swaks --silent 2 --server {converged.name} --port 587 -tls --auth PLAIN --auth-user '{login['username']}'"
        f" --auth-password '{login['password']}' --from richard@firm.example --to jane@client.example"
        " --header 'Subject: relayed' --header 'From: richard@firm.example'"
    )
    raw = hop.wait_until(lambda: outside.kept(hop), "the relayed mail has arrived")[0]
    assert b"DKIM-Signature: " in raw
    assert b"d=firm.example" in raw
    assert [one["subject"] for one in converged.json("mailweir activity list --json")] == ["relayed", "captured"]


def test_the_sync_goes_by_googles_file_and_the_page_by_its_port(site: Site, converged: Host, tmp_path: Path) -> None:
    client = tmp_path / "client.json"
    client.write_text(json.dumps(client_file_body("https://google.example")))
    site.converge(mailweir_gmail_oauth_client_file=str(client), mailweir_web_port=0)
    assert converged.says("systemctl is-active mailweir-gmail-sync || true") == "active\n", converged.says(
        "journalctl -u mailweir-gmail-sync -n 20"
    )
    assert converged.run("systemctl is-active mailweir-web", code=None)[0] != 0
    assert converged.says("ls /etc/systemd/system | grep web || true") == ""
    assert converged.says("stat -c '%U %a' /etc/mailweir/google-client.json") == "mailweir 600\n"
    assert [one for one in converged.doctor()["wrong"] if not one.startswith("DNS")] == []
    site.converge()
    assert converged.run("systemctl is-active mailweir-gmail-sync", code=None)[0] != 0
    assert converged.says("ls /etc/mailweir /etc/systemd/system | grep -e google -e gmail || true") == ""
    assert converged.says("systemctl is-active mailweir-web || true") == "active\n"


def test_a_changed_variable_changes_just_that(site: Site, converged: Host) -> None:
    began = converged.says("systemctl show -p ActiveEnterTimestampMonotonic mailweir-digest")
    ran = site.converge(mailweir_settings={"filter": {"workers": 2}})
    assert 0 < ran.changed[converged.name] < 6, ran.tasks
    assert "workers = 2" in converged.says("cat /etc/mailweir/mailweir.toml")
    assert "postfix" not in " ".join(ran.tasks).lower()
    assert began  # the role may restart other services; mail isn't interrupted
    assert converged.doctor()["wrong"] == [one for one in converged.doctor()["wrong"] if one.startswith("DNS")]
    assert site.converge().changed[converged.name] > 0  # and back
    assert site.converge().changed == {converged.name: 0}


def test_a_postfix_of_the_hosts_own_is_respected(site: Site, make_host: MakeHost, tmp_path: Path) -> None:
    other = make_host.peer("other")
    own = b"# by hand\ncompatibility_level = 3.6\nmyhostname = other.host.example\n"
    other.put({"/etc/postfix/main.cf": own})
    beside = Site(tmp_path, {"front_ends": [other.name]}, **site.variables)
    ran = beside.run()
    assert ran.code != 0
    assert "mailweir_take_over_postfix" in ran.failure
    assert ran.changed == {other.name: 0}
    assert other.says("cat /etc/postfix/main.cf").encode() == own
    beside.converge(mailweir_take_over_postfix=True)
    assert other.says("cat /etc/postfix/main.cf.before-mailweir").encode() == own
    assert other.says("head -1 /etc/postfix/main.cf").startswith("# Mailweir's Postfix.")
    # From then on, the role manages it.
    assert beside.converge().changed == {other.name: 0}


def test_backup_while_it_runs_and_restore(converged: Host) -> None:
    before = converged.count("activity")
    assert "record.backup" in converged.says("mailweir db backup /var/tmp/record.backup")
    converged.run("systemctl stop 'mailweir-*'")
    converged.run("mailweir db restore /var/tmp/record.backup")
    converged.run("systemctl start mailweir-lookups mailweir-milter mailweir-digest mailweir-auth")
    assert converged.count("activity") == before
