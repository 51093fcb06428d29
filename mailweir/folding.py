"""Which spellings of an address belong to one person: a deployment's choice, off by default.

Plus-addresses (`jane+news@` is `jane@`) are a custom of many mail systems and not in any RFC, so nobody can tell from outside
where they apply; dots in the local part are ignored by Gmail alone. An address is matched by its key, which is stored beside it.
Pure; called by `matching`, and by `store` where an address is written. Standard library only.
"""

from typing import NamedTuple

from mailweir import address

_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})  # one mailbox has both names


class Folding(NamedTuple):
    """A deployment's choice."""

    plus_addresses: bool = False
    gmail_dots: bool = False

    def key(self, normal: str) -> str:
        """The key by which an address in its normal form is matched; the address itself if nothing is folded. Idempotent."""
        if not self.plus_addresses and not self.gmail_dots:
            return normal
        local, domain = address.split(normal)
        if local.startswith('"'):
            return normal
        if self.plus_addresses:
            local = self.without_tag(local)
        if self.gmail_dots and domain in _GMAIL_DOMAINS:
            local, domain = local.replace(".", "") or local, "gmail.com"
        return f"{local}@{domain}"

    def without_tag(self, local: str) -> str:
        """A local part without its `+tag`, if the deployment ignores tags."""
        return (local.partition("+")[0] or local) if self.plus_addresses else local


EXACT = Folding()
