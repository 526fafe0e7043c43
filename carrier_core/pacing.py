"""Pacing: how many calls a provider is given, so that its rate limits are kept and no room waits because of another.

A minute's allowance has as many places as the limit says; a call takes its places when it begins, and each is free again
60 s later. So no window of 60 s, wherever it begins, has more than the limit, and all of the limit can be used. Services
count in different ways: by the minute of the clock, by the last 60 s, or with a bucket that is refilled continuously. This
rule keeps to each of them. (A bucket as large as the limit lets up to twice the limit through in the minute after a pause,
which the first two refuse; a smaller one that does not would have to be refilled more slowly than the service allows.)

Who waits stands in line by room: each room's next call in turn, within a room first come, first served. A call is never
overtaken by one that needs less. The libraries that there are for limits (aiolimiter, limits) know neither rooms nor a
correction afterwards: they let through whoever fits, so that one busy room would hold up all others, and a large call
could wait for ever.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush
from math import inf
from types import TracebackType
from typing import Self

import anyio

MINUTE = 60.0
"""Seconds after which a place is free again."""


class Pace:
    """What all agents together may ask of one provider. A limit that is None does not bound anything.

    ``clock`` gives seconds and only has to go forward; ``sleep`` waits so many of them.
    """

    def __init__(
        self,
        requests: int | None = None,
        tokens: int | None = None,
        at_once: int | None = None,
        *,
        clock: Callable[[], float] = anyio.current_time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._requests = _Minute()
        self._tokens = _Minute()
        self._at_once: int | None = None
        self._line = _Line()
        self._running = 0
        self._rests_until = -inf
        self.limit(requests, tokens, at_once)

    def limit(self, requests: int | None = None, tokens: int | None = None, at_once: int | None = None) -> None:
        """Set the limits: calls in a minute, tokens in a minute, calls at one time. They hold from now on, for those who wait
        too; what began while there was no limit is not counted."""
        self._at_once = at_once
        self._requests.limit, self._tokens.limit = requests, tokens
        self._line.wake()

    def rest(self, seconds: float) -> None:
        """Let no call begin for so long, because the service said so. Those that run go on."""
        self._rests_until = max(self._rests_until, self._clock() + seconds)

    @property
    def counts_tokens(self) -> bool:
        """Whether it has to be told how many tokens a call takes."""
        return self._tokens.limit is not None

    @property
    def resting(self) -> float:
        """Seconds for which no call may begin; 0.0 where it does not rest."""
        return 0.0 if self._rests_until == -inf else max(0.0, self._rests_until - self._clock())

    @property
    def running(self) -> int:
        """The calls that have begun and not ended."""
        return self._running

    @property
    def waiting(self) -> int:
        """The calls that wait."""
        return len(self._line)

    def turn(self, room: str, tokens: int = 0) -> Slot:
        """A call's turn: ``async with pace.turn(room, tokens=estimate) as slot`` waits until it may be made.

        One that needs more than a minute's whole allowance waits until all of it is free, and is made.
        """
        return Slot(self, room, tokens)

    async def _begin(self, room: str, tokens: int) -> tuple[_Places | None, float]:
        """Wait for a call's turn and take its places. Nothing is taken before it is there, so whoever is cancelled while
        waiting only has to leave the line."""
        if not self._line and not self._pause(tokens):
            return self._take(tokens), 0.0
        began = self._clock()
        waiter = _Waiter()
        self._line.join(room, waiter)
        served = False
        try:
            while not served:
                waiter.called = anyio.Event()  # before it looks, so that nothing that happens afterwards is missed
                pause = self._pause(tokens) if self._line.first is waiter else inf
                if pause:
                    await waiter.wait(pause, self._sleep)
                else:
                    served = True
            return self._take(tokens), self._clock() - began
        finally:
            self._line.leave(room, waiter, served=served)
            self._line.wake()

    def _pause(self, tokens: int) -> float:
        """Seconds until a call should ask again; 0.0 if it may begin. For ever means until somebody leaves or limits change."""
        if self._at_once is not None and self._running >= self._at_once:
            return inf
        if self._requests.limit is None and self._tokens.limit is None and self._rests_until == -inf:
            return 0.0
        now = self._clock()
        if self._rests_until <= now:
            self._rests_until = -inf
        return max(0.0, self._rests_until - now, self._requests.pause(1, now), self._tokens.pause(tokens, now))

    def _take(self, tokens: int) -> _Places | None:
        self._running += 1
        if self._requests.limit is None and self._tokens.limit is None:
            return None
        now = self._clock()
        self._requests.take(1, now)
        return self._tokens.take(tokens, now)

    def _correct(self, places: _Places | None, tokens: int) -> None:
        """A call needed so many tokens more than it took, or less."""
        if places is not None and tokens:
            self._tokens.correct(places, tokens, self._clock())
            self._line.wake()

    def _end(self) -> None:
        self._running -= 1
        if self._at_once is not None:
            self._line.wake()


class Slot:
    """A call's turn; ``waited`` is how many seconds it took to come."""

    __slots__ = ("_pace", "_places", "_room", "_tokens", "waited")

    def __init__(self, pace: Pace, room: str, tokens: int) -> None:
        self._pace = pace
        self._room = room
        self._tokens = tokens
        self._places: _Places | None = None
        self.waited = 0.0

    async def __aenter__(self) -> Self:
        self._places, self.waited = await self._pace._begin(self._room, self._tokens)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pace._end()

    def used(self, tokens: int) -> None:
        """The call used so many tokens in all, instead of what was thought; may be told again when more is known. Without it
        the estimate stands."""
        self._pace._correct(self._places, tokens - self._tokens)
        self._tokens = tokens


