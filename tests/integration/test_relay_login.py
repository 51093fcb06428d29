"""Logins on the real stack. A login that was rotated or disconnected is refused at the next AUTH. AUTH is available only on the
right ports."""

import json
import smtplib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.integration import relay
from tests.integration.relay import Client, connect, people

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack


@pytest.fixture(scope="module")
def known(make_module_stack: "MakeStack") -> "Stack":
    """A stack with people."""
    stack = make_module_stack()
    people(stack)
    return stack


def _auth(stack: "Stack", login: str, password: str, *, wrapped: bool = False) -> int:
    with Client(stack, wrapped=wrapped) as client:
        return client.auth(login, password)[0]


def test_rotate_and_disconnect_count_at_the_next_auth(known: "Stack") -> None:
    login, first = connect(known, "olga")
    assert len(first) >= 20
    assert _auth(known, login, first) == 235
    assert _auth(known, login.upper(), first, wrapped=True) == 235
    second = json.loads(known.cli("relay", "rotate", "olga", "--json", check=True).stdout)["password"]
    assert _auth(known, login, first) == 535
    assert _auth(known, login, second) == 235
    known.cli("relay", "disconnect", "olga", check=True)
    assert _auth(known, login, second) == 535


def test_plain_and_login_within_tls_alone(known: "Stack") -> None:
    login, password = connect(known, "olga")
    try:
        for wrapped in (False, True):
            with Client(known, wrapped=wrapped) as client:
                assert client.smtp.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
                client.smtp.user, client.smtp.password = login, password
                assert client.smtp.auth("LOGIN", client.smtp.auth_login)[0] == 235
        with smtplib.SMTP("127.0.0.1", known.submission_port, "x.example", timeout=60) as client:
            client.ehlo()
            assert "auth" not in client.esmtp_features
            assert client.docmd("AUTH PLAIN AGEAYgBj")[0] in (503, 530)
            assert client.docmd(f"MAIL FROM:<{relay.OLGA}>")[0] == 530
    finally:
        known.cli("relay", "disconnect", "olga", check=True)


@pytest.mark.parametrize(
    "begin", [lambda client: None, lambda client: client.starttls(context=relay.untrusting())], ids=["plain", "tls"]
)
def test_no_auth_on_port_25(known: "Stack", begin: Callable[[smtplib.SMTP], object]) -> None:
    with known.connect() as client:
        begin(client)
        client.ehlo()
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH PLAIN AGEAYgBj")[0] == 503


def _guess(client: Client, login: str, password: str) -> bool:
    """Did the server answer the guess? Its answer must be a refusal."""
    try:
        assert client.auth(login, password)[0] in (535, 421, 454)
    except (OSError, smtplib.SMTPException):
        return False
    return True


def test_who_guesses_one_login_delays_no_other(known: "Stack") -> None:
    olga, richard = connect(known, "olga"), connect(known, "richard")
    guesses = 0

    def guess() -> None:
        nonlocal guesses
        with Client(known) as client:
            while time.monotonic() < end and client.smtp.sock and _guess(client, richard[0], f"guess{guesses}"):
                guesses += 1

    try:
        end = time.monotonic() + 10
        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(guess) for _ in range(8)]
            time.sleep(2)
            with Client(known) as client:
                begun = time.monotonic()
                assert client.auth(*olga)[0] == 235
                assert time.monotonic() - begun < 0.5
            for one in running:
                one.result()
        assert guesses >= 8
    finally:
        for name in ("olga", "richard"):
            known.cli("relay", "disconnect", name, check=True)
