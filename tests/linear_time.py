"""Checks that time grows no faster than the input. All tests can use its fixture (`conftest.py` names it)."""

import gc
import time
from collections.abc import Callable

import pytest

GrowsLinearly = Callable[[Callable[[int], object]], None]


@pytest.fixture
def grows_linearly() -> GrowsLinearly:
    """Asserts that work(size) takes no more than about twice as long per byte for 80 kB as for 20 kB: quadratic work takes
    sixteen times as long for four times the size. It measures CPU time of this thread only, and takes the best of three tries."""

    def cpu_seconds(work: Callable[[int], object], size: int) -> float:
        begun = time.thread_time()
        work(size)
        return time.thread_time() - begun

    def check(work: Callable[[int], object]) -> None:
        gc.disable()  # garbage collections take longer as the test run grows
        try:
            ratios = []
            for _ in range(3):
                small = cpu_seconds(work, 20_000)
                ratios.append(cpu_seconds(work, 80_000) / max(small, 0.0005))
                if ratios[-1] < 8:
                    return
        finally:
            gc.enable()
        pytest.fail(f"four times the size takes {min(ratios):.1f} times the time")

    return check
