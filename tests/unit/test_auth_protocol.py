"""Dovecot's authentication protocol: the result of each line of smtpd's. No line of a hostile client breaks it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postfix import auth_protocol
from postfix.auth_protocol import Conversation, Question, Refusal
from postfix.malformed import Malformed

LOGIN, PASSWORD = "richard@demo.example.net", b"secret"
SMTPD = b"service=smtp\tnologin\tlip=192.0.2.1\trip=192.0.2.7\tsecured"


def b64(text: bytes) -> bytes:
    return base64.b64encode(text)


def auth(response: bytes | None = None, *, mechanism: bytes = b"PLAIN", parameters: bytes = SMTPD) -> bytes:
    """The AUTH line of smtpd, as Postfix 3.7 and 3.10 write it."""
    given_response = b"" if response is None else b"\tresp=" + response
    return b"AUTH\t1\t" + mechanism + b"\t" + parameters + given_response


def greeted() -> Conversation:
    conversation = Conversation()
    assert conversation.receive(b"VERSION\t1\t0") is None
    assert conversation.receive(b"CPID\t4711") is None
    return conversation


def plain(login: bytes, password: bytes, authzid: bytes = b"") -> bytes:
    return b64(authzid + b"\0" + login + b"\0" + password)


def test_the_greeting_names_the_mechanisms_before_the_server() -> None:
    lines = auth_protocol.greeting(3).decode().split("\n")
    assert lines[:3] == ["VERSION\t1\t2", "MECH\tPLAIN\tplaintext", "MECH\tLOGIN\tplaintext"]
    assert lines[3].startswith("SPID\t")
    assert lines[4] == "CUID\t3"
    assert len(lines[5].removeprefix("COOKIE\t")) == 32
    assert lines[6:] == ["DONE", ""]


def test_plain_in_one_go_and_in_two() -> None:
    question = Question(b"1", "192.0.2.7", LOGIN, PASSWORD)
    assert greeted().receive(auth(plain(LOGIN.encode(), PASSWORD))) == question
    conversation = greeted()
    # the tab stays, otherwise Postfix takes the reply for a broken one
    assert conversation.receive(auth()) == b"CONT\t1\t\n"
    assert conversation.receive(b"CONT\t1\t" + plain(LOGIN.encode(), PASSWORD)) == question


def test_login_asks_for_a_name_and_then_for_a_password() -> None:
    question = Question(b"1", "192.0.2.7", LOGIN, PASSWORD)
    conversation = greeted()
    assert conversation.receive(auth(mechanism=b"login")) == b"CONT\t1\t" + b64(b"Username:") + b"\n"
    assert conversation.receive(b"CONT\t1\t" + b64(LOGIN.encode())) == b"CONT\t1\t" + b64(b"Password:") + b"\n"
    assert conversation.receive(b"CONT\t1\t" + b64(PASSWORD)) == question
    conversation = greeted()
    first = conversation.receive(auth(b64(LOGIN.encode()), mechanism=b"LOGIN"))
    assert first == b"CONT\t1\t" + b64(b"Password:") + b"\n"
    assert conversation.receive(b"CONT\t1\t" + b64(PASSWORD)) == question


def test_who_acts_as_himself_may_say_so() -> None:
    named = plain(LOGIN.encode(), PASSWORD, LOGIN.upper().encode())
    assert isinstance(greeted().receive(auth(named)), Question)


@pytest.mark.parametrize(
    "response",
    [
        plain(LOGIN.encode(), PASSWORD, b"olga@demo.example.net"),  # to act as somebody else
        plain(LOGIN.encode(), b""),
        plain(b"", PASSWORD),
        plain(LOGIN.encode(), b"a\0b"),
        plain(b"\xff\xfe", PASSWORD),
        plain(b"richard\n@demo.example.net", PASSWORD),
        plain("richard\u202e@demo.example.net".encode(), PASSWORD),
        plain(b"r" * (auth_protocol.MAX_LOGIN_CHARS + 1), PASSWORD),
        plain(LOGIN.encode(), b"p" * (auth_protocol.MAX_PASSWORD_BYTES + 1)),
        b64(LOGIN.encode()),
        b64(b""),
        b"=",
        b"",
        b"no base64!",
        b"AAA",
    ],
)
def test_what_cant_be_right_is_a_refusal(response: bytes) -> None:
    assert greeted().receive(auth(response)) == Refusal(b"1")


@pytest.mark.parametrize(("given", "wanted"), [(b"CRAM-MD5", SMTPD), (b"PLAIN", SMTPD.replace(b"\tsecured", b""))])
def test_no_other_mechanism_and_none_without_tls(given: bytes, wanted: bytes) -> None:
    line = auth(plain(LOGIN.encode(), PASSWORD), mechanism=given, parameters=wanted)
    assert greeted().receive(line) == Refusal(b"1")


def test_an_auth_that_was_called_off_leaves_its_place_to_the_next() -> None:
    """smtpd doesn't report a client's "*"."""
    conversation = greeted()
    conversation.receive(auth(mechanism=b"LOGIN"))
    assert conversation.receive(auth().replace(b"AUTH\t1", b"AUTH\t2")) == b"CONT\t2\t\n"
    with pytest.raises(Malformed):
        conversation.receive(b"CONT\t1\t" + b64(b"x"))
    conversation = greeted()
    conversation.receive(auth())
    assert conversation.receive(b"CANCEL\t1") is None
    with pytest.raises(Malformed):
        conversation.receive(b"CONT\t1\t" + plain(LOGIN.encode(), PASSWORD))


@pytest.mark.parametrize(
    "line",
    [
        b"VERSION\t2\t0",
        b"VERSION",
        b"AUTH",
        b"AUTH\t1",
        b"AUTH\tx\tPLAIN\tsecured",
        b"AUTH\t" + b"1" * 11 + b"\tPLAIN\tsecured",
        auth(plain(b"a", b"b")) + b"\tsecured",
        b"CONT\t1\t",
        b"CONT",
    ],
)
def test_what_is_no_line_of_the_protocol(line: bytes) -> None:
    with pytest.raises(Malformed):
        greeted().receive(line)


def test_nothing_before_the_version() -> None:
    with pytest.raises(Malformed):
        Conversation().receive(auth())


@pytest.mark.parametrize("line", [b"", b"NOOP", b"CPID\t1", b"\xff\0", b"auth\t1\tPLAIN"])
def test_unknown_commands_are_passed_over(line: bytes) -> None:
    assert greeted().receive(line) is None


def test_replies() -> None:
    assert auth_protocol.ok(b"7", LOGIN) == b"OK\t7\tuser=richard@demo.example.net\n"
    assert auth_protocol.fail(b"7", None) == b"FAIL\t7\treason=wrong login or password\n"
    assert (
        auth_protocol.fail(b"7", LOGIN) == b"FAIL\t7\tuser=richard@demo.example.net\treason=wrong login or password\n"
    )


def test_nothing_that_is_said_of_a_question_holds_its_password() -> None:
    question = greeted().receive(auth(plain(b"typed-into-the-wrong-field", PASSWORD)))
    assert "secret" not in repr(question)
    assert "wrong-field" not in repr(question)
    conversation = greeted()
    conversation.receive(auth(b64(b"typed-into-the-wrong-field"), mechanism=b"LOGIN"))
    assert "wrong-field" not in repr(vars(conversation))


def _end(first: bytes, second: bytes, mechanism: bytes) -> object:
    """The result of these responses. The second one answers a request that follows the first."""
    conversation = greeted()
    found = conversation.receive(auth(first, mechanism=mechanism))
    return conversation.receive(b"CONT\t1\t" + second) if isinstance(found, bytes) else found


@given(st.binary(), st.binary(), st.sampled_from([b"PLAIN", b"LOGIN"]))
def test_any_response_is_a_reply_a_question_or_a_refusal(first: bytes, second: bytes, mechanism: bytes) -> None:
    found = _end(b64(first), b64(second), mechanism)
    assert isinstance(found, Question | Refusal)
    assert isinstance(found, Refusal) or (found.login.isprintable() and found.password)
