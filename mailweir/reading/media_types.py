"""The type of an attached file: by its first bytes, otherwise as the mail says. Never raises. Called by `attachments`. Pure."""

import filetype

HEAD_BYTES = 8_192

UNKNOWN = "application/octet-stream"
TNEF = "application/ms-tnef"
_TNEF_SIGNATURE = b"\x78\x9f\x3e\x22"  # MS-OXTNEF 2.1.3.1: Outlook's winmail.dat
# The content shows only the container; the mail says what it contains.
_CONTAINERS = {
    "application/zip": (
        "zip",
        "openxmlformats",
        "opendocument",
        "java-archive",
        "android",
        "ms-word",
        "ms-excel",
        "ms-powerpoint",
    ),
    "application/gzip": ("gzip", "compressed-tar", "x-tgz"),
    "video/mp4": ("audio/mp4", "audio/x-m4a"),
}
_ALIKE = {
    "application/gzip": "application/x-gzip",
    "audio/x-wav": "audio/wav",
    "application/x-rar-compressed": "application/vnd.rar",
}
_EXTENSIONS = {
    "text/plain": "txt",
    "text/html": "html",
    "text/csv": "csv",
    "text/calendar": "ics",
    "application/ics": "ics",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "text/xml": "xml",
    "application/xml": "xml",
    "application/json": "json",
    "image/svg+xml": "svg",
    "message/rfc822": "eml",
    "message/global": "eml",
    "message/news": "eml",
    "message/delivery-status": "txt",
    "message/disposition-notification": "txt",
    "message/feedback-report": "txt",
    "text/rfc822-headers": "txt",
    "application/pgp-signature": "asc",
    "application/pgp-encrypted": "asc",
    "application/pgp-keys": "asc",
    "application/pkcs7-signature": "p7s",
    "application/x-pkcs7-signature": "p7s",
    "application/pkcs7-mime": "p7m",
    "application/x-pkcs7-mime": "p7m",
    TNEF: "dat",
}


def of(head: bytes, declared: str) -> str:
    """The media type of a file with this beginning. Data that looks like text keeps its declared type."""
    head = head[:HEAD_BYTES]
    if head.startswith(_TNEF_SIGNATURE):
        return TNEF
    if _is_text(head):
        return declared
    kind = filetype.guess(head)
    if kind is None:
        return declared
    found = str(kind.mime)
    if _agrees(found, declared):
        return declared
    return found


def extension(media_type: str) -> str:
    """The extension for a file without a name; `bin` if unknown."""
    known = _EXTENSIONS.get(media_type)
    if known is None:
        kind = filetype.get_type(mime=media_type)
        known = kind.extension if kind else "txt" if media_type.startswith("text/") else "bin"
    return str(known)


def _agrees(found: str, declared: str) -> bool:
    return _ALIKE.get(found) == declared or any(word in declared for word in _CONTAINERS.get(found, ()))


def _is_text(head: bytes) -> bool:
    """Is it text? The signatures of some formats occur in texts, too: `BM` begins a bitmap, and many texts."""
    return (
        head.isascii()
        and not any(byte < 32 and byte not in b"\t\n\x0b\x0c\r\x1b" for byte in set(head))
        and not head.startswith(b"%PDF-")
    )
