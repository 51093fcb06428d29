"""An upgrade of a host's Debian in place, as docs/deployment.md has it."""

from tests.deploy import images
from tests.deploy.hosts import Host

_FULL_UPGRADE = (
    "export DEBIAN_FRONTEND=noninteractive; apt-get -q update && apt-get -y -q -o Dpkg::Options::=--force-confold"
    " full-upgrade"
)
# the empty cluster that the new version came with goes; the old one's data stay until the last line
UPGRADE_CLUSTER = "pg_dropcluster --stop 17 main && pg_upgradecluster 15 main && pg_dropcluster 15 main"


def upgrade(host: Host, suite: str) -> None:
    """apt's sources are that suite's, and everything that is installed with them. Then the host boots again."""
    host.put(images.sources(suite))
    host.run(_FULL_UPGRADE)
    host.reboot()
