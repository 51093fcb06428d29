"""The settings files of a data folder: written values are read back unchanged."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin_cli import settings_files
from mailweir import settings as reader
from mailweir.settings import Settings, Smtp

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
VALUES = st.one_of(
    TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
NAMES = st.from_regex(r"[a-z_]{1,10}", fullmatch=True)


@given(st.dictionaries(NAMES, st.one_of(VALUES, st.dictionaries(NAMES, VALUES, max_size=4)), max_size=6))
def test_toml_comes_back(values: dict[str, Any]) -> None:
    assert tomllib.loads(settings_files.to_toml(values)) == values


@pytest.mark.parametrize(
    ("nodename", "hostname"),
    [
        ("mx.host.example", "mx.host.example"),
        ("box", "box.localdomain"),
        ("a b", "localhost.localdomain"),
        ("", "localhost.localdomain"),
    ],
)
def test_a_new_folders_settings(tmp_path: Path, nodename: str, hostname: str) -> None:
    path = tmp_path / "mailweir.toml"
    first = settings_files.first_settings(tmp_path, nodename)
    settings_files.write_first(first, path)
    read = reader.load(path)
    assert read == first
    assert read.hostname == hostname
    assert read.admin_address == f"admin@{hostname}"


def test_settings_in_force(tmp_path: Path) -> None:
    path = tmp_path / "mailweir.toml"
    settings = Settings(
        data_dir=tmp_path,
        outbound="relayhost mail.elsewhere.example:587",
        admin_mailbox='"o\'admin"@host.example',
        smtp=Smtp(smtp_port=25, tls_key_file=Path("/etc/k"), tls_certificate_file=Path("/etc/c")),
    )
    settings_files.write_in_force(settings, path)
    assert reader.load(path) == settings


def test_no_link_is_followed(tmp_path: Path) -> None:
    """The folder belongs to the unprivileged user."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("mailweir.toml", ".mailweir.toml.new"):
        (tmp_path / name).symlink_to(victim)
    settings_files.write_in_force(Settings(data_dir=tmp_path), tmp_path / "mailweir.toml")
    assert victim.read_text() == "mine"
    assert not (tmp_path / "mailweir.toml").is_symlink()
