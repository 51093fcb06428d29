"""A mail's HTML in a form that is safe for a page: it runs nothing, fetches nothing, covers nothing, and marks links that don't
lead where their text says.

First `html_depth` writes the HTML anew, with known elements, attributes and values only. Then nh3 sanitises the result, so an
attack has to pass two filters. The page puts the result into a sandboxed frame with its own Content-Security-Policy. If a link's
text names another host than its target's, the view shows the true host before the link. Pure: no file, no network. Called by the
reading of a message.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

import nh3

from mailweir.reading import html_depth, html_tags, view_style
from mailweir.reading.html_depth import escape
from mailweir.reading.html_tags import Tag, attributes_of
from mailweir.reading.link_hosts import LinkHosts

SANITIZER_VERSION = 2  # stored with each view: raise it with each change that alters views, such as a new nh3
MAX_CHARS = 1_000_000  # of HTML; the rest is cut off and replaced by `…`
MAX_DATA_URL_CHARS = 400_000  # of one image that is in the HTML itself
ATTACHMENT_URL = "attachments/{number}"  # relative to the address of the message's page

_MAX_REMEMBERED_CHARS = 1_000
_CUT = "<p>…</p>"
MARK = "\u2192"  # before the host that a link leads to
_MAX_MARKED = 1_000  # links; more marks would make the view too long, so further links of this kind lose their target
# The mark inherits no style from the mail, which could hide it. It isolates its direction. It stands before the link, because a
# mail could push a mark behind the link out of sight.
_MARK_STYLE = view_style.kept(
    "display:inline-block;visibility:visible;direction:ltr;unicode-bidi:isolate;border:1px solid #b00;padding:0 3px;"
    "background-color:#fff;color:#b00;font:bold 13px / 1.3 sans-serif;letter-spacing:normal;word-spacing:normal;text-indent:0;"
    "text-transform:none;white-space:normal;word-break:break-all"
)
_TAGS = frozenset(
    [
        *("a", "abbr", "address", "article", "aside", "b", "bdi", "big", "blockquote", "br", "caption"),
        *("center", "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em"),
        *("figcaption", "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i"),
        *("img", "ins", "kbd", "li", "main", "mark", "nav", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s"),
        *("samp", "section", "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody"),
        *("td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr"),
    ]
)
_ANYWHERE = frozenset({"align", "dir", "lang", "style", "title"})
_CELL = frozenset({"bgcolor", "colspan", "height", "nowrap", "rowspan", "valign", "width"})
_ALLOWED = {
    "a": frozenset({"href"}),
    "img": frozenset({"alt", "border", "height", "src", "width"}),
    "font": frozenset({"color", "face", "size"}),
    "table": frozenset({"bgcolor", "border", "cellpadding", "cellspacing", "height", "width"}),
    **dict.fromkeys(("td", "th", "tr"), _CELL),
    **dict.fromkeys(("tbody", "thead", "tfoot"), frozenset({"bgcolor", "valign"})),
    **dict.fromkeys(("col", "colgroup"), frozenset({"span", "width"})),
    "ol": frozenset({"start", "type"}),
    "ul": frozenset({"type"}),
    "li": frozenset({"value"}),
    "hr": frozenset({"color", "noshade", "size", "width"}),
    "br": frozenset({"clear"}),
}
_LOOKED_AT_TWICE = frozenset({"href", "src", "style"})
_FREE_TEXT = frozenset({"alt", "title"})
_VALUE = re.compile(r"[-\w#%.,'+ ]{0,100}")
_LINK = re.compile(r"https?://[^/\\\s]|mailto:[^\s]|tel:[^\s]", re.IGNORECASE)
_REMOTE = re.compile(r"(?:https?:|ftp:)?[\\/]{2}", re.IGNORECASE)
_CSS_URL = re.compile(r"url\(\s{0,20}['\"]?\s{0,20}((?:https?:)?//[^'\")\s<>]{1,2000})", re.IGNORECASE)
_NO_IMAGE = re.compile(r"\.(?:css|woff2?|ttf|otf|eot)\b|//fonts\.", re.IGNORECASE)
_RASTER = re.compile(
    r"data:image/(?:png;base64,iVBORw0KGgo|jpe?g;base64,/9j/|gif;base64,R0lGOD|webp;base64,UklGR)[A-Za-z0-9+/]*={0,2}",
    re.IGNORECASE,
)
_OURS = re.compile(r"attachments/(\d{1,9})")
_OUTLOOK = re.compile(r"\s*mso", re.IGNORECASE)
_URL_JUNK = re.compile(r"[\x00-\x20\x7f-\x9f]+")


def _second_look(element: str, attribute: str, value: str) -> str | None:
    """The second filter, value by value: nh3 keeps the returned value of an attribute that its lists allow; None removes it."""
    if attribute not in _LOOKED_AT_TWICE:
        return value
    if attribute == "href":
        is_fine = bool(_LINK.match(value))
    elif attribute == "src":
        is_fine = element == "img" and bool(_OURS.fullmatch(value) or _RASTER.fullmatch(value))
    else:
        is_fine = bool(view_style.SAFE.fullmatch(value))
    return value if is_fine else None


_CLEANER = nh3.Cleaner(
    tags=set(_TAGS),
    clean_content_tags={"script", "style", "title", "template", "svg", "math"},
    attributes={"*": set(_ANYWHERE), **{name: set(found) for name, found in _ALLOWED.items()}},
    attribute_filter=_second_look,
    url_schemes={"http", "https", "mailto", "tel", "data"},
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
    filter_style_properties=set(view_style.PROPERTIES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """html: a fragment that is safe to show. remote_images: the number of different ones removed. is_cut: the mail's HTML was
    longer than `MAX_CHARS`."""

    html: str
    remote_images: int
    is_cut: bool = False


def sanitise(html: str, attachment_numbers: Mapping[str, int]) -> View:
    """html: a mail's, hostile or not. attachment_numbers: of the mail's inline attachments, by Content-ID without `<>`; an image
    that names one gets `ATTACHMENT_URL` as its source. Never raises; the time is linear in the length."""
    writer = _Writer(attachment_numbers)
    is_cut = len(html) > MAX_CHARS
    source = html_tags.clean(html[:MAX_CHARS])
    if is_cut:  # a tag split by the cut would become text
        source = source[: max(source.rfind(">") + 1, len(source) - 4096)]
    written = html_depth.rewrite(source, _TAGS, writer.attributes, writer.look_at, writer.mark)
    safe = _CLEANER.clean(written).strip()
    return View(html=safe + _CUT if is_cut else safe, remote_images=len(writer.remote), is_cut=is_cut)


class _Writer:
    """Decides for each tag what stays of it, and records the removed parts."""

    def __init__(self, attachment_numbers: Mapping[str, int]) -> None:
        self._numbers = {name.strip("<> "): number for name, number in attachment_numbers.items()}
        self._shown_numbers = {str(number) for number in attachment_numbers.values()}
        self.remote: set[str] = set()
        self._hosts = LinkHosts()
        self._marked = 0

    def mark(self, tag: Tag, readings: Sequence[str]) -> str | None:
        """The mark before a link whose text names another host than its target's; "" for no mark; None: the link loses its
        target."""
        target = _link(attributes_of(tag.attributes).get("href", ""))
        shown = self._hosts.foreign(target, readings) if target else ""
        if not shown:
            return ""
        self._marked += 1
        if self._marked > _MAX_MARKED:
            return None
        return f'<bdi style="{_MARK_STYLE}">{MARK} {escape(shown)}</bdi> '

    def attributes(self, name: str, tag: Tag) -> str | None:
        if name == "img":
            return self._image(tag)
        if not tag.attributes:
            return ""
        kept, remote = _kept(name, tag.attributes)
        self.remote.update(remote)
        return kept

    def look_at(self, tag: Tag, content: str) -> None:
        """Counts the images that a removed tag would have fetched."""
        if tag.name == "style":
            self.remote.update(_css_images(content))
            return
        if not tag.attributes:
            return
        found = attributes_of(tag.attributes)
        self.remote.update(_remote_of(found))
        for attribute in _image_attributes(tag.name, found):
            self._count(found.get(attribute, ""))

    def _count(self, url: str) -> bool:
        url = _URL_JUNK.sub("", url)
        is_remote = bool(_REMOTE.match(url))
        if is_remote:
            self.remote.add(url)
        return is_remote

    def _image(self, tag: Tag) -> str | None:
        raw = tag.whole_attributes if "data:" in tag.attributes[:4096] else tag.attributes
        found = attributes_of(raw)
        url = found.pop("src", "")
        kept = _attributes("img", found)
        if "style" in found or "background" in found:
            self.remote.update(_remote_of(found))
        source = self._source_of(url) if url else ""
        if source:
            return f'{kept} src="{escape(source)}"'
        self._count(url) or self._count(_first_of(found.get("srcset", "")))
        return kept if found.get("alt", "").strip() else None

    def _source_of(self, url: str) -> str:
        """The source that shows one of the mail's own images; empty if it is remote or missing."""
        url = url.strip()
        scheme = url[:5].lower()
        if scheme == "data:":
            url = _URL_JUNK.sub("", url)
            if len(url) > MAX_DATA_URL_CHARS or not _RASTER.fullmatch(url):
                return ""
            return url
        if scheme.startswith("cid:"):
            name = url[4:].strip("<> ")
            number = self._numbers.get(name, self._numbers.get(unquote(name)))
            return "" if number is None else ATTACHMENT_URL.format(number=number)
        ours = _OURS.fullmatch(url)
        return url if ours and ours[1] in self._shown_numbers else ""


