"""The one thread that writes: whatever is queued when it wakes is committed together."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

import apsw

from carrier_core import Unavailable
from carrier_memory_sqlite.faults import translate
from carrier_memory_sqlite.transaction import Settled, Transaction

T = TypeVar("T")

MOST = 512
"""Requests in one transaction; what is queued beyond that waits for the next."""


GATHER = 0.003
"""Seconds to wait for more, once requests come several at a time: a commit costs far more than a request does, and what
a turn waits for is a model. A lone room never waits."""


class _Request(NamedTuple, Generic[T]):
    """``job`` runs in the writer thread and may run twice; ``done`` runs on the event loop once it is durable. ``alone``:
    outside of any transaction, once."""

    job: Callable[[Transaction], T]
    done: Callable[[T], None] | None
    future: asyncio.Future[T]
    alone: bool = False


class _Outcome(NamedTuple):
    request: _Request[Any]
    value: Any
    error: Exception | None


class _Spoiled(Exception):
    """A request failed after it had written something, or the commit itself did. ``again``: it may succeed as it is."""

    def __init__(self, *, again: bool) -> None:
        super().__init__()
        self.again = again


class Writer:
    """Takes requests on the event loop and runs them in its own thread, in the order in which they came.

    ``settled`` is called on the event loop after every batch.

    A request that fails is rolled back alone: where that cannot be done within the common transaction, each of the
    batch is run again in one of its own.
    """

    def __init__(self, transaction: Transaction, file: Path, settled: Callable[[Settled], None]) -> None:
        self._transaction = transaction
        self._settled = settled
        self._file = file
        self._queue: SimpleQueue[_Request[Any] | None] = SimpleQueue()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="carrier-memory-sqlite", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether requests are taken."""
        return not self._closed and self._thread.is_alive()

    async def write(
        self, job: Callable[[Transaction], T], done: Callable[[T], None] | None = None, *, alone: bool = False
    ) -> T:
        """Run a job and return its value when it is durable. A cancelled caller's job is done all the same."""
        if self._closed:
            raise Unavailable(f"{self._file} is closed.", remedy="Open the store first.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Request(job, done, future, alone))
        return await future

    async def close(self) -> None:
        """Write what is queued and end the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.shield(self._ended)
        self._thread.join()

    # --- in the writer thread ---

    def _run(self) -> None:
        going = True
        batch: list[_Request[Any]] = []
        while going:
            batch, going = self._batch(GATHER if len(batch) > 1 else 0.0)
            for is_alone, requests in groupby(batch, key=lambda request: request.alone):
                (self._apart if is_alone else self._commit)([*requests])
        self._index_rest()
        self._transaction.close()
        self._signal(self._end)

    def _batch(self, gather: float) -> tuple[list[_Request[Any]], bool]:
        batch: list[_Request[Any]] = []
        request = self._queue.get()
        if gather:
            time.sleep(gather)
        while request is not None:
            batch.append(request)
            if len(batch) == MOST:
                break
            try:
                request = self._queue.get_nowait()
            except Empty:
                break
        return batch, request is not None

    def _index_rest(self) -> None:
        try:
            self._transaction.begin()
            self._transaction.index_now()
            self._transaction.commit()
        except apsw.Error:
            self._transaction.rollback()  # what waits is known to the database, which indexes it when it is opened

    def _commit(self, batch: list[_Request[Any]]) -> None:
        settled: Settled | None
        try:
            outcomes, settled = self._together(batch)
        except _Spoiled as spoiled:
            if spoiled.again or len(batch) > 1:
                for request in batch:
                    self._commit([request])
                return
            outcomes = [_Outcome(batch[0], None, self._error(spoiled.__cause__))]
            settled = None
        self._signal(self._settle, outcomes, settled)

    def _apart(self, batch: list[_Request[Any]]) -> None:
        for request in batch:
            try:
                outcome = _Outcome(request, request.job(self._transaction), None)
            except Exception as error:
                outcome = _Outcome(request, None, self._error(error))
            self._signal(self._settle, [outcome], None)

    def _together(self, batch: list[_Request[Any]]) -> tuple[list[_Outcome], Settled]:
        transaction = self._transaction
        outcomes: list[_Outcome] = []
        try:
            transaction.begin()
            for request in batch:
                written = transaction.written
                try:
                    outcomes.append(_Outcome(request, request.job(transaction), None))
                except Exception as error:
                    if transaction.written != written or not transaction.active:
                        raise
                    outcomes.append(_Outcome(request, None, self._error(error)))
            settled = transaction.commit()
        except Exception as error:
            raise _Spoiled(again=transaction.rollback()) from error
        return outcomes, settled

    def _error(self, error: BaseException | None) -> Exception:
        if isinstance(error, apsw.Error):
            return translate(error, self._file)
        return error if isinstance(error, Exception) else RuntimeError(str(error))

    def _signal(self, call: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            return  # the loop is gone, and with it whoever waited

    # --- on the event loop ---

    def _settle(self, outcomes: list[_Outcome], settled: Settled | None) -> None:
        for request, value, error in outcomes:
            if error is None and request.done is not None:
                request.done(value)
        if settled is not None:
            self._settled(settled)
        for request, value, error in outcomes:
            if request.future.done():
                continue  # the caller was cancelled meanwhile
            if error is None:
                request.future.set_result(value)
            else:
                request.future.set_exception(error)

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)
