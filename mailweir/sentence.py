"""A sentence for people that stays translatable: English text that keeps its template and values.

To programs, the command line, logs and the database it is a `str`, the English sentence and nothing else. The page looks up the
template in its catalogue and fills it in (`webapp.spoken`). An f-string has no template left, so nobody could look it up.

    raise BadInput(said("{found} is not an address of {contact}", found=found, contact=contact.name))

`str(error)` of an error made with a Sentence gives the Sentence itself, with its template. Cutting or joining it (`+`, `%`, an
f-string around it, `strip`) gives a plain `str`: pass one sentence as a value to another instead. Pure. Standard library only.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

Value = str | int | float | datetime


class Sentence(str):
    """The English text. template: with its values in braces, as `str.format` takes them. values: by name; a value that is a
    Sentence is translated, too."""

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, values: Mapping[str, Value]) -> "Sentence":
        made = super().__new__(cls, template.format(**values))
        made.template, made.values = template, values
        return made

    def __str__(self) -> str:
        """Itself: the text of an error keeps its template."""
        return self

    def __getnewargs__(self) -> tuple[str, Mapping[str, Value]]:  # type: ignore[override]  # str's has one part
        return (self.template, self.values)


class Kept(str):
    """An English sentence as the database stored it, without its template: the page finds the template again by the words.

    Its text may be anything, if another program wrote it.
    """

    __slots__ = ()


def said(template: str, /, **values: object) -> Sentence:
    """A sentence. template: a string literal, because a tool collects it for translators; a brace in the text is doubled.

    values: an error stands for its text. A value that isn't a text, number or moment is formatted by `str`.
    """
    return Sentence(template, {name: _kept(value) for name, value in values.items()})


def joined(parts: Iterable[str], between: str) -> str:
    """Sentences and other texts in one, each still translatable; "" for none. between: punctuation, not words."""
    values = {f"part{number}": part for number, part in enumerate(parts, 1)}
    return Sentence(between.join(f"{{{name}}}" for name in values), values) if values else ""


def template(text: str) -> str:
    """Marks the template of a sentence that is built elsewhere: translators get the literal, and the function returns it."""
    return text


def _kept(value: object) -> Value:
    return value if isinstance(value, str | int | float | datetime) else str(value)
