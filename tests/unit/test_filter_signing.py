"""The filter's part in signing: for which logins, with which key, and its cache."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capture_milter import signing
from capture_milter.signing import Signers
from mailweir import dkim_signing, headers, secrets_file
from mailweir.directory import DeploymentRef
from mailweir.errors import SettingsError
from mailweir.headers import Header
from mailweir.secrets_file import Secrets
from mailweir.store.people import dkim_keys
from mailweir.store.people.dkim_keys import SealedKey
from tests.people import DEMO, OTHER

LOGIN = "richard@demo.example.net"
LINES = [(b"From", b" Richard <richard@Firm.Example>"), (b"Subject", b" x")]
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PAIRS = [dkim_signing.generate() for _ in range(2)]


@dataclass
class MemoryKeys:
    """The directory of signing keys."""

    keys: dict[tuple[int, str], SealedKey] = field(default_factory=dict)

    def deployments(self, domains: Collection[str]) -> Mapping[str, DeploymentRef]:
        return {one.domain: one for one in (DEMO, OTHER) if one.domain in domains}

    def signing_key(self, deployment_id: int, domain: str) -> SealedKey | None:
        return self.keys.get((deployment_id, domain))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A key file."""
    path = tmp_path / "token.key"
    secrets_file.make(path)
    return path


def _sealed(secrets: Secrets, selector: str = "s1", pair: int = 0) -> SealedKey:
    purpose = dkim_keys.key_purpose("firm.example", selector)
    return SealedKey("firm.example", selector, secrets.seal(PAIRS[pair][0], purpose))


@pytest.fixture
def directory(file: Path) -> MemoryKeys:
    """A directory with demo's key for firm.example."""
    return MemoryKeys({(DEMO.id, "firm.example"): _sealed(secrets_file.load(file))})


def _begin(
    signers: Signers, directory: MemoryKeys, login: str | None = LOGIN, lines: list[Header] = LINES
) -> signing.Signing | None:
    return signers.begin(login, headers.look(lines), lines, directory)


def test_mail_of_the_relay_is_signed(file: Path, directory: MemoryKeys) -> None:
    begun = _begin(Signers(file, enabled=True), directory)
    assert begun is not None
    begun.add(b"hel")
    begun.add(b"lo\r\n")
    value = begun.value(NOW)
    assert value.startswith(" v=1; a=rsa-sha256; c=relaxed/relaxed; d=firm.example;\n\ts=s1; t=")
    assert "\r" not in value


@pytest.mark.parametrize("login", ["Richard@Demo.Example.NET", "richard@demo.example.net."])
def test_a_login_is_read_in_any_spelling(file: Path, directory: MemoryKeys, login: str) -> None:
    assert _begin(Signers(file, enabled=True), directory, login) is not None


@pytest.mark.parametrize(
    ("login", "lines"),
    [
        (None, LINES),
        ("", LINES),
        ("richard", LINES),
        ("richard@other.example.org", LINES),  # law 4: the key is demo's
        ("richard@stranger.example", LINES),
        (LOGIN, []),
        (LOGIN, [*LINES, LINES[0]]),
        (LOGIN, [(b"From", b" x@sub.firm.example")]),
        (LOGIN, [(b"From", b" x@other.example")]),
        (LOGIN, [(b"From", b" richard@firm.example <x@other.example>")]),
    ],
)
def test_nothing_else_is_signed(file: Path, directory: MemoryKeys, login: str | None, lines: list[Header]) -> None:
    assert _begin(Signers(file, enabled=True), directory, login, lines) is None


def test_switched_off_nothing_is_signed(file: Path, directory: MemoryKeys) -> None:
    assert _begin(Signers(file, enabled=False), directory) is None


def test_a_rotation_counts_at_the_next_message(file: Path, directory: MemoryKeys) -> None:
    signers = Signers(file, enabled=True)
    assert _begin(signers, directory) is not None
    directory.keys[DEMO.id, "firm.example"] = _sealed(secrets_file.load(file), "s2", 1)
    begun = _begin(signers, directory)
    assert begun is not None
    assert "s=s2;" in begun.value(NOW)
    del directory.keys[DEMO.id, "firm.example"]
    assert _begin(signers, directory) is None


def test_a_key_is_opened_once(file: Path, directory: MemoryKeys) -> None:
    signers = Signers(file, enabled=True)
    _begin(signers, directory)
    file.unlink()
    assert _begin(signers, directory) is not None


def test_what_a_worker_keeps_is_bounded(file: Path, directory: MemoryKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "MAX_KEYS", 2)
    signers = Signers(file, enabled=True)
    sealed = [_sealed(secrets_file.load(file), f"s{number}") for number in range(4)]
    for key in sealed:
        directory.keys[DEMO.id, "firm.example"] = key
        _begin(signers, directory)
    file.unlink()
    assert _begin(signers, directory) is not None, "the last key is cached"
    directory.keys[DEMO.id, "firm.example"] = sealed[2]
    assert _begin(signers, directory) is not None, "and the key before it"
    for key in sealed[:2]:
        directory.keys[DEMO.id, "firm.example"] = key
        with pytest.raises(SettingsError):
            _begin(signers, directory)


def test_without_the_key_file_it_is_an_error_and_later_it_is_not(file: Path, directory: MemoryKeys) -> None:
    signers = Signers(file, enabled=True)
    away = file.with_name("away")
    file.rename(away)
    with pytest.raises(SettingsError, match=r"can't read the key file .*token\.key"):
        _begin(signers, directory)
    away.rename(file)
    assert _begin(signers, directory) is not None
