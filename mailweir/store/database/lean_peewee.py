"""peewee, loaded without psycopg: `from mailweir.store.database.lean_peewee import peewee`.

`import peewee` loads PostgreSQL's driver wherever it is installed. On SQLite that took 78 of the 290 ms of CPU in which
`mailweir-lookups` starts, and memory in each process. `load_driver` gives peewee the driver, with the names that its own import
would have set (peewee 4.5; the tests on PostgreSQL fail if a later one needs others). Called by the rest of the package.
"""

import sys
from typing import Any

_DRIVER = "psycopg"

if _DRIVER in sys.modules or "peewee" in sys.modules:
    import peewee
else:
    sys.modules[_DRIVER] = None  # type: ignore[assignment]  # the import system's own sign for a module that can't be imported
    try:
        import peewee
    finally:
        del sys.modules[_DRIVER]

__all__ = ["load_driver", "peewee"]


def load_driver() -> None:
    """Loads psycopg for peewee, once. ImportError if it isn't installed."""
    import psycopg
    from psycopg.pq import TransactionStatus
    from psycopg.types.json import Json, Jsonb

    module: Any = peewee
    if module.psycopg is not None:
        return
    adapter = module.Psycopg3Adapter
    adapter.txn_idle = TransactionStatus.IDLE
    adapter.txn_inerror = TransactionStatus.INERROR
    adapter.txn_unknown = TransactionStatus.UNKNOWN
    module.TransactionStatus = TransactionStatus
    module.Json_pg3, module.Jsonb_pg3 = Json, Jsonb
    module.psycopg = psycopg  # last: another thread may ask for it
