"""The images of these tests, made once by debootstrap: for each Debian a bare one with systemd, and a peer with other servers.

`bare` has Debian's package files in apt's cache, so that a host doesn't fetch them again; none of them is installed. A peer also
has a compiler: it makes the wheels for its Debian's Python (`conftest.wheels`).
"""

import io
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

import docker
import docker.errors

BOOKWORM, TRIXIE = "bookworm", "trixie"
# the oldest first
SUITES = (BOOKWORM, TRIXIE)
_VERSION = 4
_CHANGE_SECONDS = 1200
_BASE_PACKAGES = "systemd,systemd-sysv,dbus,python3,ca-certificates,iproute2,procps"
# for compiling pymilter
_COMPILER = "gcc libc6-dev libmilter-dev python3-dev python3-venv"
# packages that the role installs
_WANTED = f"{_COMPILER} python3-apt libmilter1.0.1 postfix logrotate postgresql-client fail2ban python3-systemd nftables certbot"
# additional packages, because upgrades change their versions
_WANTED_BEFORE = {BOOKWORM: "dovecot-core", TRIXIE: ""}
_PEERS = f"postfix postgresql swaks libnet-ssleay-perl openssl pebble {_COMPILER}"
_QUIET = (
    "echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections;"
    " export DEBIAN_FRONTEND=noninteractive; apt-get -q update;"
)


def bare(suite: str) -> str:
    """The image of a host without installed servers."""
    return f"mailweir-test/bare-{suite}:{_VERSION}"


def peer(suite: str) -> str:
    """The image of a host with other servers, and with a compiler."""
    return f"mailweir-test/peer-{suite}:{_VERSION}"


def ensure(client: docker.DockerClient, suite: str) -> None:
    """Makes the missing images. subprocess.CalledProcessError, docker.errors.DockerException if that fails."""
    tags = {tag for image in client.images.list() for tag in image.tags}
    if bare(suite) not in tags:
        base = f"mailweir-test/base-{suite}:{_VERSION}"
        _import(client, base, suite)
        wanted = f"{_WANTED} {_WANTED_BEFORE[suite]}"
        fetch = f"{_QUIET} apt-get install -y -q --download-only --no-install-recommends {wanted}"
        _change(client, base, fetch, bare(suite))
    if peer(suite) not in tags:
        _change(client, bare(suite), f"{_QUIET} apt-get install -y -q --no-install-recommends {_PEERS}", peer(suite))


def sources(suite: str) -> dict[str, bytes]:
    """apt's sources of Debian for that suite, by the names of their files.

    They come from this machine's configuration: debootstrap's own choice may be unreachable from here. Sources other than
    Debian's are left out.
    """
    own = _codename()
    files = (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*"))
    texts = {str(path): path.read_text() for path in files if path.is_file()}
    of_debian = re.compile(rf"(?m)^(?:deb\s.*|Suites:.*)\s{own}(?:\s|$|-updates\b|-security\b)")
    return {
        name: re.sub(rf"(?<=\s){own}\b", suite, text).encode() for name, text in texts.items() if of_debian.search(text)
    }


def _codename() -> str:
    release = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    if found is None:
        raise docker.errors.DockerException("these tests need a Debian: /etc/os-release has no VERSION_CODENAME")
    return found[1]


def _import(client: docker.DockerClient, tag: str, suite: str) -> None:
    with tempfile.TemporaryDirectory(prefix="mailweir-debootstrap-", dir="/var/tmp") as name:
        root = Path(name) / "root"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={_BASE_PACKAGES}", suite, root],
            check=True,
            capture_output=True,
        )
        (root / "etc/apt/sources.list").unlink(missing_ok=True)
        for file, text in sources(suite).items():
            (root / file.lstrip("/")).write_bytes(text)
        _trust(root)
        # Keeps apt's cache for the tests.
        (root / "etc/apt/apt.conf.d/50keep").write_text('Binary::apt::APT::Keep-Downloaded-Packages "true";\n')
        packed = Path(name) / "root.tar"
        with tarfile.open(packed, "w") as archive:
            archive.add(root, arcname=".")
        repository, _, version = tag.partition(":")
        client.api.import_image_from_file(str(packed), repository=repository, tag=version)


def _trust(root: Path) -> None:
    """The image trusts the certificates that this machine's admin trusts, also for pip: a proxy may stand before the
    registries."""
    for own in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        (root / own.relative_to("/")).write_bytes(own.read_bytes())
    subprocess.run(["chroot", root, "update-ca-certificates"], check=True, capture_output=True)
    (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")


def _change(client: docker.DockerClient, base: str, script: str, tag: str) -> None:
    """Runs a script in one image, and tags the result."""
    container = client.containers.run(base, ["sh", "-ec", script], detach=True)
    try:
        code = container.wait(timeout=_CHANGE_SECONDS)["StatusCode"]
        if code != 0:
            said = container.logs().decode(errors="replace")
            raise docker.errors.DockerException(f"{tag}: exit {code}: {said[-800:]}")
        repository, _, version = tag.partition(":")
        container.commit(repository, version, changes=["CMD []"])
    finally:
        container.remove(force=True)


def packed(files: dict[str, bytes]) -> bytes:
    """A tar archive of these files, for `put_archive`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()
