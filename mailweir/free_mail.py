"""Domains at which anybody may have an address: who writes from there is nobody's colleague for that.

The list is a file beside this module, made anew by `make free-mail`. Subdomains count too. Called by `store.people` before
contacts are made by a company's domain. Standard library only.
"""

from functools import lru_cache
from importlib import resources


def is_free(domain: str) -> bool:
    """Is it such a domain, or below one? domain: in normal form."""
    known = _domains()
    while "." in domain:
        if domain in known:
            return True
        domain = domain.partition(".")[2]
    return False


@lru_cache(maxsize=1)
def _domains() -> frozenset[str]:
    text = resources.files("mailweir").joinpath("free_mail_domains.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
