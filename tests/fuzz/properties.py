"""Properties that must hold for any headers and addresses, and the inputs: seeds of the corpus, mutants, and hostile pieces.

Each property takes bytes and raises if it doesn't hold. Used by `test_fuzz` (seconds, in `make test`) and `run` (`make fuzz`).
"""

import io
import random
import time
from collections.abc import Callable
from pathlib import Path

import zstandard

from capture_milter.assembly import Assembly, join_headers
from mailweir import (
    address,
    arc_results,
    candidates,
    charsets,
    dates,
    dkim_message,
    dkim_tags,
    encoded_words,
    headers,
    identity,
    original_author,
)

CORPUS = Path(__file__).with_name("corpus")
MAX_BYTES = 64_000
SECONDS_PER_KB = 0.02  # a hundred times the usual; only non-linear work takes so long
MIN_SECONDS = 1.0
NAMES = (b"From", b"To", b"Cc", b"Subject", b"Date", b"Message-ID", b"X-Other")
PIECES = (
    *(b"<", b">", b'"', b"(", b")", b",", b";", b":", b"@", b"\\", b".", b"[", b"]", b"\0", b"\r\n ", b"\r\n\t", b"\r", b"\n"),
    *(b"=?utf-8?q?", b"=?utf-8?b?", b"?=", b"=?x?q?=FF?=", b"\xff", b"\xc3", "ß".encode(), "\u202e".encode(), "\uff20".encode()),
    *(b"a@a.example", b"<a@a.example>", b"@a.example:b@b.example", b"a@[127.0.0.1]", b'"a b"@a.example', b"xn--a.example"),
    *(b"=?gb2312?q?", b"=?iso-2022-jp?q?", b"=?l1?b?", b"?", b"?=20", b"=81", b"=1B$B-!", b"gYE="),
    *(b"GMT+01:00", b" PM ", b" (CET)", b"2026-11-24T", b" nov. "),
    *(b"Mon, 24 Nov 2026 03:12:55 +0000", b"-0000", b"99999999999999999999", b"\r\nFrom: b@b.example\r\n", b"undisclosed:;"),
)  # fmt: skip
_CASE = (bytes.upper, bytes.lower)


def parse(raw: bytes) -> list[headers.Header]:
    """Header lines as the filter gets them, from lines that end in CRLF."""
    lines: list[headers.Header] = []
    for line in raw.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if line[:1] in (b" ", b"\t") and lines:
            lines[-1] = lines[-1][0], lines[-1][1] + b"\r\n" + line
        elif (colon and name.isalnum()) or name in NAMES:
            lines.append((name, value))
    return lines


def check_headers(raw: bytes) -> None:
    """Nothing raises; a header that is written and read again gives the same reading; the assembly gives the bytes back."""
    lines = parse(raw)
    view = headers.look(lines)
    assert len(view.subject) <= headers.MAX_SUBJECT_CHARS
    assert view.subject == headers.look(lines).subject
    assert not any(ord(char) < 32 for char in view.subject)
    assert len(identity.key(view, b"x")) == 32
    assert headers.look(parse(join_headers(lines))) == view
    dates.read(raw)
    assert len(encoded_words.decode(raw, max_chars=100)) <= 100
    assert view.original is None or address.normalise(view.original.address) == view.original.address
    restored = original_author.restored(raw)
    assert restored is None or original_author.restored(restored) == restored
    arc_results.read(raw)
    message = dkim_message.read(raw)
    assert message is None or len(message.body_digest(is_relaxed=True)) == len(message.body_digest(is_relaxed=False))
    tags = dkim_tags.read(raw)
    assert tags.keys() == dkim_tags.read(dkim_tags.unsigned(raw)).keys()
    dkim_tags.is_well_formed({**tags, b"s": b"x"}, ())
    dkim_tags.identity_domain(tags)
    for found in (*view.recipients, *view.named, *view.candidates, *view.named_in_from):
        assert address.normalise(found) == found
    made = Assembly(lines)
    made.add(raw)
    got = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(made.compressed())).read()
    assert got == join_headers(lines) + raw


