"""The search entry of one version of a message: its indexed words and their places, bounded.

A word is indexed under its deployment (`7djane`), so that the index itself separates tenants. The names and addresses of the
participants are indexed once more separately (`7njane`), for mail of which a reader may only know who wrote when. The places are
needed to find phrases. The limits are those of PostgreSQL, so that both databases find the same: words beyond 16,000, and a
word's places beyond 255, are left out. Pure. Called by the digest, `store/record/search_index` and `search`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from mailweir.reading import search_query

MAX_WORDS = 16_000  # PostgreSQL has places up to 16,383
MAX_NAME_WORDS = 1_000
MAX_BYTES = 500_000  # of a message's words; a tsvector holds at most 1 MB
MAX_REPEATS = 255  # PostgreSQL stores at most this many places of a word
_MAX_TEXT_CHARS = 250_000
_MAX_FIELD_CHARS = 10_000
_WORD_OVERHEAD_BYTES = 16  # in a tsvector: of a word, its place, and its deployment
LEFT_OUT = "-"  # replaces a word that isn't indexed, and separates fields: no phrase spans it


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """names: the words of names and addresses; others: those of subject, file names and text, in this order."""

    raw_id: int
    deployment_id: int
    names: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of words written: a transaction of 20,000 takes some 30 ms."""
        return 2 * len(self.names) + len(self.others)


def make(
    *,
    raw_id: int,
    deployment_id: int,
    text: str,
    subject: str,
    names: Sequence[str] = (),
    file_names: Sequence[str] = (),
) -> Entry:
    """The entry of a version. names: display names and addresses of the author and the contacts. Accepts text of any length and
    content."""
    bounds = _Bounds()
    of_names = bounds.keep(_of_fields(names), MAX_NAME_WORDS)
    others = bounds.keep(_of_message(subject, file_names, text), MAX_WORDS - 2 * len(of_names))
    return Entry(raw_id=raw_id, deployment_id=deployment_id, names=tuple(of_names), others=tuple(others))


def whole(deployment_id: int) -> str:
    """The prefix of a whole-message word in a deployment's index."""
    return f"{deployment_id}d"


def named(deployment_id: int) -> str:
    """The additional prefix of a word of a name or address."""
    return f"{deployment_id}n"


def indexed(entry: Entry, left_out: str) -> str:
    """The indexed words, separated by blanks, in the order of their places: the names, the names again for the whole message, and
    its other words."""
    alone, everything = named(entry.deployment_id), whole(entry.deployment_id)
    pieces = ((alone, entry.names), (everything, (*entry.names, *entry.others)))
    # No word contains the placeholder for a left-out word.
    return " ".join(
        (begin + f" {begin}".join(found)).replace(begin + LEFT_OUT, left_out) for begin, found in pieces if found
    )


def _of_fields(fields: Iterable[str]) -> Iterator[str]:
    for field in fields:
        yield from search_query.words(field[:_MAX_FIELD_CHARS])
        yield LEFT_OUT


def _of_message(subject: str, file_names: Sequence[str], text: str) -> Iterable[str]:
    return chain(_of_fields((subject, *file_names)), search_query.words(text[:_MAX_TEXT_CHARS]))


class _Bounds:
    """The remaining limits of a message."""

    def __init__(self) -> None:
        self._bytes_left = MAX_BYTES
        self._seen: Counter[str] = Counter()

    def keep(self, found: Iterable[str], max_words: int) -> list[str]:
        """The words up to the limit; words that occur too often are left out."""
        found = list(islice(found, max_words + 1))
        taken = len("".join(found).encode()) + _WORD_OVERHEAD_BYTES * len(found)
        seen = self._seen + Counter(found)
        if taken <= self._bytes_left and len(found) <= max_words and max(seen.values(), default=0) <= MAX_REPEATS:
            self._bytes_left -= taken
            self._seen = seen
            return found  # unchanged, as for nearly all messages
        kept: list[str] = []
        for word in found:
            self._bytes_left -= len(word.encode()) + _WORD_OVERHEAD_BYTES
            if self._bytes_left < 0 or len(kept) >= max_words:
                break
            self._seen[word] += 1
            kept.append(word if self._seen[word] <= MAX_REPEATS else LEFT_OUT)
        return kept
