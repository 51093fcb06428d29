"""Hosts of these tests: containers with systemd, an address and a name of their own, in one network."""

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import docker
import requests
from docker.models.containers import Container
from docker.models.networks import Network

from tests.deploy.images import packed

WAIT_SECONDS = 60.0
LABEL = "mailweir-test"
# systemd mounts cgroups, the units' sandboxes mount folders, fail2ban's nftables changes the network
_CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE")
# Who comes first with a name runs the script; whoever comes again with it hears what that gave. So asking again is always safe.
_ONCE = """\
kept=/var/tmp/$1
if mkdir "$kept" 2>/dev/null; then
    sh -c "$2" >"$kept/output" 2>&1
    echo $? >"$kept/code.new"
    mv "$kept/code.new" "$kept/code"
fi
i=0
while [ ! -e "$kept/code" ] && [ $i -lt $3 ]; do i=$((i + 1)); sleep 1; done
cat "$kept/output" && echo && echo "$1 $(cat "$kept/code")"
"""
_RUN_SECONDS = 900
_ANSWERS = 4


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
            # the second is for the engine's cgroups of the older kind, which newer systemds go by only when told to
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
        self.wait_until(
            lambda: self.run("systemctl is-system-running", code=None)[1].strip() in ("running", "degraded"),
            "it has booted",
        )
        self.container.reload()
        self.address: str = self.container.attrs["NetworkSettings"]["Networks"][self._network]["IPAddress"]

    def reboot(self) -> None:
        """Stops everything on it, and boots it again. Its address may be another one then."""
        self.container.restart(timeout=60)
        self._await_boot()

    def run(self, script: str, *, code: int | None = 0, user: str = "root") -> tuple[int, str]:
        """Runs a shell script on it: exit code and output. Failed where the code is another one; None: any will do.

        The engine may answer with nothing, with half, or without an exit code, whether the script ran or not (moby's issue 27289;
        docker-py takes a connection that ends for the end of the output). Then it is asked again; the script runs no second time.
        """
        name = f"run-{uuid.uuid4().hex}"
        for attempt in range(_ANSWERS):
            time.sleep(attempt)
            found = self._ask(name, script, user)
            if found is not None:
                break
        else:
            raise Failed(f"{self.name}: {script}\nthe container engine told its end in none of {_ANSWERS} answers")
        if code is not None and found[0] != code:
            raise Failed(f"{self.name}: {script}\nexit {found[0]}\n{found[1]}")
        return found

    def _ask(self, name: str, script: str, user: str) -> tuple[int, str] | None:
        """Exit code and output of the script of that name, which runs now if it didn't before. None: the answer isn't whole."""
        try:
            _, output = self.container.exec_run(["sh", "-c", _ONCE, "sh", name, script, str(_RUN_SECONDS)], user=user)
        except requests.RequestException:
            return None
        whole = re.fullmatch(rf"(.*)\n{name} (\d+)\n", (output or b"").decode(errors="replace"), re.DOTALL)
        return (int(whole[2]), whole[1]) if whole else None

    def says(self, script: str) -> str:
        """What a script prints; it has to end well."""
        return self.run(script)[1]

    def json(self, script: str, *, code: int | None = 0) -> Any:
        """What a command prints as JSON, its remarks left out."""
        return json.loads(self.run(f"{script} 2>/dev/null", code=code)[1])

    def put(self, files: dict[str, bytes]) -> None:
        """Writes files; the names are absolute, and their folders are there."""
        if not self.container.put_archive("/", packed({name.lstrip("/"): content for name, content in files.items()})):
            raise Failed(f"{self.name}: the container engine took no files: {', '.join(files)}")

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
