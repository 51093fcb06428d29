"""A message's raw bytes, assembled from the pieces that Postfix sends, and compressed meanwhile if it is large.

The compressed part of a large message is kept in an unnamed file until needed, so that many large messages at once take no memory
while they arrive. Never parses. One for each message whose body is needed, made by `session` and `completing`.
"""

import tempfile
from collections.abc import Sequence

import zstandard

from mailweir import content
from mailweir.headers import Header
from mailweir.identity import BodyDigest

STREAM_ABOVE_BYTES = 262_144
SPOOL_ABOVE_BYTES = 262_144  # compressed


def join_headers(headers: Sequence[Header]) -> bytes:
    """The header block and its empty line, as in the message: values include their white space and folds."""
    return b"".join([b"%s:%s\r\n" % header for header in headers]) + b"\r\n"


class Assembly:
    """Takes the headers, then the body's chunks; gives size, digest and the compressed whole."""

    def __init__(self, headers: Sequence[Header]) -> None:
        self._headers = headers
        self._chunks: list[bytes] = [join_headers(headers)]
        self._digest = BodyDigest()
        self._stream: zstandard.ZstdCompressionObj | None = None
        self._spool: tempfile.SpooledTemporaryFile[bytes] | None = None
        self._whole: bytes | None = None
        self.size_bytes = len(self._chunks[0])

    def add(self, chunk: bytes) -> None:
        """Adds the next part of the body."""
        self._digest.update(chunk)
        self.size_bytes += len(chunk)
        if self._stream and self._spool:
            self._spool.write(self._stream.compress(chunk))
        elif self.size_bytes > STREAM_ABOVE_BYTES:
            self._stream = zstandard.ZstdCompressor(level=content.LEVEL).compressobj()
            self._spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_ABOVE_BYTES)  # noqa: SIM115  closed with the object
            for part in (*self._chunks, chunk):
                self._spool.write(self._stream.compress(part))
            self._chunks.clear()
        else:
            self._chunks.append(chunk)

    @property
    def is_large(self) -> bool:
        """Is it so large that a worker should not hold a second one in memory at the same time?"""
        return self._spool is not None

    def body_digest(self) -> bytes:
        """See identity.BodyDigest."""
        return self._digest.digest()

    def as_bytes(self) -> content.Bytes:
        """The data for the record. Nothing can be added after this."""
        return content.Bytes(self._headers, self.body_digest(), self.compressed(), self.size_bytes)

    def compressed(self) -> bytes:
        """The whole message as one zstd frame; called once for each deployment. Nothing can be added after it."""
        if self._whole is None:
            if self._stream and self._spool:
                self._spool.write(self._stream.flush())
                self._spool.seek(0)
                self._whole = self._spool.read()
                self._spool.close()
            else:
                self._whole = content.compress(b"".join(self._chunks))
            self._chunks.clear()
        return self._whole
