"""The laws of a conformance suite, each tried on a good implementation and on one that breaks it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from hypothesis import Phase, settings

from carrier_core import Store
from carrier_core.testing import InMemoryStore
from carrier_core.testing.journal import InMemoryJournal
from carrier_core.testing.memory import InMemoryMemory

Make = Callable[[], object]

FIXTURES = (
    "provider",
    "failing",
    "unready",
    "calling",
    "make_store",
    "client",
    "broken",
    "action",
    "arguments",
    "context",
)
"""What suites are given, the store's own ones aside."""


class Trials:
    """Broken implementations, by suite and by the law that they break: each takes the place of the law's first fixture."""

    def __init__(self, *suites: type) -> None:
        self.broken: dict[type, dict[str, Make]] = {suite: {} for suite in suites}

    def breaks(self, suite: type, law: str) -> Callable[[Make], Make]:
        """Marks what makes an implementation that breaks a law."""

        def mark(make: Make) -> Make:
            assert law not in self.broken[suite], f"{law} is broken already"
            self.broken[suite][law] = make
            return make

        return mark

    def breaks_store(self, suite: type, law: str) -> Callable[[type], type]:
        """Marks the class of a store in memory, of its journal or of its memory that breaks a law."""

        def mark(cls: type) -> type:
            bases = (("journal", InMemoryJournal), ("memory", InMemoryMemory), ("store", InMemoryStore))
            kind = next(name for name, base in bases if issubclass(cls, base))
            self.breaks(suite, law)(partial(stores, **{kind: cls}))
            return cls

        return mark

    def tests(self) -> type:
        """The class of tests that tries every law."""
        broken = self.broken
        every = [(suite, law) for suite in broken for law in laws(suite)]
        names = [f"{suite.__name__}-{law.removeprefix('test_')}" for suite, law in every]
        each_law = pytest.mark.parametrize(("suite", "law"), every, ids=names)

        class TestLaws:
            def test_no_law_lacks_an_implementation_that_breaks_it(self) -> None:
                wrong = {*every} ^ {(suite, law) for suite in broken for law in broken[suite]}
                assert not wrong, f"laws without a broken implementation, or the other way round: {wrong}"

            @each_law
            def test_a_law_is_stated(self, suite: type, law: str) -> None:
                assert len((getattr(suite, law).__doc__ or "").split()) > 6

            @each_law
            def test_a_good_implementation_keeps_the_law(self, suite: type, law: str, tmp_path: Path) -> None:
                attempt(suite, law, good(suite, tmp_path))

            @each_law
            def test_a_broken_implementation_fails_the_law(self, suite: type, law: str, tmp_path: Path) -> None:
                given = good(suite, tmp_path)
                given[first_fixture(suite, law)] = broken[suite][law]()
                try:
                    with hasty():
                        attempt(suite, law, given)
                except pytest.skip.Exception:
                    raise AssertionError("the law was skipped") from None
                except (Exception, pytest.fail.Exception, BaseExceptionGroup):
                    return
                raise AssertionError("the broken implementation passed")

        return TestLaws


@contextmanager
def hasty() -> Iterator[None]:
    """Look no further than the first failing case: making it small takes a minute, and nobody reads it here."""
    before = settings.get_current_profile_name()
    settings.register_profile("hasty", phases=(Phase.generate,))
    settings.load_profile("hasty")
    try:
        yield
    finally:
        settings.load_profile(before)


def stores(
    journal: type[InMemoryJournal] = InMemoryJournal,
    memory: type[InMemoryMemory] = InMemoryMemory,
    store: type[InMemoryStore] = InMemoryStore,
) -> Callable[[], Store]:
    """Makes a store of these classes: the same each time, so that opening it again is a restart."""
    one = store()
    one._memory = one.memory = memory()
    one._journal = one.journal = journal(one._memory)
    return lambda: one


def laws(suite: type) -> list[str]:
    """The names of a suite's laws."""
    return [name for name in dir(suite) if name.startswith("test_")]


def attempt(suite: type, law: str, given: dict[str, object]) -> None:
    """Run a law with these in place of its suite's fixtures."""
    function = getattr(suite(), law)
    wanted = [*inspect.signature(function).parameters]
    fixtures = {name: given[name] for name in wanted if name != "store"}
    if not inspect.iscoroutinefunction(function):
        function(**fixtures)
        return

    async def run() -> None:
        if "store" not in wanted:
            await function(**fixtures)
            return
        fixtures["store"] = store = given["make_store"]()
        await store.open(given["folder"])
        try:
            await function(**fixtures)
        finally:
            await store.close()

    anyio.run(run)


def good(suite: type, folder: Path) -> dict[str, object]:
    """What the good suites' fixtures give."""
    made: dict[str, object] = {"tmp_path": folder, "folder": folder / "state"}
    for name in FIXTURES:
        definition = inspect.getattr_static(suite, name, None)
        if definition is not None:
            made[name] = definition.__wrapped__(suite())
    return made


def first_fixture(suite: type, law: str) -> str:
    """The name of what a law is about."""
    wanted = next(name for name in inspect.signature(getattr(suite, law)).parameters if name != "self")
    return "make_store" if wanted == "store" else wanted


async def swallow() -> None:
    """What no plugin may do."""
    try:
        await anyio.sleep_forever()
    except BaseException:
        pass
