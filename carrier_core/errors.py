"""Every error that Carrier raises on purpose.

A message names the thing (plugin, key, file) and then the remedy, so that it can be shown to a person as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class CarrierError(Exception):
    """The root: whatever Carrier raises on purpose is one of these.

    ``remedy`` is a sentence that says what to do about it; it may be empty.
    """

    exit_code = 70  # EX_SOFTWARE of sysexits(3)

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class ConfigError(CarrierError):
    """The configuration, a character file or an enabled plugin cannot be used as written.

    ``file`` and ``line`` (counted from 1) say where; both may be missing when the fault is in the environment.
    """

    exit_code = 78  # EX_CONFIG

    def __init__(self, message: str, *, remedy: str = "", file: str | None = None, line: int | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.file = file
        self.line = line

    @property
    def where(self) -> str:
        """``file:line``, ``file`` or nothing, whichever is known."""
        if self.file is None:
            return ""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        text = super().__str__()
        return f"{self.where}: {text}" if self.where else text


class Unavailable(CarrierError):
    """Something that has to be there now is not: a store that is locked, a daemon that does not answer."""

    exit_code = 69  # EX_UNAVAILABLE


class PluginError(CarrierError):
    """A plugin broke the contract: it names the plugin and, where one was running, the hook."""

    def __init__(self, message: str, *, plugin: str, hook: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.plugin = plugin
        self.hook = hook


class ProviderError(CarrierError):
    """A model provider did not give a completion.

    ``reason`` is one word that policy and fallback can use: ``auth``, ``rate_limit``, ``overloaded``, ``timeout``,
    ``connection``, ``server``, ``refused``, ``length`` (the prompt is longer than the model takes), ``invalid``
    (the question was wrong), ``incomplete`` or ``unreadable`` (the answer is); the host adds ``resting`` (it was not asked,
    because it kept failing). ``retry_after`` is in seconds.
    It is not the plugin's fault, so it does not count towards quarantine.
    """

    def __init__(self, message: str, *, reason: str, retry_after: float | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason
        self.retry_after = retry_after


class OverBudget(CarrierError):
    """A model call would go beyond what may be spent. ``say`` is what the room is told, in the agent's voice; empty where it
    was told already."""

    def __init__(self, message: str, *, say: str) -> None:
        super().__init__(message)
        self.say = say


class Fenced(CarrierError):
    """The writer's epoch is stale: another owner has claimed the room since. Nothing was written."""


class NotDone(CarrierError):
    """An effect did not happen and may be tried again, after ``retry_after`` seconds where that is known."""

    def __init__(self, message: str, *, retry_after: float | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class Rejected(CarrierError):
    """An effect did not happen and never will: the other side refused it."""


class InDoubt(CarrierError):
    """Nobody can tell whether an effect happened."""


class Parked(BaseException):
    """A turn leaves its room's queue to wait for somebody. Not an error: it passes through hooks as a cancellation does.

    ``step`` is the name under which the answer will be recorded, ``until`` seconds since the epoch, ``say`` the question and
    ``question`` what a client can make buttons of (:class:`~carrier_core.messages.Question`).
    """

    def __init__(self, step: str, until: float, reason: str, say: str, question: object = None) -> None:
        super().__init__(reason)
        self.step = step
        self.until = until
        self.reason = reason
        self.say = say
        self.question = question


@contextmanager
def single() -> Iterator[None]:
    """Take an error out of the groups that task groups raise: the only one there is, or the first of Carrier's own."""
    try:
        yield
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        own = [error for error in leaves if isinstance(error, CarrierError)]
        if own or len(leaves) == 1:
            raise (own or leaves)[0] from group.__cause__
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
