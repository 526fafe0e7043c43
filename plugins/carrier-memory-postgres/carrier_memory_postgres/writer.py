"""The one task that writes: whatever is queued when it wakes is committed together.

Each batch has a number, which is written with it. Where the connection is lost before the server has said that a batch is
committed, the next connection reads that number: what was committed is not run again, and its answers are given as they
were found; all else is. So a request is done once, however often the connection breaks.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, NamedTuple, TypeVar

import asyncpg  # type: ignore[import-untyped]

from carrier_core import CarrierError, Unavailable
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.connections import FIRST, LONGEST, Link, Server, Unhurried, leave, lock_key
from carrier_memory_postgres.faults import AGAIN, is_gone, translate
from carrier_memory_postgres.prepared import Stored
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.standing import Known, Needs
from carrier_memory_postgres.writing import write

T = TypeVar("T")

MOST = 512
"""Requests in one transaction; what is queued beyond that waits for the next."""
GATHER = 0.002
"""Seconds to wait for more, once requests come several at a time: a commit costs far more than a request does, and what
a turn waits for is a model. A lone room never waits."""
ALONE = 3_600.0
"""Seconds that a statement of a request may take that is alone in its batch: it may look through everything there is."""
TRIES = 5
"""How often a batch that was in another session's way is run again, before each of its requests is run by itself."""

_SQL = queries("writer")


class Request(NamedTuple, Generic[T]):
    """``run`` works on a batch that has what it ``needs``, and may run again; ``done`` runs once it is durable.

    ``key`` is given where running it again gives another answer: an answer that could not be told is kept under it.
    ``alone``: it talks with the database itself, in a transaction of its own.
    """

    needs: Needs
    run: Callable[[Batch], T]
    done: Callable[[T, Batch], None] | None
    key: Hashable
    future: asyncio.Future[T]
    alone: Callable[[Batch], Any] | None = None


class _Outcome(NamedTuple):
    request: Request[Any]
    value: Any
    error: Exception | None


class _Doubtful(NamedTuple):
    """A batch whose commit was begun, and whose end nobody was told."""

    batch: Batch
    outcomes: list[_Outcome]


class _Spoiled(Exception):
    """A batch cannot be written as it is."""


