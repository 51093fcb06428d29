"""An explanation: a key that stays as it is, and the values that its sentence names. Pure. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailweir.explain.keys import PARAMETERS

Value = str | int | float | datetime


@dataclass(frozen=True, slots=True)
class Explanation:
    """A statement in no language yet. key: one of `keys.PARAMETERS`, for programs, too.

    parameters: the values by the names in `keys.PARAMETERS`. Text that came by mail is in them unchanged. Times are aware.
    """

    key: str
    parameters: Mapping[str, Value] = field(default_factory=dict, hash=False)


def explain(key: str, **parameters: Value) -> Explanation:
    """An explanation with exactly the parameters of its key. KeyError, ValueError: a fault of the caller's."""
    if PARAMETERS[key] != parameters.keys():
        raise ValueError(f"{key} takes {sorted(PARAMETERS[key])}, not {sorted(parameters)}")
    return Explanation(key, parameters)


def word(kind: str, stored: str) -> Explanation:
    """A word that the record stores (`route`, `forward`), by itself. Words of later versions are shown unchanged."""
    key = f"{kind}.{stored}"
    return explain(key) if PARAMETERS.get(key) == frozenset() else explain("stored.word", word=stored)
