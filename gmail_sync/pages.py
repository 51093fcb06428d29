"""From page to page of an answer that comes in several. Called by `history` and `listing`."""

from mailweir.gmail.errors import Unreachable
from mailweir.sentence import said


class Pages:
    """token: of the page to ask for, None for the first one. A token that came before leads nowhere but round in a circle, which
    nobody would ever leave."""

    def __init__(self) -> None:
        self.token: str | None = None
        self._seen: set[str] = set()

    def turn(self, next_page: str | None) -> bool:
        """Goes to the next page; False where there is none. Unreachable where it was there before."""
        if next_page is None:
            return False
        if next_page in self._seen:
            raise Unreachable(said("Gmail gives the same page again and again"))
        self._seen.add(next_page)
        self.token = next_page
        return True

    @property
    def turned(self) -> int:
        """How often."""
        return len(self._seen)
