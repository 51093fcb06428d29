"""The whole reading of large and hostile mail: little memory, little time. Changed mails by the thousand."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailweir.reading import frame, message
from tests.unit.reading import properties
from tests.unit.reading.mails import ATTACHED, in_base64, multipart, part
from tests.unit.reading.test_any_mail import mutated

REPOSITORY = Path(__file__).parents[3]
MAX_MB = 300
MAX_SECONDS = 5.0
# Reads a file as a digest's child does, and prints its peak in MB and its CPU seconds. (ru_maxrss would be the parent's.)
_CHILD = """
import sys, time
from pathlib import Path
from mailweir.reading import frame, message
raw = Path(sys.argv[1]).read_bytes()
packed = frame.pack(message.read(raw))
assert len(packed) <= frame.MAX_BYTES
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024, time.process_time())
"""
_BLANKS = "a/b" + "\t" * 15_900 + "x; c=d"
_SECTIONS = "application/x; " + "; ".join(f"name*{number}*=%41%42" for number in range(150))
_QUOTED = "Content-Transfer-Encoding: quoted-printable"
_ZONES = "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:X\r\n" + (
    "BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETTO:+0200\r\nRRULE:FREQ=SECONDLY;COUNT=999999999\r\nEND:STANDARD\r\n"
    * 8_000
    + "END:VTIMEZONE\r\n"
)
_ATTRIBUTES = " ".join(f"a{number}=x" for number in range(125_000))


def _file() -> bytes:
    return in_base64("application/pdf", b"%PDF" * 5_500_000, headers=ATTACHED)


def _levels(count: int, inner: bytes) -> bytes:
    return b"".join(part(f"multipart/mixed; boundary=b{n}", f"--b{n}\r\n") for n in range(count)) + inner


def _forwards(count: int) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * count + b"Subject: x\r\n\r\nhello\r\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: multipart("mixed", part("text/plain", "hello"), _file()), id="30 MB with a file"),
        pytest.param(lambda: part("text/plain", b"hello world and more\r\n" * 1_360_000), id="30 MB of text"),
        pytest.param(lambda: part("text/html", b"<p>hello <b>you</b>" * 1_600_000), id="30 MB of HTML"),
        pytest.param(lambda: part("text/html", b"<img src='https://a.example/x'>" * 1_000_000), id="30 MB of images"),
        pytest.param(lambda: b"Subject: x\r\n\r\n" + b"\r\n" * 12_500_000, id="25 MB of CRLF"),
        pytest.param(lambda: part("text/html", b"\r\n" * 12_500_000), id="25 MB of CRLF in HTML"),
        pytest.param(lambda: b"Subject: x\r\n\r\n" + b">" * 30_000_000, id="one line of quotes"),
        pytest.param(lambda: b"Subject: x\r\n\r\n" + b"> \r\n" * 7_000_000, id="quotes"),
        pytest.param(lambda: b"Subject: x\r\n\r\n" + b"a: b\r\n" * 5_000_000, id="what looks like a forward"),
        pytest.param(lambda: b"Subject: x\r\n\r\n" + b"-- \r\n" * 5_000_000, id="signatures"),
        pytest.param(lambda: _levels(3_000, part("text/plain", "hello")), id="3,000 levels"),
        pytest.param(lambda: _levels(45, b"a\r\n" * 7_000_000), id="45 levels over 21 MB"),
        pytest.param(lambda: _forwards(3_000), id="3,000 forwards"),
        pytest.param(lambda: part("text/html", f"<p {_ATTRIBUTES}>hello</p>"), id="125,000 attributes"),
        pytest.param(lambda: part("text/html", "<div>" * 3_000 + "hello"), id="3,000 levels of HTML"),
        pytest.param(lambda: part("text/html", "<div>" * 1_000_000 + "hello"), id="a million levels of HTML"),
        pytest.param(lambda: part("text/html", "<blockquote>" * 500_000 + "a<br>" * 500_000), id="quotes in quotes"),
        pytest.param(lambda: part("text/html", "&" * 5_000_000), id="ampersands"),
        pytest.param(lambda: part("text/html", "<style>" + "a{b:c}" * 1_000_000 + "</style>"), id="styles"),
        pytest.param(lambda: part("text/html", '<p style="' + "a:b;" * 1_000_000 + '">x'), id="one style"),
        pytest.param(lambda: part("text/calendar", "BEGIN:VCALENDAR\r\n" + "BEGIN:VEVENT\r\n" * 1_000_000), id="events"),
        pytest.param(
            lambda: multipart("mixed", *[part("text/plain; name=a.txt", "x", headers=ATTACHED)] * 100_000), id="100,000 files"
        ),
        pytest.param(lambda: b"To: " + b"a@a.example, " * 200_000 + b"\r\n\r\nhello", id="200,000 recipients"),
        pytest.param(lambda: b"References: " + b"<a@a.example> " * 1_000_000 + b"\r\n\r\nhello", id="a million references"),
        pytest.param(lambda: b"Subject: " + b"=?utf-8?q?a?= " * 1_000_000 + b"\r\n\r\nhello", id="encoded words"),
        pytest.param(lambda: b"Subject: " + b"Re: " * 1_000_000 + b"\r\n\r\nhello", id="Re:"),
        pytest.param(lambda: multipart("mixed", *[part(_BLANKS, "x")] * 1_000), id="1,000 headers of blanks"),
        pytest.param(lambda: multipart("mixed", *[part(_SECTIONS, "x", headers=ATTACHED)] * 1_000), id="RFC 2231's sections"),
        pytest.param(lambda: b"".join(b"X-%d: a\r\n" % n for n in range(100_000)) + b"\r\nhello", id="100,000 headers"),
        pytest.param(lambda: b"X-A: " + b"a\r\n " * 3_300_000 + b"\r\n\r\nhello", id="one header of 16 MB"),
        pytest.param(lambda: in_base64("text/html", b"") + b"PH=A!+P hi\r\n" * 2_000_000, id="base64 with junk"),
        pytest.param(lambda: part("text/html", b"=3Cp=3E" * 3_500_000, headers=_QUOTED), id="quoted-printable without line ends"),
        pytest.param(lambda: part("text/plain; format=flowed", ">" * 1_000_000), id="flowed quotes"),
        pytest.param(lambda: part("text/html", "<p>x</p>" * 125_000), id="125,000 tags"),
        pytest.param(lambda: part("text/html", "<table>" + "<tr><td>x<td>y<td>z" * 150_000), id="a table of 450,000 cells"),
        pytest.param(lambda: part("text/html", "<a href=http://a.example/>" + "b<i>" * 700_000), id="a link around it all"),
        pytest.param(lambda: part("text/html", "<![CDATA[<!--<?" * 200_000), id="comments without an end"),
        pytest.param(lambda: part("text/html", "&#38;&lt;&#x41;&nbsp;" * 150_000), id="references"),
        pytest.param(lambda: part("text/plain; charset=iso-2022-jp", b"\x1b$B!!" * 400_000), id="a charset's escapes"),
        pytest.param(lambda: part("text/plain", "begin 644 a\n%:&5L;&\\\n`\nend\n" * 600_000), id="uuencode in uuencode's text"),
        pytest.param(lambda: in_base64("application/ms-tnef", b"\x78\x9f\x3e\x22" + b"\xff" * 10_000_000), id="winmail.dat"),
        pytest.param(lambda: part("text/calendar", _ZONES + "BEGIN:VEVENT\r\nDTSTART;TZID=X:20261124T100000\r\n"), id="zones"),
        pytest.param(lambda: b"Subject: " + "\u0430\u0301".encode() * 500_000 + b"\r\n\r\nhello", id="accents"),
    ],
)  # fmt: skip
def test_large_and_hostile_mail_is_read_in_little_memory_and_time(make: Callable[[], bytes], tmp_path: Path) -> None:
    (tmp_path / "mail").write_bytes(make())
    ran = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path / "mail")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    peak_mb, seconds = map(float, ran.stdout.split())
    print(f"{peak_mb:.0f} MB, {seconds:.2f} s")
    assert peak_mb < MAX_MB
    assert seconds < MAX_SECONDS


_RUNS = (
    *(bytes((code,)) for code in b" \t\n\r>-_*=+|:.,;<&\"'([{@/\\a0A"),
    "é".encode(),
    "日".encode(),
    b"a ",
    b"a@",
    b"1.",
    b"> ",
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text/plain", "text/html", "text/calendar"])
def test_a_megabyte_of_one_character_is_read_in_seconds(kind: str) -> None:
    for run in _RUNS:
        begun = time.thread_time()
        message.read(part(kind, run * (1_000_000 // len(run)), headers="Subject: Fwd: x"))
        assert time.thread_time() - begun < MAX_SECONDS, run


@pytest.mark.slow
def test_8000_changed_mails_hold(corpus: list[Path]) -> None:
    """Nothing raises, none takes long, and the frame preserves all of them."""
    chance = random.Random(8_000)
    raws = [path.read_bytes() for path in corpus]
    small = [raw for raw in raws if len(raw) < 100_000]
    slowest = 0.0
    for _ in range(8_000):
        raw = mutated(chance.choice(small), chance)
        begun = time.thread_time()
        found = message.read(raw)
        slowest = max(slowest, time.thread_time() - begun)
        properties.check(raw)
        assert frame.unpack(frame.pack(found)) == found
    print(f"slowest {slowest:.2f} s")
    assert slowest < MAX_SECONDS


def test_no_mail_of_the_corpus_takes_long(corpus: list[Path]) -> None:
    for path in corpus:
        raw = path.read_bytes()
        begun = time.thread_time()
        message.read(raw)
        assert time.thread_time() - begun < MAX_SECONDS, path.name
