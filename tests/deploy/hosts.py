"""Hosts of these tests: containers with systemd, an address and a name of their own, in one network."""

import json
import time
from collections.abc import Callable
from typing import Any

import docker
from docker.models.containers import Container
from docker.models.networks import Network

from tests.deploy.images import packed

WAIT_SECONDS = 60.0
LABEL = "mailweir-test"
# systemd mounts cgroups, the units' sandboxes mount folders, fail2ban's nftables changes the network
_CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE")


class Failed(AssertionError):
    """A command on a host that should have worked."""


class Host:
    """One that has booted. volumes: folders of this machine, read-only, by their place on the host."""

    def __init__(
        self,
        client: docker.DockerClient,
        network: Network,
        name: str,
        image: str,
        volumes: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        mounts = {"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"}}
        mounts |= {folder: {"bind": place, "mode": "ro"} for place, folder in (volumes or {}).items()}
        self.container: Container = client.containers.run(
            image,
            ["/lib/systemd/systemd"],
            name=name,
            hostname=name,
            network=network.name,
            detach=True,
            cap_add=list(_CAPABILITIES),
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            environment={"container": "docker"},
            tmpfs={"/run": "", "/run/lock": ""},
            volumes=mounts,
            cgroupns="host",
            labels=[LABEL],
        )
        self.wait_until(
            lambda: self.run("systemctl is-system-running", code=None)[1].strip() in ("running", "degraded"),
            "it has booted",
        )
        self.container.reload()
        self.address: str = self.container.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]

    def run(self, script: str, *, code: int | None = 0, user: str = "root") -> tuple[int, str]:
        """Runs a shell script on it: exit code and output. Failed where the code is another one; None: any will do."""
        found, output = self.container.exec_run(["sh", "-c", script], user=user)
        text = output.decode(errors="replace")
        if code is not None and found != code:
            raise Failed(f"{self.name}: {script}\nexit {found}\n{text}")
        return found, text

    def says(self, script: str) -> str:
        """What a script prints; it has to end well."""
        return self.run(script)[1]

    def json(self, script: str, *, code: int | None = 0) -> Any:
        """What a command prints as JSON, its remarks left out."""
        return json.loads(self.run(f"{script} 2>/dev/null", code=code)[1])

    def put(self, files: dict[str, bytes]) -> None:
        """Writes files; the names are absolute, and their folders are there."""
        self.container.put_archive("/", packed({name.lstrip("/"): content for name, content in files.items()}))

    def doctor(self) -> dict[str, list[str]]:
        """What `mailweir doctor` finds, by level."""
        found: dict[str, list[str]] = {"ok": [], "note": [], "wrong": []}
        for one in self.json("mailweir doctor --json", code=None):
            found[one["level"]].append(f"{one['area']}: {one['finding']}")
        return found

    def count(self, what: str) -> int:
        """How many rows `mailweir WHAT list --json` has."""
        return len(self.json(f"mailweir {what} list --json"))

    def wait_until(self, condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
        """The condition's value once it is true; Failed where it doesn't become so."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: not within {seconds:.0f} s: {what}")
            time.sleep(0.3)
        return value

    def remove(self) -> None:
        """Ends it."""
        self.container.remove(force=True, v=True)
