"""What is read while a host runs: how requests were committed together, where CPU time went, how much memory is used."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterable
from pathlib import Path
from typing import Any

from carrier_core.memory import Store


class Batches:
    """The sizes of the batches that a store's writer commits from now on: each is one transaction. ``behind`` of the requests
    in them are what calls have used, for which no turn waits."""

    def __init__(self, store: Any) -> None:
        self.sizes: list[int] = []
        writer = store._database._writer
        commit = writer._commit

        def counted(requests: list[Any]) -> Any:
            self.sizes.append(len(requests))
            return commit(requests)

        writer._commit = counted
        self.behind = 0
        settle = store.journal.settle

        async def settled(*args: Any) -> None:
            self.behind += 1
            await settle(*args)

        store.journal.settle = settled

    def per(self, turns: int) -> tuple[float, float]:
        """Requests that a turn waits for, and transactions, a turn."""
        return (sum(self.sizes) - self.behind) / turns, len(self.sizes) / turns

    def distribution(self) -> str:
        """How many requests were committed together, in words."""
        sizes = sorted(self.sizes)
        shares = [f"p{share} {sizes[min(len(sizes) - 1, len(sizes) * share // 100)]}" for share in (10, 50, 90)]
        return f"mean {sum(sizes) / len(sizes):.1f}, {', '.join(shares)}, most {sizes[-1]}"


class Threads:
    """The CPU time of the threads of this process, by name, since the beginning."""

    @staticmethod
    def seconds() -> dict[str, float]:
        """By name of thread; workers of a pool count together."""
        found: Counter[str] = Counter()
        for thread in threading.enumerate():
            if thread.ident is not None:
                name = thread.name if thread.name in ("MainThread", "carrier-memory-sqlite") else "workers"
                found[name] += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        return dict(found)


def calibration() -> float:
    """CPU seconds of a fixed amount of plain Python: how fast this processor is just now."""
    started = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number & 7
    assert total
    return time.process_time() - started


def waited() -> float:
    """Seconds in which this thread could have run and other processes had the processors; 0 where the kernel does not tell."""
    try:
        return int(Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class _Metered:
    """A coroutine whose steps are timed by the CPU clock of their thread; what runs while it waits is not counted."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], name: str, spent: Counter[str]) -> None:
        self._coroutine = coroutine
        self._name = name
        self._spent = spent

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Callable[[], Any] = functools.partial(self._coroutine.send, None)
        while True:
            started = time.thread_time()
            try:
                yielded = step()
            except StopIteration as stop:
                return stop.value
            finally:
                self._spent[self._name] += time.thread_time() - started
            try:
                sent = yield yielded
            except BaseException as error:
                step = functools.partial(self._coroutine.throw, error)
            else:
                step = functools.partial(self._coroutine.send, sent)


class Parts:
    """CPU seconds that the event loop spends in the methods of a store, by the name of the method, and how often each was
    called. What a method has done in another thread is not in it. ``walls`` are the milliseconds until each recall answered."""

    def __init__(self, store: Store) -> None:
        self.spent: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.walls: list[float] = []
        self._wrapped: list[tuple[object, str]] = []
        for thing in (store.journal, store.memory):
            for name in _methods(thing):
                self._wrap(thing, name)

    def remove(self) -> None:
        """Measure no more."""
        for thing, name in self._wrapped:
            delattr(thing, name)

    def _wrap(self, thing: object, name: str) -> None:
        method = getattr(thing, name)

        async def metered(*args: object, **kwargs: object) -> object:
            self.calls[name] += 1
            started = time.perf_counter()
            try:
                return await _Metered(method(*args, **kwargs), name, self.spent)
            finally:
                if name == "recall":
                    self.walls.append((time.perf_counter() - started) * 1000)

        setattr(thing, name, metered)
        self._wrapped.append((thing, name))


_JOURNAL = (
    "append_inbound discard claim_room open_turn activate begin_step record_steps park unpark complete finish deliver"
)
_MEMORY = "put get history recall connect room participants readers"


def _methods(thing: object) -> Iterable[str]:
    return [name for name in f"{_JOURNAL} {_MEMORY}".split() if hasattr(thing, name)]


def resident(pid: str = "self") -> tuple[float, float]:
    """The memory that a process has now, and the most that it had, in MB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    values = {line.split(":")[0]: line.split()[1] for line in status if line.startswith(("VmRSS", "VmHWM"))}
    return int(values["VmRSS"]) / 1024, int(values["VmHWM"]) / 1024
