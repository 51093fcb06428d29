"""Mail for tests of one message on the page: the bytes are sent unchanged, so that a test decides about each header and part."""

import base64
from urllib.parse import quote


def raw_mail(body: bytes, *lines: bytes, subject: bytes = b"An offer") -> bytes:
    """A mail of jane's to richard. lines: further headers."""
    known = (b"From: Jane Doe <jane@client.example>", b"To: richard@firm.example", b"Subject: " + subject)
    own = (b"Date: Mon, 23 Nov 2026 09:00:00 +0100", b"Message-ID: <1@client.example>")
    return b"\r\n".join((*known, *own, *lines, b"", body))


def with_files(*files: tuple[str, str, bytes], html: bytes = b"") -> bytes:
    """The same mail with files: (name, declared type, content) of each."""
    parts = [
        b"Content-Type: text/html\r\n\r\n" + html if html else b"Content-Type: text/plain\r\n\r\nSee the files.\r\n"
    ]
    parts += [
        b"Content-Type: %b\r\nContent-ID: <file%d@x>\r\nContent-Disposition: attachment; filename*=UTF-8''%b\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n%b"
        % (kind.encode(), number, quote(name, safe="").encode(), base64.encodebytes(content).replace(b"\n", b"\r\n"))
        for number, (name, kind, content) in enumerate(files, 1)
    ]
    body = b"".join(b"--=b\r\n" + part + b"\r\n" for part in parts) + b"--=b--\r\n"
    return raw_mail(body, b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="=b"')
