"""Address parsers by other authors: each parses many texts. They share no code with one another."""

import email.policy
import json
import subprocess
from collections.abc import Callable, Sequence
from email.headerregistry import AddressHeader
from email.utils import getaddresses
from pathlib import Path
from typing import Any, cast

from tests.needs import lacks

Shown = dict[str, list[list[str]]]  # by parser: the addresses of each text, as the parser returns them
_SCRIPTS = Path(__file__).with_name("readers")
_NODE_MODULES = Path(__file__).parents[1] / "gmail" / "node_modules"


def ask_all(texts: Sequence[str]) -> Shown:
    """The results of all parsers. Skips the test if a parser isn't installed."""
    perl = _ask(["perl", str(_SCRIPTS / "perl_readers.pl")], texts, "libmailtools-perl and libemail-address-xs-perl")
    nodes = sorted(_NODE_MODULES.glob("node-linux-*/bin/node"))
    if not nodes:
        lacks("needs the npm packages of tests/gmail: 'make setup' installs them")
    node = _ask(
        [str(nodes[0]), str(_SCRIPTS / "node_readers.mjs"), str(_NODE_MODULES)],
        texts,
        "the npm packages of tests/gmail",
    )
    return perl | node | {"email.utils": _each(_lenient, texts), "email.policy": _each(_by_policy, texts)}


def _ask(command: list[str], texts: Sequence[str], what: str) -> Shown:
    try:
        done = subprocess.run(
            command, input=json.dumps(list(texts)), capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        lacks(f"needs {command[0]}: {error}")
    if done.returncode:
        lacks(f"needs {what}: {done.stderr.strip()[-300:]}")
    return cast(Shown, json.loads(done.stdout))


def _each(read: Callable[[str], list[str]], texts: Sequence[str]) -> list[list[str]]:
    return [read(text) for text in texts]


def _lenient(text: str) -> list[str]:
    unchecked: Any = getaddresses
    try:
        # Without the check of newer versions, the result is that of older versions.
        pairs = unchecked([text], strict=False)
    except TypeError:
        pairs = unchecked([text])
    return [address for _, address in pairs if address]


def _by_policy(text: str) -> list[str]:
    try:
        header = email.policy.default.header_factory("To", text)
        return [one.addr_spec for one in header.addresses] if isinstance(header, AddressHeader) else []
    except Exception:  # noqa: BLE001  it raises many types on hostile text
        return []
