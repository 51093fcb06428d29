"""The key file: does it open the DKIM keys that the database holds? A host without it puts off the mail that it should sign."""

from collections.abc import Iterator

from admin_cli.doctor.findings import Finding, ok, wrong
from mailweir import secrets_file
from mailweir.errors import SettingsError
from mailweir.settings import Settings
from mailweir.store import dkim_keys
from mailweir.store.connection import Database

AREA = "key file"


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Says nothing where there are no keys."""
    sealed = dkim_keys.sealed_keys(database)
    if not sealed:
        return
    file = settings.token_key_path
    try:
        secrets = secrets_file.load(file)
        for key in sealed:
            key.private_der(secrets)
    except SettingsError as error:
        yield wrong(AREA, str(error), f"put the right file in its place: owner {settings.run_as}, mode 0600")
        return
    domains = len({key.domain for key in sealed})
    yield ok(AREA, f"{file} opens the DKIM keys of {domains} {'domain' if domains == 1 else 'domains'}")
