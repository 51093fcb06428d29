"""MIME parts and messages as bytes, composed for the tests of reading."""

import base64


def part(kind: str, content: bytes | str = b"", *, headers: str = "") -> bytes:
    """A part with its header, or a whole message: part("text/html", "<p>hi", headers="Content-ID: <1>")."""
    data = content if isinstance(content, bytes) else content.encode()
    more = f"{headers}\r\n" if headers else ""
    return f"Content-Type: {kind}\r\n{more}\r\n".encode() + data


def multipart(kind: str, *children: bytes, headers: str = "", boundary: str = "") -> bytes:
    """A multipart of these parts: multipart("mixed", part(…), part(…))."""
    chosen = boundary or f"={len(children)}-{kind}-{sum(map(len, children))}="
    inner = b"".join(f"--{chosen}\r\n".encode() + child + b"\r\n" for child in children)
    return part(f'multipart/{kind}; boundary="{chosen}"', inner + f"--{chosen}--\r\n".encode(), headers=headers)


def in_base64(kind: str, content: bytes, *, headers: str = "") -> bytes:
    """A part in base64."""
    more = f"\r\n{headers}" if headers else ""
    return part(kind, base64.encodebytes(content), headers=f"Content-Transfer-Encoding: base64{more}")


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
ATTACHED = "Content-Disposition: attachment"
