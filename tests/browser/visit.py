"""Shows HTML to a browser and reports everything that the browser then does."""

from typing import Any

from tests.browser.site import Site, Trap

_SETTLES_MILLISECONDS = 40  # for a page's delayed actions: navigation, or prefetching
PAGE = "<!doctype html><html><head><meta charset=utf-8><title>x</title></head><body>{}</body></html>"
# The browser's view of the page, and the effects of touching everything. Then the same with the page's own HTML, parsed again, as
# a page's scripts would do.
_LOOK = """
async () => {
  const faults = [];
  const look = (when) => {
    for (const one of document.body.querySelectorAll('*')) {
      const name = one.localName;
      const say = (what) => faults.push(`${when}: ${name} ${what}`);
      if (one.namespaceURI !== 'http://www.w3.org/1999/xhtml') say('of another namespace');
      if (FORBIDDEN.includes(name)) say('is there');
      for (const attribute of one.attributes) {
        const known = attribute.name;
        if (known.startsWith('on') || FORBIDDEN_ATTRIBUTES.includes(known)) say(`${known}=${attribute.value}`);
      }
      if (one.localName === 'a' && one.hasAttribute('href') && !['http:', 'https:', 'mailto:', 'tel:'].includes(one.protocol))
        say(`leads to ${one.href}`);
      const style = getComputedStyle(one);
      if (style.position !== 'static') say(`position ${style.position}`);
      for (const property of PICTURES)
        if (!['none', 'auto', 'normal'].includes(style[property])) say(`${property} ${style[property]}`);
      for (const type of EVENTS) one.dispatchEvent(new Event(type, {cancelable: true}));
    }
    for (const name of NAMES)
      if (document[name] instanceof Element || document[name] instanceof HTMLCollection)
        faults.push(`${when}: ${name} is hidden`);
  };
  look('first');
  const html = document.body.innerHTML;
  document.body.innerHTML = html;
  look('again');
  const apart = document.createElement('div');
  document.body.replaceChildren(apart);
  apart.innerHTML = html;
  apart.innerHTML = apart.innerHTML;
  look('in an element');
  return faults;
}
"""
_FORBIDDEN = (
    *("script", "style", "link", "meta", "base", "iframe", "frame", "frameset", "object", "embed", "applet", "form", "input"),
    *("button", "select", "textarea", "svg", "math", "template", "noscript", "video", "audio", "source", "track", "picture"),
    *("portal", "dialog", "title", "xmp", "plaintext", "noembed", "noframes", "marquee", "map", "area", "slot", "canvas"),
)  # fmt: skip
_FORBIDDEN_ATTRIBUTES = (
    *("id", "name", "class", "srcset", "ping", "background", "srcdoc", "formaction", "action", "poster", "is", "slot", "usemap"),
    *("contenteditable", "tabindex", "accesskey", "popover", "autofocus", "download", "cite", "xlink:href", "data"),
    *("attributionsrc",),
)  # fmt: skip
_PICTURES = (
    "backgroundImage",
    "listStyleImage",
    "borderImageSource",
    "maskImage",
    "clipPath",
    "filter",
    "shapeOutside",
    "content",
)
_EVENTS = (
    *("load", "error", "click", "mouseover", "mouseenter", "focus", "blur", "toggle", "scroll", "input", "submit"),
    *("animationstart", "pageshow", "change", "pointerover", "begin", "start"),
)  # fmt: skip
_NAMES = ("getElementById", "attributes", "childNodes", "parentNode", "querySelector", "defaultView")
_LOOK_HERE = (
    _LOOK.replace("FORBIDDEN_ATTRIBUTES", repr(list(_FORBIDDEN_ATTRIBUTES)))
    .replace("FORBIDDEN", repr(list(_FORBIDDEN)))
    .replace("PICTURES", repr(list(_PICTURES)))
    .replace("EVENTS", repr(list(_EVENTS)))
    .replace("NAMES", repr(list(_NAMES)))
)


class Visitor:
    """A browser, its page, and the trap for its other connections."""

    def __init__(self, browser: Any, site: Site, trap: Trap) -> None:
        self._browser, self._site, self._trap = browser, site, trap
        self._shown = 0
        self._found: list[str] = []
        self._allowed: set[str] = set()
        self._page: Any = None

    def faults(self, html: str) -> list[str]:
        """Everything that a browser does, or lets others do, because of this HTML; empty if it only shows it.

        A picture may come from `attachments/3`, beside the page, and a raster image from the HTML itself.
        """
        self._shown += 1
        path = f"/{self._shown}/view"
        self._site.pages[path] = PAGE.format(html).encode("utf-8", "replace")
        url = f"{self._site.url}{path}"
        self._allowed = {url, f"{self._site.url}/{self._shown}/attachments/3", f"{self._site.url}/favicon.ico"}
        self._found = []
        connections = len(self._trap.connections)
        try:
            self._visit(url)
        except Exception as error:  # noqa: BLE001  the page navigated meanwhile, or never finished loading
            self._found.append(f"was disturbed: {error}")
        del self._site.pages[path]
        self._found += (f"connects: {one!r}" for one in self._trap.connections[connections:])
        if self._found and self._page:  # its further actions must not count for the next page
            self._page.context.close()
            self._page = None
        return self._found

    def _visit(self, url: str) -> None:
        page = self._page = self._page or self._new_page()
        page.goto(url)
        page.wait_for_timeout(_SETTLES_MILLISECONDS)
        self._found += page.evaluate(_LOOK_HERE)
        page.wait_for_timeout(_SETTLES_MILLISECONDS)
        if page.url != url:
            self._found.append(f"went to {page.url}")

    def _new_page(self) -> Any:
        context = self._browser.new_context(accept_downloads=False)
        page = context.new_page()
        context.on("request", self._asked)
        context.on("page", lambda opened: self._found.append(f"opens {opened.url}"))
        page.on("dialog", self._spoke)
        page.on("console", lambda said: self._found.append(f"console: {said.text[:200]}"))
        page.on("pageerror", lambda error: self._found.append(f"a script failed: {error}"))
        return page

    def _asked(self, request: Any) -> None:
        if request.url not in self._allowed and not request.url.startswith("data:image/"):
            self._found.append(f"asks for {request.url[:200]}")

    def _spoke(self, dialog: Any) -> None:
        self._found.append(f"ran: {dialog.message}")
        dialog.dismiss()
