"""A signed-in person's browser, and everything that a page does in it besides being shown."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.browser.site import Trap

_STATIC = "/static/"
_NOT_THERE = "Failed to load resource: the server responded with a status of 4"
# Touches everything that a person could touch. Checks links: none may run a script, or post.
_TOUCH = """
(isMail) => {
  const faults = [];
  for (const one of document.querySelectorAll('*')) {
    for (const type of ['load', 'error', 'mouseover', 'mouseenter', 'focus', 'blur', 'toggle', 'animationstart', 'input',
                        'pointerover', 'scroll', 'begin'])
      one.dispatchEvent(new Event(type, {cancelable: true}));
    for (const attribute of one.attributes)
      if (attribute.name.startsWith('on')) faults.push(`${one.localName} has ${attribute.name}`);
    if (one.localName === 'a' && one.href && !['http:', 'https:', 'mailto:', 'tel:'].includes(one.protocol))
      faults.push(`a link leads to ${one.href}`);
    if (!isMail && one.localName === 'a' && one.href && one.origin !== location.origin)
      faults.push(`a link of the page leads to ${one.href}`);
    if (!isMail && one.localName === 'form' && new URL(one.getAttribute('action') || '', location).origin !== location.origin)
      faults.push('a form of the page leads elsewhere');
  }
  return faults;
}
"""


@dataclass
class Seen:
    """The events. ran: scripts of a mail. asked: requests that a page doesn't need, whether or not they went out. out: arrivals
    at the trap. said: the rest, e.g. messages of the browser about refusals."""

    ran: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    out: list[bytes] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All of it; empty if the page was shown and did nothing else."""
        return [*self.ran, *self.asked, *map(repr, self.out), *self.said]

    @property
    def harm(self) -> list[str]:
        """Harmful events: a script ran, or something was sent. If a policy refuses a frame, Chromium connects all the same, but
        sends nothing. There, the sanitizer is the defence."""
        return [*self.ran, *(repr(one) for one in self.out if one)]


class Onlooker:
    """Shows pages to a browser. `link` signs it in, by the button, as a person does."""

    def __init__(self, browser: Any, trap: Trap, url: str, link: str) -> None:
        self._trap, self._url = trap, url
        self._seen = Seen()
        self._allowed: set[str] = set()
        self._opens_own = False
        self._context = browser.new_context(accept_downloads=False)
        self._context.set_default_timeout(10_000)
        self._context.on("request", self._asked)
        self._context.on("page", self._opened)
        self._page = self._new_page()
        self._page.goto(link)
        with self._page.expect_navigation():
            self._page.click("button.main")
        assert not self._page.url.startswith(link), "the browser isn't signed in"

    def close(self) -> None:
        """Closes the browser's page."""
        self._context.close()

    def look(self, *paths: str, fetches: tuple[str, ...] = (), settles: int = 30) -> Seen:
        """Opens these pages in sequence, and touches everything in them. fetches: other allowed loads. settles: milliseconds for
        a page's delayed actions, before and after."""
        self._seen = Seen()
        before = len(self._trap.connections)
        for path in paths:
            self._allowed = {self._url + one for one in (path, *fetches, "/favicon.ico")}
            try:
                self._open(self._url + path, settles)
            except Exception as error:  # noqa: BLE001  the page navigated meanwhile, or never finished loading
                self._seen.said.append(f"was disturbed: {str(error)[:300]}")
        self._seen.out += self._trap.connections[before:]
        if self._seen.faults:  # its further actions must not count for the next page
            self._page.close()
            self._page = self._new_page()
        return self._seen

    def follow(self, path: str) -> Seen:
        """Opens a page and clicks the first link of the mail in its frame."""
        self._seen = Seen()
        before = len(self._trap.connections)
        self._page.goto(self._url + path)
        with self._context.expect_page() as opened:
            self._page.frame_locator("iframe.mail").locator("a").first.click()
        self._page.wait_for_timeout(300)
        opened.value.close()
        self._seen.out += self._trap.connections[before:]
        return self._seen

    def _open(self, url: str, settles: int) -> None:
        page = self._page
        page.goto(url)
        page.wait_for_timeout(settles)
        # If a policy refused a frame, it has no document, and would never report.
        for frame in [one for one in page.frames if one.url.startswith(self._url)]:
            is_mail = frame is not page.main_frame or frame.url.endswith("/html")
            self._seen.said += frame.evaluate(_TOUCH, is_mail)
        page.wait_for_timeout(settles)
        if page.url != url:
            self._seen.said.append(f"went to {page.url}")

    def _new_page(self) -> Any:
        self._opens_own = True
        page = self._context.new_page()
        self._opens_own = False
        page.on("dialog", self._spoke)
        page.on("console", self._wrote)
        page.on("pageerror", lambda error: self._seen.said.append(f"a script failed: {error}"))
        return page

    def _opened(self, page: Any) -> None:
        if not self._opens_own:
            self._seen.said.append(f"opens {page.url}")

    def _asked(self, request: Any) -> None:
        is_own = request.url in self._allowed or urlsplit(request.url).path.startswith(_STATIC)
        if not (is_own and request.url.startswith(self._url)) and not request.url.startswith("data:image/"):
            self._seen.asked.append(f"asks for {request.url[:200]}")

    def _wrote(self, said: Any) -> None:
        if not said.text.startswith(_NOT_THERE):
            self._seen.said.append(f"console: {said.text[:200]}")

    def _spoke(self, dialog: Any) -> None:
        self._seen.ran.append(f"ran: {dialog.message}")
        dialog.dismiss()
