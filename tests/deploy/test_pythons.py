"""The wheel and all its libraries install and run on Debian's own Python and on newer ones, where they are here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("python", _pythons())
def test_it_installs_and_runs(python: str, wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([python, "-m", "venv", venv], check=True)
    wanted = f"mailweir[postgresql] @ file://{wheel}"
    subprocess.run([venv / "bin" / "pip", "install", "-q", wanted], check=True, timeout=900)
    settings = tmp_path / "mailweir.toml"
    settings.write_text(f'data_dir = "{tmp_path}"\n')
    (tmp_path / "db").mkdir()
    for arguments in (["--version"], ["db", "upgrade"], ["deployment", "list"], ["up", "--help"]):
        done = subprocess.run(
            [venv / "bin" / "mailweir", *arguments],
            cwd="/",
            env=os.environ | {"MAILWEIR_CONFIG": str(settings)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    modules = "import capture_milter.server, gmail_sync.server, postfix.lookups, mailweir.digest.server, psycopg"
    subprocess.run([venv / "bin" / "python", "-W", "error::SyntaxWarning:mailweir", "-c", modules], cwd="/", check=True)
