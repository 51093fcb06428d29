"""The declarations of a `style` attribute that a mail's view keeps: appearance only, nothing that fetches, moves or covers.

Values may consist only of listed elements: names, numbers, colours. So no spelling of `url()`, escapes or variables is kept.
Pure. Standard library only. Called by `html_view`.
"""

import re

from mailweir.reading.inline_style import declarations

_MAX_VALUE_CHARS = 300
_SIDES = ("top", "right", "bottom", "left")
PROPERTIES = frozenset(
    [
        *(
            "background-color",
            "border-collapse",
            "border-radius",
            "border-spacing",
            "box-sizing",
            "clear",
            "color",
            "direction",
        ),
        *(
            "display",
            "empty-cells",
            "float",
            "font",
            "font-family",
            "font-size",
            "font-style",
            "font-variant",
            "font-weight",
        ),
        *(
            "height",
            "letter-spacing",
            "line-height",
            "list-style-type",
            "margin",
            "max-height",
            "max-width",
            "min-height",
        ),
        *(
            "min-width",
            "opacity",
            "overflow",
            "overflow-wrap",
            "padding",
            "table-layout",
            "text-align",
            "text-decoration",
        ),
        *("text-decoration-color", "text-decoration-line", "text-decoration-style", "text-indent", "text-transform"),
        *(
            "unicode-bidi",
            "vertical-align",
            "visibility",
            "white-space",
            "width",
            "word-break",
            "word-spacing",
            "word-wrap",
        ),
        *("border", "border-color", "border-style", "border-width"),
        *(f"{kind}-{side}" for kind in ("border", "margin", "padding") for side in _SIDES),
        *(f"border-{side}-{what}" for side in _SIDES for what in ("color", "style", "width")),
    ]
)
_COLOUR = re.compile(r"(?:rgba?|hsla?)\([\d.,%/ ]{1,60}\)")
_PLAIN = re.compile(r"[-\w#%.,'\"+/ ]*")
# All declarations at once: only colours have brackets.
SAFE = re.compile(r"(?:(?:rgb|hsl)a?\([\d.,%/ ]{1,60}\)|[-\w#%.,'\"+/ :;!])*")
_OF_THE_WINDOW = re.compile(
    r"\d(?:[sld]?v[hwib]|[sld]?vmin|[sld]?vmax)\b"
)  # it would change with the frame's own height
_NEGATIVE = re.compile(r"(?:^|[ ,])-[\d.]")
_DISPLAYS = frozenset(
    [
        *("none", "block", "inline", "inline-block", "list-item", "table", "inline-table", "table-row", "table-cell"),
        *("table-row-group", "table-header-group", "table-footer-group", "table-column", "table-caption", "flow-root"),
    ]
)
# A background of one word is often only its colour.
_COLOUR_ALONE = re.compile(r"#[0-9a-f]{3,8}|[a-z]{3,20}|(?:rgba?|hsla?)\([\d.,%/ ]{1,60}\)")


def kept(style: str) -> str:
    """The allowed declarations of a style attribute, sorted by name, as one text."""
    found = declarations(style)
    background = found.get("background", "")
    if _COLOUR_ALONE.fullmatch(background):
        found.setdefault("background-color", background)
    return ";".join(f"{name}:{value}" for name, value in sorted(found.items()) if _is_kept(name, value))


def _is_kept(name: str, value: str) -> bool:
    if name not in PROPERTIES or len(value) > _MAX_VALUE_CHARS or not _PLAIN.fullmatch(_COLOUR.sub("", value)):
        return False
    if "//" in value or "/*" in value or value.count('"') % 2 or value.count("'") % 2:
        return False
    if _OF_THE_WINDOW.search(value) or (name != "letter-spacing" and _NEGATIVE.search(value)):
        return False
    if name == "unicode-bidi" and "override" in value:  # a word written backwards would be read as another word
        return False
    return name != "display" or value in _DISPLAYS
