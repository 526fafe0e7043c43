"""What every journal keeps of the spending on models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from carrier_core import Charge, Hold, Settlement, Spent, Store, Usage
from carrier_core.testing.suites.scene import AGENT_NAME, ANA, BEA, OTHER_AGENT, exported

DAY, MONTH = "2027-01-31", "2027-01"
HOST = ("host", "")


def charge(
    *scope: str, window: str = DAY, tokens: int | None = None, cost: int | None = None, until: float = 0.0
) -> Charge:
    """A counter of the host, if nothing else is said, and its bounds."""
    return Charge(scope or HOST, window, tokens, cost, until)


def held(key: str, *charges: Charge, tokens: int = 10, cost: int = 0) -> Hold:
    """A call that is about to be made; a tenth of its tokens is output."""
    return Hold(key, charges, Usage(tokens - tokens // 10, tokens // 10, cost=cost), 5.0)


def used(key: str, *charges: Charge, tokens: int = 10, cost: int = 0) -> Settlement:
    """A call that was made."""
    return Settlement(key, charges, Usage(tokens - tokens // 10, tokens // 10, 3, 1, 2, cost))


class SpendingLaws:
    """Laws of the journal about spending; a part of ``StoreConformance``."""

    # --- holds ---

    @pytest.mark.anyio
    async def test_room_is_taken_up_to_the_bound_and_no_further(self, store: Store) -> None:
        """A counter has room for what brings it exactly to its bound, in tokens in and out and in cost, and for nothing
        beyond; what is only read from a cache takes none, and without a bound there is always room. So there is for what
        takes nothing of what is bounded, also where the bound is passed."""
        journal = store.journal
        for number, bounded in enumerate((charge("a", tokens=100, cost=900), charge("b", tokens=900, cost=100))):
            tokens, cost = (60, 0), (0, 60)
            size = (tokens, cost)[number]
            assert await journal.hold(held(f"{number} first", bounded, tokens=size[0], cost=size[1])) == ()
            rest = tuple(each * 2 // 3 for each in size)
            over = held(f"{number} over", bounded, tokens=rest[0] + (size is tokens), cost=rest[1] + (size is cost))
            assert await journal.hold(over) == (bounded,)
            assert await journal.hold(held(f"{number} rest", bounded, tokens=rest[0], cost=rest[1])) == ()
            cached = Hold(f"{number} cached", (bounded,), Usage(cached=999, calls=9, stored=999), 5.0)
            assert await journal.hold(cached) == ()
            assert await journal.hold(held(f"{number} more", bounded, tokens=1, cost=1)) == (bounded,)
            boundless = Charge(bounded.scope, bounded.window)
            assert await journal.hold(held(f"{number} boundless", boundless, tokens=10**12, cost=10**15)) == ()
        await journal.settle((used("past", charge("c"), tokens=9, cost=9),))
        assert await journal.hold(held("free", charge("c", cost=8), tokens=5)) == ()
        nothing = charge("c", tokens=0, cost=0)
        assert await journal.hold(held("nothing", nothing, tokens=0)) == ()
        assert await journal.hold(held("something", nothing, tokens=1)) == (nothing,)

    @pytest.mark.anyio
    async def test_uses_are_bounded_too(self, store: Store) -> None:
        """A counter whose calls are bounded has room for so many, used and held; the same one, held again, takes no more."""
        journal = store.journal
        bounded = Charge(("action", "a", "ana"), DAY, most_calls=2)
        uses = [Hold(f"u{number}", (bounded,), Usage(calls=1), 5.0) for number in range(3)]
        assert [await journal.hold(use) for use in (uses[0], uses[0], uses[1], uses[1])] == [(), (), (), ()]
        assert await journal.hold(uses[2]) == (bounded,)
        assert await journal.hold(Hold("other", (Charge(bounded.scope, DAY, 5),), Usage(calls=9), 5.0)) == ()

    @pytest.mark.anyio
    async def test_a_call_is_held_in_all_counters_or_in_none(self, store: Store) -> None:
        """A call that has no room in some counter is held in none; told are exactly the charges that lack room, in order."""
        journal = store.journal
        wide, narrow, full = charge("a", tokens=100), charge("b", tokens=20), charge("c", cost=50)
        assert await journal.hold(held("first", wide, narrow, full, tokens=15, cost=50)) == ()
        before = await journal.spent()
        new = charge("d", tokens=99)
        assert await journal.hold(held("second", full, new, wide, narrow, cost=1)) == (full, narrow)
        assert await journal.hold(held("third", new, wide, tokens=100)) == (new, wide)
        assert await journal.spent() == before
        assert [entry.key for entry in await exported(store) if isinstance(entry, Hold)] == ["first"]
        assert await journal.hold(held("second", wide, new)) == (), "a call that was refused may be tried with others"
        assert {each.scope: each.held.input for each in await journal.spent()} == {
            ("a",): 23,
            ("b",): 14,
            ("c",): 14,
            ("d",): 9,
        }

    @pytest.mark.anyio
    async def test_there_has_to_be_room_for_the_estimate(self, store: Store) -> None:
        """There has to be room for what a call will use by the estimate, whatever it can use at most."""
        journal, bounded = store.journal, charge(tokens=100, cost=1_000)
        assert await journal.hold(Hold("less", (bounded,), Usage(101), 5.0, Usage(1))) == (bounded,)
        assert await journal.hold(Hold("more", (bounded,), Usage(100, cost=1_000), 5.0, Usage(101, cost=1_001))) == ()

    @pytest.mark.anyio
    async def test_what_a_call_can_use_at_most_is_held(self, store: Store) -> None:
        """What is held is what a call can use at most, beyond the bound too, until it is settled."""
        journal, bounded = store.journal, charge(tokens=100, cost=1_000)
        wide = Hold("wide", (bounded,), Usage(50, 10, cost=600), 5.0, Usage(500, 10, calls=1, cost=5_000))
        assert await journal.hold(wide) == ()
        assert await journal.spent() == (Spent(HOST, DAY, held=Usage(500, 10, calls=1, cost=5_000)),)
        assert await journal.hold(held("beside it", bounded, tokens=1)) == (bounded,)
        await journal.settle((used("wide", bounded, tokens=40, cost=400),))
        close = Hold("close", (bounded,), Usage(60, cost=600), 5.0, Usage(61, cost=601))
        assert await journal.hold(close) == ()
        assert await journal.spent() == (Spent(HOST, DAY, Usage(36, 4, 3, 1, 2, 400), Usage(61, cost=601)),)
        assert close in await exported(store)
        await journal.settle((Settlement("close", (), Usage()),))
        assert (await journal.spent())[0].held == Usage()

    @pytest.mark.anyio
    async def test_a_hold_is_made_once(self, store: Store) -> None:
        """A hold that is there already stays as it is and takes no more room, how often it is made and whether there is any."""
        journal, bounded = store.journal, charge(tokens=30)
        answers = []

        async def hold() -> None:
            answers.append(await journal.hold(held("call", bounded, tokens=20)))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(hold)
        assert answers == [()] * 5
        assert await journal.hold(held("call", charge("other"), tokens=7)) == ()
        assert await journal.spent() == (Spent(HOST, DAY, held=Usage(18, 2)),)
        assert await journal.hold(held("another", bounded, tokens=11)) == (bounded,)

    @pytest.mark.anyio
    async def test_calls_at_one_time_never_take_the_same_room(self, store: Store) -> None:
        """However many calls are about to be made at one time, and some of them settled, no counter is ever beyond its
        bound, and all of its room is used."""
        journal, most = store.journal, 24
        host, persons = charge(tokens=10 * most), [charge("person", AGENT_NAME, name, tokens=90) for name in "abcd"]
        made: list[int] = []

        async def call(number: int) -> None:
            charges = (host, persons[number % 4]) if number % 2 else (persons[number % 4], host)
            if not await journal.hold(held(str(number), *charges)):
                made.append(number)
                if number % 3 == 0:
                    await journal.settle((used(str(number), *charges),))

        async with anyio.create_task_group() as group:
            for number in range(80):
                group.start_soon(call, number)
        assert len(made) == most, "a call was refused although there was room, or made although there was none"
        counters = {each.scope: each.usage + each.held for each in await journal.spent()}
        assert counters.pop(HOST).input == 9 * most
        assert {*counters} == {each.scope for each in persons}
        assert max(total.input + total.output for total in counters.values()) <= 90
        assert sum(total.input for total in counters.values()) == 9 * most

    # --- settlements ---

    @pytest.mark.anyio
    async def test_a_settlement_takes_the_place_of_its_hold(self, store: Store) -> None:
        """What a call has used is counted in the counters of the settlement, less or more than was held and beyond any
        bound, and nothing of it is held any more, in the counters of the hold that the settlement does not name either."""
        journal = store.journal
        one, other, use = charge("a", tokens=100), charge("b", tokens=100), charge("use", "", "x")
        for key, size in (("less", 40), ("more", 60)):
            assert await journal.hold(held(key, one, other, tokens=size, cost=size)) == ()
        assert await journal.hold(held("x", one, tokens=1)) == (one,)
        await journal.settle((used("less", one, use, tokens=10, cost=7),))
        assert await journal.spent() == (
            Spent(("a",), DAY, Usage(9, 1, 3, 1, 2, 7), Usage(54, 6, cost=60)),
            Spent(("b",), DAY, held=Usage(54, 6, cost=60)),
            Spent(("use", "", "x"), DAY, Usage(9, 1, 3, 1, 2, 7)),
        )
        assert await journal.hold(held("y", one, other, tokens=30)) == ()
        await journal.settle((used("more", one, other, use, tokens=90), used("y", one)))
        assert await journal.spent() == (
            Spent(("a",), DAY, Usage(99, 11, 9, 3, 6, 7)),
            Spent(("b",), DAY, Usage(81, 9, 3, 1, 2)),
            Spent(("use", "", "x"), DAY, Usage(90, 10, 6, 2, 4, 7)),
        )
        assert await journal.hold(held("z", one, tokens=1)) == (one,), "it is beyond its bound"
        assert await journal.hold(held("z", other, tokens=10)) == ()
        await journal.settle((Settlement("z", (), Usage()),))
        assert [each.held for each in await journal.spent()] == [Usage()] * 3
        assert [entry for entry in await exported(store) if isinstance(entry, Hold)] == []

    @pytest.mark.anyio
    async def test_calls_are_counted_without_a_hold(self, store: Store) -> None:
        """Calls that nothing was held for are counted as well, many at once, and their counters are made."""
        journal = store.journal
        assert await journal.spent() == ()
        await journal.settle(())
        day, use = charge(until=9.0), charge("use", AGENT_NAME, ANA.id, "p", "m/1")
        await journal.settle(tuple(used(str(number), day, *[use][: number % 2], cost=2) for number in range(30)))
        await journal.settle((used("last", use, cost=10**15),))
        assert await journal.spent() == (
            Spent(HOST, DAY, Usage(270, 30, 90, 30, 60, 60), until=9.0),
            Spent(use.scope, DAY, Usage(144, 16, 48, 16, 32, 10**15 + 30)),
        )

    @pytest.mark.anyio
    async def test_a_counter_that_is_named_twice_counts_once(self, store: Store) -> None:
        """Where several charges of a call name one counter it counts the call once, and has to keep to the bounds of all."""
        journal = store.journal
        tokens, cost = charge(tokens=20, until=3.0), charge(cost=20, until=8.0)
        assert await journal.hold(held("first", tokens, cost, tokens=10, cost=15)) == ()
        assert await journal.spent() == (Spent(HOST, DAY, held=Usage(9, 1, cost=15), until=8.0),)
        assert await journal.hold(held("second", tokens, cost, tokens=10, cost=6)) == (cost,)
        assert await journal.hold(held("third", tokens, cost, tokens=11)) == (tokens,)
        await journal.settle((used("first", tokens, cost, cost=15),))
        assert await journal.spent() == (Spent(HOST, DAY, Usage(9, 1, 3, 1, 2, 15), until=8.0),)

    # --- counters ---

    @pytest.mark.anyio
    async def test_counters_are_found_by_how_they_begin(self, store: Store) -> None:
        """Counters are listed by scope, then by window: those whose scope begins with the words that are asked for, and
        whose window begins with these signs, as many as asked for."""
        journal = store.journal
        scopes = [
            ("use", "robin", "", "p", "m"),
            ("use", "robin2"),
            ("use", "robin"),
            ("host", ""),
            ("olá 🌊", "%_", "a"),
        ]
        windows = ["2027-02-01", DAY, MONTH, "2026-12", "t*_%"]
        await journal.settle(
            tuple(used(f"{scope}{window}", charge(*scope, window=window)) for scope in scopes for window in windows)
        )
        every = sorted((scope, window) for scope in scopes for window in windows)

        async def found(scope: tuple[str, ...] = (), window: str = "", limit: int = 99) -> list[object]:
            return [each.counter for each in await journal.spent(scope=scope, window=window, limit=limit)]

        assert await found() == every
        assert await found(limit=7) == every[:7]
        for scope in (
            ("use",),
            ("use", "robin"),
            ("use", "robin", ""),
            ("us",),
            ("olá 🌊", "%_"),
            ("host", ""),
            ("", "host"),
        ):
            assert await found(scope) == [key for key in every if key[0][: len(scope)] == scope]
        for window in (DAY, MONTH, "2027", "t*_%", "t%", "_"):
            assert await found(window=window) == [key for key in every if key[1].startswith(window)]
        assert await found(("use", "robin"), MONTH, limit=3) == [
            (("use", "robin"), MONTH),
            (("use", "robin"), DAY),
            (("use", "robin", "", "p", "m"), MONTH),
        ]

    @pytest.mark.anyio
    async def test_counters_go_when_their_time_has_passed(self, store: Store) -> None:
        """A counter goes after the latest time that any call named for it, never if none did; what is held in it goes too,
        and elsewhere stays until it is settled."""
        journal = store.journal
        soon, late, never = charge("a", until=100.0), charge("b", until=300.0), charge("c")
        assert await journal.hold(held("both", soon, late)) == ()
        assert await journal.hold(held("one", charge("a", until=50.0))) == ()
        await journal.settle((used("x", charge("a", until=20.0), charge("b"), never),))
        assert await journal.expire_spent(100.0) == 0
        assert await journal.expire_spent(100.5) == 1
        assert [(each.scope, each.held.input) for each in await journal.spent()] == [(("b",), 9), (("c",), 0)]
        assert [(each.key, each.charges) for each in await exported(store) if isinstance(each, Hold)] == [
            ("both", (late,))
        ]
        assert await journal.hold(held("again", soon)) == ()
        await journal.settle((used("both", soon, late),))
        assert [(each.scope, each.usage.input, each.held.input) for each in await journal.spent()] == [
            (("a",), 9, 9),
            (("b",), 18, 0),
            (("c",), 9, 0),
        ]
        assert await journal.expire_spent(1e12) == 2
        assert [each.scope for each in await journal.spent()] == [("c",)]
        assert [entry for entry in await exported(store) if isinstance(entry, Hold)] == []

    @pytest.mark.anyio
    async def test_what_was_spent_is_spent_when_it_is_opened_again(
        self, make_store: Callable[[], Store], folder: Path
    ) -> None:
        """A restart forgets neither what was used nor what is held, and a call that was under way can be settled after it."""
        bounded = charge(tokens=100)
        store = make_store()
        await store.open(folder)
        await store.journal.settle((used("settled", bounded, tokens=30),))
        assert await store.journal.hold(held("open", bounded, tokens=60)) == ()
        before = await store.journal.spent()
        await store.close()
        store = make_store()
        await store.open(folder)
        try:
            journal = store.journal
            assert await journal.spent() == before
            assert await journal.hold(held("more", bounded, tokens=11)) == (bounded,)
            assert await journal.hold(held("open", bounded, tokens=60)) == ()
            await journal.settle((used("open", bounded, tokens=20),))
            assert await journal.hold(held("more", bounded, tokens=50)) == ()
            assert await journal.spent() == (Spent(HOST, DAY, Usage(45, 5, 6, 2, 4), Usage(45, 5)),)
        finally:
            await store.close()

    # --- archives, and people ---

    @pytest.mark.anyio
    async def test_an_archive_brings_back_what_was_spent(self, store: Store) -> None:
        """What is held in a counter comes back with the holds, whichever of the counters are there already or missing, and
        an archive that is restored again adds nothing."""
        journal = store.journal
        host, mine, gone = charge(tokens=50), charge("agent", AGENT_NAME, tokens=50), charge("agent", "", "x")
        await journal.settle((used("here", host, tokens=20),))
        before = Spent(HOST, DAY, Usage(18, 2, 3, 1, 2))
        theirs = Spent(mine.scope, DAY, Usage(7), Usage(9, 1), 70.0)
        entries = (Spent(HOST, DAY, Usage(999), Usage(9, 1)), theirs, held("call", host, mine, gone))
        assert await store.restore(entries) == 2
        restored = (
            Spent(gone.scope, DAY, held=Usage(9, 1)),
            theirs,
            Spent(before.scope, DAY, before.usage, Usage(9, 1)),
        )
        assert await journal.spent() == restored
        assert await store.restore(entries) == 0
        assert await journal.spent() == restored
        assert await journal.hold(held("more", host, mine, tokens=21)) == (host,)
        await journal.settle((used("call", mine),))
        assert [each.held for each in await journal.spent()] == [Usage()] * 3
        assert [entry for entry in await exported(store) if isinstance(entry, Hold)] == []
        assert [entry for entry in await exported(store, AGENT_NAME) if isinstance(entry, Spent)] == [
            Spent(mine.scope, DAY, Usage(16, 1, 3, 1, 2), until=70.0)
        ]

    @pytest.mark.anyio
    async def test_a_forgotten_person_is_in_no_counter(self, store: Store) -> None:
        """The counters that are a person's alone go with the person. Where the person is one of several their name goes and
        the totals stay, what is held among them; others are not touched."""
        journal, ana, bea = store.journal, ANA.id, BEA.id
        charges = {
            who: (
                charge(),
                charge("person", AGENT_NAME, who),
                charge("use", AGENT_NAME, who, "p", "m", until=9.0 if who else 5.0),
            )
            for who in (ana, bea, "")
        }
        for who, each in charges.items():
            await journal.settle((used(f"settled {who}", *each, tokens=10),))
            assert await journal.hold(held(f"open {who}", *each, tokens=20)) == ()
        assert await journal.hold(held("hers", charge("person", OTHER_AGENT, ana, window=MONTH))) == ()
        assert await journal.hold(held("named twice", charges[ana][2], charges[""][2], tokens=30)) == ()
        gone = await store.forget_person(ana)
        assert sum(gone.values()) >= 3
        assert [
            (each.scope, each.usage.calls, each.held.input + each.held.output) for each in await journal.spent()
        ] == [
            (HOST, 3, 60),
            (("person", AGENT_NAME, ""), 1, 20),
            (("person", AGENT_NAME, bea), 1, 20),
            (("use", AGENT_NAME, "", "p", "m"), 2, 70),
            (("use", AGENT_NAME, bea, "p", "m"), 1, 20),
        ]
        assert not any(ana in repr(entry) for entry in await exported(store) if isinstance(entry, Spent))
        assert "hers" not in [entry.key for entry in await exported(store) if isinstance(entry, Hold)]
        await journal.settle(tuple(Settlement(f"open {who}", (), Usage()) for who in charges))
        await journal.settle((Settlement("named twice", (), Usage()),))
        assert {each.held for each in await journal.spent()} == {Usage()}
        assert await journal.expire_spent(7.0) == 0, "the latest time counts"
        assert await journal.expire_spent(9.5) == 2
        assert not any((await store.forget_person(ana)).values())
