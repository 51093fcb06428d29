"""Hosts of these tests: containers with systemd, an address and a name of their own, in one network."""

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import docker
from docker.models.containers import Container
from docker.models.networks import Network

from tests.deploy.images import packed

WAIT_SECONDS = 60.0
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


def install_mta(host: Host, mynetworks: str, next_hops: Sequence[str] = (), *, keeps: bool = False) -> None:
    """Makes a peer a mail server of the outside world: sends to the next hops in turn, or keeps all that comes in a maildir."""
    way = f"relayhost = {', '.join(f'[{one}]' for one in next_hops)}" if next_hops else ""
    keeping = (
        "default_transport = virtual\nvirtual_mailbox_base = /var/kept\nvirtual_mailbox_maps = static:all/\n"
        if keeps
        else ""
    )
    keeping += (
        "virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\nvirtual_mailbox_limit = 0\n" if keeps else ""
    )
    host.run("install -d -o nobody -g nogroup /var/kept /var/kept/all")
    host.put(
        {
            "/etc/postfix/main.cf": (
                f"compatibility_level = 3.6\nmyhostname = {host.name}.example\nmydestination =\nmynetworks = {mynetworks}\n"
                "smtpd_relay_restrictions = permit_mynetworks, reject\nsmtpd_peername_lookup = no\nmessage_size_limit = 50000000\n"
                "local_recipient_maps =\ninet_protocols = ipv4\nsmtp_host_lookup = native, dns\nminimal_backoff_time = 2s\n"
                "maximal_backoff_time = 4s\nqueue_run_delay = 2s\nsmtp_connect_timeout = 3s\nmaillog_file = /var/log/postfix.log\n"
                f"smtp_tls_security_level = may\n{way}\n{keeping}"
            ).encode()
        }
    )
    host.run("cp -n /usr/share/postfix/master.cf.dist /etc/postfix/master.cf; systemctl restart postfix")


def kept(host: Host) -> list[bytes]:
    """What such a server has kept."""
    names = host.says("ls /var/kept/all/new 2>/dev/null || true").split()
    return [host.says(f"cat /var/kept/all/new/{name}").encode() for name in names if re.fullmatch(r"[\w.,=+-]+", name)]
