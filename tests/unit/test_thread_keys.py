"""A mail's conversation keys. Each trap here affected other programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import headers
from mailweir.reading import thread_keys
from mailweir.reading.thread_keys import ThreadKeys
from tests.linear_time import GrowsLinearly


def _read(*lines: tuple[str, str]) -> ThreadKeys:
    return thread_keys.read(headers.look([(name.encode(), f" {value}".encode()) for name, value in lines]))


def _digests(*ids: str) -> tuple[bytes, ...]:
    return tuple(found for one in ids if (found := thread_keys.digest(one)))


ONE, TWO, THREE = "<one@client.example>", "<two@client.example>", "<three@client.example>"


def test_a_plain_answer() -> None:
    keys = _read(
        ("Message-ID", THREE),
        ("In-Reply-To", TWO),
        ("References", f"{ONE}\r\n\t{TWO}"),
        ("Subject", "AW: Re[2]: [clients] An  Offer"),
    )
    assert keys == ThreadKeys(
        own=thread_keys.digest(THREE),
        in_reply_to=_digests(TWO),
        references=_digests(ONE),
        base_subject="an offer",
        is_reply=True,
        has_ids=True,
    )
    assert len(keys.own or b"") == 16


def test_a_mail_without_anything() -> None:
    nothing = ThreadKeys(own=None, in_reply_to=(), references=(), base_subject="", is_reply=False, has_ids=False)
    assert _read() == nothing


@pytest.mark.parametrize(
    "empty",
    ["", "<>", "< >", "<@>", "<@client.example>", "<.@client.example>", "<null>", "<1>", "none", "()", "<\t>", "<><>"],
)
def test_an_id_that_says_nothing_is_none(empty: str) -> None:
    keys = _read(("Message-ID", empty), ("In-Reply-To", empty), ("References", f"{empty} {ONE}"), ("Subject", "Re: x"))
    assert (keys.own, keys.in_reply_to, keys.references) == (None, (), _digests(ONE))
    assert not _read(("In-Reply-To", empty), ("References", empty), ("Subject", "Re: x")).has_ids


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ONE, _digests(ONE)),
        ("one@client.example", _digests(ONE)),
        (f"{ONE} {TWO}", _digests(ONE, TWO)),
        (f"Your message of \"Tue, 24 Nov 2026 10:00:00 +0100\" {ONE}", _digests(ONE)),
        ("<one@client.\r\n example>", _digests(ONE)),
        ("=?us-ascii?Q?=3Cone=40client=2Eexample=3E?=", ()),
        ("<=?us-ascii?Q?one=40client=2Eexample?=>", _digests(ONE)),
        ("Jane Client's message <jane@client.example>", ()),
        ("jane@client.example", ()),
        ("<ABCDEFGHIJKLMNOPQRSTUVWXYZ>", _digests("<ABCDEFGHIJKLMNOPQRSTUVWXYZ>")),
    ],
)  # fmt: skip
def test_what_is_answered(value: str, expected: tuple[bytes, ...]) -> None:
    keys = _read(("From", "Jane <jane@client.example>"), ("In-Reply-To", value), ("Subject", "Re: x"))
    assert keys.in_reply_to == expected


def test_ids_differ_by_each_letter_and_not_by_white_space() -> None:
    assert thread_keys.digest("<One@client.example>") != thread_keys.digest(ONE)
    assert thread_keys.digest(" <one@\tclient.example > ") == thread_keys.digest(ONE)


def test_a_mail_that_answers_itself_answers_nobody() -> None:
    keys = _read(("Message-ID", ONE), ("In-Reply-To", ONE), ("References", f"{ONE} {TWO}"), ("Subject", "Re: x"))
    assert (keys.in_reply_to, keys.references) == ((), _digests(TWO))


def test_the_last_hundred_references_count() -> None:
    ids = [f"<{number}@client.example>" for number in range(5_000)]
    keys = _read(("References", " ".join(ids)), ("Subject", "Re: x"))
    assert keys.references == _digests(*ids[-100:])
    many = _read(("In-Reply-To", " ".join(ids)), ("Subject", "Re: x"))
    assert many.in_reply_to == _digests(*ids[-10:])


def test_a_reference_that_stands_there_twice_has_its_last_place() -> None:
    keys = _read(("References", f"{ONE} {TWO} {ONE}"), ("Subject", "Re: x"))
    assert keys.references == _digests(TWO, ONE)


# --- values that aren't ids -------------------------------------------------------------------------------------------


def test_outlooks_index_is_no_id() -> None:
    keys = _read(
        ("Thread-Index", "AdNxQ0Zo0H1lFz0aT0m5x2t8cQ2rWg=="), ("Thread-Topic", "An offer"), ("Subject", "RE: An offer")
    )
    assert (keys.in_reply_to, keys.references, keys.has_ids) == ((), (), False)


def test_an_id_that_the_relay_added_is_one_as_any_other() -> None:
    """The answer to a login's mail names it."""
    added = "<mwr.abcdefghijklmnopqrstuvwxyz234567@firm.example>"
    assert _read(("Message-ID", added)).own == thread_keys.digest(added)
    assert _read(("In-Reply-To", added), ("Subject", "Re: x")).in_reply_to == _digests(added)


