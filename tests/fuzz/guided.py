"""Whole messages again, mutated by coverage of the reader's code: a mutant that reaches a new branch is mutated further.

    python -m tests.fuzz.guided [--seconds 600]

For `make fuzz`. Atheris (libFuzzer) mutates the mails and counts branches of `mailweir.reading`. It keeps its corpus in a
temporary folder while it runs; a finding is kept, and its path is printed. Exit 1 then; 0 if there was none.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

_MAX_BYTES = 8_000  # of a mail: longer mails reach no new branches, and `tests.fuzz.messages` has them
_MAX_SEED_BYTES = 6_000
_WORDS = (
    *("Content-Type: ", "multipart/", "boundary=", "message/rfc822", "text/html", "text/calendar", "format=flowed"),
    *("Content-Transfer-Encoding: ", "base64", "quoted-printable", "charset=", "Content-Disposition: attachment", "filename*0*="),
    *("begin 644 a\\x0a", "=?utf-8?q?", "?=", "<blockquote>", "<style>", "<table><tr><td>", "<!--", "-->", "<![CDATA["),
    *("&#", "cid:", "From: ", "Subject: Fwd: ", "-----Original Message-----", "wrote:\\x0a> ", "-- \\x0a", "BEGIN:VEVENT\\x0a"),
    *("DTSTART:", "RRULE:", "\\x0d\\x0a\\x0d\\x0a", "\\x0a--", "\\x00", "\\xff", "\\x1b$B"),
)  # fmt: skip


def main() -> int:
    """Runs the fuzzer in a process of its own, because it ends its process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--within", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.within:
        _fuzz(Path(arguments.within), arguments.seconds)
        return 0
    with tempfile.TemporaryDirectory(prefix="mailweir-fuzz-") as folder:
        command = [sys.executable, "-m", "tests.fuzz.guided", "--seconds", str(arguments.seconds), "--within", folder]
        return 1 if subprocess.run(command, check=False).returncode else 0


def _fuzz(folder: Path, seconds: int) -> None:
    try:
        import atheris
    except ImportError:
        sys.exit("atheris isn't installed: pip install -e '.[fuzz]' (`make fuzz` does it)")
    with atheris.instrument_imports(include=["mailweir"]):
        from tests.fuzz import messages

    (folder / "mails").mkdir()
    for raw in messages.seeds():
        if len(raw) <= _MAX_SEED_BYTES:
            (folder / "mails" / hashlib.sha256(raw).hexdigest()[:16]).write_bytes(raw)
    (folder / "words").write_text("".join(f'"{word}"\n' for word in _WORDS))
    options = {
        "max_total_time": seconds,
        "max_len": _MAX_BYTES,
        "timeout": 60,
        "rss_limit_mb": 2_000,
        "dict": folder / "words",
        "artifact_prefix": f"{tempfile.gettempdir()}/mailweir-",
        "print_final_stats": 1,
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(folder / "mails")],
        lambda raw: messages.check(raw, slowness=10),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
