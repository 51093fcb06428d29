"""Folds and original authors on other projects' samples, counted as in `make accuracy`."""

import pytest

from bench.accuracy import fixtures, libraries
from bench.accuracy.fixtures import Forward, Reply
from bench.accuracy.run import hides
from tests.conftest import shared_folder
from tests.needs import lacks


@pytest.fixture(scope="module")
def replies() -> list[Reply]:
    """The shared replies."""
    return list(fixtures.replies(shared_folder() / "corpus")) or lacks("no samples of replies in the shared folder")


@pytest.fixture(scope="module")
def forwards() -> list[Forward]:
    """The shared forwards."""
    return list(fixtures.forwards(shared_folder() / "corpus")) or lacks("no samples of forwards in the shared folder")


def test_what_is_shown_of_replies_is_what_is_expected(replies: list[Reply]) -> None:
    exact = [reply for reply in replies if libraries.ours(reply.text).split() == reply.expected.split()]
    assert len(exact) >= 0.97 * len(replies)


def test_no_wanted_text_of_a_reply_is_hidden(replies: list[Reply]) -> None:
    assert [reply.name for reply in replies if hides(reply.expected, libraries.ours(reply.text))] == []


def test_the_authors_of_forwards_are_right(forwards: list[Forward]) -> None:
    known = [one for one in forwards if not one.is_reply]
    wrong = [one.name for one in known if not libraries.is_right(one, libraries.our_author(one.text, one.subject))]
    # an Outlook header below the forwarder's own text, without a subject: a reply looks like that, too
    assert set(wrong) <= {
        "test__fixtures__outlook_live_en_body_variant_8.txt",
        "test__fixtures__outlook_live_en_body_variant_9.txt",
    }


def test_the_authors_of_forwards_are_right_where_the_subject_says_so(forwards: list[Forward]) -> None:
    wrong = [
        one.name
        for one in forwards
        if not one.is_reply and not libraries.is_right(one, libraries.our_author(one.text, "Fwd: X"))
    ]
    assert wrong == []


def test_no_reply_is_taken_for_a_forward(forwards: list[Forward], replies: list[Reply]) -> None:
    texts = [one.text for one in forwards if one.is_reply] + [one.text for one in replies]
    assert [text[:80] for text in texts if libraries.our_author(text, "Re: X")[0]] == []
