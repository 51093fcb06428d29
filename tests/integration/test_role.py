"""ansible/site.yml, in short: run in a copy of this machine's root where nothing listens. Files, modes, a second run.

tests/deploy (`make test-deploy`) tests it on hosts that boot: with mail, several hosts and upgrades.
"""

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.deploy.recap import Ran, read
from tests.integration import overlay
from tests.integration.conftest import require_root_and_postfix
from tests.integration.overlay import Overlay
from tests.integration.test_dist import REPOSITORY, build, copy_of_the_source

NAME = "mx.host.example"
OWN_MAIN_CF = "# by hand\ncompatibility_level = 3.6\n"
# packages that a bare host doesn't have, but this machine may have
_REMOVED = (
    "/etc/mailweir",
    "/etc/postfix/main.cf",
    "/etc/postfix/master.cf",
    "/opt/mailweir",
    "/usr/local/bin/mailweir",
    "/var/lib/mailweir",
    "/var/log/mailweir",
)
SECRET = "not to be seen"
VARIABLES: dict[str, Any] = {
    "mailweir_hostname": NAME,
    "mailweir_admin_mailbox": "admin@firm.example",
    "mailweir_deployments": [{"name": "demo", "domain": "demo.example.net"}],
    "mailweir_outbound": "relayhost hop.example.net:25",
    "mailweir_settings": {"filter": {"workers": 3}},
    "mailweir_build_packages": [],
    # the libraries are those of the tests' environment: nothing is fetched
    "mailweir_pip_arguments": ["--no-index", "--no-deps", "--ignore-installed"],
    "mailweir_fail2ban": False,
    "mailweir_web_openid": [
        {"name": "google", "issuer": "https://accounts.google.com", "client_id": "1234", "client_secret": SECRET}
    ],
}

_TASKS_OF_THE_PAGE = [
    "mailweir : Put the settings in place",
    "mailweir : Remove the key of the digests if there is no page",
    "mailweir : Remove the units",
    "mailweir : Remove unused secrets",
    "mailweir : Stop them",
]


def _libraries() -> str:
    return next(path for path in sys.path if path.endswith("site-packages"))


class Machine:
    """The copy, and playbooks that run in it."""

    def __init__(self, within: Overlay, wheel: Path) -> None:
        self.within = within
        self.root = within.root
        self._wheel = wheel

    def run(self, *flags: str, **variables: Any) -> Ran:
        """Runs the playbook with these variables for this run."""
        chosen = {
            "ansible_connection": "local",
            "ansible_user": "root",
            "ansible_python_interpreter": "/usr/bin/python3",
            "mailweir_wheel": "/tmp/" + self._wheel.name,
        }
        inventory = {
            "all": {
                "vars": chosen | VARIABLES | variables,
                "children": {group: {"hosts": {NAME: None}} for group in ("front_ends", "sync_hosts")},
            }
        }
        (self.root / "tmp/hosts.json").write_text(json.dumps(inventory))
        (self.root / "tmp" / self._wheel.name).write_bytes(self._wheel.read_bytes())
        done = self.within.run(
            Path(sys.executable).with_name("ansible-playbook"),
            *("-i", "/tmp/hosts.json", "ansible/site.yml", "--skip-tags", "mailweir_waits", *flags),
            folder=REPOSITORY,
            environment={
                "ANSIBLE_HOME": "/tmp/ansible",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_FORCE_COLOR": "0",
                "ANSIBLE_PIPELINING": "1",
                "LC_ALL": "C.UTF-8",
                "PYTHONPATH": _libraries(),
            },
        )
        return read(done.returncode, done.stdout)

    def says(self, *command: str) -> str:
        """A program's output; the program has to succeed."""
        done = self.within.run(*command, environment={"PYTHONPATH": _libraries()})
        assert done.returncode == 0, done.stdout
        return done.stdout

    def mode(self, path: str) -> str:
        """Owner, group and mode of a file, as `stat` prints them."""
        return self.says("stat", "-c", "%U %G %a", path).strip()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    require_root_and_postfix()
    needs.mount_namespace()
    (wheel,) = build(copy_of_the_source(tmp_path_factory), tmp_path_factory.mktemp("dist")).glob("*.whl")
    try:
        with overlay.made(REPOSITORY, Path(sys.prefix)) as within:
            within.remove(*_REMOVED)
            os.utime(within.root / "var/lib/apt/lists")  # apt must not fetch its lists
            yield Machine(within, wheel)
    except overlay.NoOverlay as error:
        needs.lacks(str(error))


@pytest.fixture(scope="module")
def converged(machine: Machine) -> Machine:
    ran = machine.run()
    assert ran.code == 0, ran.output[-6000:]
    assert ran.changed[NAME] > 20
    return machine


