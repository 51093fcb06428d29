"""Files of kept messages, extracted by a child with limits."""

import base64
import threading
from datetime import datetime

import pytest
import zstandard

from mailweir.errors import MailweirError
from mailweir.extraction import Busy, Extractor, HasBcc, Limits
from mailweir.reading.attachments import Attachment
from mailweir.store.record.digest_queue import Version

CONTENT = bytes(range(256)) * 40
ENCODED = base64.encodebytes(CONTENT)
HEAD = b"From: jane@client.example\r\nTo: richard@firm.example\r\n\r\n"


def _version(now: datetime, raw: bytes, **changed: object) -> Version:
    known = {
        "activity_id": 3,
        "author": "jane@client.example",
        "via": None,
        "size_bytes": len(raw),
        "recorded_at": now,
        "content_zstd": zstandard.compress(raw),
    }
    return Version(**{**known, **changed})  # type: ignore[arg-type]


def _file(offset: int, length: int, encoding: str = "base64") -> Attachment:
    return Attachment(
        name="a.bin",
        media_type="application/octet-stream",
        size_bytes=0,
        sha256=b"",
        is_inline=False,
        content_id="",
        offset=offset,
        length=length,
        encoding=encoding,
    )


def test_a_file_is_what_lies_between_its_ends(now: datetime) -> None:
    version = _version(now, HEAD + ENCODED + b"\r\nbehind")
    with Extractor(1).file(version, _file(len(HEAD), len(ENCODED))) as taken_out:
        assert taken_out.read() == CONTENT


def test_a_message_is_given_byte_for_byte(now: datetime) -> None:
    raw = HEAD + b"\x00\xff" * 400_000
    with Extractor(1).whole(_version(now, raw), with_bcc=False) as taken_out:
        assert taken_out.read() == raw


@pytest.mark.parametrize(
    "line",
    [b"Bcc: a@b.example", b"BCC : a@b.example", b"Resent-Bcc:\ta@b.example", b"X: y\rbcc:a@b.example", b"X: y\nBcc:z"],
)
def test_a_message_with_bcc_is_for_its_author_alone(now: datetime, line: bytes) -> None:
    raw = b"From: a@b.example\r\n" + line + b"\r\n\r\nHi"
    with pytest.raises(HasBcc):
        Extractor(1).whole(_version(now, raw), with_bcc=False)
    with Extractor(1).whole(_version(now, raw), with_bcc=True) as taken_out:
        assert taken_out.read() == raw


def test_bcc_in_the_text_is_nobodys_secret(now: datetime) -> None:
    raw = b"From: a@b.example\r\n\r\nBcc: that is how it's done\r\n"
    with Extractor(1).whole(_version(now, raw), with_bcc=False) as taken_out:
        assert taken_out.read() == raw


@pytest.mark.parametrize(
    "limits",
    [Limits(data_bytes=20_000_000), Limits(answer_bytes=1_000_000), Limits(wall_seconds=0.0)],
)
def test_a_child_that_wants_more_than_it_may_is_ended(now: datetime, limits: Limits) -> None:
    encoded = base64.encodebytes(bytes(30_000_000))
    version = _version(now, HEAD + encoded)
    with pytest.raises(MailweirError, match="can't be read out of activity 3"):
        Extractor(1, limits).file(version, _file(len(HEAD), len(encoded)))


@pytest.mark.parametrize(
    "changed", [{"content_zstd": b"no zstd"}, {"content_zstd": zstandard.compress(b"short")}], ids=["no", "short"]
)
def test_damaged_bytes_are_said_to_be_that(now: datetime, changed: dict[str, bytes]) -> None:
    version = _version(now, HEAD + ENCODED, **changed)
    with pytest.raises(MailweirError, match="damaged in the database"):
        Extractor(1).file(version, _file(len(HEAD), len(ENCODED)))
    with pytest.raises(MailweirError, match="damaged in the database"):
        Extractor(1).whole(version, with_bcc=True)


def test_no_more_run_at_once_than_may(now: datetime) -> None:
    """Two threads want one place, each without waiting."""
    encoded = base64.encodebytes(bytes(20_000_000))
    version = _version(now, HEAD + encoded)
    extractor = Extractor(1, Limits(queue_seconds=0.0))
    faults: list[BaseException | None] = []
    both = threading.Barrier(2)
    threads = [threading.Thread(target=_ask, args=(extractor, version, len(encoded), both, faults)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(one) for one in faults if one] == [Busy]


def _ask(
    extractor: Extractor, version: Version, length: int, both: threading.Barrier, faults: list[BaseException | None]
) -> None:
    both.wait()
    try:
        extractor.file(version, _file(len(HEAD), length)).close()
        faults.append(None)
    except Busy as error:
        faults.append(error)


def test_a_child_knows_none_of_the_settings(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child gets only the import path. A password in the environment isn't passed on."""
    monkeypatch.setenv("PYTHONSTARTUP", "/no/such/file")
    monkeypatch.setenv("PYTHONHOME", "/no/such/place")  # Python wouldn't start with it
    with Extractor(1).file(_version(now, HEAD + ENCODED), _file(len(HEAD), len(ENCODED))) as taken_out:
        assert taken_out.read() == CONTENT
