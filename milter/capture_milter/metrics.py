"""The filter's counts for Prometheus, over HTTP at /metrics: a child process of its own that nothing waits for.

Has no influence on mail: it reads the shared counts, and queries the database for the digest's queue at each scrape.
prometheus-client is loaded in this process only. Forked by `server` if the setting `metrics.port` isn't 0.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from capture_milter.counters import BATCH_MESSAGES, COMMIT_SECONDS, Counters
from mailweir.database_url import DatabaseUrl
from mailweir.errors import MailweirError
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.record import verdicts

if TYPE_CHECKING:
    from prometheus_client import Metric

BUSY_SECONDS = 1.0
RETRY_SECONDS = 5.0


def serve(config: Settings, counters: Counters, log: structlog.stdlib.BoundLogger) -> None:
    """Serves for ever. If the port is in use, it logs that once, and tries again."""
    import prometheus_client
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(Collector(counters, lambda: _waiting(config.database_url)))
    listening = {"address": config.metrics.bind_address, "port": config.metrics.port}
    is_first = True
    while True:
        try:
            prometheus_client.start_http_server(config.metrics.port, config.metrics.bind_address, registry)
            break
        except OSError as error:
            if is_first:
                log.error("metrics can't be served", **listening, error=str(error))
            is_first = False
            time.sleep(RETRY_SECONDS)
    log.info("serving metrics", **listening)
    threading.Event().wait()


def _waiting(database_url: DatabaseUrl) -> int | None:
    """The number of bodies that the digest hasn't examined; None if the database isn't available."""
    database = Database(database_url, busy_timeout_seconds=BUSY_SECONDS)
    try:
        return verdicts.count_pending(database)
    except MailweirError:
        return None
    finally:
        database.close()


class Collector:
    """Makes Prometheus's samples of the counts at each scrape."""

    def __init__(self, counters: Counters, waiting: Callable[[], int | None]) -> None:
        self._counters = counters
        self._waiting = waiting

    def collect(self) -> "Iterator[Metric]":
        """prometheus-client calls it."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counters = self._counters
        decisions = CounterMetricFamily(
            "mailweir_decisions", "Decisions, one for each deployment and message.", labels=("outcome", "reason")
        )
        for pair, count in counters.decisions().items():
            decisions.add_metric([each.value for each in pair], count)
        yield decisions
        tempfails = CounterMetricFamily(
            "mailweir_tempfails", "Messages whose sender was asked to come again.", labels=("cause",)
        )
        for cause, count in counters.tempfails().items():
            tempfails.add_metric([cause.value], count)
        yield tempfails
        yield _histogram(
            "mailweir_commit_seconds",
            "From the end of a message until it was on the disk.",
            COMMIT_SECONDS,
            *counters.commit_seconds(),
        )
        yield _histogram(
            "mailweir_commit_batch_size",
            "Messages in one commit.",
            BATCH_MESSAGES,
            *counters.batch_messages(),
        )
        yield CounterMetricFamily(
            "mailweir_worker_starts", "Workers of the filter that began.", value=counters.worker_starts()
        )
        waiting = self._waiting()
        if waiting is not None:
            yield GaugeMetricFamily("mailweir_digest_queue", "Recorded bodies not yet examined.", value=waiting)
        memory = GaugeMetricFamily(
            "mailweir_worker_resident_bytes", "Memory of a worker of the filter.", labels=("worker",)
        )
        for slot, pid in enumerate(counters.worker_pids()):
            with suppress(OSError, ValueError):
                memory.add_metric([str(slot)], _resident_bytes(pid))
        yield memory


def _histogram(name: str, says: str, bounds: tuple[float, ...], counts: list[int], total: float) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily

    cumulated, buckets = 0, []
    for bound, count in zip((*map(float, bounds), float("inf")), counts, strict=True):
        cumulated += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), cumulated))
    return HistogramMetricFamily(name, says, buckets=buckets, sum_value=total)


def _resident_bytes(pid: int) -> int:
    """See proc(5), /proc/PID/statm: pages."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
