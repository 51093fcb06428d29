"""A second view of this machine's root, where a test may change everything: an overlay in a mount namespace of its own.

All that is written is kept in memory, and is gone with the namespace. No service runs in it, and systemctl knows that. Needs
root.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Arguments: an empty folder for the overlay, and the folders that are to be in it.
_MAKE = """
set -e
umask 022
place=$1
root=$place/root
shift
mount -t tmpfs tmpfs "$place"
mkdir "$place/upper" "$place/work" "$root"
mount -t overlay overlay -o lowerdir=/,upperdir="$place/upper",workdir="$place/work" "$root"
for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder"; done
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
# last, for they may lie in one of these, or on a mount of their own, which isn't in an overlay of the root
for folder in "$@"; do
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
done
echo made
exec sleep infinity
"""


class NoOverlay(Exception):
    """The reason why it can't be made."""


class Overlay:
    """A mounted overlay. root: its files, as this process sees them."""

    def __init__(self, holder: int, root: str) -> None:
        self._holder, self._root = holder, root
        self.root = Path(f"/proc/{holder}/root{root}")

    def run(
        self, *command: str | Path, folder: Path = Path("/"), environment: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a program in it; returns its exit code and its output, with both kinds in one."""
        enter = ["nsenter", f"--mount=/proc/{self._holder}/ns/mnt", "chroot", self._root]
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
        """Removes files and folders by their absolute names, if they exist."""
        for name in names:
            path = self.root / name.lstrip("/")
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def made(*folders: Path) -> Iterator[Overlay]:
    """An overlay that ends with the block. folders: the folders themselves are in it, not copies, wherever they are.
    NoOverlay."""
    if os.geteuid() != 0:
        raise NoOverlay("needs root")
    with tempfile.TemporaryDirectory(prefix="mailweir-overlay-", dir="/var/tmp") as place:
        command = ["unshare", "--mount", "sh", "-c", _MAKE, "sh", place, *map(str, folders)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            if said != "made\n":
                raise NoOverlay(f"the kernel makes no overlay of the root: {said.strip()}")
            yield Overlay(process.pid, f"{place}/root")
        finally:
            process.kill()
            process.wait()
