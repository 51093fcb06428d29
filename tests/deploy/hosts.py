"""Hosts of these tests: containers with systemd in one network, each with an address and a name of its own."""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

import docker
from docker.models.containers import Container
from docker.models.networks import Network

from tests.deploy.entry import entry
from tests.deploy.images import packed

WAIT_SECONDS = 60.0
LABEL = "mailweir-test"
# systemd mounts cgroups, the units' sandboxes mount folders, fail2ban's nftables changes the network
_CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE")
_RUN_SECONDS = 1800  # enough for an upgrade of the system on a busy machine


class Failed(AssertionError):
    """A command failed on a host."""


class Host:
    """A booted host. volumes: folders of this machine, read-only, by their place on the host."""

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
            # The second word is for the engine's older kind of cgroups. A newer systemd uses that kind only when told to.
            ["/lib/systemd/systemd", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"],
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
            stop_signal="SIGRTMIN+3",  # systemd's halt
        )
        self._network = str(network.name)
        self._await_boot()

    def _await_boot(self) -> None:
        self.container.reload()
        self._init: int = self.container.attrs["State"]["Pid"]  # a new id after each boot
        self.wait_until(
            lambda: self.run("systemctl is-system-running", code=None)[1].strip() in ("running", "degraded"),
            "it has booted",
        )
        self.address: str = self.container.attrs["NetworkSettings"]["Networks"][self._network]["IPAddress"]

    def reboot(self) -> None:
        """Stops everything on it, and boots it again. It may have another address then."""
        self.container.restart(timeout=60)
        self._await_boot()

    def run(self, script: str, *, code: int | None = 0, user: str = "root") -> tuple[int, str]:
        """Runs a shell script on it; returns exit code and output. Failed if the code is another one; None: any code will do.

        Processes that the script leaves running aren't waited for.
        """
        command = ["sh", "-c", script] if user == "root" else ["runuser", "-u", user, "--", "sh", "-c", script]
        found = self._enter(command)
        if code is not None and found[0] != code:
            raise Failed(f"{self.name}: {script}\nexit {found[0]}\n{found[1]}")
        return found

    def _enter(self, command: list[str], given: bytes = b"") -> tuple[int, str]:
        """Exit code and output of a command on it, with the given input."""
        with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as said:
            read.write(given)
            read.seek(0)
            done = subprocess.run(
                [*entry(self._init), *command],
                stdin=read,
                stdout=said,
                stderr=said,
                start_new_session=True,  # nothing on the host waits for a terminal
                timeout=_RUN_SECONDS,
                check=False,
            )
            said.seek(0)
            return done.returncode, said.read().decode(errors="replace")

    def says(self, script: str) -> str:
        """The output of a script, which has to succeed."""
        return self.run(script)[1]

    def json(self, script: str, *, code: int | None = 0) -> Any:
        """The JSON output of a command, without its remarks."""
        return json.loads(self.run(f"{script} 2>/dev/null", code=code)[1])

    def put(self, files: dict[str, bytes]) -> None:
        """Writes files. The names are absolute, and their folders exist."""
        code, said = self._enter(
            ["tar", "-x", "-C", "/"], packed({name.lstrip("/"): content for name, content in files.items()})
        )
        if code != 0:
            raise Failed(f"{self.name}: {', '.join(files)}: {said}")

    def doctor(self) -> dict[str, list[str]]:
        """The findings of `mailweir doctor`, by level."""
        found: dict[str, list[str]] = {"ok": [], "note": [], "wrong": []}
        for one in self.json("mailweir doctor --json", code=None):
            found[one["level"]].append(f"{one['area']}: {one['finding']}")
        return found

    def count(self, what: str) -> int:
        """The number of rows in `mailweir WHAT list --json`."""
        return len(self.json(f"mailweir {what} list --json"))

    def wait_until(self, condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
        """The condition's value once it is true. Failed if it doesn't become true."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: not within {seconds:.0f} s: {what}")
            time.sleep(0.3)
        return value

    def remove(self) -> None:
        """Removes the host."""
        self.container.remove(force=True, v=True)
