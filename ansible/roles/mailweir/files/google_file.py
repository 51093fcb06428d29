"""Reports a fault of a file from Google's console, on the controller, before a host is changed.

google_file.py oauth_client|service_account|web_client FILE: exit 1, with one line, if the sync or the page couldn't use it. Shows
none of its content.
"""

import json
import sys
from pathlib import Path
from typing import Any

_CLIENT = ("client_id", "client_secret", "auth_uri", "token_uri")
_ACCOUNT = ("client_email", "private_key", "token_uri")


def fault(kind: str, found: Any) -> str | None:
    """The fault of the file, for a sentence that begins with the file's name; None if there is no fault."""
    if not isinstance(found, dict):
        return "holds no JSON as Google's console gives it out"
    if kind == "oauth_client":
        values = next((found[name] for name in ("installed", "web") if isinstance(found.get(name), dict)), None)
        if values is None:
            return "is not a file of an OAuth client (installed or web)"
        return _lacks(values, _CLIENT)
    if kind == "web_client":
        values = found.get("web")
        if not isinstance(values, dict):
            return "is not a file of an OAuth client of the type Web application"
        return _lacks(values, _CLIENT)
    if found.get("type") != "service_account":
        return "is not a key file of a service account"
    return _lacks(found, _ACCOUNT)


def _lacks(values: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    missing = [key for key in keys if not isinstance(values.get(key), str) or not values[key]]
    return f"lacks {', '.join(missing)}" if missing else None


def main() -> None:
    """See the module."""
    kind, name = sys.argv[1:]
    try:
        found = json.loads(Path(name).read_bytes())
    except (ValueError, RecursionError):
        found = None
    except OSError as error:
        sys.exit(f"{name} can't be read: {error.strerror}")
    if why := fault(kind, found):
        sys.exit(f"{name} {why}: docs/admin/gmail.md says how to make it")


if __name__ == "__main__":
    main()
