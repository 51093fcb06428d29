"""The settings: one TOML file, read once at a process's start.

The file is `/etc/mailweir/mailweir.toml`, or the file in `MAILWEIR_CONFIG`. An unknown key is an error that names the key. Every
key is in `mailweir.toml.example`, with its unit and default; a test compares the two. Called by every process's `main`; no other
module reads settings from the environment or the file.
"""

import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator

from mailweir.database_url import DatabaseUrl, Postgresql, fault_of
from mailweir.errors import SettingsError
from mailweir.settings_values import AbsolutePath, BindAddress, Domain, Port, Section
from mailweir.settings_web import Web

DEFAULT_PATH = Path("/etc/mailweir/mailweir.toml")
PATH_VARIABLE = "MAILWEIR_CONFIG"


def _outbound(value: str) -> str:
    relayhost = re.fullmatch(r"relayhost [^\s:]+:(\d{1,5})", value)
    if value in ("outbox", "mx") or (relayhost and 1 <= int(relayhost[1]) <= 65_535):
        return value
    raise ValueError('must be "outbox", "mx" or "relayhost HOST:PORT"')


def _database(value: str) -> str:
    fault = fault_of(value) if value else None
    if fault:
        raise ValueError(fault)
    return value


def _nameserver(value: str) -> str:
    if value:
        ipaddress.ip_address(value)
    return value


class Smtp(Section):
    """Where Postfix listens."""

    bind_address: str = "127.0.0.1"
    smtp_port: Port = 2525
    submission_port: Port = 2587
    submissions_port: Port = 2465
    max_message_bytes: int = Field(36_700_160, ge=65_536)
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None


class Filter(Section):
    """The filter's workers."""

    workers: int = Field(1, ge=1, le=64)
    pin_workers: bool = True


class Dns(Section):
    """The resolver for checking signatures. nameserver: empty for the system's."""

    nameserver: Annotated[str, AfterValidator(_nameserver)] = ""
    port: Port = 53
    timeout_seconds: float = Field(5.0, gt=0, le=20)


class Dkim(Section):
    """DKIM signing of outgoing mail of the relay."""

    sign: bool = True