@lru_cache(maxsize=512)
def _kept(name: str, attributes: str) -> tuple[str, frozenset[str]]:
    found = attributes_of(attributes)
    return _attributes(name, found), _remote_of(found)


def _attributes(name: str, found: Mapping[str, str]) -> str:
    allowed = _ALLOWED.get(name, frozenset())
    if name == "p" and _OUTLOOK.match(found.get("class", "")):
        # Outlook sets the margin to zero in a style sheet, which is removed. The paragraph's own style follows, and so overrides
        # it.
        found = {**found, "style": f"margin:0;{found.get('style', '')}"}
    written = []
    for attribute, value in found.items():
        if attribute not in _ANYWHERE and attribute not in allowed:
            continue
        if attribute == "style":
            value = escape(_style(value)[0])
        elif attribute == "href":
            value = escape(_link(value))
        elif attribute in _FREE_TEXT:
            value = escape(html_tags.clean(value))
        elif not _VALUE.fullmatch(value):
            continue
        if value or attribute in ("alt", "nowrap", "noshade"):
            written.append(f' {attribute}="{value}"')
    return "".join(written)


def _link(url: str) -> str:
    """The target of a link as browsers read it (WHATWG URL 4.4: line ends and tabs are removed); empty if it isn't allowed."""
    url = html_tags.clean(url)
    if "\n" in url or "\t" in url:
        url = url.replace("\n", "").replace("\t", "")
    url = url.strip(" ")
    return url if _LINK.match(url) else ""


