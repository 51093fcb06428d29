"""An explanation: a key that never changes, and the values that its text contains. Pure. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailweir.explain.keys import PARAMETERS

Value = str | int | float | datetime


@dataclass(frozen=True, slots=True)
class Explanation:
    """A statement that has no words yet. key: one of `keys.PARAMETERS`; programs read it, too.

    parameters: the values, by the names in `keys.PARAMETERS`. Text that came by mail is unchanged. Times have a time zone.
    """

    key: str
    parameters: Mapping[str, Value] = field(default_factory=dict, hash=False)


def explain(key: str, **parameters: Value) -> Explanation:
    """An explanation with exactly the parameters of its key. KeyError: no such key. ValueError: other parameters than the
    key's."""
    if PARAMETERS[key] != parameters.keys():
        raise ValueError(f"{key} takes {sorted(PARAMETERS[key])}, not {sorted(parameters)}")
    return Explanation(key, parameters)


def word(kind: str, stored: str) -> Explanation:
    """The explanation of a stored word, such as `forward` of the kind `route`. A word of a later version is shown unchanged."""
    key = f"{kind}.{stored}"
    return explain(key) if PARAMETERS.get(key) == frozenset() else explain("stored.word", word=stored)
