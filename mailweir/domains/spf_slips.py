"""The intended meaning of a mistyped SPF record, and TXT records that are nearly SPF records.

A receiver reads a record strictly by RFC 7208, and ignores a TXT record that is only nearly SPF. Before it is changed, its
intended meaning has to be known: without a mistyped include, the include's senders would be cut off. A mistake with only one
possible meaning is repaired and named; others are reported as unclear. Pure: makes no queries. Called by `checks` and
`suggestion`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailweir.domains import spf_record, spf_terms
from mailweir.domains.typed_text import cleaned, decoded
from mailweir.sentence import said

_MAX_SHOWN_CHARS = 80
_MAX_HEAD_CHARS = 200  # the version has to occur within these
_MAX_PARTED_CHARS = 300  # of a term split by blanks
MAX_WORDS = 500  # longer records aren't examined; 64 kB may hold 30,000

_VERSION = re.compile(
    r"[\s\"(\[<]*(?:(?:[@\w.-]+\s+)?(?:in\s+)?txt\s+)?[\s\"(=]*(?P<v>v\s*[=:;.,_-]*\s*)?[=:]*spf(?P<sep>\s*[=:_.-]?\s*v?\s*)"
    r"(?P<number>[0-9]+(?:\.[0-9]+)*|[il|!](?![a-z]))?(?P<scope>/[a-z,]+)?(?P<junk>[\s;,:.\")\]>|&]*)",
    re.IGNORECASE,
)
_MISSPELT = re.compile(r"[\s\"]*v\s*[=:]+\s*(?:sfp|psf|spff|sspf|sp|fsp|pfs|spg|spd)\s*1[\s;,:.\"]*", re.IGNORECASE)
_STRONG = re.compile(
    r"(?:^|[\s,;\"])[-+~?]?(?:(?:include|ip[46]|ipv[46]|exists)[:=]|redirect=|all(?:[\s.;,\"]|$))", re.IGNORECASE
)
_WANTS_A_VALUE = re.compile(
    r"[-+~?]?(?:(?:include|exists|ip[46]|ipv[46]|ip)[:=]*|redirect[:=]*|(?:a|mx|ptr|exp)[:=]+)\Z", re.IGNORECASE
)
_LOOKS_LIKE_A_VALUE = re.compile(
    r"[:=]*(?:[a-z0-9_%-][^\s:=]*\.[^\s:=]*|[0-9a-f]*:[0-9a-f:.]*(?:/[0-9]+)?)\Z", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Part:
    """Terms that belong together. end: their final `all` with its qualifier, or "". redirect: the target of a redirect, or ""."""

    terms: tuple[str, ...]
    end: str = ""
    redirect: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """The intended meaning of a TXT value. counts: whether receivers take it for SPF.

    parts: one, or several if `all` occurs in the middle. slips: the repaired mistakes; unclear: those that can't be repaired.
    """

    text: str
    counts: bool
    parts: tuple[Part, ...]
    slips: tuple[str, ...]
    unclear: tuple[str, ...]


def read_all(values: Iterable[str]) -> tuple[Reading, ...]:
    """Reads the SPF records among a name's TXT values, and the values that are nearly SPF. values: as in `Questions`, in any
    order."""
    found = sorted(values)  # DNS returns them in any order
    counting = [value for value in found if spf_record.is_spf(value)]
    near = [value for value in found if not spf_record.is_spf(value) and is_near(value)]
    if counting:  # Sender ID's record (RFC 4406) beside SPF's is not a mistake
        near = [value for value in near if not _is_sender_id(value)]
    return tuple(read(value) for value in (*counting, *near))


def is_near(value: str) -> bool:
    """Is a TXT value nearly an SPF record, and probably meant to be one?"""
    text = cleaned(value[: 64 * MAX_WORDS])
    matched = _VERSION.match(text, 0, _MAX_HEAD_CHARS)
    if matched:
        rest = text[matched.end() :]
        named = matched["v"] or matched["scope"] or matched["number"] in ("1", "1.0")
        return bool((named and not rest) or "=" in (matched["v"] or "") or _STRONG.search(rest))
    if _MISSPELT.match(text, 0, _MAX_HEAD_CHARS):
        return True
    # it has no version, because a record was split, or pasted without its beginning
    words = _joined(text.split()[: MAX_WORDS + 1])
    return bool(_STRONG.search(text)) and 1 < len(words) <= MAX_WORDS and all(map(spf_terms.is_sound, words))


def _is_sender_id(value: str) -> bool:
    matched = _VERSION.match(cleaned(value), 0, _MAX_HEAD_CHARS)
    return matched is not None and matched["scope"] is not None


def read(value: str) -> Reading:
    """The intended meaning of one value."""
    counts = spf_record.is_spf(value)
    slips: list[str] = []
    text = cleaned(value)
    if text != decoded(value):
        slips.append(
            said(
                "it holds characters that SPF doesn't know (a word processor's blanks, dashes or quotes, "
                "backslashes, invisible ones)"
            )
        )
    if '"' not in text:
        parts, unclear = _read_words(text, slips)
        return Reading(value, counts, parts, tuple(slips), unclear)
    slips.append(said("the record itself contains quotes"))
    return _unquoted(value, counts, text, slips)


def _unquoted(value: str, counts: bool, text: str, slips: Sequence[str]) -> Reading:
    """The meaning of a value that contains quotes. Between two quoted strings, a term may go on (RFC 1035 5.1), or a blank may be
    missing. If both are possible and differ, it is unclear."""
    found: list[Reading] = []
    for seam in ("", " "):
        named = list(slips)
        parts, unclear = _read_words(re.sub(r"\"", "", re.sub(r"\"\s*\"", seam, text)), named)
        found.append(Reading(value, counts, parts, tuple(named), unclear))
    clear = [one for one in found if not one.unclear]
    if len(clear) == 2 and clear[0].parts != clear[1].parts:
        return Reading(
            value,
            counts,
            (),
            tuple(slips),
            (said("it isn't clear whether a term continues from one quoted string to the next"),),
        )
    return (clear or found)[0]


def _read_words(text: str, slips: list[str]) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The parts, and the unclear points. slips: the found mistakes are appended to it."""
    words = _behind_version(text, slips).split()
    joined = _joined(words)
    if len(joined) > MAX_WORDS:
        return (), (said("it has more than {most} words", most=MAX_WORDS),)
    if len(joined) != len(words):
        slips.append(said("a blank is within a term"))
    unclear: list[str] = []
    terms: list[str] = []
    for word in joined:
        if re.fullmatch(r"v=spf1[;,:.]*", word, re.IGNORECASE):
            slips.append(said("'v=spf1' occurs twice"))
        else:
            terms += _terms_of(word, slips, unclear)
    redirects = [term.partition("=")[2] for term in terms if term.lower().startswith("redirect=")]
    parts = _parted([term for term in terms if not term.lower().startswith("redirect=")], slips)
    return _with_redirect(parts, redirects, slips, unclear), tuple(unclear)


