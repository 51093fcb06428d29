"""Runs ansible/site.yml on hosts of these tests."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker

from tests.deploy.entry import entry
from tests.deploy.recap import Ran, read

REPOSITORY = Path(__file__).parents[2]
_SECONDS = 1500


class Site:
    """An inventory in a folder. groups: names of hosts by group; each host has variables of its own. checkout: the source of the
    playbook."""

    def __init__(
        self, folder: Path, groups: Mapping[str, Sequence[str]], checkout: Path = REPOSITORY, **variables: Any
    ) -> None:
        self._folder = folder
        self._checkout = checkout
        self.variables = variables
        self._groups = groups
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, *flags: str, **variables: Any) -> Ran:
        """Runs the playbook with these variables for this run."""
        inventory = self._folder / "hosts.json"
        common = {
            "ansible_connection": "namespaces",
            "ansible_user": "root",  # Ansible then needs no sudo, which a bare host doesn't have
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        inventory.write_text(
            json.dumps(
                {
                    "all": {
                        "vars": {**common, **self.variables, **variables},
                        "hosts": {
                            name: {"mailweir_hostname": f"{name}.host.example", "ansible_entry": entry(pid)}
                            for name, pid in self._inits().items()
                        },
                        "children": {group: {"hosts": dict.fromkeys(names)} for group, names in self._groups.items()},
                    }
                }
            )
        )
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, "ansible/site.yml", *flags],
            cwd=self._checkout,
            env=os.environ
            | {
                "ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).with_name("connection")),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_FORCE_COLOR": "0",
                "ANSIBLE_LOCAL_TEMP": str(self._folder / "tmp"),
                "ANSIBLE_PIPELINING": "1",  # takes half the time
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return read(done.returncode, done.stdout + done.stderr)

    def _inits(self) -> dict[str, int]:
        """The process id of each host's init since its last boot."""
        client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"])
        try:
            names = sorted({name for names in self._groups.values() for name in names})
            return {name: client.containers.get(name).attrs["State"]["Pid"] for name in names}
        finally:
            client.close()

    def converge(self, **variables: Any) -> Ran:
        """Runs the playbook, which has to succeed."""
        ran = self.run(**variables)
        assert ran.code == 0, ran.output[-6000:]
        return ran
