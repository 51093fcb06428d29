"""The reader's part in an activity, for a page that shows one message. Never writes. Called by the page."""

from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import visibility
from mailweir.store.record.activities import Activity
from mailweir.store.record.visibility import Reader


def takes_part(database: Database, reader: Reader, activity_id: int) -> bool:
    """Is the activity on the reader's own record?"""
    marks = ",".join("?" * len(reader.user_ids))
    sql = (
        "SELECT 1 FROM activity_users mine JOIN activities a ON a.id = mine.activity_id"
        f" WHERE mine.activity_id = ? AND a.deployment_id = ? AND mine.user_id IN ({marks}) LIMIT 1"
    )
    values = (activity_id, reader.deployment_id, *reader.user_ids)
    return database.execute(sql, values).fetchone() is not None


def is_author(database: Database, deployment: Deployment, reader: Reader, activity: Activity) -> bool:
    """Did the reader write the mail? Then the reader may see its Bcc recipients."""
    return deployment.folding.key(activity.author) in visibility.own_keys(database, reader.user_ids)
