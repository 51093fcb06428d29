"""Unwraps flowed text: format=flowed, with DelSp (RFC 3676 4). Called by `body`. Pure."""

import re

_LINE = re.compile(r"(>*)( ?)(.*)")
_SIGNATURE = "-- "


def unflow(text: str, *, del_sp: bool) -> str:
    """Text with each paragraph on one line; quotes as `>> text`. del_sp: the blank before a soft line break is not part of the
    text."""
    out: list[str] = []
    pieces: list[str] = []  # of the current paragraph
    depth = -1
    for line in text.split("\n"):
        quotes, _, content = _split(line)
        if pieces and (quotes != depth or content == _SIGNATURE):  # 4.5: a paragraph ends where the depth changes
            out.append(_joined(depth, pieces))
            pieces = []
        depth = quotes
        if content.endswith(" ") and content != _SIGNATURE:
            pieces.append(content[:-1] if del_sp else content)
            continue
        pieces.append(content)
        out.append(_joined(depth, pieces))
        pieces = []
    if pieces:
        out.append(_joined(depth, pieces))
    return "\n".join(out)


def _split(line: str) -> tuple[int, str, str]:
    """Returns the quote depth, the stuffed blank (4.4) or '', and the rest of the line."""
    match = _LINE.match(line)
    return (len(match[1]), match[2], match[3]) if match else (0, "", line)


def _joined(depth: int, pieces: list[str]) -> str:
    text = "".join(pieces)
    return f"{'>' * depth} {text}".rstrip() if depth else text
