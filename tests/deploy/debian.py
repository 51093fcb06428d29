"""An upgrade of a host's Debian in place, as docs/admin/upgrade.md describes it."""

from tests.deploy import images
from tests.deploy.hosts import Host

_FULL_UPGRADE = (
    "export DEBIAN_FRONTEND=noninteractive; apt-get -q update && apt-get -y -q -o Dpkg::Options::=--force-confold"
    " full-upgrade"
)
# If there is a cluster already, the new PostgreSQL is installed without a new cluster.
UPGRADE_CLUSTER = (
    "pg_upgradecluster 15 main && cp /etc/postgresql/15/main/conf.d/*.conf /etc/postgresql/17/main/conf.d/"
    " && systemctl restart postgresql@17-main && pg_dropcluster 15 main"
)


def upgrade(host: Host, suite: str) -> None:
    """Switches apt's sources to that suite, and upgrades all packages. Then the host boots again."""
    host.put(images.sources(suite))
    host.run(_FULL_UPGRADE)
    host.reboot()
