"""Fixtures of the deployment's tests: the engine, the images, a network, hosts, and their installation sources.

`make test-deploy` runs them. They need root, Debian's docker.io and debootstrap, Ansible, the package registries, and minutes.
Each test runs on every Debian that the role supports, the oldest first; `--suite trixie` chooses one. A test marked `one_suite`
runs once: its subject isn't the host, or it has hosts of both Debians, and its docstring says so.
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
    """make_host(name): a booted bare host, of the given suite or of the suite that the tests run on. The host ends with the
    module."""

    def __init__(self, make: Callable[[str, str, bool], Host], suite: str) -> None:
        self._make = make
        self._suite = suite
        self._made: dict[str, Host] = {}

    def __call__(self, name: str, *, suite: str | None = None) -> Host:
        return self._keep(self._make(name, suite or self._suite, False))

    def peer(self, name: str, *, suite: str | None = None) -> Host:
        """A host with other servers, and without Mailweir."""
        return self._keep(self._make(name, suite or self._suite, True))

    def _keep(self, host: Host) -> Host:
        self._made[host.name] = host
        return host

    def named(self, name: str) -> Host:
        """A host that was made before."""
        return self._made[name]

    def remove_all(self) -> None:
        """Removes all hosts."""
        for host in self._made.values():
            host.remove()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--suite", choices=[*images.SUITES, "both"], default="both", help="Debian of the hosts of tests/deploy"
    )


def chosen(config: pytest.Config) -> tuple[str, ...]:
    """The suites of this run, the oldest first."""
    said = config.getoption("--suite")
    return images.SUITES if said == "both" else (str(said),)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "suite" in metafunc.fixturenames:
        found = chosen(metafunc.config)
        if metafunc.definition.get_closest_marker("one_suite"):
            found = found[-1:]
        metafunc.parametrize("suite", found, scope="module")


@pytest.fixture(scope="session")
def suites(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The suites of this run, the oldest first: for a test with hosts of all of them."""
    return chosen(request.config)


@pytest.fixture(scope="session")
def client(suites: tuple[str, ...]) -> Iterator[docker.DockerClient]:
    """The engine, with the images in it."""
    try:
        with engine.running() as found:
            for suite in suites:
                images.ensure(found, suite)
            _clear(found)
            yield found
    except engine.NoEngine as error:
        pytest.skip(str(error))


def _clear(client: docker.DockerClient) -> None:
    """Removes the remains of a killed run."""
    for container in client.containers.list(all=True, filters={"label": LABEL}):
        container.remove(force=True, v=True)
    for network in client.networks.list(names=[NETWORK]):
        network.remove()


@pytest.fixture(scope="session")
def network(client: docker.DockerClient) -> Iterator[Network]:
    """The hosts' network."""
    pool = docker.types.IPAMPool(subnet=SUBNET)
    made = client.networks.create(
        NETWORK, driver="bridge", check_duplicate=True, ipam=docker.types.IPAMConfig(pool_configs=[pool])
    )
    yield made
    made.remove()


class Wheels:
    """wheels(suite): a folder with the program's libraries as wheels for that Debian's Python, so that not every host fetches and
    builds them."""

    def __init__(self, client: docker.DockerClient, wheel: Path, folders: pytest.TempPathFactory) -> None:
        self._client = client
        self._wheel = wheel
        self._folders = folders
        self._made: dict[str, Path] = {}

    def __call__(self, suite: str) -> Path:
        if suite not in self._made:
            self._made[suite] = self._make(suite)
        return self._made[suite]

    def _make(self, suite: str) -> Path:
        folder = self._folders.mktemp(f"wheels-{suite}")
        volumes = {
            str(self._wheel.parent): {"bind": "/srv/wheel", "mode": "ro"},
            str(folder): {"bind": "/srv/made", "mode": "rw"},
        }
        script = (
            "python3 -m venv /srv/venv && cd /srv/made && /srv/venv/bin/pip wheel -q --no-cache-dir --use-pep517"
            f" 'mailweir[postgresql] @ file:///srv/wheel/{self._wheel.name}' && rm mailweir-*.whl"
        )
        run_once(self._client, images.peer(suite), script, volumes)
        return folder


def run_once(client: docker.DockerClient, image: str, script: str, volumes: dict[str, dict[str, str]]) -> str:
    """The output of a script in a container of its own; the script has to succeed."""
    container = client.containers.run(image, ["sh", "-ec", script], detach=True, volumes=volumes, labels=[LABEL])
    try:
        code = container.wait(timeout=1200)["StatusCode"]
        said = str(container.logs().decode(errors="replace"))
    finally:
        container.remove(force=True)
    assert code == 0, said[-2000:]
    return said


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build(REPOSITORY, folder)
    (made,) = folder.glob("mailweir-*.whl")
    return made


@pytest.fixture(scope="session")
def wheels(client: docker.DockerClient, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """See Wheels."""
    return Wheels(client, wheel, tmp_path_factory)


def build(source: Path, folder: Path) -> None:
    """Makes a wheel of a checkout."""
    command = [sys.executable, "-m", "build", "-q", "--wheel", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def make_host(
    client: docker.DockerClient, network: Network, wheels: Wheels, suite: str, suites: tuple[str, ...]
) -> Iterator[MakeHost]:
    """See MakeHost."""

    def make(name: str, suite: str, is_peer: bool) -> Host:
        # wheels for all Debians of the run: a host may be upgraded from one to the other
        volumes = {f"{WHEELS_ON_HOST}/{one}": str(wheels(one)) for one in suites}
        return Host(client, network, name, (images.peer if is_peer else images.bare)(suite), volumes)

    hosts = MakeHost(make, suite)
    yield hosts
    hosts.remove_all()


def offline(**variables: Any) -> dict[str, Any]:
    """Variables of a site: the program's libraries come from folders on this machine, and there is one deployment."""
    return {
        # pip ignores a folder that doesn't exist
        "mailweir_pip_arguments": [
            "--no-index",
            *(f"--find-links={WHEELS_ON_HOST}/{suite}" for suite in images.SUITES),
        ],
        "mailweir_build_packages": [],
        "mailweir_admin_mailbox": "admin@firm.example",
        "mailweir_deployments": [{"name": "demo", "domain": "demo.example.net"}],
    } | variables
