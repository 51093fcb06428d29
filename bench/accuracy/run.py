"""Prints the accuracy of folds and original authors, in our code and in other libraries, on the same samples.

`make accuracy`. `--fixtures FOLDER` adds samples (`emails/` with `trimmed/`, or forwards' texts). `--wrong` lists our errors.
Exact: the visible text is the expected text, except for blanks. Hidden: wanted words are missing.
"""

import argparse
import difflib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.accuracy import fixtures, libraries
from bench.accuracy.fixtures import Forward, Reply


def hides(expected: str, shown: str) -> bool:
    """Are expected words missing in the visible text?"""
    matcher = difflib.SequenceMatcher(None, expected.split(), shown.split(), autojunk=False)
    return any(tag in ("delete", "replace") for tag, *_ in matcher.get_opcodes())


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixtures", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--wrong", action="store_true")
    options = parser.parse_args()
    shared = fixtures.corpus()
    if not shared.is_dir():
        raise SystemExit(f"no samples in {shared}: set MAILWEIR_SHARED to the folder that holds corpus/")
    replies = [
        *fixtures.replies(shared),
        *(reply for folder in options.fixtures for reply in fixtures.further_replies(folder)),
    ]
    forwards = {
        (one.name, one.subject): one for folder in (shared, *options.fixtures) for one in fixtures.forwards(folder)
    }
    _print_replies(replies, is_told=options.wrong)
    _print_forwards("forwards", [*forwards.values()], is_told=options.wrong)
    _print_forwards("as mail, with a subject", [_as_mail(one) for one in forwards.values()], is_told=options.wrong)


def _print_replies(replies: Sequence[Reply], *, is_told: bool) -> None:
    sources = sorted({reply.source for reply in replies})
    print(
        f"{'replies: exact / wanted text hidden':60}{'of':>5}  "
        + "".join(f"{name:>20}" for name in libraries.readers())
    )
    for source in sources:
        _print_row(source, [reply for reply in replies if reply.source == source], is_told=is_told)
    _print_row("all", replies, is_told=False)


def _print_row(title: str, replies: Sequence[Reply], *, is_told: bool) -> None:
    cells = []
    for name, reader in libraries.readers().items():
        if reader is None:
            cells.append("not installed")
            continue
        exact = hidden = 0
        for reply in replies:
            shown = _guarded(reader, reply.text)
            is_exact = shown.split() == reply.expected.split()
            is_hidden = not is_exact and hides(reply.expected, shown)
            exact, hidden = exact + is_exact, hidden + is_hidden
            if is_told and name == "mailweir" and not is_exact:
                print(f"  not exact: {reply.name}{' (hidden)' if is_hidden else ''}")
        cells.append(f"{exact} / {hidden}")
    print(f"{title:60}{len(replies):5}  " + "".join(f"{cell:>20}" for cell in cells))


def _guarded(reader: Callable[[str], str], text: str) -> str:
    try:
        return reader(text) or ""
    except Exception:  # noqa: BLE001 - a library that raises has no result
        return ""


def _as_mail(forward: Forward) -> Forward:
    """Adds a usual subject (`Re:` or `Fwd:`) to a text that has none."""
    return replace(forward, subject=forward.subject or ("Re: X" if forward.is_reply else "Fwd: X"))


def _print_forwards(title: str, forwards: Sequence[Forward], *, is_told: bool) -> None:
    real = [forward for forward in forwards if not forward.is_reply]
    print(
        f"\n{title:30}{'right of ' + str(len(real)):>15}{'false of ' + str(len(forwards) - len(real)):>15}{'texts/s':>10}"
    )
    for name, reader in libraries.author_readers().items():
        if reader is None:
            print(f"{name:30}{'not installed':>15}")
            continue
        begun = time.perf_counter()
        answers = [_guarded_author(reader, forward) for forward in forwards]
        taken = time.perf_counter() - begun
        right = _count(
            libraries.is_right(one, answer) for one, answer in zip(forwards, answers, strict=True) if not one.is_reply
        )
        false = _count(answer[0] for one, answer in zip(forwards, answers, strict=True) if one.is_reply)
        print(f"{name:30}{right:15}{false:15}{len(forwards) / taken:10.0f}")
        if is_told and name == "mailweir":
            for one, answer in zip(forwards, answers, strict=True):
                if answer[0] == one.is_reply or not (one.is_reply or libraries.is_right(one, answer)):
                    print(f"  wrong: {one.name}, subject {one.subject!r}: {answer}")


def _guarded_author(reader: libraries.AuthorOf, forward: Forward) -> tuple[bool, str | None]:
    try:
        return reader(forward.text, forward.subject)
    except Exception:  # noqa: BLE001 - likewise
        return False, None


def _count(answers: Iterable[bool]) -> int:
    return sum(map(bool, answers))


if __name__ == "__main__":
    main()
