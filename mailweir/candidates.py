"""The addresses that readers of mail could show for a From, To or Cc, in any notation.

Common mail readers differ in what they show of a header that isn't a list by RFC 5322 3.4. So a value is searched instead of
parsed: each `@` may belong to an address, and the content of quotes and comments is left out if all readers see a quote or a
comment there. All addresses found in a From are its *candidates*; the author is certain if there is only one. To and Cc are read
by the same search, and nothing is trusted because of them. Never raises, on any text, and its time is linear in the text's
length. Decision 0003. Called by `headers`, the relay and the sync. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mailweir import address, encoded_words

MAX_CANDIDATES = 8  # in a From; with more there is no author, and nobody is looked up
_MAX_LOCAL_CHARS = 320
_MAX_DOMAIN_CHARS = 254

# The form of nearly every From and To. The full search finds the same in six times the time (a test compares both).
_ORDINARY_ITEM = re.compile(
    r"""(?:[^@<>()\[\]\\",:;\x00-\x1f\x7f]*|"[^@<>"\\\x00-\x1f\x7f]*"[ ]?)"""
    r"""<(?![.'])([^@<>()\[\]\\",:;\s]+@[^@<>()\[\]\\",:;'\s]+)>"""
)
_ORDINARY = re.compile(r"(?![.'])[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@[A-Za-z0-9.\-]{1,180}")

_FOLD = re.compile(r"\r\n(?=[ \t])")
# A sound quote opens where all readers open one and ends where all end it; a sound comment contains nothing that could end it
# elsewhere.
_TAKEN_OUT = re.compile(
    r""""(?<=[\s,;:<>("]")(?P<quote>(?:[^"\\]|\\.)*+)"(?=[\s,;<>()@.]|\Z)|\((?P<comment>[^()"\\]*+)\)""", re.DOTALL
)
_PAIRED = re.compile(r"[^<>]*+(?:<[^<>]*+>[^<>]*+)*+")  # angle brackets
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # a tab is white space, and so is the rest of a fold
_ISO_2022_RUN = re.compile(r"\x1b\$[@-Z]?[^\x1b]*+(?:\x1b\([A-Z])?")  # RFC 1468 and similar charsets
# A private-use character replaces each removed part: of plane 15 for a quote, of plane 16 for a comment.
_QUOTE, _COMMENT = 0xF0000, 0x100000
_TAKEN_QUOTE = re.compile("[\U000f0000-\U000ffffd]")
_TAKEN_COMMENT = re.compile("[\U00100000-\U0010fffd]")
_TAKEN = re.compile("[\U000f0000-\U0010fffd]")
_MAX_TAKEN = 0xFFFE
_SEPARATORS = frozenset(":;")
_ITEM_END = re.compile(r"[,;:]|(?<=>)")
_UNSOUND = re.compile(r'["()\\]')
_HALF_A_CHARACTER = re.compile(r"[\udc80-\udcff][\\@\[\]]")  # second bytes in Shift_JIS, Big5 and GBK
_ENCODED_WORD = re.compile(r"=\?[^?\s]*\?[bBqQ]\?([^?]*)\?=")
# RFC 2047 5: an encoded word is delimited by white space. Some readers also decode words that aren't, and only then look for
# addresses.
_GLUED_WORD = re.compile(
    r"""(?<=[^\s(,;:"])=\?[^?\s]*\?[bBqQ]\?[^?]*+\?=|=\?[^?\s]*\?[bBqQ]\?[^?]*+\?=(?![\s<),;]|\Z)"""
)
_UNSOUND_IN_WORD = re.compile('[",\\\\()<>\\[\\]\U000f0000-\U0010fffd]')
_END = r"\s<>()\[\],;:\"\\@\x00-\x1f\x7f" + "\U000f0000-\U0010fffd"  # characters that no bare address contains
_BEFORE = re.compile(f"[^{_END}]*")  # of the reversed text
_AFTER = re.compile(rf"\[[0-9A-Za-z.:\-]*\]|[^{_END}']*")
# Looks at each blank once: the look-behind makes a run of blanks match from its start only.
_BLANKS_BEFORE = re.compile(r"(?<!\s)\s++(?=[.@])")
_BLANKS_BEHIND = re.compile(r"(?<=[.@])\s++")


class Reading(NamedTuple):  # a dataclass would take longer to create than a plain value takes to read
    """The addresses that readers of a value could show; each in normal form, once, in the value's order.

    shown: the result of the search. in_doubt: the value isn't sound, and readers may take other parts of it for quotes and
    comments. raw: further addresses if nothing is taken for a quote or a comment; only searched for in doubt. hidden: addresses
    in quotes, comments and encoded words alone; only searched for if nothing else is found. is_odd: there is group syntax (RFC
    5322 3.4) or something that looks like it, or an address in a comment.
    """

    shown: tuple[str, ...]
    in_doubt: bool = False
    raw: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    is_odd: bool = False

    @property
    def recipients(self) -> tuple[str, ...]:
        """The addresses that count as recipients, doubtful ones only if there are no others: nothing is trusted because of To and
        Cc."""
        return self.shown or self.raw or self.hidden

    @property
    def all(self) -> tuple[str, ...]:
        """Every address that any reader could show."""
        return (*self.shown, *self.raw, *self.hidden)


def read(text: str) -> Reading:
    """Reads a From, To or Cc value, unfolded or not."""
    bare = text.strip(" \t\r\n")
    ordinary = _ORDINARY_ITEM.fullmatch(bare)
    if ordinary and "=?" in bare and not bare.startswith('"') and _GLUED_WORD.search(bare):
        ordinary = None
    plain = ordinary[1] if ordinary else bare if _ORDINARY.fullmatch(bare) else None
    found = _counted(plain) if plain else None
    return Reading((found,)) if found else full_search(bare)


def full_search(text: str) -> Reading:
    """The result of `read` without its shortcut, for a value without surrounding white space."""
    text = _FOLD.sub("", text)
    outside = _outside(text)
    shown = _shown(outside)
    raw = dict.fromkeys(_lone(outside)) if shown else {}
    in_doubt = bool(raw) or _is_in_doubt(text, outside.text)
    if in_doubt:
        raw.update(dict.fromkeys(_in_doubt(text)))
        if (shown or raw) and _GLUED_WORD.search(text):
            raw.update(dict.fromkeys(_both_ways(_decoded(text))))
        for known in shown:
            raw.pop(known, None)
    hidden = () if shown or raw else tuple(dict.fromkeys(_hidden(text)))
    comments = "".join(part for part in outside.taken.values() if part.startswith("("))
    is_odd = "@" in comments or not _SEPARATORS.isdisjoint(outside.text)
    return Reading(tuple(shown), in_doubt, tuple(raw), hidden, is_odd)


class _Outside(NamedTuple):
    """A text in which private-use characters replace sound quotes and comments; and the removed parts."""

    text: str
    taken: dict[str, str]


def _outside(text: str) -> _Outside:
    taken: dict[str, str] = {}

    def take_out(match: re.Match[str]) -> str:
        if len(taken) >= _MAX_TAKEN:
            return ","
        mark = chr((_QUOTE if match["comment"] is None else _COMMENT) + len(taken))
        taken[mark] = match[0]
        return mark

    # a look-behind doesn't match at the start of the text, so the text gets a leading blank
    return _Outside(_TAKEN_OUT.sub(take_out, " " + _TAKEN.sub("\ufffd", text)), taken)


def _shown(outside: _Outside) -> dict[str, None]:
    """The addresses outside quotes and comments."""
    found = dict.fromkeys(_addresses(*outside))
    found.update(dict.fromkeys(_addresses(_closed_up(_TAKEN_COMMENT.sub(" ", outside.text)), outside.taken)))
    return found


def _lone(outside: _Outside) -> Iterator[str]:
    """The content of quotes, comments and encoded words in a list item that has nothing else: some readers show it as an address.
    A comment after `>` belongs to the address before it."""
    if "@" not in "".join(outside.taken.values()) and "=?" not in outside.text:
        return
    start = 0
    for end in (*(match.end() for match in _ITEM_END.finditer(outside.text)), len(outside.text)):
        item = outside.text[start:end]
        marks = _TAKEN_QUOTE if outside.text[start - 1 : start] == ">" else _TAKEN
        start = end
        if not (marks.search(item) or "=?" in item) or _shown(_Outside(item, outside.taken)):
            continue
        yield from _both_ways(_decoded(marks.sub(lambda mark: f" {outside.taken[mark[0]]} ", item)))


def _in_doubt(text: str) -> Iterator[str]:
    """The addresses in an unsound text: with nothing removed, without control characters, and without ISO 2022 runs."""
    yield from _both_ways(text)
    without_controls = _CONTROL.sub("", text)
    if without_controls != text:
        yield from _both_ways(without_controls)
        yield from _shown(_outside(without_controls))
        yield from _shown(_outside(_ISO_2022_RUN.sub("", text)))


def _both_ways(text: str) -> Iterator[str]:
    """The addresses in a text from which nothing is removed: as it is, and without blanks beside `.` and `@`."""
    yield from _addresses(text, {})
    yield from _addresses(_closed_up(text), {})


def _closed_up(text: str) -> str:
    return _BLANKS_BEHIND.sub("", _BLANKS_BEFORE.sub("", text))


def _addresses(text: str, taken: Mapping[str, str]) -> Iterator[str]:
    """Each `@` with the text before and after it. taken: see _Outside; a quote in front of an `@` is a local part."""
    at = text.find("@")
    while at >= 0:
        after = _AFTER.match(text, at + 1, at + 1 + _MAX_DOMAIN_CHARS + 1)
        assert after is not None
        domain = after[0]
        if len(domain) <= _MAX_DOMAIN_CHARS and ("." in domain or domain.startswith("[")):
            for local in _local_parts(text, at, taken):
                if found := _counted(f"{local}@{domain}"):
                    yield found
        at = text.find("@", at + 1)


def _local_parts(text: str, at: int, taken: Mapping[str, str]) -> tuple[str, ...]:
    """The local parts before an `@`, without opening apostrophes. Leading dots give two: with and without them. Empty if too
    long."""
    if text[at - 1 : at] in taken:
        quote = taken[text[at - 1]]
        return (quote,) if quote.startswith('"') else ()
    before = _BEFORE.match(text[max(0, at - _MAX_LOCAL_CHARS - 1) : at][::-1])
    local = before[0][::-1].lstrip("'") if before else ""
    if not local or len(local) > _MAX_LOCAL_CHARS:
        return ()
    return (local, local.lstrip(".")) if local.startswith(".") else (local,)


def _counted(text: str) -> str | None:
    """An address that the outside world can write to: its domain has a dot or is a literal (RFC 5321 4.1.3)."""
    if "=?" in text and "?=" in text:  # RFC 2047 5: an address contains no encoded word
        return None
    found = address.normalise(text)
    domain = address.split(found)[1] if found else ""
    return found if "." in domain or domain.startswith("[") else None


def _is_in_doubt(text: str, leftover: str) -> bool:
    if not _PAIRED.fullmatch(leftover) or _has_unsound_word(leftover) or _GLUED_WORD.search(leftover):
        return True
    return any((_UNSOUND.search(leftover), _CONTROL.search(text), _HALF_A_CHARACTER.search(text)))


def _has_unsound_word(text: str) -> bool:
    """Is there an encoded word with characters that a reader takes for list syntax if it decodes words last (RFC 2047 5)?"""
    start = text.find("=?")
    while start >= 0:
        word = _ENCODED_WORD.match(text, start)
        end = word.end() if word else text.find("?=", start + 2)
        if end < 0:
            return False
        if _UNSOUND_IN_WORD.search(text, start, end):
            return True
        start = text.find("=?", max(end, start + 2))
    return False


def _hidden(text: str) -> Iterator[str]:
    """The addresses in quotes, comments and encoded words."""
    yield from _both_ways(text)
    yield from _both_ways(text.replace("\\", ""))
    yield from _both_ways(_decoded(text))


def _decoded(text: str) -> str:
    return encoded_words.decode(text.encode("utf-8", "surrogateescape"), max_chars=len(text))
