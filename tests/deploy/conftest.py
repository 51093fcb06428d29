"""Fixtures of the deployment's tests: the engine, the images, a network, hosts, and what they are installed from.

`make test-deploy` runs them: they need root, Debian's docker.io and debootstrap, Ansible, the package registries and minutes.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest
from docker.models.networks import Network

from tests.deploy import engine, images
from tests.deploy.hosts import LABEL, Host

REPOSITORY = Path(__file__).parents[2]
WHEELS_ON_HOST = "/srv/wheels"
SUBNET = "172.31.77.0/24"
NETWORK = "mailweir-test"


class MakeHost:
    """make_host(name, image=images.BARE): a booted host, which ends with the module's tests."""

    def __init__(self, make: Callable[[str, str], Host]) -> None:
        self._make = make
        self._made: dict[str, Host] = {}

    def __call__(self, name: str, image: str = images.BARE) -> Host:
        self._made[name] = self._make(name, image)
        return self._made[name]

    def named(self, name: str) -> Host:
        """One that was made before."""
        return self._made[name]

    def remove_all(self) -> None:
        """Ends them."""
        for host in self._made.values():
            host.remove()


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The engine, with the images in it."""
    try:
        with engine.running() as found:
            images.ensure(found)
            _clear(found)
            yield found
    except engine.NoEngine as error:
        pytest.skip(str(error))


def _clear(client: docker.DockerClient) -> None:
    """What a run left behind that was killed."""
    for container in client.containers.list(all=True, filters={"label": LABEL}):
        container.remove(force=True, v=True)
    for network in client.networks.list(names=[NETWORK]):
        network.remove()


@pytest.fixture(scope="session")
def network(client: docker.DockerClient) -> Iterator[Network]:
    """What the hosts are in."""
    pool = docker.types.IPAMPool(subnet=SUBNET)
    made = client.networks.create(
        NETWORK, driver="bridge", check_duplicate=True, ipam=docker.types.IPAMConfig(pool_configs=[pool])
    )
    yield made
    made.remove()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build(REPOSITORY, folder)
    (made,) = folder.glob("mailweir-*.whl")
    return made


@pytest.fixture(scope="session")
def wheels(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries that it needs, as wheels for Debian's own Python, so that not each host builds and fetches them."""
    folder = tmp_path_factory.mktemp("wheels")
    python = sys.executable if sys.version_info[:2] == (3, 11) else "/usr/bin/python3"
    command = [python, "-m", "pip", "wheel", "-q", "-w", str(folder), f"mailweir[postgresql] @ file://{wheel}"]
    subprocess.run(command, check=True, capture_output=True)
    for own in folder.glob("mailweir-*.whl"):
        own.unlink()
    return folder


def build(source: Path, folder: Path) -> None:
    """Makes a wheel of a checkout."""
    command = [sys.executable, "-m", "build", "-q", "--wheel", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def make_host(client: docker.DockerClient, network: Network, wheels: Path) -> Iterator[MakeHost]:
    """See MakeHost."""
    hosts = MakeHost(lambda name, image: Host(client, network, name, image, {WHEELS_ON_HOST: str(wheels)}))
    yield hosts
    hosts.remove_all()


def offline(**variables: Any) -> dict[str, Any]:
    """Variables of a site: the program's libraries come from this machine's folder, and there is one deployment."""
    return {
        "mailweir_pip_arguments": ["--no-index", "--find-links", WHEELS_ON_HOST],
        "mailweir_build_packages": [],
        "mailweir_admin_mailbox": "admin@firm.example",
        "mailweir_deployments": [{"name": "demo", "domain": "demo.example.net"}],
    } | variables
