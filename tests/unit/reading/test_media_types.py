"""The type of a file: by its first bytes, otherwise as the mail says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.reading import media_types

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
ZIP = b"PK\x03\x04" + b"\x14\0\0\0\x08\0" + b"\xff" * 40
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("head", "declared", "expected"),
    [
        (PNG, "application/octet-stream", "image/png"),
        (PNG, "image/jpeg", "image/png"),
        (PNG, "text/html", "image/png"),
        (b"%PDF-1.7\n", "application/octet-stream", "application/pdf"),
        (b"%PDF-1.7\n%\xe2\xe3", "application/x-unknown", "application/pdf"),
        (ZIP, "application/octet-stream", "application/zip"),
        (ZIP, "application/pdf", "application/zip"),
        (ZIP, DOCX, DOCX),
        (ZIP, "application/x-zip-compressed", "application/x-zip-compressed"),
        (ZIP[:30] + b"word/document.xml" + b"\xff" * 40, "application/octet-stream", DOCX),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "application/x-gzip", "application/x-gzip"),
        (b"\x78\x9f\x3e\x22\x01\0", "application/octet-stream", media_types.TNEF),
        (b"MZ\x90\0\x03\0", "image/png", "application/x-msdownload"),
        (b"BM is a bitmap's beginning, and this text's.", "text/plain", "text/plain"),
        (b"BM is a bitmap's beginning, and this text's.", "application/octet-stream", "application/octet-stream"),
        (b"a;b\r\n1;2\r\n", "text/csv", "text/csv"),
        (b"<html><script>", "image/png", "image/png"),
        (b"\0\x01\x02\x03", "application/x-own", "application/x-own"),
        (b"", "image/png", "image/png"),
    ],
)
def test_the_content_says_more_than_the_mail(head: bytes, declared: str, expected: str) -> None:
    assert media_types.of(head, declared) == expected


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("application/pdf", "pdf"),
        ("image/jpeg", "jpg"),
        ("text/calendar", "ics"),
        ("message/rfc822", "eml"),
        (DOCX, "docx"),
        ("text/x-own", "txt"),
        ("application/x-own", "bin"),
        ("", "bin"),
    ],
)
def test_a_file_without_a_name_gets_an_extension(media_type: str, expected: str) -> None:
    assert media_types.extension(media_type) == expected


@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"RIFF", b"\0\0\0\x18ftyp"]),
)
def test_no_bytes_raise(data: bytes, begin: bytes) -> None:
    assert "/" in media_types.of(begin + data, "application/octet-stream")
