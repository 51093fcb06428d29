"""Moves from page to page of a multi-page answer. Called by `history` and `listing`."""

from mailweir.gmail.errors import Unreachable
from mailweir.sentence import said


class Pages:
    """token: of the page to request, None for the first one. A repeated token would be an endless loop."""

    def __init__(self) -> None:
        self.token: str | None = None
        self._seen: set[str] = set()

    def turn(self, next_page: str | None) -> bool:
        """Goes to the next page; False if there is none. Errors: Unreachable if its token came before."""
        if next_page is None:
            return False
        if next_page in self._seen:
            raise Unreachable(said("Gmail gives the same page again and again"))
        self._seen.add(next_page)
        self.token = next_page
        return True

    @property
    def turned(self) -> int:
        """The number of turns."""
        return len(self._seen)
