"""Logs: structlog, for a console or as JSON; events are snake_case constants with key-values."""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger, WrappedLogger

    from carrier_core.settings import LogSettings

_QUIET = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "asyncio",
    "urllib3",
)  # at info they print whole URLs, tokens included


_LEVELS = logging.getLevelNamesMapping()


def configure(settings: LogSettings, *, stream: TextIO | None = None, least: str = "") -> None:
    """Set up all logs of the process. ``stream`` is standard error without it; ``least`` overrides the level."""
    target = stream or sys.stderr
    level = (least or settings.level).upper()
    as_json = settings.format == "json" or (settings.format == "auto" and not target.isatty())
    renderer: Any = (
        structlog.processors.JSONRenderer(default=str)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=_traceback, pad_event_to=28)
    )
    structlog.configure(
        processors=[
            _Levels(level, settings.levels),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if as_json else []),
            _visible,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_lowest(level, settings.levels)),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=target, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[level]))


def logger(name: str = "carrier") -> FilteringBoundLogger:
    """The logger of this name; ``[log] levels`` can set its level."""
    return cast("FilteringBoundLogger", structlog.get_logger(source=name))


def _lowest(level: str, levels: dict[str, Any]) -> int:
    return min(_LEVELS[name.upper()] for name in (level, *levels.values()))


class _Levels:
    """Drops what is below the level of its logger."""

    def __init__(self, level: str, levels: dict[str, Any]) -> None:
        self._level = _LEVELS[level]
        self._levels = {name: _LEVELS[value.upper()] for name, value in levels.items()}

    def __call__(self, log: WrappedLogger, method: str, event: EventDict) -> EventDict:
        name = method if method not in ("exception", "warn") else {"exception": "error", "warn": "warning"}[method]
        if _LEVELS[name.upper()] < self._levels.get(str(event.get("source", "")), self._level):
            raise structlog.DropEvent
        return event


def _traceback(stream: TextIO, info: ExcInfo) -> None:
    """A traceback each line of which is indented, so that the text of an exception cannot forge a line of the log."""
    whole = io.StringIO()
    structlog.dev.plain_traceback(whole, info)
    for line in whole.getvalue().splitlines():
        stream.write("    " + "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line) + "\n")


def _visible(log: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Line breaks and control characters in values could forge lines of the log."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception" and not value.isprintable():
            event[key] = value.encode("unicode_escape").decode()
    return event
