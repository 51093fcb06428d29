"""Explanations of the heart in the reader's language: the English sentence is the key of its translation.

Called by the pages that show decisions and states. What came by mail is in them as it came: templates escape it.
"""

import flask_babel
from flask_babel import gettext

from mailweir.explain import english
from mailweir.explain.explanation import Explanation
from mailweir.printable import printable


def said(explanation: Explanation) -> str:
    """The sentence, or the part of one, without a full stop as a rule. What is unseen in it shows as its code."""
    values = dict(explanation.parameters)
    if values.get("author") == "":
        values["author"] = gettext("(no author)")
    words = str(flask_babel.gettext(english.WORDS[explanation.key]))
    return printable(words.format(**values))
