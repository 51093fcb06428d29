"""A sentence for people that stays translatable: English text, which still knows its template and what fills it in.

To programs, the command line, logs and the database it is a `str`, the English sentence and nothing else. The page looks up the
template in its catalogue and fills that in (`webapp.spoken`). An f-string has no template left, so nobody could look it up.

    raise BadInput(said("{found} is not an address of {contact}", found=found, contact=contact.name))

`str(error)` of an error that was made with one gives the Sentence itself, with its template. What cuts or joins it (`+`, `%`, an
f-string around it, `strip`) gives a plain `str`: put one sentence into another as a value instead. Pure. Standard library only.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

Value = str | int | float | datetime


class Sentence(str):
    """The English text. template: with its values in braces, as `str.format` takes them. values: by name; one that is a Sentence
    is translated, too."""

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, values: Mapping[str, Value]) -> "Sentence":
        made = super().__new__(cls, template.format(**values))
        made.template, made.values = template, values
        return made

    def __str__(self) -> str:
        """Itself: whoever asks an error for its text gets the template along."""
        return self

    def __getnewargs__(self) -> tuple[str, Mapping[str, Value]]:  # type: ignore[override]  # str's has one part
        return (self.template, self.values)


class Kept(str):
    """An English sentence as the database kept it, without its template: whoever translates knows it again by its words.

    Its text may be anything, where another program wrote it.
    """

    __slots__ = ()


def said(template: str, /, **values: object) -> Sentence:
    """A sentence. template: a literal, for it is collected for translators; a brace that is meant as one is doubled.

    values: an error stands for its text. What is no text, number or moment is said as `str` says it.
    """
    return Sentence(template, {name: _kept(value) for name, value in values.items()})


def joined(parts: Iterable[str], between: str) -> str:
    """Sentences and other texts in one, each still translatable; "" for none. between: signs, which are no word."""
    values = {f"part{number}": part for number, part in enumerate(parts, 1)}
    return Sentence(between.join(f"{{{name}}}" for name in values), values) if values else ""


def template(text: str) -> str:
    """The template of a sentence that is made elsewhere: marks the literal for translators, and gives it back."""
    return text


def _kept(value: object) -> Value:
    return value if isinstance(value, str | int | float | datetime) else str(value)