def test_a_postfix_of_the_hosts_own_is_left_as_it_is(machine: Machine) -> None:
    own = machine.root / "etc/postfix/main.cf"
    own.write_text(OWN_MAIN_CF)
    ran = machine.run()
    assert ran.code != 0
    assert "mailweir_take_over_postfix" in ran.failure
    assert ran.changed == {NAME: 0}
    assert own.read_text() == OWN_MAIN_CF
    assert not (machine.root / "etc/mailweir").exists()
    own.unlink()


def test_settings_that_the_program_refuses_leave_all_as_it_was(converged: Machine) -> None:
    before = (converged.root / "etc/mailweir/mailweir.toml").read_text()
    ran = converged.run(mailweir_settings={"filter": {"workers": -1}})
    assert ran.code != 0
    assert "filter.workers" in ran.failure
    assert ran.changed == {NAME: 0}
    assert (converged.root / "etc/mailweir/mailweir.toml").read_text() == before
    assert [path.name for path in (converged.root / "tmp").glob("mailweir-*") if path.is_dir()] == []


def test_files_have_the_owners_and_modes_that_keep_others_out(converged: Machine) -> None:
    for path, mode in {
        "/etc/mailweir/mailweir.toml": "root mailweir 640",
        "/etc/mailweir/token.key": "mailweir mailweir 600",
        "/etc/mailweir/traces.key": "mailweir mailweir 600",
        "/etc/mailweir/openid-google.secret": "mailweir mailweir 600",
        "/etc/postfix/main.cf": "root root 644",
        "/etc/postfix/master.cf": "root root 644",
        "/var/lib/mailweir/db": "mailweir mailweir 700",
        "/var/lib/mailweir/db/mailweir.db": "mailweir mailweir 600",
        "/var/lib/mailweir/run": "mailweir postfix 2750",
        "/var/lib/mailweir/tls": "root root 700",
        "/var/log/mailweir": "root postfix 710",
        "/var/log/mailweir/postfix.log": "postfix postfix 640",
    }.items():
        assert converged.mode(path) == mode, path
    assert converged.says("find", "/etc/mailweir", "/var/lib/mailweir", "-perm", "/022", "!", "-type", "l") == ""


def test_the_settings_are_the_inventorys(converged: Machine) -> None:
    written = tomllib.loads((converged.root / "etc/mailweir/mailweir.toml").read_text())
    assert (written["hostname"], written["run_by"]) == (NAME, "systemd")
    assert written["outbound"] == VARIABLES["mailweir_outbound"]
    assert written["filter"] == {"workers": 3}
    assert (written["web"]["public_url"], written["web"]["port"]) == (f"https://{NAME}", 8025)
    secret_file = written["web"]["openid"]["google"]["client_secret_file"]
    assert (converged.root / secret_file.lstrip("/")).read_text() == f"{SECRET}\n"
    (deployment,) = json.loads(converged.says("mailweir", "deployment", "list", "--json"))
    assert deployment["domain"] == "demo.example.net"


def test_postfix_has_what_the_program_renders_and_takes_it(converged: Machine) -> None:
    converged.says("mailweir", "postfix", "config", "--out", "/tmp/rendered")
    for name in ("main.cf", "master.cf"):
        assert (converged.root / "etc/postfix" / name).read_bytes() == (
            converged.root / "tmp/rendered" / name
        ).read_bytes()
    said = converged.says("postconf", "-n")
    assert "warning" not in said
    assert "smtpd_milters = unix:/var/lib/mailweir/run/milter.sock" in said
    assert "relayhost = [hop.example.net]:25" in said
    listening = re.findall(r"^(\S+) +inet .* smtpd -o", converged.says("postconf", "-M"), re.MULTILINE)
    assert listening == ["0.0.0.0:25", "0.0.0.0:587", "0.0.0.0:465"]


def test_units_are_written_and_started_at_boot(converged: Machine) -> None:
    for unit in (
        "milter.service",
        "lookups.service",
        "auth.socket",
        "auth.service",
        "digest.service",
        "web.service",
        "prune.timer",
    ):
        assert converged.says("systemctl", "is-enabled", f"mailweir-{unit}").strip() == "enabled"
    assert not (converged.root / "etc/systemd/system/mailweir-gmail-sync.service").exists()
    for path in (converged.root / "etc/systemd/system").glob("mailweir-*.service"):
        assert {"NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes"} < set(path.read_text().splitlines())


def test_a_second_run_without_a_page_removes_the_page_with_its_secrets_and_changes_nothing_else(
    converged: Machine,
) -> None:
    """tests/deploy runs it a second time with the same variables."""
    ran = converged.run(mailweir_web_port=0)
    assert ran.code == 0, ran.output[-6000:]
    assert SECRET not in ran.output
    assert sorted(ran.tasks) == _TASKS_OF_THE_PAGE, ran.output[-6000:]
    assert not (converged.root / "etc/systemd/system/mailweir-web.service").exists()
    assert sorted(path.name for path in (converged.root / "etc/mailweir").iterdir()) == ["mailweir.toml", "token.key"]
