"""A person at a provider may have several accounts: two deployments may each have made one for the same mail address.

The previous program version finds one of these accounts. It binds no further accounts because of this step.
"""

from typing import Any

ONLY_ADDS = True

STATEMENTS = (
    "DROP INDEX web_accounts_subject",
    "CREATE INDEX web_accounts_person ON web_accounts(issuer, subject) WHERE removed_at IS NULL",
)


def up(migrator: Any, db: Any) -> None:
    """Drops the index that allows one account for each person, and makes an index to look persons up."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
