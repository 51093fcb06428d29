"""The key file: does it decrypt the database's DKIM keys and tokens of mailboxes? A host without it defers mail that it should
sign, and syncs no Gmail."""

from collections.abc import Iterator

from mailweir import secrets_file
from mailweir.errors import SettingsError
from mailweir.health.findings import Finding, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_mailboxes
from mailweir.store.gmail.gmail_mailboxes import token_purpose
from mailweir.store.people import dkim_keys

AREA = "key file"


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Does the key file open everything that is sealed in the database? No finding if nothing is sealed."""
    keys, tokens = dkim_keys.sealed_keys(database), gmail_mailboxes.sealed_tokens(database)
    if not keys and not tokens:
        return
    file = settings.token_key_path
    try:
        secrets = secrets_file.load(file)
        for key in keys:
            key.private_der(secrets)
        for address, token in tokens:
            secrets.open(token, token_purpose(address))
    except SettingsError as error:
        yield wrong(
            AREA,
            str(error),
            said("put the right file in its place: owner {run_as}, mode 0600", run_as=settings.run_as),
            key="key_file.unusable",
            why=str(error),
        )
        return
    domains = len({key.domain for key in keys})
    of_domains = (
        said("the DKIM keys of 1 domain") if domains == 1 else said("the DKIM keys of {number} domains", number=domains)
    )
    of_mailboxes = (
        said("the tokens of 1 mailbox")
        if len(tokens) == 1
        else said("the tokens of {number} mailboxes", number=len(tokens))
    )
    opened = of_domains if domains else of_mailboxes
    if domains and tokens:
        opened = said("{one} and {other}", one=of_domains, other=of_mailboxes)
    yield ok(
        AREA,
        said("{file} opens {opened}", file=file, opened=opened),
        key="key_file.opens",
        domains=domains,
        mailboxes=len(tokens),
    )
