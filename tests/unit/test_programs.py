"""The report of a test whose server program fails: it shows the program's last output."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import programs
from tests.programs import ProgramFailed

BROKEN = "import sys; print('no port 25 here', file=sys.stderr); sys.exit(1)"
CHATTY = "import sys; [print('line', number, file=sys.stderr) for number in range(9_999)]; sys.exit(3)"
SILENT = "import time; print('thinking', flush=True); time.sleep(60)"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "log"
    programs.done_with(tmp_path / "log")


def test_one_that_ends_says_why(log: Path) -> None:
    process = programs.start("broken", [sys.executable, "-c", BROKEN], log)
    with pytest.raises(ProgramFailed, match=r"^broken ended with 1:\nno port 25 here$"):
        programs.wait_until_ready(lambda: False, "broken", process, log, seconds=20)


def test_one_that_ends_before_its_first_line_says_why(log: Path) -> None:
    process = programs.start("broken", [sys.executable, "-c", BROKEN], log, stdout=subprocess.PIPE)
    with process, pytest.raises(ProgramFailed, match=r"^broken ended with 1:\nno port 25 here$"):
        programs.next_line("broken", process, log)


def test_one_that_does_not_answer_shows_how_far_it_came(log: Path) -> None:
    process = programs.start("silent", [sys.executable, "-c", SILENT], log)
    try:
        programs.wait_until_ready(log.read_text, "silent", process, log, seconds=20)
        with pytest.raises(ProgramFailed, match=r"^silent isn't ready within 0 s:\nthinking$"):
            programs.wait_until_ready(lambda: False, "silent", process, log, seconds=0.1)
    finally:
        process.kill()
        process.wait()


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(ProgramFailed, match=r"(?s)ended with 1:\nno port 25 here"):
        programs.run(sys.executable, "-c", BROKEN)


def test_only_the_end_is_shown(log: Path) -> None:
    process = programs.start("chatty", [sys.executable, "-c", CHATTY], log)
    with pytest.raises(ProgramFailed) as caught:
        programs.wait_until_ready(lambda: False, "chatty", process, log, seconds=20)
    said = str(caught.value).splitlines()
    assert (said[0], said[-1], len(said)) == ("chatty ended with 3:", "line 9998", 1 + programs.LAST_LINES)
    log.write_bytes(b"x" * 1_000_000)
    assert len(programs.last_words(log)) == programs.LAST_BYTES


def test_beside_a_failed_test_stands_what_its_programs_wrote(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys
        from pathlib import Path
        from tests import programs

        def test_fails(tmp_path):
            log = tmp_path / "log"
            programs.start("broken", [sys.executable, "-c", {BROKEN!r}], log).wait()
            programs.done_with(log)
            assert not "the reason"

        def test_that_comes_later_fails_too():
            assert not "another reason"
        """
    )
    said = pytester.runpytest_inprocess(plugins=[programs.ShowsLogs()]).stdout.str()
    first, _, later = said.partition("test_that_comes_later")
    assert re.search(r"(?s)the reason.*broken: \S+log.*no port 25 here", first)
    assert "no port 25 here" not in later
