"""Properties that the reading of any bytes has."""

import hashlib
import unicodedata

from mailweir.reading import attachments, body, file_names, parts


def check(raw: bytes) -> None:
    """Nothing raises. Parts are in raw and in their parents, in order. Slices decode to the index's sizes and digests. The text
    is clean."""
    found = parts.walk(raw)
    _check_parts(raw, found)
    read = body.read(raw, found)
    for text in (read.text, read.html or ""):
        assert {char for char in set(text) if unicodedata.category(char) in ("Cc", "Cs")} <= {"\n", "\t"}
    for one in attachments.index(raw, found, read.html):
        assert 0 <= one.offset <= one.offset + one.length <= len(raw)
        data = attachments.decode(raw, one)
        assert (hashlib.sha256(data).digest(), len(data)) == (one.sha256, one.size_bytes)
        assert one.name == file_names.safe(one.name) != ""


def _check_parts(raw: bytes, found: tuple[parts.Part, ...]) -> None:
    assert found[0].path == ()
    assert len(found) <= parts.MAX_PARTS
    by_path = {part.path: part for part in found}
    assert len(by_path) == len(found)
    assert list(by_path) == sorted(by_path)
    for part in found:
        said = "".join(
            (
                part.media_type,
                part.disposition,
                part.filename,
                part.content_id,
                *part.parameters,
                *part.parameters.values(),
            )
        )
        assert not {unicodedata.category(char) for char in set(said)} & {"Cc", "Cs", "Zl", "Zp"}
        assert len(part.path) <= parts.MAX_DEPTH
        assert 0 <= part.header_offset <= part.offset <= part.end <= len(raw)
        if part.path:
            parent = by_path[part.path[:-1]]
            assert parent.offset <= part.header_offset
            assert part.end <= parent.end
        before = by_path.get((*part.path[:-1], part.path[-1] - 1)) if part.path else None
        assert before is None or before.end <= part.header_offset