class Writer:
    """Takes requests and runs them in the order in which they came, on a connection of its own."""

    def __init__(self, server: Server, patience: float) -> None:
        self.batches = self.requests = 0
        self.generation = 0
        self.outdated: Callable[[], None] = lambda: None  # told when what is kept in mind is void
        self.stored: Callable[[Stored], None] = lambda stored: None  # told of memories that were written
        self._server = server
        self._patience = patience
        self._name = f"{os.getpid()}/{os.urandom(8).hex()}"
        self._known = Known()
        self._queue: deque[Request[Any]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._number = 0
        self._link: Link | None = None
        self._doubtful: _Doubtful | None = None
        self._held: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def known(self) -> Known:
        """What is kept in mind between batches."""
        return self._known

    async def open(self, link: Link) -> None:
        """Begin, with a connection that was made already."""
        await self._greet(link)
        self._link = link
        # Of the store, not of whoever opens it: it outlives that scope and ends in `close`.
        self._task = asyncio.create_task(self._run(), name="carrier-memory-postgres")

    async def write(
        self,
        needs: Needs,
        run: Callable[[Batch], T],
        done: Callable[[T, Batch], None] | None = None,
        key: Hashable = None,
        alone: Callable[[Batch], Any] | None = None,
    ) -> T:
        """Run a request and return its value when it is durable. A cancelled caller's request is done all the same."""
        if self._closing or self._task is None:
            raise Unavailable("The database is closed.", remedy="Open the store first.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(Request(needs, run, done, key, future, alone))
        self._wake.set()
        return await future

    async def close(self) -> None:
        """Write what is queued, give up the leases of this process, end the task."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    # --- the task ---

    async def _run(self) -> None:
        several = False
        while True:
            if not self._queue:
                if self._closing:
                    break
                self._wake.clear()
                await self._wake.wait()
            if several and not self._closing:
                await asyncio.sleep(GATHER)
            requests = self._next()
            several = len(requests) > 1
            if requests:
                await self._commit(requests)
        if self._link is not None:
            await leave(self._link)
            self._link = None

    def _next(self) -> list[Request[Any]]:
        """The requests of the next batch. One that is alone has a batch of its own."""
        requests: list[Request[Any]] = []
        while self._queue and len(requests) < MOST:
            if self._queue[0].alone is not None and requests:
                break
            requests.append(self._queue.popleft())
            if requests[-1].alone is not None:
                break
        return requests

    async def _commit(self, requests: list[Request[Any]]) -> None:
        try:
            outcomes, batch = await self._until_done(requests)
        except _Spoiled as spoiled:
            if len(requests) > 1:
                for request in requests:
                    await self._commit([request])
                return
            error = spoiled.__cause__
            failure = error if isinstance(error, Exception) else RuntimeError(str(error))
            outcomes, batch = [_Outcome(requests[0], None, failure)], None
        except Exception as error:
            outcomes, batch = [_Outcome(request, None, error) for request in requests], None
        self.requests += len(requests)
        self._settle(outcomes, batch)

    async def _until_done(self, requests: list[Request[Any]]) -> tuple[list[_Outcome], Batch]:
        """Run a batch until it is committed. Unavailable when the server cannot be reached for too long."""
        until = time.monotonic() + self._patience
        delay, tries = FIRST, 0
        while True:
            try:
                link = self._link if self._link is not None and not self._link.is_closed() else await self._connect()
                done = await self._look_back(link)
                if done is not None and done.outcomes and done.outcomes[0].request is requests[0]:
                    return done.outcomes, done.batch
                return await self._together(link, requests)
            except Exception as error:
                if isinstance(error, _Spoiled) or (
                    isinstance(error, CarrierError) and not isinstance(error, Unavailable)
                ):
                    raise
                self._known.clear()
                if self._is_lost(error):
                    self._hang_up()
                    left = until - time.monotonic()
                    if left <= 0 or self._closing:
                        raise translate(error, self._server.url, self._server.variable) from None
                    await asyncio.sleep(min(delay, left))
                    delay = min(delay * 2, LONGEST)
                elif isinstance(error, AGAIN) and tries < TRIES:
                    tries += 1
                else:
                    translated = translate(error, self._server.url, self._server.variable)
                    raise _Spoiled from (translated if isinstance(error, asyncpg.PostgresError) else error)

    async def _together(self, link: Link, requests: list[Request[Any]]) -> tuple[list[_Outcome], Batch]:
        self._number += 1
        batch = Batch(link, self._known, self._name, self._number)
        batch.held = self._held
        await link.execute("BEGIN")
        try:
            await batch.load([request.needs for request in requests])
            outcomes = []
            for request in requests:
                try:
                    if request.alone is not None:
                        batch.link = Unhurried(link, ALONE)
                        await request.alone(batch)
                    outcomes.append(_Outcome(request, request.run(batch), None))
                except CarrierError as error:
                    outcomes.append(_Outcome(request, None, error))
            await write(batch)
        except BaseException as error:
            self._known.clear()
            if not link.is_closed() and not is_gone(error):
                await link.execute("ROLLBACK")
            if isinstance(error, asyncpg.PostgresError) or self._is_lost(error) or not isinstance(error, Exception):
                raise
            raise _Spoiled from error
        self._doubtful = _Doubtful(batch, outcomes)
        try:
            await link.execute("COMMIT")
        except asyncpg.PostgresError as error:
            if not is_gone(error):
                self._doubtful = None  # the server has said no
            raise
        self._doubtful = None
        return outcomes, batch

    def _settle(self, outcomes: list[_Outcome], batch: Batch | None) -> None:
        if batch is not None:
            self.batches += 1
            for key in batch.answered:
                self._known.lost.pop(key, None)
            if batch.generation != self.generation:
                self.generation = batch.generation
                self.outdated()
            batch.committed()
            self.stored(batch.stored)
        for request, value, error in outcomes:
            if error is None and request.done is not None and batch is not None:
                request.done(value, batch)
        for request, value, error in outcomes:
            if request.future.done():
                continue  # the caller was cancelled meanwhile
            if error is None:
                request.future.set_result(value)
            else:
                request.future.set_exception(error)

    # --- the connection ---

    async def _connect(self) -> Link:
        link = await self._server.connect("writer")
        try:
            await self._greet(link)
        except BaseException:
            link.terminate()
            raise
        self._link = link
        return link

    async def _greet(self, link: Link) -> None:
        """Make oneself known: the row that batches are numbered in, and the locks that show who is alive."""
        await link.fetch(_SQL["writer"], self._name)
        for owner in [*self._held]:
            if not (await link.fetch(_SQL["hold"], lock_key("owner", owner)))[0][0]:
                self._held.discard(owner)  # the session that is gone has it still: its next heartbeat tries again

    async def _look_back(self, link: Link) -> _Doubtful | None:
        """The batch of which nobody knew whether it was committed, if it was. Waits for its session to end."""
        doubtful = self._doubtful
        if doubtful is None:
            return None
        rows = await link.fetch(_SQL["last"], self._name)
        self._doubtful = None
        if not rows or rows[0][0] != doubtful.batch.number:
            return None
        for request, value, error in doubtful.outcomes:
            if request.key is not None and error is None and request.future.done():
                self._known.lost[request.key] = value
        return doubtful

    def _is_lost(self, error: BaseException) -> bool:
        """Whether it is the connection that failed. One that was cut may answer with any error of asyncpg's."""
        return is_gone(error) or isinstance(error, Unavailable) or self._link is None or self._link.is_closed()

    def _hang_up(self) -> None:
        if self._link is not None:
            self._link.terminate()
            self._link = None
