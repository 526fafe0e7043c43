"""Quarantine: a breaker for each (plugin, hook), so that what keeps failing is left out until it has had time to mend."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from carrier_core.errors import InDoubt, NotDone, OverBudget, ProviderError, Rejected

NOT_ITS_FAULT = (ProviderError, OverBudget, NotDone, Rejected, InDoubt, ConnectionError, TimeoutError)
"""Errors of a provider, a network or a budget: they cost the answer but say nothing about the plugin."""


class Breaker:
    """Closed (calls pass), open (they do not) or, after the cool-down, half-open: one call passes and decides."""

    __slots__ = ("_exempt", "_failures", "_opened", "_quarantine", "_trying")

    def __init__(self, quarantine: Quarantine, *, exempt: bool = False) -> None:
        self._quarantine = quarantine
        self._exempt = exempt
        self._failures: deque[float] = deque(maxlen=quarantine.failures)
        self._opened: float | None = None
        self._trying = False

    @property
    def open(self) -> bool:
        """Whether it is quarantined now, the trial call of the half-open state included."""
        return self._opened is not None

    def allows(self) -> bool:
        """Whether a call may pass now. In the half-open state the first to ask may, alone."""
        if self._opened is None:
            return True
        quarantine = self._quarantine
        if self._trying or quarantine.clock() - self._opened < quarantine.cooldown:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """A call answered or declined: a trial closes the breaker. One that began before it opened decides nothing."""
        if self._trying:
            self._opened, self._trying = None, False
            self._failures.clear()

    def failed(self, error: BaseException | None = None) -> bool:
        """A call failed; returns whether that opened the breaker. Errors that are not its fault do not count."""
        if self._exempt or isinstance(error, self._quarantine.excused):
            self.released()
            return False
        now = self._quarantine.clock()
        if self._opened is not None:
            if self._trying:  # a call that began before it opened does not make the cool-down longer
                self._opened, self._trying = now, False
            return False
        self._failures.append(now)
        full = len(self._failures) == self._quarantine.failures
        if full and now - self._failures[0] <= self._quarantine.window:
            self._opened = now
            return True
        return False

    def released(self) -> None:
        """A call ended without saying anything about the plugin: a trial may be made again at once."""
        self._trying = False


class Quarantine:
    """All breakers of a host. ``window`` and ``cooldown`` are in seconds of ``clock``, which only has to go forward.

    ``exempt`` is the host itself: its defaults fail when what they call fails, and must never be left out. ``excused`` are
    the errors that do not count.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        failures: int = 5,
        window: float = 60.0,
        cooldown: float = 30.0,
        exempt: str = "",
        excused: tuple[type[BaseException], ...] = NOT_ITS_FAULT,
    ) -> None:
        self.clock = clock
        self.excused = excused
        self.exempt = exempt
        self.failures = failures
        self.window = window
        self.cooldown = cooldown
        self._breakers: dict[tuple[str, str], Breaker] = {}

    def breaker(self, plugin: str, hook: str) -> Breaker:
        """The breaker of one hook of one plugin; the same one however often the tables are compiled."""
        key = (plugin, hook)
        found = self._breakers.get(key)
        if found is None:
            found = self._breakers[key] = Breaker(self, exempt=plugin == self.exempt)
        return found

    def quarantined(self) -> tuple[tuple[str, str], ...]:
        """The (plugin, hook) pairs whose breaker is open."""
        return tuple(key for key, breaker in self._breakers.items() if breaker.open)
