"""Postfix's main.cf and master.cf, generated from the templates and the settings.

For the private instances of `mailweir up` and for the system's Postfix under systemd alike. Makes no queries to Postfix or the
system: the same settings give the same text. Called by `instance` at each start, and by `mailweir postfix config`, which Ansible
calls.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from mailweir.errors import SettingsError
from mailweir.settings import Settings

_SETTLED_SECONDS = 10
_TEMPLATES_DIR = Path(__file__).parent / "templates"

# White space, `$`, braces and commas have a meaning in main.cf and master.cf, and can't be quoted everywhere.
_PLAIN = re.compile(r"[\w./:+@=~\[\]-]+", re.ASCII)


@dataclass(frozen=True)
class Places:
    """The locations of Postfix's files. certificate_file: used if the settings name none."""

    config_dir: Path
    queue_dir: Path
    state_dir: Path
    log_file: Path
    certificate_file: Path

    @classmethod
    def of(cls, settings: Settings) -> "Places":
        """Places below the data folder, or those of the system's Postfix if systemd runs it."""
        certificate = settings.data_dir / "tls" / "self-signed.pem"
        if settings.run_by == "systemd":
            return cls(
                Path("/etc/postfix"),
                Path("/var/spool/postfix"),
                Path("/var/lib/postfix"),
                settings.postfix_log_file,
                certificate,
            )
        base = settings.data_dir / "postfix"
        log_file = settings.log_dir / "postfix.log"  # even if the settings name another log for `why`
        return cls(base / "etc", base / "spool", base / "data", log_file, certificate)


@dataclass(frozen=True)
class Configuration:
    """The text of both files."""

    main_cf: str
    master_cf: str


def render(settings: Settings, *, run_as_uid: int, run_as_gid: int) -> Configuration:
    """Both files for these settings; the ids are those of the user `run_as`, who owns the outbox.

    SettingsError if a setting contains a character that Postfix's files can't hold.
    """
    places = Places.of(settings)
    names = _names(settings, places) | {"run_as_uid": run_as_uid, "run_as_gid": run_as_gid}
    for name, value in names.items():
        for part in value if isinstance(value, list) else [value]:
            _refuse_special(name, str(part))
    names["made"], names["is_private"] = _made(settings), settings.run_by == "up"
    templates = _templates()
    return Configuration(*(templates.get_template(name).render(names) for name in ("main.cf.j2", "master.cf.j2")))


def _made(settings: Settings) -> str:
    return "by 'mailweir postfix config'" if settings.run_by == "systemd" else "at each start"


def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES_DIR),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # not HTML
    )


def _names(settings: Settings, places: Places) -> dict[str, Any]:
    smtp = settings.smtp
    own_files = [smtp.tls_key_file, smtp.tls_certificate_file]  # Postfix requires the key first
    address = f"[{smtp.bind_address}]" if ":" in smtp.bind_address else smtp.bind_address
    way, _, next_hop = settings.outbound.partition(" ")
    relay_host, _, relay_port = next_hop.rpartition(":")
    names: dict[str, Any] = {
        "hostname": settings.hostname,
        "bind_address": smtp.bind_address,
        "smtp_listen": f"{address}:{smtp.smtp_port}",
        "submission_listen": f"{address}:{smtp.submission_port}",
        "submissions_listen": f"{address}:{smtp.submissions_port}",
        "auth_socket": settings.auth_socket,
        "max_message_bytes": smtp.max_message_bytes,
        "queue_dir": places.queue_dir,
        "state_dir": places.state_dir,
        "log_dir": places.log_file.parent,
        "log_file": places.log_file,
        "tls_chain_files": own_files if all(own_files) else [places.certificate_file],
        "milter_socket": settings.milter_socket,
        "lookups_socket": settings.lookups_socket,
        "outbound": way,
        "outbox_base": settings.outbox_dir.parent,
        "outbox_name": settings.outbox_dir.name,
    }
    return names | ({"relay_host": relay_host, "relay_port": relay_port} if way == "relayhost" else {})


def _refuse_special(name: str, value: str) -> None:
    if not _PLAIN.fullmatch(value):
        raise SettingsError(f"Postfix's files can't hold the {name} '{value}': letters, digits and . _ - + @ / : only")


def write(configuration: Configuration, config_dir: Path) -> None:
    """Installs both files, each atomically: a Postfix that reads them meanwhile sees the old or the new one."""
    for name, text in (("main.cf", configuration.main_cf), ("master.cf", configuration.master_cf)):
        write_file(config_dir / name, text)


def write_file(path: Path, text: str) -> None:
    """Installs one file, mode 0644, atomically, and never through a link that somebody put into the folder."""
    part = path.with_name(f".{path.name}.new")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as stream:
        stream.write(text)
        os.fchmod(stream.fileno(), 0o644)  # with any umask
    # Postfix's programs wait up to two seconds for a new file that may still grow; this one can't.
    made_at = part.stat().st_mtime - _SETTLED_SECONDS
    os.utime(part, (made_at, made_at))
    part.replace(path)
