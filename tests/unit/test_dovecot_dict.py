"""Dovecot's dict protocol: what is answered to which line, and what is put off."""

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postfix import dovecot_dict, socketmap

HASHES = {"richard@demo.example.net": "{ARGON2ID}x", "tab\t@demo.example.net": "y"}


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("H3\t2\t0\t\tauth", ""),
        ("Lshared/passdb/richard@demo.example.net\trichard", 'O{"password": "{ARGON2ID}x"}\n'),
        ("Lshared/passdb/richard@demo.example.net", 'O{"password": "{ARGON2ID}x"}\n'),
        ("Lshared/passdb/tab\1t@demo.example.net\tx", 'O{"password": "y"}\n'),
        ("Lshared/passdb/nobody\tnobody", "N\n"),
        ("Lshared/passdb/\t", "N\n"),
        ("Lshared/userdb/richard@demo.example.net\tx", "N\n"),
        ("Lpriv/passdb/richard@demo.example.net\tx", "N\n"),
    ],
)
def test_answers(line: str, reply: str) -> None:
    assert dovecot_dict.answer(line, HASHES.get) == reply


@pytest.mark.parametrize("line", ["", "I1\t0", "B1", "Sshared/passdb/x\ty", "L\1x", "Lshared/passdb/\1"])
def test_what_is_no_question_of_a_passdb(line: str) -> None:
    with pytest.raises(socketmap.MalformedRequest):
        dovecot_dict.answer(line, HASHES.get)


@given(st.text())
def test_escaping_is_undone(text: str) -> None:
    escaped = dovecot_dict.escape(text)
    assert not set("\t\n\r\0") & set(escaped)
    assert dovecot_dict.unescape(escaped) == text


class _Down:
    """Can't answer so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, login: str) -> str | None:
        self.left -= 1
        if self.left >= 0:
            raise dovecot_dict.CannotAnswer("down")
        return HASHES.get(login)


def _talk(path: Path, ask: dovecot_dict.Ask, sent: bytes) -> bytes:
    """What the server says until it has answered twice or hung up."""
    said = bytearray()

    def client() -> None:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(10)
            channel.connect(str(path))
            channel.sendall(sent)
            while said.count(b"\n") < 2 and (part := channel.recv(1000)):
                said.extend(part)

    async def serve() -> None:
        async with socketmap.serving(path, dovecot_dict.protocol(ask, lambda _: None)):
            thread = threading.Thread(target=client)
            thread.start()
            await asyncio.to_thread(thread.join, 15)

    asyncio.run(serve())
    return bytes(said)


QUESTIONS = b"H3\t2\t0\t\tauth\nLshared/passdb/richard@demo.example.net\tr\nLshared/passdb/x\tx\n"
ANSWERS = b'O{"password": "{ARGON2ID}x"}\nN\n'


def test_what_is_down_for_a_moment_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dovecot_dict, "RETRY_SECONDS", 0.01)
    assert _talk(tmp_path / "s", _Down(3), QUESTIONS) == ANSWERS


def test_what_stays_down_fails_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dovecot_dict, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(dovecot_dict, "WITHHOLD_SECONDS", 0.05)
    assert _talk(tmp_path / "s", _Down(10_000), QUESTIONS) == b"Fdown\nFdown\n"


@pytest.mark.parametrize("sent", [b"what\n", b"L" + b"x" * 20_000])
def test_a_malformed_line_ends_its_connection(tmp_path: Path, sent: bytes) -> None:
    replies: Any = _talk(tmp_path / "s", HASHES.get, sent)
    assert replies == b""
