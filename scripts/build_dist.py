"""Builds sdist and wheel into a folder: the same commit gives the same bytes, wherever and whenever it is built.

    build_dist.py OUT [SOURCE] [OPTION...]        options: for `python -m build`

Without this script these would differ: times of files and of the packing, the owner's name and number, the umask, and the order
in which a folder lists its files. All files get the time `SOURCE_DATE_EPOCH`, else the commit's, else that of setup.cfg, which an
sdist keeps. The bytes are only the same with the same version of zlib. Called by `make dist`.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_UMASK = 0o022


def moment_of(source: Path) -> int:
    """The seconds since 1970 that all files of a build get."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    if (source / ".git").exists():
        asked = ["git", "-C", str(source), "log", "-1", "--format=%ct"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return int(done.stdout)
    return int((source / "setup.cfg").stat().st_mtime)


def settle(sdist: Path, moment: int) -> None:
    """Packs an sdist again, in place: sorted by name, without an owner, with one time, and with the modes that git knows."""
    settled = sdist.with_name(f"{sdist.name}.new")
    with (
        tarfile.open(sdist) as found,
        settled.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=moment) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as made,
    ):
        for member in sorted(found.getmembers(), key=lambda one: one.name):
            may_run = member.isdir() or member.mode & 0o100
            member.mtime, member.mode = moment, 0o755 if may_run else 0o644
            member.uid, member.gid, member.uname, member.gname = 0, 0, "", ""
            member.pax_headers = {}
            made.addfile(member, found.extractfile(member) if member.isfile() else None)
    settled.replace(sdist)


def build(source: Path, out: Path, *options: str) -> None:
    """An sdist of `source`, and a wheel of what is in that sdist. options: for `python -m build`. CalledProcessError."""
    os.umask(_UMASK)
    moment = moment_of(source)
    os.environ["SOURCE_DATE_EPOCH"] = str(moment)
    tool = [sys.executable, "-m", "build", "-qq", *options]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*tool, "--sdist", "--outdir", folder, source], check=True)
        (sdist,) = Path(folder).glob("*.tar.gz")
        settle(sdist, moment)
        shutil.unpack_archive(sdist, folder)
        inside = Path(folder) / sdist.name.removesuffix(".tar.gz")
        subprocess.run([*tool, "--wheel", "--outdir", folder, inside], check=True)
        out.mkdir(parents=True, exist_ok=True)
        for made in (sdist, *Path(folder).glob("*.whl")):
            shutil.move(made, out / made.name)


def main() -> None:
    """The command line; the build's output goes to stderr."""
    parser = argparse.ArgumentParser(description="Builds sdist and wheel. Further options go to `python -m build`.")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("source", type=Path, nargs="?", default=REPOSITORY, metavar="SOURCE")
    asked, options = parser.parse_known_args()
    build(asked.source, asked.out.absolute(), *options)


if __name__ == "__main__":
    main()
