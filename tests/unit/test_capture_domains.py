"""A deployment's capture domain: invalid domains, and the DNS record."""

from datetime import datetime

import pytest

from mailweir import capture_domains
from mailweir.errors import BadInput
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments


def _settings(**values: str) -> Settings:
    return Settings.model_validate({"data_dir": "/x", "hostname": "mx.example.net", **values})


@pytest.mark.parametrize("domain", ["demo.example.net", "Demo.Example.NET", "demo\u3002example.net"])
def test_mail_to_the_admin_never_comes_back_into_a_capture_domain(
    sqlite_database: Database, now: datetime, domain: str
) -> None:
    """This holds for any spelling of the domain."""
    settings = _settings(admin_mailbox="admin@demo.example.net")
    with pytest.raises(BadInput, match="in that domain"):
        capture_domains.add(sqlite_database, settings, "demo", domain, now)
    assert deployments.list_all(sqlite_database) == []
    made = capture_domains.add(sqlite_database, settings, "demo", "other.example.net", now)
    assert deployments.list_all(sqlite_database) == [made]


def test_the_record_names_the_host_and_whether_others_find_it(sqlite_database: Database, now: datetime) -> None:
    made = capture_domains.add(sqlite_database, _settings(), "demo", "demo.example.net", now)
    assert capture_domains.mx_record(_settings(), made) == "demo.example.net.  IN  MX  10  mx.example.net."
    assert capture_domains.has_public_name(_settings())
    assert not capture_domains.has_public_name(_settings(hostname="localhost.localdomain"))
