"""A progress bar: on a terminal, for long work, and nowhere else."""

import io
import sys

import pytest

from admin_cli import progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "steps", "shown"),
    [(_Terminal, 100_000, True), (_Terminal, 100, False), (io.StringIO, 1_000_000, False)],
)
def test_a_bar_is_shown_for_long_work_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], steps: int, shown: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stderr = stream()
    stdout = _Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(sys, "stdout", stdout)
    with progress.bar("importing", steps) as advance:
        advance(steps / 2)
        advance(steps * 2.0)
    assert ("importing" in stderr.getvalue()) is shown
    assert ("100%" in stderr.getvalue()) is shown
    assert stdout.getvalue() == ""
