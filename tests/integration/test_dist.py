"""`make dist`: the content of the wheel and the sdist. The wheel runs by itself, without the checkout.

Its libraries are those of the tests' own environment; `make test-deploy` tests that they can be installed on each Python.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = {"mailweir": "mailweir", "capture_milter": "milter/capture_milter", "admin_cli": "admin_cli"}
PACKAGES |= {"postfix": "postfix", "gmail_sync": "gmail_sync", "webapp": "webapp"}
COMMANDS = {
    "mailweir",
    "mailweir-milter",
    "mailweir-lookups",
    "mailweir-auth",
    "mailweir-digest",
    "mailweir-gmail-sync",
}
DEBIANS_PYTHON = "/usr/bin/python3"


def run(*arguments: str | Path, **environment: str) -> str:
    """A program's standard output; fails with its standard error."""
    done = subprocess.run(
        arguments, env=os.environ | environment, cwd="/", capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_of_the_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source, because a build leaves folders behind."""
    source = tmp_path_factory.mktemp("source") / "mailweir"
    left_out = shutil.ignore_patterns(".*", "node_modules", "build", "dist", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(REPOSITORY, source, ignore=left_out)
    return source


def build(source: Path, out: Path, **environment: str) -> Path:
    """The folder `out` with sdist and wheel, made as `make dist` makes them."""
    # without isolation: setuptools is installed, and nothing is fetched
    run(sys.executable, REPOSITORY / "scripts" / "build_dist.py", out, source, "--no-isolation", **environment)
    return out


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel."""
    return build(copy_of_the_source(tmp_path_factory), tmp_path_factory.mktemp("dist"))


def files_of_packages() -> set[str]:
    """The required files of the wheel, by their names there."""
    return {
        f"{name}/{file.relative_to(REPOSITORY / folder)}"
        for name, folder in PACKAGES.items()
        for file in (REPOSITORY / folder).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }


def test_the_wheel_holds_every_module_template_and_migration_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == files_of_packages()
    assert {"postfix/templates/main.cf.j2", "mailweir/mailweir.toml.example", "mailweir/free_mail_domains.txt"} < found
    assert any(name.startswith("mailweir/store/database/migrations/0001") for name in found)


def test_both_hold_the_licence(built: Path) -> None:
    text = (REPOSITORY / "LICENSE").read_bytes()
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        assert archive.read(f"{folder}/licenses/LICENSE") == text
        metadata = archive.read(f"{folder}/METADATA").decode()
    assert {"License-Expression: Apache-2.0", "License-File: LICENSE"} < set(metadata.splitlines())
    with tarfile.open(sdist) as packed:
        top = sdist.name.removesuffix(".tar.gz")
        found = packed.extractfile(f"{top}/LICENSE")
        assert found
        assert found.read() == text
        assert {f"{top}/CONTRIBUTING.md", f"{top}/SECURITY.md"} < set(packed.getnames())


def test_the_sdist_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path)
    (source,) = tmp_path.iterdir()
    run(sys.executable, "-m", "build", "-q", "--no-isolation", "--wheel", "--outdir", tmp_path, source)
    (ours,), (theirs,) = built.glob("*.whl"), tmp_path.glob("*.whl")
    with zipfile.ZipFile(ours) as one, zipfile.ZipFile(theirs) as other:
        sums = [{entry.filename: entry.CRC for entry in archive.infolist()} for archive in (one, other)]
    for found in sums:
        found.pop(next(name for name in found if name.endswith("/RECORD")))
    assert sums[0] == sums[1]


def test_one_source_gives_the_same_bytes_whenever_and_by_whomever_it_is_built(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Two checkouts of one commit differ in the times and modes of their files. One was made with another umask."""
    sums: list[dict[str, str]] = []
    for second, mode, umask in ((1_600_000_000, 0o600, 0o077), (1_700_000_000, 0o664, 0o002)):
        source = copy_of_the_source(tmp_path_factory)
        for place in (source, *source.rglob("*")):
            os.utime(place, (second, second))
        for file in filter(Path.is_file, source.rglob("*")):
            file.chmod(mode | (file.stat().st_mode & 0o100))
        before = os.umask(umask)
        try:
            out = build(source, tmp_path_factory.mktemp("dist"), SOURCE_DATE_EPOCH="1790000000")
        finally:
            os.umask(before)
        sums.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in out.iterdir()})
        with tarfile.open(next(out.glob("*.tar.gz"))) as packed:
            assert {(one.mtime, one.uid, one.uname) for one in packed.getmembers()} == {(1_790_000_000, 0, "")}
    assert sums[0] == sums[1]
    assert len(sums[0]) == 2


def test_the_wheel_runs_without_the_checkout(built: Path, tmp_path: Path) -> None:
    """It runs on Debian's own Python, as on a host."""
    venv = tmp_path / "venv"
    run(DEBIANS_PYTHON, "-m", "venv", "--without-pip", venv)
    (wheel,) = built.glob("*.whl")
    python = venv / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel)
    # The libraries are this environment's, without the project itself.
    (libraries,) = (Path(sys.prefix) / "lib").glob("python3.*/site-packages")
    (own,) = (venv / "lib").glob("python3.*/site-packages")
    (own / "libraries.pth").write_text(f"{libraries}\n")
    assert {file.name for file in (venv / "bin").iterdir()} >= COMMANDS
    settings = tmp_path / "mailweir.toml"
    settings.write_text(f'data_dir = "{tmp_path}"\nrun_by = "systemd"\nhostname = "mx.host.example"\n')
    (tmp_path / "db").mkdir()
    command, environment = venv / "bin" / "mailweir", {"MAILWEIR_CONFIG": str(settings)}
    assert run(command, "--version").startswith("mailweir 0.")
    run(command, "db", "upgrade", **environment)
    run(command, "deployment", "add", "demo", "--domain", "demo.example.net", **environment)
    assert "demo.example.net" in run(command, "deployment", "list", **environment)
    run(command, "postfix", "config", "--out", tmp_path / "out", **environment)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"main.cf", "master.cf"}
    where = run(python, "-c", "import mailweir, postfix; print(mailweir.__file__, postfix.__file__)")
    assert all(one.startswith(str(venv)) for one in where.split())
