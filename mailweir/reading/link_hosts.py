"""Does a link's text name another host than its target's? A link to evil.example with the text `www.bank.example` is fraud.

Anything in the text that a reader may take for a host counts: in any script, with invisible characters or blanks in it, and with
or without letters that a style may hide. A target is read as browsers do (WHATWG URL 4.4): `https://bank.example@evil.example` is
at evil.example. An unclear name counts as another host. Linear in the length; names in other scripts are looked up a bounded
number of times. Pure. Called by `html_view`.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from mailweir import address

_MAX_LOOKS = 500  # look-ups of names that aren't ASCII, for one mail: each takes some 50 microseconds
_MAX_HOSTS = 20  # of one target: a `mailto:` may have many
_MAX_NAMED = 3  # hosts that a mark shows
_MAX_SHOWN_CHARS = 100
_DOTS = ".\u3002\uff0e\uff61\u2024"
# A name begins only where a word begins, so a long word is read only once
_NAME = re.compile(rf"(?<![\w\-])[\w\-]++(?:[{_DOTS}][\w\-]++)++")
_HAS_DOT = re.compile(rf"[{_DOTS}]")
_BEGINS_AS_ADDRESS = re.compile(r"\s*+(?:https?\s*+:|www\s*+\.)", re.IGNORECASE)
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff]+"
)
_AUTHORITY_END = re.compile(r"[/\\?#]")
_NUMBER = re.compile(r"\d{1,3}")
# Endings of files, as a rule, and not of hosts: none of these is a top-level domain
_FILE_KINDS = frozenset(
    [
        *("asp", "aspx", "bmp", "csv", "doc", "docx", "eml", "exe", "gif", "htm", "html", "ics", "jpeg", "jpg", "json"),
        *("jsp", "msg", "odp", "ods", "odt", "pdf", "php", "png", "ppt", "pptx", "rtf", "svg", "tif", "tiff", "txt"),
        *("vcf", "webp", "xls", "xlsx", "xml"),
    ]
)


class LinkHosts:
    """Compares texts and targets of the links in one mail, with a bounded number of look-ups for all of them."""

    def __init__(self) -> None:
        self._looks = _MAX_LOOKS

    def foreign(self, target: str, readings: Iterable[str]) -> str:
        """The hosts that a link leads to, as the page shows them, if its text names others; else "".

        target: http, https or mailto; other schemes have no host. readings: the forms that its text may have.
        """
        names = dict.fromkeys(name for text in readings if _HAS_DOT.search(text) for name in self._names(text))
        if not names:
            return ""
        hosts = self._hosts(target)
        if len(hosts) <= _MAX_HOSTS and _are_same(names, hosts):
            return ""
        more = ", …" if len(hosts) > _MAX_NAMED else ""
        return ", ".join(map(_shown, hosts[:_MAX_NAMED])) + more

    def _names(self, text: str) -> Iterator[str]:
        """The hosts that a text names."""
        if not text.isascii():
            text = _UNSEEN.sub("", text)
        found = list(self._named(text))
        if not found and _BEGINS_AS_ADDRESS.match(text):
            found = list(self._named("".join(text.split())))
        yield from found

    def _named(self, text: str) -> Iterator[str]:
        for found in _NAME.finditer(text):
            is_local_part = text.startswith("@", found.end()) and not text.endswith("//", 0, found.start())
            if len(found[0]) > address.MAX_DOMAIN_CHARS or is_local_part:
                continue
            name = self._normal(found[0].strip("-"))
            if _is_host(name):
                yield name.removeprefix("www.")

    def _hosts(self, target: str) -> list[str]:
        """The hosts that a target leads to; none for a telephone."""
        scheme, _, rest = target.partition(":")
        if scheme.lower() in ("http", "https"):
            return [self._host(_AUTHORITY_END.split(rest.lstrip("/\\"), maxsplit=1)[0])]
        if scheme.lower() != "mailto":
            return []
        return list(dict.fromkeys(map(self._host, _mail_addresses(rest))))

    def _host(self, authority: str) -> str:
        """The host of `user@host:port`; it stays as it is if it isn't a name."""
        host = authority.rpartition("@")[2]
        bare = f"{host.partition(']')[0]}]" if host.startswith("[") else host.partition(":")[0]
        decoded = unquote(bare[: address.MAX_DOMAIN_CHARS * 3])
        return self._normal(decoded).removeprefix("www.") or "?"

    def _normal(self, text: str) -> str:
        if text.isascii():
            return address.normalise_domain(text) or text.lower()
        self._looks -= 1
        return (address.typed_domain(text) if self._looks >= 0 else None) or text.lower()


def _is_host(name: str) -> bool:
    """Could it be a host that people know? Not `3.50`, `z.B`, `letter.pdf`."""
    labels = name.split(".")
    last = labels[-1]
    if not all(labels):
        return False
    if not last.isascii() or last.startswith("xn--"):
        return True
    if last.isdigit():
        return len(labels) == 4 and all(map(_NUMBER.fullmatch, labels))
    return len(last) > 1 and last.isalpha() and last not in _FILE_KINDS


def _mail_addresses(rest: str) -> Iterator[str]:
    """The recipients in all fields of a `mailto:` (RFC 6068)."""
    path, _, fields = rest.partition("?")
    yield from filter(None, unquote(path).split(","))
    for field in fields.split("&"):
        name, _, value = field.partition("=")
        if name.lower() in ("to", "cc", "bcc"):
            yield from filter(None, unquote(value).split(","))


def _are_same(names: Iterable[str], hosts: list[str]) -> bool:
    """Does each name belong to one of the hosts, and each host to one of the names? True if there are no hosts to compare."""
    if not hosts:
        return True
    met = [any(_is_same(name, host) for host in hosts) for name in names]
    return all(met) and all(any(_is_same(name, host) for name in names) for host in hosts)


def _is_same(name: str, host: str) -> bool:
    """Are they equal, or is one a subdomain of the other: `bank.example` and `login.bank.example`?"""
    if name == host:
        return True
    if "." not in name or "." not in host or name[-1:].isdigit() or host[-1:].isdigit():
        return False
    return host.endswith(f".{name}") or name.endswith(f".{host}")


def _shown(host: str) -> str:
    """A host as the page shows it. A long host shows its end, which names its owner."""
    printable = "".join(one if one.isprintable() else "\ufffd" for one in host[-_MAX_SHOWN_CHARS:])
    return printable if len(host) <= _MAX_SHOWN_CHARS else f"…{printable}"
