"""Logs: one JSON object a line on standard output, with the id of the request or job that it belongs to.

Libraries log by the standard library; what they say goes through the same formatter.
"""

import logging
import sys

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, merge_contextvars
from structlog.types import EventDict, Processor, WrappedLogger

from slipway_app.settings import ProcessSettings

__all__ = ["bind_contextvars", "bound_contextvars", "clear_contextvars", "configure"]

_SHARED: list[Processor] = [
    merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure(settings: ProcessSettings, process: str) -> None:
    """Send every log line of this process to standard output as JSON.

    Args:
        settings: the level, and the environment that each line names.
        process: what this process is, e.g. `api` or `worker`.
    """

    def where(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["environment"], event["process"] = settings.environment, process
        # uvicorn's second copy of its message, for terminals.
        event.pop("color_message", None)
        return event

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, where],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Not structlog's richer form: that shows local variables, passwords among them.
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    # Their own handlers would print a second time, and not as JSON.
    for name in ("uvicorn", "uvicorn.error", "gunicorn", "gunicorn.error", "alembic"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
        library.setLevel(logging.NOTSET)
    # One line a request or query is for their own debugging.
    for name in ("httpx", "httpcore", "uvicorn.access", "psycopg"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            where,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
