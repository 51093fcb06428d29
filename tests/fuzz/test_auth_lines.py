"""The short form of `auth_lines`. The long form, a million lines, is `make fuzz`."""

import random

from tests.fuzz import auth_lines


def test_the_conversation_takes_whatever_comes() -> None:
    came = auth_lines.converse(30_000, random.Random(11))
    # all possible results occurred
    assert set(came) == {"NoneType", "bytes", "Question", "Refusal", "Malformed"}
    assert min(came.values()) > 50


def test_the_process_outlives_hostile_lines() -> None:
    auth_lines.attack(10_000, random.Random(12))
