"""Translates Mailweir's explanations into the reader's language. The English sentence is the key of the translation.

Called by the pages that show decisions and states. Values that came by mail aren't escaped here: templates escape them.
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
    """The English sentence that the page has for a key, with the parameters in braces. Catalogues translate this text."""
    return PAGE.get(key, english.WORDS[key])


def said(explanation: Explanation) -> str:
    """The translated sentence, or part of a sentence, usually without a full stop. Invisible characters are shown as codes."""
    values = dict(explanation.parameters)
    if values.get("author") == "":
        values["author"] = gettext("(no author)")
    for name in _KEPT & values.keys():
        values[name] = Kept(values[name])
    return printable(spoken.filled(template(explanation.key), values))
