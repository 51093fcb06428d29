"""Pictures of the page for the documentation, of a site with sample mail: `make screenshots` writes docs/pictures/*.png.

They have 256 colours if Pillow is installed: half the bytes, without a visible difference.
"""

import importlib
import logging
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import structlog

from tests.browser.conftest import CHROMIUM
from tests.browser.sample_site import SampleSite, sample_site

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
MAX_BYTES = 120_000
_WIDE, _NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
_COLOURS = 256


@dataclass(frozen=True, slots=True)
class Picture:
    """path: of the page, with places for the sample's ids. name: of the account that opens it."""

    file: str
    path: str
    name: str = "richard"
    size: Any = None
    scheme: str = "light"


PICTURES_TAKEN = (
    Picture("integrations", "/integrations"),
    Picture("todos", "/todos"),
    Picture("todos-dark", "/todos", scheme="dark"),
    Picture("todos-narrow", "/todos", size=_NARROW),
    Picture("activities", "/activities"),
    Picture("message", "/activities/{activity_id}"),
    Picture("contact", "/contacts/{contact_id}"),
    Picture("why", "/why?q=builder%40prospect.example"),
    Picture("admin", "/admin", name="boss"),
    Picture("health", "/admin/health", name="boss"),
)


def main() -> int:
    """Takes each picture. Returns the exit code: 1 if a picture is too large."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    PICTURES.mkdir(exist_ok=True)
    large = []
    with importlib.import_module("playwright.sync_api").sync_playwright() as driver, sample_site() as site:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--hide-scrollbars"])
        for one in PICTURES_TAKEN:
            content = _smaller(_taken(browser, site, one))
            (PICTURES / f"{one.file}.png").write_bytes(content)
            print(f"{one.file}.png: {len(content):,} bytes")
            large += [one.file] if len(content) > MAX_BYTES else []
        browser.close()
    if large:
        print(f"larger than {MAX_BYTES:,} bytes: {', '.join(large)}", file=sys.stderr)
    return 1 if large else 0


def _taken(browser: Any, site: SampleSite, wanted: Picture) -> bytes:
    page = site.signed_in(browser, wanted.name, viewport=wanted.size or _WIDE, color_scheme=wanted.scheme)
    page.goto(site.served.url + wanted.path.format(**site.ids))
    page.wait_for_timeout(100)
    content: bytes = page.screenshot(animations="disabled")
    page.context.close()
    return content


def _smaller(content: bytes) -> bytes:
    """The picture with a palette, if that is smaller."""
    image = importlib.import_module("PIL.Image")
    made = BytesIO()
    with image.open(BytesIO(content)) as opened:
        opened.convert("RGB").quantize(_COLOURS, dither=image.Dither.NONE).save(made, "PNG", optimize=True)
    return min(content, made.getvalue(), key=len)


if __name__ == "__main__":
    sys.exit(main())
