"""Explanations of the heart in the reader's language: the English sentence is the key of its translation.

Called by the pages that show decisions and states. Values that came by mail stay as they came: templates escape them.
"""

from flask_babel import gettext

from mailweir.explain import english
from mailweir.explain.english_page import PAGE
from mailweir.explain.explanation import Explanation
from mailweir.printable import printable
from mailweir.sentence import Kept
from webapp import spoken

_KEPT = {"error", "reason"}  # parameters that are sentences themselves, as the database keeps them


def template(key: str) -> str:
    """The page's English sentence of a key, with its parameters in braces. A catalogue translates this text."""
    return PAGE.get(key, english.WORDS[key])


def said(explanation: Explanation) -> str:
    """The sentence, or a part of a sentence, usually without a full stop. Invisible characters in it show as their code."""
    values = dict(explanation.parameters)
    if values.get("author") == "":
        values["author"] = gettext("(no author)")
    for name in _KEPT & values.keys():
        values[name] = Kept(values[name])
    return printable(spoken.filled(template(explanation.key), values))
