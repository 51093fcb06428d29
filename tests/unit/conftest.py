"""Fixtures of the unit tests: a raw message's header lines."""

from collections.abc import Callable

import pytest

from mailweir.headers import Header

SplitHeaders = Callable[[bytes], list[Header]]


@pytest.fixture(scope="session")
def split_headers() -> SplitHeaders:
    """A raw message's header lines as the filter gets them: the first line that isn't a header ends them; a `From ` line before
    them and white space before a colon are left out."""

    def split(raw: bytes) -> list[Header]:
        found: list[Header] = []
        lines = raw.replace(b"\r\n", b"\n").split(b"\n")
        for line in lines[1:] if raw.startswith(b"From ") else lines:
            if line[:1] in (b" ", b"\t") and found:
                found[-1] = (found[-1][0], found[-1][1] + b"\r\n" + line)
                continue
            name, colon, value = line.partition(b":")
            name = name.rstrip()
            if not colon or not name or any(byte <= 32 or byte >= 127 for byte in name):
                break
            found.append((name, value.partition(b"\0")[0]))
        return found

    return split
