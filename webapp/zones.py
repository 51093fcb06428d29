"""The time zones that an account can choose, by region. Called by the account's page."""

from functools import lru_cache
from zoneinfo import available_timezones

_REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@lru_cache(maxsize=1)
def by_region() -> dict[str, tuple[str, ...]]:
    """Names such as `Europe/Berlin`, by their region. Abbreviations and old names by country are left out, except UTC."""
    found: dict[str, list[str]] = {"": ["UTC"]}
    for name in sorted(available_timezones()):
        region = name.partition("/")[0]
        if region in _REGIONS:
            found.setdefault(region, []).append(name)
    return {region: tuple(names) for region, names in found.items()}


def is_one(name: str) -> bool:
    """Is it a zone that can be chosen?"""
    return any(name in names for names in by_region().values())
