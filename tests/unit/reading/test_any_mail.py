"""Reading works on any bytes: the corpus's mails, changed at random. It stays small and fast on large and hostile mail."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.reading import properties
from tests.unit.reading.mails import in_base64, multipart, part

REPOSITORY = Path(__file__).parents[3]
# Reads a file as a digest's child would, and prints its peak in MB and its CPU seconds. (ru_maxrss would be the parent's.)
_CHILD = """
import sys, time
from pathlib import Path
from mailweir.reading import attachments, body, parts
raw = Path(sys.argv[1]).read_bytes()
found = parts.walk(raw)
read = body.read(raw, found)
attachments.index(raw, found, read.html)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024, time.process_time())
"""

_PIECES = (
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b"--", b"=", b"==", b"; ", b":", b'"', b"'", b"\\", b"\xff", b"\xef\xbb\xbf"),
    *(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n", b"\r\n--x\r\n", b"\r\n--x--\r\n", b"--xy\r\n", b"boundary="),
    *(b"Content-Type: message/rfc822\r\n\r\n", b"Content-Type: text/html\r\n\r\n", b"Content-Type: multipart/digest; boundary=x"),
    *(b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n"),
    *(b"Content-Disposition: inline\r\n", b"Content-Disposition: attachment\r\n", b"charset=utf-16", b"charset=utf-7"),
    *(b"begin 644 a.txt\n", b"%:&5L;&\\\n", b"`\nend\n", b"filename*1*=%C3", b"filename*0*=utf-8''a", b"=?utf-8?q?", b"?="),
    *(b"Content-ID: <1>\r\n", b"cid:1", b"\x1b$B", b"format=flowed; delsp=yes", b"> ", b"<p>", b"<meta charset=x>"),
)  # fmt: skip

MADE = (
    multipart(
        "mixed", part("text/plain", "hello"), in_base64("image/png; name=a.png", b"\x89PNG\r\n\x1a\n"), boundary="x"
    ),
    multipart(
        "alternative",
        part("text/plain; format=flowed", "a \r\nb"),
        part("text/html", "<p>a<img src=cid:1>"),
        boundary="x",
    ),
    multipart(
        "mixed",
        in_base64("message/rfc822", part("text/plain", "hello")),
        part("message/rfc822", "Subject: x\r\n\r\nhi"),
    ),
    part("text/plain", b"hi\r\nbegin 644 a.txt\r\n%:&5L;&\\\r\n`\r\nend\r\n"),
)


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """The mail with some pieces inserted, removed, doubled, or reversed."""
    for _ in range(chance.randint(1, 6)):
        at, end = sorted((chance.randint(0, len(raw)), chance.randint(0, len(raw))))
        end = min(end, at + 500)
        change = chance.choice((_PIECES, (b"",), (raw[at:end] * 2,), (chance.randbytes(3),), (raw[at:end][::-1],)))
        raw = raw[: chance.choice((at, end))] + chance.choice(change) + raw[end:]
    return raw


def test_every_mail_of_the_corpus_is_read(corpus: list[Path]) -> None:
    for path in corpus:
        properties.check(path.read_bytes())


def test_no_change_of_the_corpus_mails_raises(corpus: list[Path]) -> None:
    chance = random.Random(1)
    small = [raw for raw in (path.read_bytes() for path in corpus) if len(raw) < 20_000]
    for _ in range(1_000):
        properties.check(mutated(chance.choice(small), chance))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=100), st.lists(st.sampled_from(_PIECES), max_size=25).map(b"".join)))
def test_no_bytes_raise(raw: bytes) -> None:
    properties.check(raw)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MADE), st.randoms(use_true_random=False))
def test_no_change_of_a_mail_raises(raw: bytes, chance: random.Random) -> None:
    properties.check(mutated(raw, chance))


_DEEP = b"".join(part(f"multipart/mixed; boundary=b{n}", f"--b{n}\r\n") for n in range(45))
_HEAD_OF_FILE = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: %s\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "max_mb"),
    [
        pytest.param(lambda: in_base64("application/pdf", b"%PDF" * 5_500_000), 110, id="base64"),
        pytest.param(lambda: in_base64("text/plain", b"%PDF" * 5_500_000), 110, id="base64 text"),
        pytest.param(lambda: in_base64("message/rfc822", b"\r\n" + b"hi\r\n" * 5_500_000), 130, id="base64 message"),
        pytest.param(lambda: _HEAD_OF_FILE % b"quoted-printable" + b"=41" * 10_000_000, 110, id="quoted-printable"),
        pytest.param(lambda: part("text/html", b"<p>hello" * 3_750_000), 130, id="html"),
        pytest.param(lambda: b"Subject: x\r\n\r\n" + b"\r\n" * 12_500_000, 110, id="line ends"),
        pytest.param(lambda: multipart("mixed", b"\r\n" * 12_500_000), 110, id="line ends in a part"),
        pytest.param(lambda: b"\r\n" * 12_500_000, 110, id="line ends alone"),
        pytest.param(lambda: part("text/plain; format=flowed", b"a \n" * 10_000_000), 130, id="flowed"),
        pytest.param(lambda: part("text/plain", b"begin 644 x\n" * 2_500_000), 130, id="begin"),
        pytest.param(lambda: multipart("mixed", *[b"\r\n--y"] * 2_000_000, boundary="x"), 130, id="parts"),
        pytest.param(lambda: multipart("mixed", b"\r\n" + b"--xy\r\n" * 5_000_000, boundary="x"), 130, id="boundaries alike"),
        pytest.param(lambda: part("text/plain", b"\0" * 30_000_000), 110, id="NULs"),
        pytest.param(lambda: b"a: b\r\n" * 5_000_000, 130, id="headers"),
        pytest.param(lambda: _DEEP + b"a\r\n" * 7_000_000, 110, id="levels"),
    ],
)  # fmt: skip
def test_large_and_hostile_mail_takes_little_memory_and_time(
    make: Callable[[], bytes], max_mb: int, tmp_path: Path
) -> None:
    """A child of the digest has 300 MB and 5 s for all stages of reading. The mail itself takes 25 to 30 MB of that."""
    (tmp_path / "mail").write_bytes(make())
    ran = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path / "mail")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    peak_mb, seconds = map(float, ran.stdout.split())
    assert peak_mb <= max_mb
    assert seconds < 5
