"""A domain's DMARC policy (RFC 7489), and what it makes of mail that the relay sends for it. Called by `checks`."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mailweir.domains.questions import Questions

POLICIES = ("none", "quarantine", "reject")
_TAG = re.compile(r"\s*([A-Za-z]+)\s*=\s*(.*?)\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Policy:
    """policy: what is asked for mail that fails, none where there is no record. found_at: where the record stands, or "".

    strict_spf, strict_dkim: aligned is the same name only, else the same organisation. fault: why a record doesn't count.
    """

    policy: str
    found_at: str
    text: str = ""
    strict_spf: bool = False
    strict_dkim: bool = False
    reports_to: str = ""
    fault: str = ""

    def is_aligned(self, domain: str, author_domain: str, *, strict: bool) -> bool:
        """RFC 7489 3.1: is the domain that SPF or DKIM speaks for the author's?"""
        if domain == author_domain:
            return True
        return not strict and organisation(domain) == organisation(author_domain)


def organisation(domain: str) -> str:
    """The organisational domain (3.2), by the list of public suffixes; of a public suffix the domain itself."""
    return _suffixes().privatesuffix(domain.lower().rstrip(".")) or domain.lower().rstrip(".")


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def look(questions: Questions, domain: str) -> Policy:
    """The policy that counts for an author's domain (6.6.3). Errors: DnsUnavailable."""
    own = _at(questions, domain)
    if own:
        return _one_of(domain, own, "p")
    above = organisation(domain)
    found = _at(questions, above) if above != domain else []
    return _one_of(above, found, "sp") if found else Policy("none", "")


def _at(questions: Questions, domain: str) -> list[str]:
    values = questions.ask(f"_dmarc.{domain}", "TXT").values
    return [value for value in values if re.match(r"v\s*=\s*DMARC1\s*(;|\Z)", value)]


def _one_of(name: str, texts: list[str], tag: str) -> Policy:
    # 6.6.3: with several, the search ends without a policy; it doesn't go on to the organisation's
    if len(texts) > 1:
        return Policy("none", "", fault=f"{len(texts)} DMARC records at _dmarc.{name}, so none of them counts")
    return _policy(name, texts[0], tag)


def _policy(name: str, text: str, tag: str) -> Policy:
    tags: dict[str, str] = {}
    for part in text.split(";"):
        if matched := _TAG.match(part):
            tags.setdefault(matched[1].lower(), matched[2])
    asked = tags.get(tag, tags.get("p", "")).lower()
    fault = ""
    if asked not in POLICIES:
        fault = f"its policy {asked!r} is none that is known, so it doesn't count" if asked else "it has no policy (p=)"
        asked = "none"
    return Policy(
        asked,
        name,
        text,
        strict_spf=tags.get("aspf", "r").lower() == "s",
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        reports_to=tags.get("rua", ""),
        fault=fault,
    )
