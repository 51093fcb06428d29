"""The settings file: its values, and the refusals with their words. The example is complete."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from mailweir import settings
from mailweir.errors import SettingsError
from mailweir.settings import Settings

Load = Callable[[str], Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a settings file of this text."""

    def read(text: str) -> Settings:
        path = tmp_path / "mailweir.toml"
        path.write_text(text)
        return settings.load(path)

    return read


def test_the_least_file_gives_the_defaults(load: Load) -> None:
    found = load('data_dir = "/srv/mailweir"')
    assert found == Settings(data_dir=Path("/srv/mailweir"))
    assert found.database_path == Path("/srv/mailweir/db/mailweir.db")
    assert found.milter_socket == Path("/srv/mailweir/run/milter.sock")
    assert found.lookups_socket == Path("/srv/mailweir/run/lookups.sock")
    assert found.outbox_dir == Path("/srv/mailweir/outbox")
    assert found.log_dir == Path("/srv/mailweir/log")
    assert found.token_key_path == Path("/srv/mailweir/secrets/token.key")
    assert found.dkim.sign is True
    assert found.admin_address == "admin@localhost.localdomain"
    assert (found.confirmation.max_redirects_per_message, found.retention.decision_days) == (3, 14)


def test_what_is_set_is_read(load: Load) -> None:
    found = load(
        """
        data_dir = "/srv/mailweir"
        hostname = "mail.example.net"
        admin_mailbox = "admin@firm.example"
        outbound = "relayhost smtp.example.net:587"
        database = "sqlite:/srv/elsewhere/m.db"
        token_key_file = "/srv/t.key"
        [smtp]
        smtp_port = 25
        tls_certificate_file = "/srv/c.pem"
        tls_key_file = "/srv/k.pem"
        [dns]
        nameserver = "192.0.2.53"
        timeout_seconds = 2
        """
    )
    assert found.database_path == Path("/srv/elsewhere/m.db")
    assert found.token_key_path == Path("/srv/t.key")
    assert found.admin_address == "admin@firm.example"
    assert found.outbound == "relayhost smtp.example.net:587"
    assert (found.smtp.smtp_port, found.smtp.submission_port) == (25, 2587)
    assert found.smtp.tls_certificate_file == Path("/srv/c.pem")
    assert (found.dns.nameserver, found.dns.timeout_seconds) == ("192.0.2.53", 2.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "data_dir: Field required"),
        ('data_dir = "srv"', "data_dir must be an absolute path"),
        ("data_dir = 3", "data_dir: "),
        ('data_dir = "/srv"\nhostnam = "x"', "unknown key 'hostnam'"),
        ('data_dir = "/srv"\n[smtp]\nport = 25', "unknown key 'smtp.port'"),
        ('data_dir = "/srv"\n[smtps]\nport = 25', "unknown key 'smtps'"),
        # names that pydantic could take for its own
        ('data_dir = "/srv"\n_env_file = "/etc/passwd"', "unknown key '_env_file'"),
        ('data_dir = "/srv"\n_cli_parse_args = true', "unknown key '_cli_parse_args'"),
        ('data_dir = "/srv"\nmodel_config = 1', "unknown key 'model_config'"),
        ('data_dir = "/srv"\n[smtp]\nsmtp_port = 0', "smtp.smtp_port: "),
        ('data_dir = "/srv"\n[smtp]\nsmtp_port = 65536', "smtp.smtp_port: "),
        ('data_dir = "/srv"\n[smtp]\nsmtp_port = "smtp"', "smtp.smtp_port: "),
        ('data_dir = "/srv"\nsmtp = 25', "smtp: "),
        ('data_dir = "/srv"\n[dns]\ntimeout_seconds = 0', "dns.timeout_seconds: "),
        ('data_dir = "/srv"\n[dns]\ntimeout_seconds = nan', "dns.timeout_seconds: "),
        ('data_dir = "/srv"\n[dns]\nnameserver = "localhost"', "dns.nameserver: 'localhost' does not appear to be an IP"),
        ('data_dir = "/srv"\n[relay]\nrelay_addresses = ["::ffff:192.0.2.9"]', "relay.relay_addresses.0"),
        ('data_dir = "/srv"\n[relay]\nrelay_addresses = ["mx.relay.example"]', "relay.relay_addresses.0"),
        ('data_dir = "/srv"\n[filter]\nworkers = 0', "filter.workers: "),
        ('data_dir = "/srv"\n[retention]\ndecision_days = 0', "retention.decision_days: "),
        *[
            (f'data_dir = "/srv"\nadmin_mailbox = "a@b.example"\noutbound = "{value}"', "outbound: ")
            for value in ("", "MX", "relayhost", *(f"relayhost {bad}" for bad in ("h", "h:0", "h:65536", "h:25 ", "a b:25")))
        ],
        ('data_dir = "/srv"\noutbound = "mx"', "admin_mailbox must be set"),
        ('data_dir = "/srv"\ntoken_key_file = "t.key"', "token_key_file: must be an absolute path"),
        ('data_dir = "/srv"\n[dkim]\nsign = "perhaps"', "dkim.sign: "),
        ('data_dir = "/srv"\ndatabase = "m.db"', "database: "),
        ('data_dir = "/srv"\ndatabase = "sqlite:m.db"', "database: "),
        ('data_dir = "/srv"\n[smtp]\ntls_key_file = "/srv/k.pem"', "go together"),
        ("data_dir = /srv", "Invalid value"),
        ('data_dir = "/srv"\ndata_dir = "/srv"', "Cannot overwrite"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_in_one_line_that_names_file_and_key(
    load: Load, tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(text)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / 'mailweir.toml'}: ")
    assert says in line
    assert "\n" not in line
    assert "Value error" not in line


def test_several_errors_are_all_named(load: Load) -> None:
    with pytest.raises(
        SettingsError, match=r"unknown key 'a'; unknown key 'smtp\.b'|unknown key 'smtp\.b'; unknown key 'a'"
    ):
        load('data_dir = "/srv"\na = 1\n[smtp]\nb = 2')


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_a_missing_file_is_told_with_what_to_do(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "mailweir.toml"
    make(path)
    with pytest.raises(
        SettingsError, match=r"no settings file at .*mailweir\.toml; name one with MAILWEIR_CONFIG, or make"
    ):
        settings.load(path)


def test_a_file_of_others_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "mailweir.toml"
    path.write_text('data_dir = "/srv"\n')
    path.chmod(0)
    before = os.geteuid()
    os.seteuid(before or 65534)  # root may read all files
    try:
        with pytest.raises(SettingsError, match=r"mailweir\.toml can't be read by this user: run this as root"):
            settings.load(path)
    finally:
        os.seteuid(before)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mailweir.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="utf-8"):
        settings.load(path)


def test_the_environment_names_the_file_and_nothing_else(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAILWEIR_CONFIG", raising=False)
    assert settings.path_in_force() == Path("/etc/mailweir/mailweir.toml")
    monkeypatch.setenv("MAILWEIR_CONFIG", "")
    assert settings.path_in_force() == Path("/etc/mailweir/mailweir.toml")
    monkeypatch.setenv("MAILWEIR_CONFIG", str(tmp_path / "mailweir.toml"))
    monkeypatch.setenv("HOSTNAME", "evil.example")
    monkeypatch.setenv("SMTP", '{"smtp_port": 1}')
    monkeypatch.setenv("DATABASE", "sqlite:/evil")
    expected = load('data_dir = "/srv"')
    assert settings.load() == expected == Settings(data_dir=Path("/srv"))
    assert (expected.hostname, expected.smtp.smtp_port, expected.database) == ("localhost.localdomain", 2525, "")


def test_settings_can_not_be_changed(load: Load) -> None:
    found = load('data_dir = "/srv"')
    for section, key in ((found, "hostname"), (found.smtp, "smtp_port")):
        with pytest.raises(ValidationError):
            setattr(section, key, 1)


# --- the example ------------------------------------------------------------------------------------------------------

_KEY = re.compile(r"^#?([a-z_]+) = ", re.MULTILINE)


def _example() -> str:
    return resources.files("mailweir").joinpath("mailweir.toml.example").read_text("utf-8")


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, found in model.model_fields.items():
        if isinstance(found.annotation, type) and issubclass(found.annotation, BaseModel):
            yield from _keys(found.annotation, f"{name}.")
        else:
            yield prefix + name, found.default


def _keys_of_example() -> list[str]:
    keys: list[str] = []
    for part in re.split(r"^(?=\[)", _example(), flags=re.MULTILINE):
        section = re.match(r"\[([a-z]+)\]", part)
        keys += [(f"{section[1]}." if section else "") + key for key in _KEY.findall(part)]
    return keys


def test_the_example_has_every_key_in_order_and_no_other() -> None:
    assert _keys_of_example() == [key for key, _ in _keys(Settings)]


def test_the_example_loads_as_it_is(load: Load) -> None:
    assert load(_example()) == Settings(data_dir=Path("/var/lib/mailweir"))


def _frozen(value: object) -> object:
    """TOML has lists, but the settings are immutable."""
    return tuple(value) if isinstance(value, list) else value


def test_the_example_shows_the_defaults(load: Load) -> None:
    """Without its `#`, each key with a default changes nothing."""
    without = {key.rpartition(".")[2] for key, default in _keys(Settings) if default is None}
    assert without == {"database_password_file", "tls_certificate_file", "tls_key_file"}
    text = re.sub(rf"^#(?!(?:{'|'.join(without)}) = )(?=[a-z_]+ = )", "", _example(), flags=re.MULTILINE)
    assert len(re.findall(r"^[a-z_]+ = ", text, re.MULTILINE)) == len(list(_keys(Settings))) - len(without)
    assert load(text) == Settings(data_dir=Path("/var/lib/mailweir"))
    flat = {(s, k): v for s, part in tomllib.loads(text).items() if isinstance(part, dict) for k, v in part.items()}
    with_default = [(*key.rpartition("."), default) for key, default in _keys(Settings) if default is not None]
    for section, name, default in [(section, name, default) for section, _, name, default in with_default if section]:
        assert _frozen(flat[section, name]) == default


def test_the_example_explains_each_key() -> None:
    """A comment is above each key, or above the first of consecutive keys."""
    lines = _example().splitlines()
    for above, line in [(above, line) for above, line in pairwise(lines) if _KEY.match(line)]:
        assert above.startswith("# ") or _KEY.match(above), line
    for unit, key in (("seconds", "timeout_seconds"), ("days", "decision_days"), ("bytes", "max_message_bytes")):
        block = _example().split(f"#{key} = ")[0].rpartition("\n\n")[2]
        assert unit in block
