"""Plain text from text/enriched (RFC 1896) and text/richtext (RFC 1341 7.1.3). Never raises; linear. Called by `body`. Pure."""

import re

_PARAMETER = re.compile(r"<param>[^<]*+</param>", re.IGNORECASE)
_COMMAND = re.compile(r"<(?!<)/?[A-Za-z0-9-]{1,60}>")
_LINE_ENDS = re.compile(r"\n+")
_RICHTEXT_SIGNS = re.compile(r"<(lt|nl|np|/paragraph)>", re.IGNORECASE)


def to_text(text: str, *, is_richtext: bool = False) -> str:
    """The text without its commands: n line ends become n - 1, a single one becomes a blank; `<<` becomes `<`."""
    if is_richtext:
        text = _RICHTEXT_SIGNS.sub(
            lambda match: "\x01" if match[1].lower() == "lt" else "\x02", text.replace("\n", " ")
        )
        return _COMMAND.sub("", text).replace("\x01", "<").replace("\x02", "\n")
    text = _PARAMETER.sub("", text).replace("<<", "\x01")
    text = _LINE_ENDS.sub(lambda match: "\n" * (len(match[0]) - 1) or " ", text)
    return _COMMAND.sub("", text).replace("\x01", "<")
