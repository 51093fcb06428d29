"""Where to look and what to do, in the words of whoever runs the processes: `mailweir up`, or systemd."""

from mailweir.sentence import said
from mailweir.settings import Settings


def log_of(settings: Settings, program: str) -> str:
    """Where a program says what it can't do."""
    if program == "postfix":
        return str(settings.postfix_log_file)
    if settings.run_by == "systemd":
        return f"'journalctl -u {program}'"
    return str(settings.log_dir / f"{program}.log")


def take_up_settings(settings: Settings) -> str:
    """How changed settings come to count."""
    return said("run the playbook again") if settings.run_by == "systemd" else said("start 'mailweir up' again")


def stop(settings: Settings) -> str:
    """How all that writes is stopped."""
    return said("systemctl stop 'mailweir-*'") if settings.run_by == "systemd" else said("stop 'mailweir up'")
