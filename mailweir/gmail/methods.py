"""The addresses of Gmail's methods, from Google's own description of its API (the discovery document in its client).

Called by `api`.
"""

import json
from typing import Any
from urllib.parse import quote, urlencode

import uritemplate
from googleapiclient import discovery_cache

_ANYTHING = "ANYTHING"  # a placeholder in an address


class Methods:
    """The addresses of Gmail's methods at one endpoint, such as `https://gmail.googleapis.com/`."""

    def __init__(self, endpoint: str) -> None:
        self._root = endpoint.rstrip("/") + "/"
        self._described: dict[str, Any] = json.loads(discovery_cache.get_static_doc("gmail", "v1"))

    def url(self, method: str, **parameters: Any) -> str:
        """The address of one call. method: such as `users.messages.get`. parameters: None is left out; a list is repeated item by
        item.

        KeyError if Gmail has no such method or parameter.
        """
        described = self._described
        *resources, name = method.split(".")
        for resource in resources:
            described = described["resources"][resource]
        found = described["methods"][name]
        given = {name: value for name, value in {**parameters, "alt": "json"}.items() if value is not None}
        known = {**self._described["parameters"], **found["parameters"]}
        in_path = {name for name in given if known[name]["location"] == "path"}
        path = uritemplate.expand(found["path"], {name: given[name] for name in in_path})
        query = {name: value for name, value in given.items() if name not in in_path}
        return f"{self._root}{path}?{urlencode(query, doseq=True)}"

    def about(self, method: str, parameter: str, **others: Any) -> "About":
        """The address of a call that is repeated for many objects. parameter: takes the object's id."""
        return About(self.url(method, **{parameter: _ANYTHING}, **others))


class About:
    """The address of a call, with a placeholder for its object. Building the whole address each time would cost a twentieth of a
    call."""

    def __init__(self, url: str) -> None:
        self._before, self._after = url.split(_ANYTHING)

    def url(self, what: str) -> str:
        """The address for this object."""
        return f"{self._before}{quote(what, safe='')}{self._after}"