def _public(value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(value, ipaddress.IPv6Address) and (value.ipv4_mapped or value.scope_id):
        raise ValueError("must be an address as others see it: no ::ffff: and no %")
    return value


class Relay(Section):
    """The relay's sending addresses, the name of the SPF record that lists them, and the limits of a login."""

    relay_addresses: tuple[Annotated[ipaddress.IPv4Address | ipaddress.IPv6Address, AfterValidator(_public)], ...] = ()
    spf_include: str = ""
    max_messages_per_hour: int = Field(300, ge=1)
    max_recipients_per_hour: int = Field(1_500, ge=1)
    suspend_after_refusals: int = Field(300, ge=1)


class Confirmation(Section):
    """Limits on redirecting confirmations to a user."""

    max_redirects_per_message: int = Field(3, ge=1, le=10)
    max_redirects_per_user_and_hour: int = Field(20, ge=1)


class Log(Section):
    """The events to log besides faults."""

    decisions: bool = True


class Metrics(Section):
    """The address of the filter's metrics. Port 0: none."""

    port: int = Field(0, ge=0, le=65535)
    bind_address: BindAddress = "127.0.0.1"


class Digest(Section):
    """How recorded mail is examined."""

    workers: int = Field(2, ge=1, le=64)
    poll_seconds: float = Field(1.0, ge=0.05, le=3600)
    trusted_sealers: tuple[Domain, ...] = ("google.com", "microsoft.com")
    held_erase_seconds: float = Field(60.0, ge=0, le=86_400)
    held_keep_hours: float = Field(24.0, ge=1, le=720)
    held_author_bytes: int = Field(50_000_000, ge=0)
    held_deployment_bytes: int = Field(500_000_000, ge=0)


class Gmail(Section):
    """How Gmail is reached, how much of its quota may be used, and how often mailboxes are swept."""

    oauth_client_file: AbsolutePath = ""
    service_account_file: AbsolutePath = ""
    web_client_file: AbsolutePath = ""
    api_endpoint: str = "https://gmail.googleapis.com/"
    sweep_seconds: float = Field(60.0, ge=1, le=1800)
    threads: int = Field(32, ge=1, le=256)
    timeout_seconds: float = Field(30.0, ge=1, le=300)
    idle_seconds: float = Field(60.0, ge=0, le=3600)
    pin_process: bool = True
    first_days: int = Field(7, ge=0, le=365)
    backfill_days: int = Field(90, ge=0, le=3650)
    audit_hours: float = Field(24.0, ge=0, le=8760)
    max_attempts: int = Field(8, ge=1, le=100)
    refused_hours: float = Field(6.0, ge=0, le=720)
    user_units_per_minute: int = Field(6_000, ge=100)
    project_units_per_minute: int = Field(1_200_000, ge=100)
    project_units_per_day: int = Field(80_000_000, ge=1_000)
    history_units: int = Field(2, ge=1)
    list_units: int = Field(5, ge=1)
    get_units: int = Field(20, ge=1)
    profile_units: int = Field(1, ge=1)

    @property
    def is_set_up(self) -> bool:
        """Is Gmail synced at all?"""
        return bool(self.identity_files)

    @property
    def identity_file(self) -> Path | None:
        """The credentials file with which the command line connects mailboxes, if any."""
        name = self.oauth_client_file or self.service_account_file
        return Path(name) if name else None

    @property
    def identity_files(self) -> tuple[Path, ...]:
        """All credentials files for Gmail: the command line's, and the page's."""
        named = (self.oauth_client_file, self.service_account_file, self.web_client_file)
        return tuple(Path(name) for name in named if name)


class Retention(Section):
    """How long data that is not on the record is stored."""

    decision_days: int = Field(14, ge=1)
    reader_log_days: int = Field(365, ge=1)
    prune_hours: float = Field(24.0, ge=0, le=8760)


class Settings(Section):
    """All settings of one host. Frozen; the same for every process on it."""

    model_config = ConfigDict(validate_default=True)

    data_dir: Path
    hostname: str = "localhost.localdomain"
    run_as: str = "mailweir"
    run_by: Literal["up", "systemd"] = "up"
    admin_mailbox: str = ""
    outbound: Annotated[str, AfterValidator(_outbound)] = "outbox"
    postfix_log: AbsolutePath = ""
    database: Annotated[str, AfterValidator(_database)] = ""
    database_password_file: Path | None = None
    token_key_file: AbsolutePath = ""
    smtp: Smtp = Smtp()
    web: Web = Web()
    filter: Filter = Filter()
    dns: Dns = Dns()
    dkim: Dkim = Dkim()
    relay: Relay = Relay()
    confirmation: Confirmation = Confirmation()
    retention: Retention = Retention()
    log: Log = Log()
    metrics: Metrics = Metrics()
    digest: Digest = Digest()
    gmail: Gmail = Gmail()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.data_dir.is_absolute():
            raise ValueError("data_dir must be an absolute path")
        if self.outbound != "outbox" and not self.admin_mailbox:
            raise ValueError("admin_mailbox must be set where mail goes out (outbound is not outbox)")
        if (self.smtp.tls_certificate_file is None) != (self.smtp.tls_key_file is None):
            raise ValueError("smtp.tls_certificate_file and smtp.tls_key_file go together")
        if self.gmail.oauth_client_file and self.gmail.service_account_file:
            raise ValueError("gmail.oauth_client_file and gmail.service_account_file exclude each other")
        return self

    @property
    def database_url(self) -> DatabaseUrl:
        """Where the database is: SQLite's file, or PostgreSQL's address."""
        if self.database.startswith("postgresql:"):
            return Postgresql(self.database, self.database_password_file)
        return Path(self.database.removeprefix("sqlite:")) if self.database else self.data_dir / "db" / "mailweir.db"

    @property
    def database_path(self) -> Path:
        """The SQLite file. SettingsError if the database is PostgreSQL's."""
        if isinstance(self.database_url, Postgresql):
            raise SettingsError(f"this is for SQLite, and the database is {self.database_url}")
        return self.database_url

    @property
    def token_key_path(self) -> Path:
        """The key file that encrypts DKIM keys and tokens in the database; see `secrets_file`."""
        return Path(self.token_key_file) if self.token_key_file else self.data_dir / "secrets" / "token.key"

    @property
    def milter_socket(self) -> Path:
        """The unix socket on which the filter answers Postfix."""
        return self.data_dir / "run" / "milter.sock"

    @property
    def lookups_socket(self) -> Path:
        """The unix socket on which the look-ups answer Postfix."""
        return self.data_dir / "run" / "lookups.sock"

    @property
    def auth_socket(self) -> Path:
        """The unix socket on which `mailweir-auth` answers Postfix."""
        return self.data_dir / "run" / "auth.sock"

    @property
    def outbox_dir(self) -> Path:
        """The maildir that receives outgoing mail, if `outbound` is `outbox`."""
        return self.data_dir / "outbox"

    @property
    def log_dir(self) -> Path:
        """Where the embedded stack writes its logs."""
        return self.data_dir / "log"

    @property
    def postfix_log_file(self) -> Path:
        """Postfix's log file: the embedded stack's, unless another one is named."""
        return Path(self.postfix_log) if self.postfix_log else self.log_dir / "postfix.log"

    @property
    def admin_address(self) -> str:
        """The recipient of mail to postmaster@ and abuse@."""
        return self.admin_mailbox or f"admin@{self.hostname}"


def path_in_force() -> Path:
    """The settings file that this process uses."""
    return Path(os.environ.get(PATH_VARIABLE) or DEFAULT_PATH)


def load(path: Path | None = None) -> Settings:
    """Reads the file. SettingsError with one line if it is missing, isn't TOML, or has an invalid key or value."""
    path = path or path_in_force()
    try:
        values = tomllib.loads(path.read_text("utf-8")) if path.is_file() else None
    except PermissionError as error:
        raise SettingsError(
            f"{path} can't be read by this user: run this as root, or as one of the file's group"
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from error
    if values is None:
        raise SettingsError(
            f"no settings file at {path}; name one with {PATH_VARIABLE}, or make one with 'mailweir up'"
        )
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{path}: {'; '.join(_in_words(item) for item in error.errors())}") from error


def _in_words(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"unknown key '{key}'"
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
