"""Explanations of the heart in the reader's language: the English sentence is the key of its translation.

Called by the pages that show decisions and states. What came by mail is in them as it came: templates escape it.
"""

from flask_babel import gettext

from mailweir.explain import english
from mailweir.explain.english_page import PAGE
from mailweir.explain.explanation import Explanation
from mailweir.printable import printable
from mailweir.sentence import Kept
from webapp import spoken

_KEPT = {"error", "reason"}  # parameters that are sentences themselves, as the database has them


def template(key: str) -> str:
    """The English sentence of a key, with its parameters in braces, as the page says it: what a catalogue translates."""
    return PAGE.get(key, english.WORDS[key])


def said(explanation: Explanation) -> str:
    """The sentence, or the part of one, without a full stop as a rule. What is unseen in it shows as its code."""
    values = dict(explanation.parameters)
    if values.get("author") == "":
        values["author"] = gettext("(no author)")
    for name in _KEPT & values.keys():
        values[name] = Kept(values[name])
    return printable(spoken.filled(template(explanation.key), values))
