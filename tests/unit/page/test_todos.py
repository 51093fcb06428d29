"""To-dos on the page."""

from tests.page import Page


def test_smoke(sqlite_page: Page) -> None:
    number = sqlite_page.deliver()
    b = sqlite_page.browser("richard")
    for path in (
        "/todos",
        "/todos/done",
        "/activities",
        f"/threads/1",
        "/search?q=boiler",
        "/contacts",
        "/contacts/1",
        "/companies",
        "/companies/1",
        "/contacts/new",
        "/why",
        "/why?q=jane@client.example",
        "/why?q=offer",
        "/why?q=x@y.example",
    ):
        text = b.text(path)
        print(path, len(text))
        open("/tmp/p" + path.replace("/", "_") + ".html", "w").write(text)
