"""Explanations of the heart in the reader's language: the English sentence is the key of its translation.

Called by the pages that show decisions and states. What came by mail is in them as it came: templates escape it.
"""

from flask_babel import gettext

from mailweir.explain import english
from mailweir.explain.explanation import Explanation


def said(explanation: Explanation) -> str:
    """The sentence, or the part of one, without a full stop as a rule."""
    values = dict(explanation.parameters)
    if values.get("author") == "":
        values["author"] = gettext("(no author)")
    return str(gettext(english.WORDS[explanation.key])).format(**values)
