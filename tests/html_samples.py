"""HTML for the tests of its readers: long runs, tag soup, and parts of the corpus."""

import email
from collections.abc import Callable, Iterator
from pathlib import Path

from hypothesis import strategies as st

_UNITS = [
    *(
        "&",
        "&a",
        "&amp",
        "&nbsp;",
        "&#1",
        "&#x",
        "&#0",
        "&lt;",
        "<",
        ">",
        "=",
        '"',
        " ",
        "\n",
        "\u200d",
        "\u200b",
        "\xa0",
    ),
    *("<a", "<a href=", '<a href="', "<a ='", "<a b='\"", "<!--", "<!-->", "<!", "<?", "</", "<![CDATA[", "<a <b"),
    *(
        "<blockquote>",
        "</blockquote>",
        "<ul>",
        "<li>",
        "<ol><li>",
        "<table>",
        "<table><tr><td>",
        "<td>x",
        "<div>",
        "<p>",
    ),
    *("<style>", "</style>", "<script>a", "<title>", "<div hidden>", "<i hidden>a</i>", '<p style="display:none">a'),
    *('<b style="font-size:0"><i style=font-size:1px>', "<pre> ", "<pre>\n", "<br>", "a<br>", "</p>", "<img alt=a>"),
    *(
        "<a href=http://x/>a",
        "<b>a ",
        "<font color=red><p>",
        "<svg><math>",
        "<select><option>",
        "<template>",
        "<table>&",
    ),
    *("<img src=http://x/a>", "<p style='background:url(", "<table><a href=http://x/>", "<h1><b>", "<td>&", "<hr>"),
]


def _run(unit: str) -> Callable[[int], str]:
    return lambda size: unit * (size // len(unit))


_FONTS = "<p>" + "".join(f"<font color=#{number:06x}>" for number in range(60)) + "</p>"
LONG_RUNS: dict[str, Callable[[int], str]] = {
    **{unit: _run(unit) for unit in _UNITS},
    "attributes": lambda size: "<a " + "x=1 " * (size // 4),
    "ended attributes": lambda size: "<a " + "".join(f"x{number}=1 " for number in range(size // 9)) + ">",
    "long name": lambda size: "<" + "a" * size,
    "long number": lambda size: "&#" + "1" * size,
    "style": lambda size: '<p style="' + "color:" * (size // 6) + '">',
    "styles": lambda size: ('<p style="' + "color:red;" * 390 + '">') * (size // 4000),
    "names": lambda size: ("<img " + "a" * 4000 + ">") * (size // 4000),
    "style sheet": lambda size: "<style>" + "url('//" * (size // 7) + "</style>",
    "fonts left open": lambda size: _FONTS + "<p>x" * (size // 4),
    "data": lambda size: '<img src="data:image/png;base64,iVBORw0KGgo' + "A" * size + '">',
    "marked links": lambda size: "<a href=http://a.b>c.de</a>" * (size // 27),
    "other scripts": lambda size: "".join(
        f"<a href=http://xn--a.b>\xfc{number}.de</a>" for number in range(size // 32)
    ),
    "link in parts": lambda size: "<a href=http://a.b>" + "<i x>c.</i>" * (size // 11),
    "preformatted": lambda size: "<pre>" + "\n" * size,
}

_NAMES = st.sampled_from(
    [
        *(
            "a",
            "b",
            "p",
            "div",
            "span",
            "table",
            "tr",
            "td",
            "ul",
            "li",
            "blockquote",
            "pre",
            "br",
            "img",
            "style",
            "script",
        ),
        *(
            "svg",
            "math",
            "template",
            "form",
            "h1",
            "font",
            "o:p",
            "title",
            "i",
            "hr",
            "col",
            "caption",
            "tbody",
            "dd",
            "dl",
        ),
    ]
)
_ATTRIBUTES = st.sampled_from(
    [
        *(
            "",
            " hidden",
            ' style="display:none"',
            " style='color:red;font-size:0'",
            ' href="https://client.example/?a=1&b=2"',
        ),
        *(
            ' href="javascript:x"',
            " src=cid:a@b",
            ' src="data:image/gif;base64,R0lGODlh"',
            ' title="<b>"',
            " x='",
            ' y="',
            " width=1",
        ),
        *(
            ' style="background:url(http://x.example/a)"',
            " onload=x",
            " id=a name=b class=c",
            " src=//x.example/a alt=b",
            " /",
        ),
    ]
)
_SCRAPS = st.one_of(
    st.builds("<{}{}>".format, _NAMES, _ATTRIBUTES),
    st.builds("</{}>".format, _NAMES),
    st.sampled_from(
        [
            "&",
            "&amp;",
            "&nbsp;",
            "<",
            ">",
            '"',
            "'",
            "\n",
            " ",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "\x00",
            "x",
            "=",
            "\u200d",
        ]
    ),
    st.text(max_size=5),
)


def tag_soup() -> st.SearchStrategy[str]:
    """Tags, ends of tags, scraps and text, in random order."""
    return st.lists(_SCRAPS, max_size=25).map("".join)


def html_parts(corpus: list[Path]) -> Iterator[str]:
    """Each HTML part of the samples that Python's own parser finds."""
    for path in corpus:
        message = email.message_from_bytes(path.read_bytes())
        for part in message.walk():
            if part.get_content_type() == "text/html" and not part.is_multipart():
                payload = part.get_payload(decode=True)
                yield payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