def _behind_version(text: str, slips: list[str]) -> str:
    matched = _VERSION.match(text, 0, _MAX_HEAD_CHARS) or _MISSPELT.match(text, 0, _MAX_HEAD_CHARS)
    head = matched[0] if matched else ""
    rest = text[len(head) :]
    if not head:
        slips.append(said("'v=spf1' is missing in front of its terms"))
    elif head.lower().rstrip(" ") != "v=spf1":
        slips.append(said("'{head}' is read as 'v=spf1'", head=_shown(head.rstrip())))
    elif rest and not head.endswith(" "):
        slips.append(said("a blank is missing behind '{head}'", head=head))
    return rest


def _parted(terms: Sequence[str], slips: list[str]) -> list[Part]:
    """One part for the terms up to each `all`. Terms after the last `all` become a part with the same end."""
    parts: list[Part] = []
    begun: list[str] = []
    for term in terms:
        if term.lower().lstrip("-+~?") == "all":
            parts.append(Part(tuple(begun), term))
            begun = []
        else:
            begun.append(term)
    if begun or not parts:
        parts.append(Part(tuple(begun), parts[-1].end if parts else ""))
    if len(parts) > 1:
        slips.append(said("nobody reads the terms behind '{end}', which ends a record", end=parts[0].end))
    return parts


def _with_redirect(parts: list[Part], redirects: list[str], slips: list[str], unclear: list[str]) -> tuple[Part, ...]:
    names = list(dict.fromkeys(one.lower() for one in redirects))
    if len(names) > 1:
        unclear.append(said("it has several redirect=, and only one may be there"))
    elif redirects:
        if len(redirects) > 1:
            slips.append(said("redirect={name} occurs twice", name=redirects[0]))
        if any(part.end for part in parts):
            slips.append(
                said(
                    "redirect={name} has no effect beside '{end}': include:{name} is used instead",
                    name=redirects[0],
                    end=parts[0].end,
                )
            )
        last = parts[-1]
        parts[-1] = Part(last.terms, last.end, redirects[0])
    return tuple(parts)


def _terms_of(word: str, slips: list[str], unclear: list[str]) -> Sequence[str]:
    terms = spf_terms.meant(word)
    if terms is None and spf_terms.may_be_right(word):
        return [word]
    if terms is None:
        unclear.append(said("it isn't certain what '{word}' is meant to be", word=_shown(word)))
        return []
    if terms != [word]:
        slips.append(
            said("'{word}' is read as '{terms}'", word=_shown(word), terms=" ".join(terms))
            if terms
            else said("'{word}' has no meaning", word=_shown(word))
        )
    return terms


def _joined(words: Sequence[str]) -> list[str]:
    """The words, rejoined where a blank has split one: after a colon or a sign, before a colon or a slash."""
    found: list[str] = []
    for word in words:
        before = found[-1] if found else ""
        parted = (
            re.fullmatch(r"[-+~?]+", before)
            or (_WANTS_A_VALUE.match(before) and _LOOKS_LIKE_A_VALUE.match(word))
            or (before and re.match(r"[:=/][^\s]*\Z", word) and not re.match(r"=+\Z", before))
            or (before.endswith("/") and re.fullmatch(r"[0-9]{1,3}", word))
        )
        if parted and len(before) < _MAX_PARTED_CHARS:
            seam = (
                ":" if before[-1].isalnum() and word[0] not in ":=/" and "=" not in before and ":" not in before else ""
            )
            found[-1] = before + seam + word
        else:
            found.append(word)
    return found


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "…"