def check_address(raw: bytes) -> None:
    """Nothing raises; the normal form is a fixed point; an author stays the same before and after folding white space, and with
    the domain in capitals."""
    text = raw.decode("utf-8", "surrogateescape")
    for read in (address.normalise, address.normalise_path):
        found = read(text)
        assert found is None or found == "" or address.normalise(found) == found
    address.normalise_username(text)
    domain = address.normalise_domain(text)
    assert domain is None or address.normalise_domain(domain) == domain
    reading = candidates.read(text)
    assert all(address.normalise(one) == one for one in reading.all)
    assert candidates.read(f"\r\n {text}\r\n\t") == reading
    for author in reading.shown:
        _check_dressed(author)


def _check_dressed(author: str) -> None:
    local, name = address.split(author)
    if local.startswith((".", "'")):  # the two ways of reading
        return
    for domain_text in (name.upper(), name + "."):
        if not name.startswith("["):
            assert candidates.read(f"{local}@{domain_text}").all == (author,)
    assert candidates.read(f"<{author}>").all == (author,)
    assert candidates.read(f"x\r\n <{author}>").all == (author,)


def check_charset(raw: bytes) -> None:
    """Nothing raises, with any label; words never merge: a word before the value stays, and so does a word after it."""
    label, _, data = raw.partition(b"?")
    assert len(charsets.decode(data, label.decode("utf-8", "replace"))) <= 2 * len(data)
    for name in ("gb2312", "big5", "euc-jp", "iso-2022-jp", "iso-8859-1", "us-ascii", "utf-7"):
        assert len(charsets.decode(raw, name)) <= 2 * len(raw)
    text = encoded_words.decode(b"=?x?q?a?= " + raw + b" =?x?q?z?=", max_chars=len(raw) + 100)
    assert text.startswith("a")
    assert text.endswith("z")


PROPERTIES: dict[str, Callable[[bytes], None]] = {
    "headers": check_headers,
    "address": check_address,
    "charset": check_charset,
}


def check(name: str, raw: bytes) -> None:
    """Runs a property, and bounds its CPU time."""
    begun = time.thread_time()
    PROPERTIES[name](raw)
    took = time.thread_time() - begun
    assert took < MIN_SECONDS + SECONDS_PER_KB * len(raw) / 1_000, f"{took:.2f} s for {len(raw)} bytes"


def seeds(name: str) -> list[bytes]:
    """The corpus of a property."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def mutated(name: str, chance: random.Random) -> bytes:
    """A new input: a seed, or pieces that are cut, joined, repeated, and mixed with hostile pieces; for headers with names in
    front."""
    raw = (
        chance.choice(seeds(name))
        if chance.random() < 0.6
        else b"".join(chance.choices(PIECES, k=chance.randint(1, 12)))
    )
    for _ in range(chance.randint(1, 6)):
        at, end = sorted((chance.randint(0, len(raw)), chance.randint(0, len(raw))))
        match chance.randrange(6):
            case 0:
                raw = raw[:at] + chance.choice(PIECES) + raw[at:]
            case 1:
                raw = raw[:at] + raw[end:]
            case 2:
                raw = raw[:at] + raw[at:end] * chance.choice((2, 3) * 15 + (1_000,)) + raw[end:]
            case 3:
                raw = raw[:at] + chance.randbytes(chance.randint(1, 4)) + raw[at:]
            case 4:
                raw = raw[:at] + chance.choice(_CASE)(raw[at:end]) + raw[end:]
            case _:
                raw = raw[:at] + (chance.choice(NAMES) + b": " if name == "headers" else b"") + raw[at:]
        raw = raw[:MAX_BYTES]
    if name == "headers" and chance.random() < 0.5:
        raw = chance.choice(NAMES) + b": " + raw
    return raw
