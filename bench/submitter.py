"""Submits mail as the relay's clients do: for each message a connection with TLS, AUTH and one transaction.

Postfix's smtp-source supports neither TLS nor AUTH. This client takes more CPU than the measured programs, so the bench reports
their CPU, not the time. Called by `rounds`.
"""

import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from bench.stack import BenchError

TIMEOUT_SECONDS = 60.0
_LINE = b"X" * 78 + b"\r\n"
_numbers = count(1)


def send(
    port: int, credentials: tuple[str, str], envelope: tuple[str, str], sessions: int, messages: int, size_bytes: int
) -> None:
    """Sends the messages over this many connections at a time. envelope: sender and recipient. BenchError if one is refused."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is self-signed
    numbers = [next(_numbers) for _ in range(messages)]

    def send_one(number: int) -> None:
        with smtplib.SMTP_SSL(
            "127.0.0.1", port, "client.bench.example", timeout=TIMEOUT_SECONDS, context=context
        ) as client:
            client.login(*credentials, initial_response_ok=True)
            client.sendmail(*envelope, _message(envelope, number, size_bytes))

    with ThreadPoolExecutor(sessions) as pool:
        try:
            for _ in pool.map(send_one, numbers):
                pass
        except (smtplib.SMTPException, OSError) as error:
            raise BenchError(f"a message wasn't taken: {error}") from error


def _message(envelope: tuple[str, str], number: int, size_bytes: int) -> bytes:
    author, recipient = envelope
    head = (
        f"From: {author}\r\nTo: {recipient}\r\nSubject: message {number}\r\n"
        f"Date: Tue, 24 Nov 2026 03:12:55 +0000\r\nMessage-ID: <{number}@client.bench.example>\r\n\r\n"
    ).encode()
    return head + _LINE * max(1, (size_bytes - len(head)) // len(_LINE))
