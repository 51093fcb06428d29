"""Our code and other libraries behind one interface. Libraries that aren't installed are None. Called by `bench.accuracy.run`."""

import importlib
from collections.abc import Callable
from typing import Any

from bench.accuracy.fixtures import Forward
from mailweir.reading import folds, forwarded

Shown = Callable[[str], str]  # the visible part of a reply
# (text, subject) -> (is the text a forward?, the original author)
AuthorOf = Callable[[str, str], tuple[bool, str | None]]


def ours(text: str) -> str:
    """The text without its folds."""
    position, parts = 0, []
    for fold in folds.find(text):
        parts.append(text[position : fold.start])
        position = fold.end
    return "".join([*parts, text[position:]])


def our_author(text: str, subject: str) -> tuple[bool, str | None]:
    """The result of `forwarded`."""
    found = forwarded.find(text, subject)
    return found is not None, found.author if found else None


def is_right(forward: Forward, answer: tuple[bool, str | None]) -> bool:
    """Did the library detect the forward and its author's address?"""
    return answer == (True, forward.author)


def readers() -> dict[str, Shown | None]:
    """The folding libraries, by name; None if not installed."""
    return {"mailweir": ours} | {name: _made(module, make) for name, (module, make) in _READERS.items()}


def author_readers() -> dict[str, AuthorOf | None]:
    """The libraries that read forwards, by name; None if not installed."""
    return {"mailweir": our_author} | {name: _made(module, make) for name, (module, make) in _AUTHOR_READERS.items()}


def _made(module: str, make: Callable[[Any], Any]) -> Any:
    try:
        return make(importlib.import_module(module))
    except ImportError:
        return None


def _quotequail(module: Any) -> Shown:
    return lambda text: "\n".join(part for shown, part in module.quote(text) if shown)


def _mail_parser_reply(module: Any) -> Shown:
    parser = module.EmailReplyParser(
        languages=["en", "de", "fr", "it", "es", "nl", "pl", "da", "sv", "cs", "ja", "ko", "zh"]
    )
    return lambda text: str(parser.parse_reply(text=text))


def _unquotemail(module: Any) -> Shown:
    return lambda text: str(module.Unquote(None, text).get_text())


def _quotequail_author(module: Any) -> AuthorOf:
    def author(text: str, _subject: str) -> tuple[bool, str | None]:
        found = module.unwrap(text)
        is_forwarded = bool(found) and found.get("type") == "forward"
        return is_forwarded, _address(found.get("from", "")) if is_forwarded else None

    return author


def _forward_parser_author(module: Any) -> AuthorOf:
    def author(text: str, subject: str) -> tuple[bool, str | None]:
        found = module.get_forwarded_metadata(text, subject) if subject else module.get_forwarded_metadata(text)
        return bool(found.forwarded), found.email.from_.address or None if found.forwarded else None

    return author


def _address(value: str) -> str | None:
    return forwarded.author_of(value)[0]


_READERS: dict[str, tuple[str, Callable[[Any], Shown]]] = {
    "email-reply-parser": ("email_reply_parser", lambda module: module.EmailReplyParser.parse_reply),
    "mail-parser-reply": ("mailparser_reply", _mail_parser_reply),
    "quotequail": ("quotequail", _quotequail),
    "unquotemail": ("unquotemail", _unquotemail),
}
_AUTHOR_READERS: dict[str, tuple[str, Callable[[Any], AuthorOf]]] = {
    "email-forward-parser": ("emailforwardparser.forward_parser", _forward_parser_author),
    "quotequail": ("quotequail", _quotequail_author),
}
