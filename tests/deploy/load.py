"""Mail and logins that come all the time while a test does something to a host."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.deploy import outside
from tests.deploy.hosts import Host

_MAIL = """\
i=0; while [ ! -e /tmp/stop ]; do i=$((i+1));
swaks --silent 3 --server 127.0.0.1 --from jane@client.example --to richard@demo.example.net \
--header "Subject: {name} $i" --header 'From: jane@client.example' && echo $i > /tmp/accepted; sleep 0.3; done
"""
# the password is always right
_LOGINS = """\
while [ ! -e /tmp/stop ]; do swaks --server {host} --port 587 -tls --auth PLAIN --auth-user '{user}' \
--auth-password '{password}' --quit-after AUTH --timeout 30 2>&1 | grep -E '^<~.* (235|454|535) ' >> /tmp/answers; sleep 1; done
"""
_UNITS = "load-mail load-logins"


@dataclass(frozen=True)
class Login:
    """A login of the relay."""

    username: str
    password: str


def connect(host: Host, user: str) -> Login:
    """Makes a login."""
    made = host.json(f"mailweir relay connect {user} --json")
    return Login(made["username"], made["password"])


@contextlib.contextmanager
def load(host: Host, client: Host, name: str, login: Login | None = None) -> Iterator[None]:
    """Mail comes in all the time until the block ends. Then all of it has to be on the record, once, and none was refused.

    With a login, somebody logs in all the time, too: its password is never called wrong, and it works again in the end.
    """
    began = host.count("activity")
    client.run("rm -f /tmp/stop /tmp/accepted /tmp/answers")
    _start(client, "mail", _MAIL.format(name=name))
    if login:
        _start(client, "logins", _LOGINS.format(host=host.name, user=login.username, password=login.password))
    host.wait_until(lambda: host.count("activity") >= began + 5, "mail flows")
    try:
        yield
        after = host.count("activity")
        with outside.explained(client, host):
            host.wait_until(lambda: host.count("activity") > after + 3, "mail flows again", 120)
        if login:
            heard = len(_answers(client))
            client.wait_until(lambda: " 235 " in "".join(_answers(client)[heard:]), "the login is proven again")
    finally:
        client.run("touch /tmp/stop")
        client.wait_until(
            lambda: client.run(f"systemctl is-active {_UNITS}", code=None)[0] != 0, "the last one is sent"
        )
    with outside.explained(client, host):
        client.wait_until(lambda: outside.waiting(client) == 0, "the client's queue is empty", 180)
    sent = int(client.says("cat /tmp/accepted"))
    found = [one["subject"] for one in host.json("mailweir activity list --json")]
    mine = sorted(int(text.removeprefix(f"{name} ")) for text in found if text.startswith(f"{name} "))
    assert mine == list(range(1, sent + 1))
    assert "status=bounced" not in client.says("cat /var/log/postfix.log")
    if login:
        answers = _answers(client)
        assert [number for number, one in enumerate(answers) if " 535 " in one] == [], "\n".join(answers)


def _answers(client: Host) -> list[str]:
    """The answers to all logins so far."""
    return client.says("cat /tmp/answers 2>/dev/null || true").splitlines()


def _start(client: Host, name: str, script: str) -> None:
    file = f"/tmp/{name}.sh"
    client.put({file: script.encode()})
    client.run(f"systemd-run --quiet --collect --unit=load-{name} sh {file}")