def test_another_installations_ids_are_strangers() -> None:
    """The form of our ids doesn't matter: only a known id, letter for letter, joins a conversation."""
    one, other = (f"<mwr.{letter * 32}@firm.example>" for letter in "ab")
    assert thread_keys.digest(one) != thread_keys.digest(other)


# --- forwards ---------------------------------------------------------------------------------------------------------

_NAMES_ITS_SOURCE = (("In-Reply-To", TWO), ("References", f"{ONE} {TWO}"))


@pytest.mark.parametrize(
    "subject", ["Fwd: An offer", "WG: An offer", "TR: An offer", "I: Re: An offer", "İLT: An offer", "转发：An offer", "FW: FW: An offer"]  # noqa: E501
)  # fmt: skip
def test_a_forward_is_no_answer_and_has_a_subject_of_its_own(subject: str) -> None:
    keys = _read(("Message-ID", THREE), *_NAMES_ITS_SOURCE, ("Subject", subject))
    assert (keys.in_reply_to, keys.references) == ((), _digests(ONE, TWO))
    assert (keys.base_subject, keys.is_reply, keys.has_ids) == ("fwd: an offer", False, True)


def test_a_forward_whose_subject_was_changed_is_known_by_its_header() -> None:
    keys = _read(*_NAMES_ITS_SOURCE, ("X-Forwarded-Message-Id", TWO), ("Subject", "Please see below"))
    assert (keys.in_reply_to, keys.references) == ((), _digests(ONE))
    assert keys.base_subject == "fwd: please see below"
    assert keys.has_ids


def test_an_answer_to_a_forward_joins_the_forward_and_not_its_source() -> None:
    keys = _read(("In-Reply-To", THREE), ("References", f"{ONE} {TWO} {THREE}"), ("Subject", "Re: Fwd: An offer"))
    assert keys.in_reply_to == _digests(THREE)
    assert (keys.base_subject, keys.is_reply) == ("fwd: an offer", True)


def test_no_subject_of_a_persons_is_a_forwards() -> None:
    assert _read(("Subject", "fwd: x")).base_subject == thread_keys.FORWARD_MARK + "x"
    assert _read(("Subject", "forward: x")).base_subject == "forward: x"


def test_subjects_compare_by_digests() -> None:
    assert thread_keys.subject_digest("an offer") == thread_keys.subject_digest("an offer")
    assert thread_keys.subject_digest("an offer") != thread_keys.subject_digest("fwd: an offer")
    assert len(thread_keys.subject_digest("")) == 16


# --- hostile ----------------------------------------------------------------------------------------------------------

_NAMES = ["message-id", "in-reply-to", "references", "x-forwarded-message-id", "subject", "from"]


@given(st.lists(st.tuples(st.sampled_from(_NAMES), st.binary(max_size=60)), max_size=8))
def test_any_bytes_have_keys(lines: list[tuple[str, bytes]]) -> None:
    keys = thread_keys.read(headers.look([(name.encode(), value) for name, value in lines]))
    assert all(len(one) == 16 for one in (*keys.in_reply_to, *keys.references))
    assert keys.own not in (*keys.in_reply_to, *keys.references)
    assert not set(keys.in_reply_to) & set(keys.references)


@pytest.mark.parametrize("name", _NAMES[:-1])
@pytest.mark.parametrize(
    "unit", [b"<", b">", b"<a@b>", b"<a", b"a@b ", b" ", b"\t\r\n", b"=?", b"Re: ", b"[x]", b"@", b"x"]
)
def test_a_long_value_takes_no_time(grows_linearly: GrowsLinearly, name: str, unit: bytes) -> None:
    grows_linearly(lambda size: thread_keys.read(headers.look([(name.encode(), unit * (size // len(unit)))])))
