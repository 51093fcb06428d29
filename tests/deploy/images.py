"""The images of these tests, made once by debootstrap: a bare Debian 12 with systemd, a peer with other servers, a newer Debian.

`bare` has Debian's package files in apt's cache, so that a host doesn't fetch them once more; none of them is installed.
"""

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

import docker
import docker.errors

BARE, PEER = "mailweir-test/bare:2", "mailweir-test/peer:3"
NEWER = "mailweir-test/newer:1"
_SUITE, _NEWER_SUITE = "bookworm", "trixie"
_BASE_PACKAGES = "systemd,systemd-sysv,dbus,python3,ca-certificates,iproute2,procps"
# what the role installs
_WANTED = (
    "python3-venv python3-apt gcc libc6-dev libmilter-dev python3-dev libmilter1.0.1 postfix dovecot-core logrotate"
    " postgresql-client fail2ban python3-systemd nftables certbot"
)
_PEERS = "postfix postgresql swaks libnet-ssleay-perl openssl pebble"
# what compiles pymilter
_COMPILER = "gcc libc6-dev libmilter-dev python3-dev python3-venv"
_QUIET = (
    "echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections;"
    " export DEBIAN_FRONTEND=noninteractive; apt-get -q update;"
)


def ensure(client: docker.DockerClient) -> None:
    """Makes what isn't there. subprocess.CalledProcessError, docker.errors.DockerException where it can't."""
    tags = _tags(client)
    if BARE not in tags:
        _import(client, "mailweir-test/base:1", _SUITE)
        _change(
            client,
            "mailweir-test/base:1",
            f"{_QUIET} apt-get install -y -q --download-only --no-install-recommends {_WANTED}",
            BARE,
        )
    if PEER not in tags:
        _change(client, BARE, f"{_QUIET} apt-get install -y -q --no-install-recommends {_PEERS}", PEER)


def ensure_newer(client: docker.DockerClient) -> None:
    """The same for Debian's next version, with its Python and a compiler."""
    if NEWER not in _tags(client):
        base = "mailweir-test/newer-base:1"
        _import(client, base, _NEWER_SUITE)
        _change(client, base, f"{_QUIET} apt-get install -y -q --no-install-recommends {_COMPILER}", NEWER)


def _tags(client: docker.DockerClient) -> set[str]:
    return {tag for image in client.images.list() for tag in image.tags}


def _import(client: docker.DockerClient, tag: str, suite: str) -> None:
    with tempfile.TemporaryDirectory(prefix="mailweir-debootstrap-", dir="/var/tmp") as name:
        root = Path(name) / "root"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={_BASE_PACKAGES}", suite, root],
            check=True,
            capture_output=True,
        )
        # where packages come from is this machine's to say: debootstrap's own choice may not be reached from here
        for source in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
            if source.is_file():
                (root / source.relative_to("/")).write_text(source.read_text().replace(_SUITE, suite))
        _trust(root)
        # apt's cache is kept, for the tests to use
        (root / "etc/apt/apt.conf.d/50keep").write_text('Binary::apt::APT::Keep-Downloaded-Packages "true";\n')
        packed = Path(name) / "root.tar"
        with tarfile.open(packed, "w") as archive:
            archive.add(root, arcname=".")
        repository, _, version = tag.partition(":")
        client.api.import_image_from_file(str(packed), repository=repository, tag=version)


def _trust(root: Path) -> None:
    """Certificates that this machine's admin trusts hold there too, for pip as well: a proxy may stand before the registries."""
    for own in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        (root / own.relative_to("/")).write_bytes(own.read_bytes())
    subprocess.run(["chroot", root, "update-ca-certificates"], check=True, capture_output=True)
    (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")


def _change(client: docker.DockerClient, base: str, script: str, tag: str) -> None:
    container = client.containers.run(base, ["sleep", "3600"], detach=True)
    try:
        code, output = container.exec_run(["sh", "-ec", script])
        if code != 0:
            raise docker.errors.DockerException(f"{tag}: {output.decode(errors='replace')[-800:]}")
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
