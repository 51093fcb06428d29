"""`make sizes`: its counts."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "sizes.py"
SAMPLE = '''"""A module."""


@decorated
def one():
    return 1


class Box:
    async def two(self):
        """Says more."""

        def three(): return (
            3
        )
        return three


if True:
    def four(): pass
'''


def run(folder: Path, *arguments: str) -> list[str]:
    """The lines that a copy of the script, in a tree of its own, prints."""
    (folder / "scripts").mkdir()
    copy = folder / "scripts" / "sizes.py"
    copy.write_text(SCRIPT.read_text("utf-8"), "utf-8")
    done = subprocess.run([sys.executable, copy, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_files_and_functions_are_counted(tmp_path: Path) -> None:
    (tmp_path / "ours" / "below").mkdir(parents=True)
    (tmp_path / "ours" / "sample.py").write_text(SAMPLE)
    (tmp_path / "ours" / "below" / "__init__.py").write_text("")
    assert run(tmp_path, "ours", "--longest", "3") == [
        "2 files, lines: median 0, 90th percentile 20",
        "     20  ours/sample.py",
        "      0  ours/below/__init__.py",
        "4 functions, lines: median 2, 90th percentile 7",
        "      7  ours/sample.py:10 Box.two",
        "      3  ours/sample.py:13 Box.two.three",
        "      2  ours/sample.py:5 one",
    ]


def test_the_projects_own_folders_are_the_default() -> None:
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True)
    heads = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split(" ")[1].rstrip(",") for line in heads] == ["files", "functions"]


def test_a_folder_that_is_not_there_is_one_line() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "nowhere"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "sizes: there is no folder nowhere\n")