def _remote_of(found: Mapping[str, str]) -> frozenset[str]:
    """The remote images in the attributes that any element may have."""
    urls = _style(found["style"])[1] if "style" in found else frozenset()
    background = found.get("background", "").strip()
    return urls | {background} if _REMOTE.match(background) else urls


def _style(style: str) -> tuple[str, frozenset[str]]:
    """The allowed part of a style, and the remote images in it. Cached, because a mail repeats the same style hundreds of
    times."""
    return _remembered_style(style) if len(style) <= _MAX_REMEMBERED_CHARS else _read_style(style)


def _read_style(style: str) -> tuple[str, frozenset[str]]:
    return view_style.kept(style), frozenset(_css_images(style))


_remembered_style = lru_cache(maxsize=2048)(_read_style)


def _css_images(css: str) -> set[str]:
    return {url for url in _CSS_URL.findall(css) if not _NO_IMAGE.search(url)} if "//" in css else set()


def _first_of(srcset: str) -> str:
    return srcset.strip().split(" ", 1)[0].rstrip(",")


def _image_attributes(name: str, found: Mapping[str, str]) -> tuple[str, ...]:
    if name == "input":
        return ("src",) if found.get("type", "").strip().lower() == "image" else ()
    if name == "link":
        return ("href",) if "icon" in found.get("rel", "").lower() or found.get("as", "").lower() == "image" else ()
    return {"video": ("poster",), "image": ("href", "xlink:href", "src"), "feimage": ("href", "xlink:href")}.get(
        name, ()
    )
