"""The settings of the running processes: the settings file with the flags of `mailweir up`. Called by `doctor`, `relay`
and `web link`."""

from admin_cli.doctor import stack
from mailweir.errors import SettingsError
from mailweir.settings import Settings, load


def settings(of_file: Settings) -> Settings:
    """The settings of the `up` that runs on the data folder. If none runs, or this user can't see it, those of the file."""
    if of_file.run_by == "systemd" or not stack.is_running(of_file):
        return of_file
    try:
        return load(of_file.milter_socket.with_name("mailweir.toml"))
    except SettingsError:
        return of_file
