"""Compares released facts, a line each, with today's."""

import os
from pathlib import Path
from typing import Any

import pytest


def compare(file: Path, found: list[str]) -> None:
    """Fails with the removed and the added lines. If MAILWEIR_FREEZE is set, it writes the file instead."""
    lines = [one.replace("\n", "\\n") for one in found]
    if os.environ.get("MAILWEIR_FREEZE"):
        file.write_text("".join(f"{one}\n" for one in lines), "utf-8")
        return
    before = file.read_text("utf-8").splitlines()
    gone, came = [one for one in before if one not in lines], [one for one in lines if one not in before]
    if gone or came:
        told = [*(f"- {one}" for one in gone), *(f"+ {one}" for one in came)]
        pytest.fail(
            f"{file.name} says otherwise (MAILWEIR_FREEZE=1 writes it anew):\n" + "\n".join(told), pytrace=False
        )


def shape(path: str, value: Any) -> list[str]:
    """The keys of JSON with the kinds of their values, a line each."""
    if isinstance(value, dict):
        return [line for key, one in value.items() for line in shape(f"{path}.{key}", one)] or [f"{path}: {{}}"]
    if isinstance(value, list):
        return [line for one in value for line in shape(f"{path}[]", one)] or [f"{path}: []"]
    return [f"{path}: {'null' if value is None else type(value).__name__}"]
