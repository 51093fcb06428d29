"""The Docker Engine for the hosts of these tests: a running one, or Debian's, which starts for the run.

Needs root. Nothing is pulled: the images are made here (`images`).
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors

from tests import programs

_START_SECONDS = 40
# This folder outlives the run, and the images with it.
_DATA_ROOT = Path("/var/lib/mailweir-test-deploy")


class NoEngine(Exception):
    """The reason why there is no engine."""


@contextlib.contextmanager
def running() -> Iterator[docker.DockerClient]:
    """A client of the engine that DOCKER_HOST names. Without DOCKER_HOST, starts an engine that ends with the block. NoEngine."""
    if os.environ.get("DOCKER_HOST"):
        yield _client(os.environ["DOCKER_HOST"])
        return
    if os.geteuid() != 0:
        raise NoEngine("needs root to start the Docker Engine, or DOCKER_HOST with a running engine")
    program = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise NoEngine("needs Docker Engine: install Debian's docker.io ('make test-deploy' does)")
    with tempfile.TemporaryDirectory(prefix="mailweir-docker-") as name:
        folder = Path(name)
        address = f"unix://{folder / 'docker.sock'}"
        options = {
            "--host": address,
            "--data-root": _DATA_ROOT,
            "--exec-root": folder / "exec",
            "--pidfile": folder / "pid",
        }
        with (folder / "log").open("wb") as log:
            command = [program, *(str(word) for pair in options.items() for word in pair)]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _await(process, address, folder / "log")
            os.environ["DOCKER_HOST"] = address  # for Ansible's connection
            yield _client(address)
        finally:
            os.environ.pop("DOCKER_HOST", None)
            process.terminate()
            process.wait(60)


def _client(address: str) -> docker.DockerClient:
    return docker.DockerClient(base_url=address, timeout=120)


def _await(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(docker.errors.DockerException, OSError):
            client = _client(address)
            try:
                if client.ping():
                    return
            finally:
                client.close()
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoEngine(f"the Docker Engine didn't start: {programs.last_words(log)}")
        time.sleep(0.2)
