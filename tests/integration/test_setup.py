"""scripts/setup.sh and its virtual environment: created, left unchanged, and recreated if another Python made it.

It installs a small project that needs no downloads. The tests share one checkout.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import require_root_and_postfix

REPOSITORY = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"
# Builds the project for pip without downloads.
_BACKEND = """\
import zipfile

FILES = {
    "small.py": "",
    "small-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\nProvides-Extra: none\\n",
    "small-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: s\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "small-1.dist-info/RECORD": "",
}


def build_editable(folder, settings=None, metadata=None):
    name = "small-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as made:
        for path, text in FILES.items():
            made.writestr(path, text)
    return name
"""
_PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


class Checkout:
    """A folder with the scripts, and a project without dependencies to fetch."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.venv = top / ".venv"
        shutil.copytree(REPOSITORY / "scripts", top / "scripts")
        (top / "backend.py").write_text(_BACKEND)
        (top / "pyproject.toml").write_text(_PROJECT)
        (top / "setup.cfg").write_text("")

    def set_up(self, python: str = PYTHON, code: int = 0) -> str:
        """Runs the script, which has to end with this code; returns its output."""
        done = subprocess.run(
            ["sh", self.top / "scripts/setup.sh"],
            env=os.environ | {"PYTHON": python, "VENV": str(self.venv), "EXTRAS": "none"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def works(self) -> bool:
        """Is the project installed for the Python of the virtual environment?"""
        python = self.venv / "bin/python"
        asked = [str(python), "-c", "import small, pip"]
        return python.exists() and subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The checkout with its environment."""
    require_root_and_postfix()
    made = Checkout(tmp_path_factory.mktemp("checkout"))
    assert "making the virtual environment" in made.set_up()
    assert made.works()
    return made


def _another_python() -> str:
    """A Python of another version than Debian's own."""
    asked = subprocess.run([PYTHON, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, check=True)
    folders = [*map(str, Path.home().glob(".pyenv/versions/*/bin")), os.environ["PATH"]]
    for minor in {11, 12, 13, 14} - {int(asked.stdout)}:
        for folder in folders:
            found = shutil.which(f"python3.{minor}", path=folder)
            if found and subprocess.run([found, "-c", "import ensurepip"], stderr=subprocess.DEVNULL).returncode == 0:
                return found
    pytest.skip("needs a second Python, of another version than Debian's own")


def _is_made_anew(checkout: Checkout, python: str = PYTHON) -> None:
    assert "anew" in checkout.set_up(python)
    assert checkout.works()


def test_one_that_is_well_is_left_alone(checkout: Checkout) -> None:
    assert checkout.set_up() == ""


def test_one_from_before_an_upgrade_of_the_system_is_made_anew(checkout: Checkout) -> None:
    """Its link leads to the new version, but the packages are in the old version's folder. The stamp is old, too."""
    (folder,) = (checkout.venv / "lib").glob("python3.*")
    folder.rename(folder.with_name("python3.2"))
    for stamp in checkout.venv.glob(".mailweir-installed.*"):
        stamp.write_text("of before")
    assert not checkout.works()
    _is_made_anew(checkout)


def test_one_whose_interpreter_is_gone_is_made_anew(checkout: Checkout) -> None:
    for link in (checkout.venv / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("/nowhere/python3")
    assert not checkout.works()
    _is_made_anew(checkout)


def test_one_of_another_python_is_made_anew_and_so_is_the_way_back(checkout: Checkout) -> None:
    another = _another_python()
    _is_made_anew(checkout, another)
    _is_made_anew(checkout)


def test_a_python_that_is_not_there_is_named(checkout: Checkout) -> None:
    assert "no interpreter at PYTHON=/nowhere/python3" in checkout.set_up("/nowhere/python3", code=1)
    assert checkout.works()


def test_a_folder_with_other_things_is_not_cleared(tmp_path: Path) -> None:
    require_root_and_postfix()
    other = Checkout(tmp_path)
    other.venv.mkdir()
    (other.venv / "letters").write_text("mine")
    assert "is no virtual environment" in other.set_up(code=1)
    assert (other.venv / "letters").read_text() == "mine"
