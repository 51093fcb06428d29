"""Log files and commands for advice. They depend on the program that runs the processes: `mailweir up`, or systemd."""

from mailweir.sentence import said
from mailweir.settings import Settings


def log_of(settings: Settings, program: str) -> str:
    """The place of a program's log."""
    if program == "postfix":
        return str(settings.postfix_log_file)
    if settings.run_by == "systemd":
        return f"'journalctl -u {program}'"
    return str(settings.log_dir / f"{program}.log")


def take_up_settings(settings: Settings) -> str:
    """How to apply changed settings."""
    return said("run the playbook again") if settings.run_by == "systemd" else said("start 'mailweir up' again")


def stop(settings: Settings) -> str:
    """How to stop all programs that write."""
    return said("systemctl stop 'mailweir-*'") if settings.run_by == "systemd" else said("stop 'mailweir up'")
