"""A progress bar on stderr: only on a terminal, and only for long work.

Its library is imported only for a bar, because the import takes a tenth of the CPU of a short command.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LONG = 5_000  # steps; fewer are done before anybody could read the bar


@contextmanager
def bar(what: str, steps: int) -> Iterator[Callable[[float], None]]:
    """Shows a bar. Yields a function that you call with the number of steps that are done. steps: about how many there are."""
    if steps < _LONG or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=steps)
        yield lambda done: shown.update(task, completed=min(done, steps))


@contextmanager
def copying(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows the progress of something long, only on a terminal. Call the result with the number done and the total."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what)
        yield lambda done, total: shown.update(task, completed=done, total=total)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows two counts that grow, if the totals aren't known; only on a terminal."""
    if not sys.stderr.isatty():
        yield lambda first, second: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(f"{what} 0, 0", total=None)
        yield lambda first, second: shown.update(task, description=f"{what} {first:,}, {second:,}")
