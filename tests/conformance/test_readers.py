"""If a From has one candidate, parsers by other authors show the same one; and each address that they show in To is a recipient.

`MAILWEIR_READER_FORMS=20000 pytest tests/conformance/test_readers.py` tries more than the short form.
"""

import os
import random
from collections import Counter

import pytest

from mailweir import address, candidates
from tests.conformance import other_readers

JANE, EVE = "jane@client.example", "eve@evil.example"
KNOWN = frozenset({JANE, EVE, "jane@client.example.evil.example"})
COUNT = int(os.environ.get("MAILWEIR_READER_FORMS", "3000"))
# Without letters beyond ASCII: JavaScript parsers cut `\u00e9jane@client.example` where ASCII begins, and return Jane's address.
SCRAPS = [
    *[
        JANE,
        EVE,
        f"<{JANE}>",
        f"<{EVE}>",
        f'"{EVE}"',
        f"({EVE})",
        f"({JANE})",
        f'"{JANE}" ',
        f"'{JANE}'",
        f"<{JANE}",
        f"{EVE}>",
    ],
    *[
        "Jane",
        "Client Ltd",
        "Client:",
        "Doe, Jane",
        "https://x.example/",
        "@janey",
        "Jane@Client",
        "[EXT]",
        "<Jane>",
        ":)",
        '5"',
    ],
    *["=?utf-8?q?a?=", '=?utf-8?q?a"?=', "=?utf-8?q?a(?=", "=?utf-8?q?", "?=", f"=?utf-8?q?{JANE}?="],
    *[
        " ",
        " ",
        " ",
        ",",
        ";",
        ":",
        '"',
        "\\",
        '\\"',
        "(",
        ")",
        "<",
        ">",
        "[",
        "]",
        "'",
        ".",
        "@",
        "\t",
        ".evil.example",
    ],
]
WRITTEN = [
    f"Jane <{JANE}>",
    f"{EVE} <{JANE}>",
    f"<{EVE}> <{JANE}>",
    f'=?utf-8?q?a"?= <{EVE}> "=?= <{JANE}>',
    f'"x\\" <{EVE}>, \\"" <{JANE}>',
    f'"a" " <{EVE}>, " <{JANE}>',
    f"{JANE} .evil.example",
    f"<{JANE}<{EVE}>>",
    f"<@{EVE}:{JANE}>",
    f"{JANE} ({EVE})",
    f"({JANE}) {EVE}",
]
HARMLESS = [
    f"Jane @ Client Ltd <{JANE}>",
    f"Jane@Client <{JANE}>",
    f"Jane (@janey) <{JANE}>",
    f"Jane :) <{JANE}>",
    f"Client: Jane <{JANE}>",
    f"https://www.client.example/ <{JANE}>",
    f'5" Pipes <{JANE}>',
    f"<Jane> <{JANE}>",
    f"<{JANE}>;",
    f"'{JANE}' <{JANE}>",
    f"Jane <{JANE}",
    f'"Jane" {JANE}',
]


def _forms() -> list[str]:
    chance = random.Random(20261128)
    made = ["".join(chance.choices(SCRAPS, k=chance.randint(1, 7))) for _ in range(COUNT)]
    return [*WRITTEN, *HARMLESS, *dict.fromkeys(made)]


@pytest.fixture(scope="module")
def forms() -> list[str]:
    return _forms()


@pytest.fixture(scope="module")
def shown(forms: list[str]) -> other_readers.Shown:
    found = other_readers.ask_all(forms)
    assert len(found) >= 4
    assert all(len(answers) == len(forms) for answers in found.values())
    return found


def test_each_reader_reads(forms: list[str], shown: other_readers.Shown) -> None:
    """A comparison with a reader that answers nothing would be worthless."""
    plain = forms.index(f"Jane <{JANE}>")
    assert {reader: answers[plain] for reader, answers in shown.items()} == {reader: [JANE] for reader in shown}


def _found(form: str) -> set[str]:
    reading = candidates.read(form)
    return {*reading.shown, *reading.raw}


def test_where_there_is_one_candidate_no_reader_shows_another_known_address(
    forms: list[str], shown: other_readers.Shown
) -> None:
    """One generated form in ten thousand may slip through: three of 30,000 did. Only one parser read each of them in that way."""
    wrong: list[tuple[str, str, set[str]]] = []
    seen: Counter[str] = Counter()
    alone = {number: found for number, form in enumerate(forms) if len(found := _found(form)) == 1 and found <= KNOWN}
    for reader, answers in shown.items():
        seen[reader] = sum(bool(answers[number]) for number in alone)
        others = {number: _known(answers[number]) - found for number, found in alone.items()}
        wrong += [(reader, forms[number], more) for number, more in others.items() if more]
    print(seen, wrong)
    assert [one for one in wrong if one[1] in WRITTEN] == []
    assert len({form for _, form, _ in wrong}) <= len(forms) / 5000
    assert min(seen.values()) > COUNT / 100


@pytest.mark.parametrize("form", HARMLESS)
def test_a_harmless_form_has_one_candidate(form: str) -> None:
    reading = candidates.read(form)
    assert (*reading.shown, *reading.raw) == (JANE,)


def test_whom_two_readers_show_is_named(forms: list[str], shown: other_readers.Shown) -> None:
    """A single parser may be odd. An address that two parsers show, but we don't, would count as Bcc. That affects one form in
    thousands."""
    missing = []
    for number, form in enumerate(forms):
        votes = Counter(one for answers in shown.values() for one in _known(answers[number]))
        lacking = {one for one in (JANE, EVE) if votes[one] > 1} - set(candidates.read(form).all)
        missing += [(form, one) for one in lacking]
    print(missing)
    assert len({form for form, _ in missing}) <= len(forms) / 1000


def _known(answers: list[str]) -> set[str]:
    return {found for one in answers if (found := address.normalise(one)) in KNOWN} if answers else set()
