"""This machine's root once more, where a test may change all of it: an overlay in a mount namespace of its own.

Whatever is written lies in memory, and is gone with the namespace. No service runs in it, and systemctl knows that. Needs root.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_PLACE = "/mnt"
_MAKE = f"""
set -e
mount -t tmpfs tmpfs {_PLACE}
mkdir {_PLACE}/upper {_PLACE}/work {_PLACE}/root
mount -t overlay overlay -o lowerdir=/,upperdir={_PLACE}/upper,workdir={_PLACE}/work {_PLACE}/root
for folder in proc sys dev; do mount --rbind /$folder {_PLACE}/root/$folder; done
# what lies on another mount isn't in an overlay of the root: the checkout may
for folder in "$@"; do
    mkdir -p "{_PLACE}/root$folder"
    mount --rbind "$folder" "{_PLACE}/root$folder"
done
mount -t tmpfs tmpfs {_PLACE}/root/run
mount -t tmpfs tmpfs {_PLACE}/root/tmp
echo made
exec sleep infinity
"""


class NoOverlay(Exception):
    """Why it can't be made."""


class Overlay:
    """One that is there. root: its files, as this process sees them."""

    def __init__(self, holder: int) -> None:
        self._holder = holder
        self.root = Path(f"/proc/{holder}/root{_PLACE}/root")

    def run(
        self, *command: str | Path, folder: Path = Path("/"), environment: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a program in it; its exit code and output, both kinds in one."""
        enter = ["nsenter", f"--mount=/proc/{self._holder}/ns/mnt", "chroot", f"{_PLACE}/root"]
        return subprocess.run(
            [*enter, "env", "-C", folder, *command],
            env=os.environ | {"SYSTEMD_OFFLINE": "1"} | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )

    def remove(self, *names: str) -> None:
        """Removes files and folders, by their absolute names, where they are there."""
        for name in names:
            path = self.root / name.lstrip("/")
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def made(*folders: Path) -> Iterator[Overlay]:
    """One that ends with the block. folders: to have in it as they are, and not copies. NoOverlay."""
    if os.geteuid() != 0:
        raise NoOverlay("needs root")
    command = ["unshare", "--mount", "sh", "-c", _MAKE, "sh", *map(str, folders)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if said != "made\n":
            raise NoOverlay(f"the kernel makes no overlay of the root: {said.strip()}")
        yield Overlay(process.pid)
    finally:
        process.kill()
        process.wait()
