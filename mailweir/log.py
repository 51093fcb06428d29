"""Logs: one structured line per event, on stderr, for the supervisor, systemd or a person.

Called once by each process's `main`; everything else gets a logger passed in. Never logs a body, a password or a token.
"""

import sys
from typing import Any

import structlog


def configure(process: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines are `time level event key=value …`, bound to the process's name."""
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "process", "event"]),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(process=process)
    return logger


def silent() -> structlog.stdlib.BoundLogger:
    """A logger that writes nothing, for a command that shows its actions otherwise."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(), processors=[_drop], wrapper_class=structlog.stdlib.BoundLogger
    )
    return logger


def _drop(*_: Any) -> Any:
    raise structlog.DropEvent
