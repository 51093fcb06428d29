"""An account's first page on an empty site."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from werkzeug.test import Client

from mailweir.database_url import DatabaseUrl
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.web import accounts, links
from webapp import application


def test_an_operator_of_nothing_yet_begins_with_the_first_deployment(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    with closing(Database(sqlite_url)) as database:
        settings = Settings(data_dir=tmp_path, hostname="mail.example.net", database=f"sqlite:{database.path}")
        app = application.create(settings, lambda: now)
        token = links.make(database, accounts.add(database, "root", now, is_operator=True).id, None, now)
        client, base = Client(app), "http://localhost:8025"
        headers = {"Origin": base, "Sec-Fetch-Site": "same-origin"}
        assert client.post(f"/sign-in/link/{token}", base_url=base, headers=headers).status_code == 303
        assert client.get("/", base_url=base).headers["Location"] == "/admin"
        assert "Add a deployment" in client.get("/admin", base_url=base).get_data(as_text=True)
        app.extensions["mailweir"].pool.close()
