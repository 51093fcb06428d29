"""Explanations in English, for the command line and the page: a text for each key of `keys`.

A text contains the parameters of its key; times are already formatted. It may contain text that came by mail, unchanged: escape
it where you show it. Pure. Called by the commands, the demo and the page.
"""

from collections.abc import Mapping

from mailweir.explain.english_decisions import DECISIONS
from mailweir.explain.english_page import PAGE
from mailweir.explain.english_states import STATES
from mailweir.explain.explanation import Explanation

_NO_AUTHOR = "(no author)"

WORDS: Mapping[str, str] = {**DECISIONS, **STATES}


def text(explanation: Explanation) -> str:
    """The text of an explanation: a part of a sentence, usually without a full stop. It may name commands."""
    return _filled(WORDS[explanation.key], explanation)


def page_text(explanation: Explanation) -> str:
    """The same for the page, which has a button where `text` names a command."""
    return _filled(PAGE.get(explanation.key, WORDS[explanation.key]), explanation)


def _filled(words: str, explanation: Explanation) -> str:
    values = dict(explanation.parameters)
    if values.get("author") == "":
        values["author"] = _NO_AUTHOR
    return words.format(**values)
