"""A person at a provider may have several accounts: two deployments may each have made one for the same mail address.

The version before finds one of them, and binds none that it didn't bind without this step.
"""

from typing import Any

ONLY_ADDS = True

STATEMENTS = (
    "DROP INDEX web_accounts_subject",
    "CREATE INDEX web_accounts_person ON web_accounts(issuer, subject) WHERE removed_at IS NULL",
)


def up(migrator: Any, db: Any) -> None:
    """Lets go of the index that has a person once alone, and makes one to look persons up."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
