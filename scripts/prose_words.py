"""Words of prose that are no English, no word of the glossary, and no name or term that scripts/prose_words.txt lists.

The English words are those of pyspellchecker's dictionary. Called by `check_prose`.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from spellchecker import SpellChecker

LIST = "scripts/prose_words.txt"
# Paths, addresses, options, placeholders and names of files and of code
_NO_PROSE = re.compile(r"\S*[/@_=\\<>{}%$#*~^\[\]|]\S*|\S*\w[.:]\w\S*|(?<!\S)-\S+")
# Not beside a digit or an underscore, in lower case but for a first capital: acronyms and names like OpenID aren't words.
_WORD = re.compile(r"(?<![\w'’])[A-Za-z][a-z]+(?:['’][a-z]+)?(?![\w'’])")


class Words:
    """All known words. root: of the tree, which has the glossary's path and the list."""

    def __init__(self, root: Path, glossary: Path | None) -> None:
        listed = root / LIST
        lines = listed.read_text("utf-8").splitlines() if listed.exists() else []
        self.listed = {line.strip().lower() for line in lines if line.strip() and not line.startswith("#")}
        rows = re.findall(r"^\| ([^|]+?) \|", glossary.read_text("utf-8"), re.M) if glossary else []
        self.used: set[str] = set()
        self._defined = {word.lower() for row in rows for word in re.findall(r"[A-Za-z]+", row)}

    def unknown(self, text: str) -> Iterator[tuple[int, str]]:
        """Each unknown word of a text, with its offset. text: its code is blanked out."""
        plain = _NO_PROSE.sub(lambda found: " " * len(found[0]), text)
        for found in _WORD.finditer(plain):
            if not re.fullmatch("x+(['’]?s)?", found[0]) and self.stem(found[0]):
                yield found.start(), found[0]

    def stem(self, word: str) -> str:
        """The form of a word that is unknown, without a possessive; "" if it is known."""
        low = word.lower().replace("’", "'")
        short = re.sub(r"'s?$", "", low)
        for form in (low, short):
            if form in self._defined or _is_english(form):
                return ""
            if form in self.listed:
                self.used.add(form)
                return ""
        return short


@cache
def _is_english(word: str) -> bool:
    return word in _dictionary().word_frequency


@cache
def _dictionary() -> SpellChecker:
    return SpellChecker(language="en")
