"""The real page with hostile mail in it, served to a browser on this machine. A test may take its defences away."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

import waitress
import zstandard

from mailweir.store.web import links
from tests.browser.hostile.mails import Hostile
from tests.page import Page

_POLICY = "content-security-policy"
_FRAMING = "x-frame-options"


class Served:
    """A page behind waitress. has_policy: False removes the policies from all its answers."""

    def __init__(self, page: Page, port: int) -> None:
        self.page = page
        self.has_policy = True
        self.url = f"http://localhost:{port}"
        self._server = waitress.create_server(self._answer, host="127.0.0.1", port=port, threads=4)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._thread.join(5)

    def link(self, name: str = "richard") -> str:
        """The address where a browser signs in as this account."""
        token = links.make(self.page.database, self.page.account(name).id, None, self.page.clock())
        return f"{self.url}/sign-in/link/{token}"

    def deliver(self, mail: Hostile) -> int:
        """Records and reads a mail; returns the activity's id."""
        return self.page.deliver(mail.raw)

    def put_raw_html(self, activity_id: int, html: str) -> None:
        """Stores this HTML as the sanitizer's output, as if there were no sanitizer."""
        sql = "UPDATE readings SET html_zstd = ? WHERE raw_id IN (SELECT leading_raw_id FROM activities WHERE id = ?)"
        content = zstandard.compress(html.encode("utf-8", "replace"))
        self.page.database.execute(sql, (content, activity_id))

    def escape(self, *, templates: bool) -> None:
        """Switches the templates' escaping, on or off."""
        environment = self.page.app.jinja_env
        environment.autoescape = templates
        if environment.cache is not None:
            environment.cache.clear()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [one for one in headers if self.has_policy or one[0].lower() not in (_POLICY, _FRAMING)]
            return start(status, kept, *rest)

        return self.page.app(environ, begin)
