"""The tags of an HTML mail in sequence, without a tree: linear in the length, for any input.

It follows the tokenizer of the HTML standard (13.2.5) as far as mail needs it: quoted values may contain `>`, comments end as in
browsers, the content of a style or script contains no tags. It never raises. A tag without its end is text, so an unclosed quote
hides nothing. Pure. Standard library only. Called by `html_text`, `html_depth` and `html_view`.
"""

import html.entities
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

MAX_TAG_CHARS = 4096  # of one tag's attributes; further ones aren't read
_MAX_BROKEN_TAGS = 2  # each may cost a scan to the end of the mail; after this many, a tag ends at the next `>`

_W = r" \t\n\f\r"
_VALUE = rf"""(?:"[^"]*"|'[^']*'|(?!["'{_W}])[^{_W}>]*(?=[{_W}>]))"""
# Each repetition can match in one way only: a tag without an end is rejected after one scan. `_OPENING` finds a tag up to its
# name, with its end if that follows at once; or another `<` that begins something other than text.
_OPENING = re.compile(rf"<(?:(/?)([a-zA-Z][^{_W}/<>]*)(>|(?=[{_W}/]))|(?=[a-zA-Z/!?]))")
_REST = re.compile(rf"[^=>]*(?:=[{_W}]*{_VALUE}[^=>]*){{0,40}}>")
_REST_PIECE = re.compile(rf"[^=>]*(?:(>)|=[{_W}]*{_VALUE})")
_BROKEN = re.compile(rf"<(/?)([a-zA-Z][^{_W}/<>]{{0,40}})([^<>]*)>")
_BOGUS = re.compile(r"<[!?/][^<>]*>?(?:<(?:/(?![a-zA-Z])|[!?](?!--))[^<>]*>?){0,50}")
_COMMENT_END = re.compile(r"--!?>")
_ATTRIBUTE = re.compile(
    rf"""(?<![^{_W}/"'])([^{_W}=/>"'<]+)(?:[{_W}]*=[{_W}]*(?:"([^"]*)"|'([^']*)'|([^{_W}>"'][^{_W}>]*)|))?"""
)
# Their content contains no tags, and a reader doesn't see it.
UNSEEN = frozenset({"datalist", "iframe", "noembed", "noframes", "script", "style", "template", "title", "xml"})
_RAW_TEXT_END = {name: re.compile(rf"</{name}(?=[{_W}/>])", re.IGNORECASE) for name in UNSEEN}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
_FINE = re.compile("[\t\n -~\x80-\ud7ff\ue000-\U0010ffff]*")
_SURROGATES = re.compile(r"[\ud800-\udfff]")

_REFERENCE = re.compile(r"&(?:#([0-9]+)|#[xX]([0-9a-fA-F]+)|([A-Za-z][A-Za-z0-9]{1,31}));?")
_NAMED = html.entities.html5
_LEGACY_CHARS = 6  # the longest name that browsers accept without a semicolon: `frac12`, `Oacute`
_UNKNOWN = "\ufffd"


class Tag(NamedTuple):
    """One tag, or comment, with the text before it: `source[text_start:start]`. The tag itself is `source[start:end]`.

    name: in lower case; empty for a comment or declaration, and for the end of the mail. attributes: as written.
    """

    text_start: int
    start: int
    end: int
    name: str
    is_end: bool
    attributes: str
    whole_attributes: str = ""  # of an image: all of them, because its data may be there


def clean(source: str) -> str:
    """source with "\\n" as line ends, and without control characters and lone surrogates."""
    if _FINE.fullmatch(source):  # several times as fast as searching for the bad characters
        return source
    source = _CONTROLS.sub("", source.replace("\r\n", "\n").replace("\r", "\n"))
    return source if source.isascii() else _SURROGATES.sub("\ufffd", source)


def scan(source: str) -> Iterator[Tag]:
    """Each tag of source; the last one has no name and holds the remaining text."""
    return _Scanner(source).tags()


