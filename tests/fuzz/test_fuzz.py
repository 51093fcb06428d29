"""The properties on the corpus, on Hypothesis's inputs, and on a fixed number of mutants. The long run is `make fuzz`."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import properties

_INPUTS = st.lists(st.one_of(st.sampled_from(properties.PIECES), st.binary(max_size=12)), max_size=20).map(b"".join)


@pytest.mark.parametrize("name", properties.PROPERTIES)
def test_the_corpus_holds(name: str) -> None:
    assert properties.seeds(name)
    for raw in properties.seeds(name):
        properties.check(name, raw)


@pytest.mark.parametrize("name", properties.PROPERTIES)
@settings(max_examples=100, deadline=None)
@given(_INPUTS)
def test_pieces_hold(name: str, raw: bytes) -> None:
    properties.check(name, raw)
    properties.check("headers", b"From: " + raw + b"\r\nSubject: " + raw)


@pytest.mark.parametrize("name", properties.PROPERTIES)
def test_mutants_hold(name: str) -> None:
    chance = random.Random(5)
    for _ in range(150):
        properties.check(name, properties.mutated(name, chance))
