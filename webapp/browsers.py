"""A browser's name, from its User-Agent, for the list of an account's sessions. Called by the account's page."""

from flask_babel import gettext

# The first match counts: many browsers call themselves Chrome and Safari, too
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def name(user_agent: str) -> str:
    """Such as `Firefox on Windows`; the User-Agent itself if the browser or its system isn't known."""
    browser = next((known for mark, known in _BROWSERS if mark in user_agent), None)
    system = next((known for mark, known in _SYSTEMS if mark in user_agent), None)
    if browser is None or system is None:
        return user_agent or str(gettext("A browser without a name"))
    return str(gettext("%(browser)s on %(system)s", browser=browser, system=system))
