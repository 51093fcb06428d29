"""The wheel and all its libraries install and run on Debian's own Python and on newer ones, if they are installed here."""

import os
import shutil
import subprocess
from pathlib import Path

import docker
import pytest

from tests.deploy import images
from tests.deploy.conftest import Wheels, run_once

pytestmark = pytest.mark.slow


def _pythons() -> list[str]:
    """Debian's own, and newer ones of pyenv or the PATH."""
    folders = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin"))
    found = {"/usr/bin/python3"}
    for minor in (11, 12, 13, 14):
        for folder in [*map(str, folders), os.environ["PATH"]]:
            program = shutil.which(f"python3.{minor}", path=folder)
            if program and not program.endswith("shims/python3." + str(minor)):
                found.add(str(Path(program).resolve()))
    return sorted(found)


_COMMANDS = (
    "--version",
    "db upgrade",
    "db upgrade --check",
    "deployment add demo --domain demo.example.net",
    "up --help",
)
_OF_DEBIAN = {images.BOOKWORM: "3.11", images.TRIXIE: "3.13"}
_MODULES = "import capture_milter.server, gmail_sync.server, postfix.lookups, mailweir.digest.server, psycopg"


def _script(python: str, wheel: str, folder: str, pip_options: str = "") -> str:
    """Installs it in a folder, and runs its commands there."""
    lines = [
        f"{python} -m venv {folder}/venv",
        f"{folder}/venv/bin/pip install -q {pip_options} 'mailweir[postgresql] @ file://{wheel}'",
        f"echo 'data_dir = \"{folder}\"' > {folder}/mailweir.toml",
        f"mkdir -p {folder}/db",
        f"export MAILWEIR_CONFIG={folder}/mailweir.toml",
        *(f"{folder}/venv/bin/mailweir {command}" for command in _COMMANDS),
        f"{folder}/venv/bin/python -W error::SyntaxWarning:mailweir -c '{_MODULES}'",
    ]
    return "set -e; cd /; " + "; ".join(lines)


@pytest.mark.parametrize("python", _pythons())
def test_it_installs_and_runs(python: str, wheel: Path, tmp_path: Path) -> None:
    command = ["sh", "-c", _script(python, str(wheel), str(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_it_installs_and_runs_on_each_debian(
    client: docker.DockerClient, wheel: Path, wheels: Wheels, suite: str
) -> None:
    volumes = {
        str(wheel.parent): {"bind": "/srv/wheel", "mode": "ro"},
        str(wheels(suite)): {"bind": "/srv/wheels", "mode": "ro"},
    }
    script = _script("python3", f"/srv/wheel/{wheel.name}", "/srv/mailweir", "--no-index --find-links /srv/wheels")
    said = run_once(client, images.peer(suite), f"mkdir /srv/mailweir; {script}; python3 --version", volumes)
    assert f"Python {_OF_DEBIAN[suite]}." in said
