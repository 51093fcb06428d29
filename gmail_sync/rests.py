"""The ends of leases, written in one transaction for many. Called by `scheduler`."""

from gmail_sync.job import Services
from mailweir.errors import DatabaseUnavailable
from mailweir.store.gmail import gmail_leases
from mailweir.store.gmail.gmail_leases import Rest


class Rests:
    """The ends of leases that are still to be written."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: list[Rest] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, *rests: Rest) -> None:
        """Adds the end of a lease to the next write."""
        self._waiting += rests

    def write(self) -> None:
        """Writes them. If the database isn't available, they wait (DatabaseUnavailable). An end that can't be written is logged,
        and its lease expires by itself."""
        if not self._waiting:
            return
        try:
            self._write(self._waiting)
        except DatabaseUnavailable:
            raise
        except Exception:  # noqa: BLE001  an end that the database refuses must not block the others
            self._write_each()
        self._waiting = []

    def _write_each(self) -> None:
        while self._waiting:
            rest = self._waiting[0]
            try:
                self._write([rest])
            except DatabaseUnavailable:
                raise
            except Exception:
                self._services.log.exception("unexpected", mailbox=rest.mailbox_id)
            del self._waiting[0]

    def _write(self, rests: list[Rest]) -> None:
        with self._services.database_pool.lent() as database:
            gmail_leases.end(database, rests)
