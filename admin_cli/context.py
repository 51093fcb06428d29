"""A command's context: the settings, the open database, the chosen deployment, and the clock."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from admin_cli import change_notes
from admin_cli.ownership import acting_for
from mailweir.errors import BadInput, DatabaseUnavailable, NotFound
from mailweir.settings import Settings, load
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Database]:
    """Opens the database for a command, after a check that it has this code's version.

    Errors: SettingsError, DatabaseVersionError, DatabaseUnavailable.
    """
    database_url = (settings or load()).database_url
    with acting_for(database_url), closing(Database(database_url)) as database:
        try:
            versions.check(database)
        except PermissionError as error:
            raise DatabaseUnavailable(f"no permission to open the database {database_url}: run this as root") from error
        change_notes.watch(database)
        yield database


def choose(database: Database, name: str | None) -> Deployment:
    """The deployment of this name, or the only one. The command's change is noted for this deployment. NotFound, BadInput."""
    found = _chosen(database, name)
    change_notes.of_deployments([found.id])
    return found


def _chosen(database: Database, name: str | None) -> Deployment:
    if name is not None:
        return deployments.find(database, name)
    known = deployments.list_all(database)
    if not known:
        raise NotFound("there is no deployment yet: make one with 'mailweir deployment add'")
    if len(known) > 1:
        names = ", ".join(deployment.name for deployment in known)
        raise BadInput(f"there are several deployments ({names}): name one with --deployment")
    return known[0]


def narrow(database: Database, name: str | None) -> Deployment | None:
    """The deployment of this name; None (all deployments) without a name. For commands that find a thing by its id. NotFound."""
    return None if name is None else deployments.find(database, name)
