"""A login of the relay with the values for Gmail's form."""

from datetime import datetime
from pathlib import Path

import pytest

from mailweir import passwords, send_mail_as
from mailweir.errors import BadInput, NotFound
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people import relay_logins
from mailweir.store.people.deployments import Deployment
from tests.gmail_rows import make_firm

LOGIN = "richard@demo.example.net"


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A firm with richard and olga."""
    return make_firm(database, now)


def test_the_password_that_is_shown_is_the_one_that_lets_in(
    database: Database, demo: Deployment, now: datetime
) -> None:
    made = send_mail_as.connect(database, demo, "richard", now)
    first = relay_logins.proof(database, LOGIN)
    assert first
    assert passwords.is_right(first.password_hash, made.password.encode())
    changed = send_mail_as.rotate(database, demo, "richard", now)
    second = relay_logins.proof(database, LOGIN)
    assert second
    assert passwords.is_right(second.password_hash, changed.password.encode())
    assert not passwords.is_right(second.password_hash, made.password.encode())
    with pytest.raises(BadInput, match="connected already"):
        send_mail_as.connect(database, demo, "richard", now)
    with pytest.raises(NotFound):
        send_mail_as.rotate(database, demo, "olga", now)


def test_the_form_has_what_the_settings_say(
    database: Database, demo: Deployment, now: datetime, tmp_path: Path
) -> None:
    ports = {"bind_address": "192.0.2.25", "submission_port": 587, "submissions_port": 465}
    settings = Settings.model_validate({"data_dir": tmp_path, "hostname": "mx.example.net", "smtp": ports})
    made = send_mail_as.connect(database, demo, "richard", now)
    form = send_mail_as.form(settings, made)
    assert (form.host, form.submission_port, form.submissions_port) == ("mx.example.net", 587, 465)
    assert (form.username, form.password) == (LOGIN, made.password)
    assert [one.key for one in form.hindrances] == ["relay.self_signed"]
