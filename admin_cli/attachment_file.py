"""A file out of a message, decoded in a child under limits: mail is hostile when it is read, too. Called by `activity`."""

from dataclasses import asdict

from mailweir.digest import workers
from mailweir.digest.workers import Facts, Limits, Pool
from mailweir.errors import MailweirError
from mailweir.reading import attachments
from mailweir.reading.attachments import Attachment
from mailweir.store.record import raw_messages
from mailweir.store.record.digest_queue import Version

_LIMITS = Limits(data_bytes=400_000_000, cpu_seconds=10.0, wall_seconds=30.0, answer_bytes=100_000_000)


def read(version: Version, attachment: Attachment) -> bytes:
    """The file's bytes. MailweirError where they can't be had."""
    about = {**asdict(attachment), "sha256": "", "size": version.size_bytes, "activity": version.activity_id}
    pool: Pool[int] = Pool(1, _decode, _LIMITS)
    try:
        pool.give(0, about, version.content_zstd)
        answers: list[bytes | None] = []
        while not answers:
            answers = [answer for _, answer in workers.wait([pool], _LIMITS.wall_seconds)]
    finally:
        pool.stop()
    if answers[0] is None:
        raise MailweirError(f"the file can't be read out of activity {version.activity_id}'s message")
    return answers[0]


def _decode(about: Facts, content_zstd: bytes) -> bytes:
    raw = raw_messages.decompress(content_zstd, about["size"], about["activity"])
    return attachments.decode(
        raw,
        Attachment(
            name=about["name"],
            media_type=about["media_type"],
            size_bytes=about["size_bytes"],
            sha256=b"",
            is_inline=about["is_inline"],
            content_id=about["content_id"],
            offset=about["offset"],
            length=about["length"],
            encoding=about["encoding"],
        ),
    )