class _Scanner:
    def __init__(self, source: str) -> None:
        self._source = source
        self._broken_tags = 0
        self._has_comment_end = True
        self._without_end: set[str] = set()

    def tags(self) -> Iterator[Tag]:
        source, text_start, at = self._source, 0, 0
        search, new = (
            _OPENING.search,
            tuple.__new__,
        )  # a mail can have a quarter of a million tags: each call counts
        while opening := search(source, at):
            at = opening.start()
            slash, name, is_whole = opening.groups()
            tag: Tag | None
            if is_whole:
                tag = new(Tag, (text_start, at, opening.end(), _in_lower_case(name), slash == "/", "", ""))
            elif not name:
                tag = self._markup(text_start, at)
            elif self._broken_tags >= _MAX_BROKEN_TAGS:
                tag = self._broken_tag(text_start, at)
            else:
                rest = _REST.match(source, opening.end())
                end = rest.end() if rest else self._slow_end(opening.end())
                tag = self._tag(text_start, opening, end) if end else self._broken_tag(text_start, at)
            if tag is None:
                at += 1
                continue
            yield tag
            text_start = at = tag.end
            if tag.name in UNSEEN and not tag.is_end:
                text_start = at = self._raw_text_end(tag.name, tag.end)
        yield Tag(text_start, len(source), len(source), "", False, "")

    def _tag(self, text_start: int, named: re.Match[str], end: int) -> Tag:
        attributes = self._source[named.end() : min(end - 1, named.end() + MAX_TAG_CHARS)]
        name = _in_lower_case(named[2])
        whole = self._source[named.end() : end - 1] if name == "img" else ""
        return Tag(text_start, named.start(), end, name, bool(named[1]), attributes, whole)

    def _slow_end(self, at: int) -> int:
        """The end of a tag with very many attributes; 0: none."""
        while piece := _REST_PIECE.match(self._source, at):
            at = piece.end()
            if piece[1]:
                return at
        self._broken_tags += 1
        return 0

    def _broken_tag(self, text_start: int, at: int) -> Tag | None:
        found = _BROKEN.match(self._source, at)
        return found and Tag(text_start, at, found.end(), found[2].lower(), bool(found[1]), found[3][:MAX_TAG_CHARS])

    def _markup(self, text_start: int, at: int) -> Tag | None:
        """A comment, a declaration, or an end tag without a name; None: `<` is text."""
        if self._has_comment_end and self._source.startswith("<!--", at):
            found = _COMMENT_END.search(self._source, at + 2)
            if found:
                return Tag(text_start, at, found.end(), "", False, "")
            self._has_comment_end = False
        bogus = _BOGUS.match(self._source, at)
        return bogus and Tag(text_start, at, bogus.end(), "", False, "")

    def _raw_text_end(self, name: str, at: int) -> int:
        """The position of the tag that ends a style or script. If there is none, that of the next tag, so that an unclosed style
        doesn't hide the mail."""
        if name not in self._without_end:
            found = _RAW_TEXT_END[name].search(self._source, at)
            if found:
                return found.start()
            self._without_end.add(name)
        following = self._source.find("<", at)
        return following if following >= 0 else len(self._source)


@lru_cache(maxsize=1024)
def _in_lower_case(name: str) -> str:
    return name[:MAX_TAG_CHARS].lower()


def attributes_of(attributes: str) -> dict[str, str]:
    """A tag's decoded attributes by their names in lower case; if a name occurs several times, the first one counts
    (13.2.5.33)."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(attributes):
        value = values[0] or values[1] or values[2]
        found.setdefault(name.lower(), decode(value) if "&" in value else value)
    return found


def decode(text: str) -> str:
    """text with its character references replaced, like `html.unescape`: but linear on any text, and it never raises (a number
    with 5,000 digits makes `html.unescape` raise)."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    return _decoded(found[0]) if len(found[0]) < 40 else _UNKNOWN


@lru_cache(maxsize=2048)
def _decoded(reference: str) -> str:
    """reference: `&amp;`, `&amp`, `&#38;`; an unknown one is returned unchanged."""
    name = reference[1:]
    if name.startswith("#"):
        return html.unescape(reference)
    exact = _NAMED.get(name)
    if exact is not None:
        return exact
    for length in range(min(len(name), _LEGACY_CHARS), 1, -1):
        if name[:length] in _NAMED:
            return _NAMED[name[:length]] + name[length:]
    return reference