class _Places:
    """Places of a minute that are taken ``until`` a time, and those that its call has still to take."""

    __slots__ = ("count", "owed", "until")

    def __init__(self, until: float, count: int, owed: int = 0) -> None:
        self.until = until
        self.count = count
        self.owed = owed

    def __lt__(self, other: _Places) -> bool:
        return self.until < other.until


class _Minute:
    """The places of a minute. What was used beyond them is owed: it takes the next places that get free, before any call.

    Not more than a minute's allowance is owed: a service that wants to rest for longer says so itself, and a usage that
    was told wrong would stop everybody for hours.
    """

    __slots__ = ("_owed", "_taken", "_used", "limit")

    def __init__(self) -> None:
        self.limit: int | None = None
        self._taken: list[_Places] = []  # a heap: the first to get free comes first
        self._used = 0
        self._owed = 0

    def pause(self, count: int, now: float) -> float:
        """Seconds until some place gets free; 0.0 if there are enough. A call of unknown size needs one."""
        if self.limit is None:
            return 0.0
        self._settle(now)
        self._repay(now)  # the limit may have been raised
        if self._used + min(max(count, 1), self.limit) <= self.limit:
            return 0.0
        return self._taken[0].until - now

    def take(self, count: int, now: float) -> _Places | None:
        """Take places; what there is no place for is owed."""
        if self.limit is None:
            return None
        taken = min(count, self.limit - self._used)
        owed = self._owe(count - taken)
        return self._occupy(taken, now, owed)

    def correct(self, places: _Places, count: int, now: float) -> None:
        """So many places more were needed, or less."""
        if self.limit is None:
            return
        self._settle(now)
        if count > 0:
            places.owed += self._owe(count)
        else:
            forgiven = min(-count, places.owed, self._owed)
            self._owed -= forgiven
            places.owed -= forgiven
            freed = min(-count - forgiven, places.count)
            self._used -= freed
            places.count -= freed
        self._repay(now)

    def _settle(self, now: float) -> None:
        """Let go of the places whose time is over."""
        while self._taken and self._taken[0].until <= now:
            free = heappop(self._taken)
            self._used -= free.count
            free.count = 0
            self._repay(free.until)

    def _owe(self, count: int) -> int:
        assert self.limit is not None
        owed = min(count, max(0, self.limit - self._owed))
        self._owed += owed
        return owed

    def _repay(self, at: float) -> None:
        if self._owed:
            assert self.limit is not None
            count = min(self._owed, self.limit - self._used)
            if count > 0:
                self._owed -= count
                self._occupy(count, at)

    def _occupy(self, count: int, at: float, owed: int = 0) -> _Places:
        places = _Places(at + MINUTE, count, owed)
        heappush(self._taken, places)
        self._used += count
        return places


class _Waiter:
    """A call that waits, until it is ``called``."""

    __slots__ = ("called",)

    def __init__(self) -> None:
        self.called = anyio.Event()

    async def wait(self, seconds: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Wait so long at most."""
        if seconds == inf:
            await self.called.wait()
            return

        async def doze() -> None:
            await sleep(seconds)
            self.called.set()

        async with anyio.create_task_group() as group:
            group.start_soon(doze)
            await self.called.wait()
            group.cancel_scope.cancel()


class _Line:
    """Who waits: the rooms in turn, the calls of a room in the order in which they came."""

    __slots__ = ("_length", "_rooms")

    def __init__(self) -> None:
        self._rooms: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def first(self) -> _Waiter | None:
        """Whose turn is next."""
        return next(iter(self._rooms.values()))[0] if self._rooms else None

    def join(self, room: str, waiter: _Waiter) -> None:
        """Stand behind the others of the room; a room that was not there, behind the other rooms."""
        self._rooms.setdefault(room, deque()).append(waiter)
        self._length += 1

    def leave(self, room: str, waiter: _Waiter, *, served: bool) -> None:
        """Make room. A room whose call was served goes behind the other rooms; one whose call gave up keeps its place."""
        waiters = self._rooms[room]
        waiters.remove(waiter)
        self._length -= 1
        if not waiters:
            del self._rooms[room]
        elif served:
            self._rooms.move_to_end(room)

    def wake(self) -> None:
        """Let the first one look again whether its turn has come."""
        if (first := self.first) is not None:
            first.called.set()
