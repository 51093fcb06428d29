"""The two settings files of a data folder: the admin's, and the settings in force, which include the flags of `up`.

The admin's file is written once, if there is none, and never changed. Called by `commands.up`.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mailweir.address import normalise_domain
from mailweir.settings import Settings

_TEMPLATE = """\
# Mailweir's settings. Made by 'mailweir up', which never changes it again: it is yours.
# All keys, with their units and defaults, are in mailweir.toml.example. Changes apply at the next start.
# Other commands use this file with MAILWEIR_CONFIG={path}

# Database, queue, outbox, logs and sockets are in this folder.
data_dir = {data_dir}

# The name that this host greets with and that the MX records name.
hostname = {hostname}

# The mailbox that gets the mail to postmaster@ and abuse@ of every capture domain.
admin_mailbox = {admin_mailbox}

# The way out for mail: "outbox" (files in data_dir/outbox, nothing leaves this host), "relayhost HOST:PORT" or "mx".
outbound = "outbox"

[smtp]
# Loopback only. Mail from elsewhere needs an address of this host here and, as a rule, port 25.
bind_address = {bind_address}
smtp_port = {smtp_port}
submission_port = {submission_port}
submissions_port = {submissions_port}

[web]
port = {web_port}
"""


def first_settings(data_dir: Path, nodename: str) -> Settings:
    """The settings of a new data folder. nodename: the host's name as the kernel knows it."""
    hostname = normalise_domain(nodename) or "localhost"
    if "." not in hostname:
        hostname += ".localdomain"  # Postfix needs a name with a dot
    return Settings(data_dir=data_dir, hostname=hostname, admin_mailbox=f"admin@{hostname}")


def write_first(settings: Settings, path: Path) -> None:
    """Writes the admin's file, with comments."""
    values = {
        "path": str(path),
        **{key: json.dumps(str(getattr(settings, key))) for key in ("data_dir", "hostname", "admin_mailbox")},
        "bind_address": json.dumps(settings.smtp.bind_address),
        **{key: getattr(settings.smtp, key) for key in ("smtp_port", "submission_port", "submissions_port")},
        "web_port": settings.web.port,
    }
    _write(path, _TEMPLATE.format(**values))


def write_in_force(settings: Settings, path: Path) -> None:
    """Writes the settings with the flags, for the daemons."""
    values = settings.model_dump(mode="json", exclude_defaults=True)
    _write(
        path,
        f"# Made by 'mailweir up' at each start. Change {settings.data_dir}/mailweir.toml instead.\n" + to_toml(values),
    )


def to_toml(values: Mapping[str, Any]) -> str:
    """TOML of strings, numbers and booleans, and of one level of sections with them. JSON writes strings as TOML 1.0 does."""
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if not isinstance(value, dict)]
    for name, section in values.items():
        if isinstance(section, dict):
            lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in section.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    # JSON doesn't escape DEL, but TOML must
    return re.sub("\x7f", r"\\u007f", json.dumps(value, ensure_ascii=False))


def _write(path: Path, text: str) -> None:
    """Writes the file in one step, and never through a link that the folder's owner made."""
    part = path.with_name(f".{path.name}.new")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    part.replace(path)
