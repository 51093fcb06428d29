"""Which spellings of an address are one person's: a deployment's choice, off unless it is switched on.

Plus-addresses (`jane+news@` is `jane@`) are a custom of many mail systems and no rule of any RFC, so nobody can tell from outside
where they hold; dots in the local part mean nothing at Gmail alone. An address is matched by its key, which is stored beside
it. Pure; called by `matching`, and by `store` where an address is written. Standard library only.
"""

from typing import NamedTuple

from mailweir import address

_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})  # one mailbox has both names


class Folding(NamedTuple):
    """A deployment's choice."""

    plus_addresses: bool = False
    gmail_dots: bool = False

    def key(self, normal: str) -> str:
        """What an address in its normal form is matched by; itself where nothing is folded. Folding a key changes nothing."""
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
        """A local part without its `+tag`, where such tags don't count."""
        return (local.partition("+")[0] or local) if self.plus_addresses else local


EXACT = Folding()
