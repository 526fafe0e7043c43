"""The law of budgets: whatever rooms of one or two processes do at one time, whenever a process dies and wherever the clock goes,
for two weeks, no cap is spent beyond by more than the estimate of one call was wrong. And whoever waits for room is answered."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_core import Charge, Hold, ProviderError, Settlement, Usage
from carrier_core.budgets import Budgets, Call
from carrier_core.journal import CounterKey
from carrier_core.prices import Price, Rates
from carrier_core.sections import Budget
from carrier_core.testing import Clock, InMemoryStore
from carrier_core.testing.clock import START

PRICE = Price(
    (Rates(0, 1_000_000, 3_000_000, 100_000, 1_250_000), Rates(100, 2_000_000, 6_000_000, 200_000, 2_500_000))
)
DOLLAR = 1_000_000_000
CLOCKS = [0.0, 3600.0, 86_400.0, -86_400.0, 14 * 86_400.0, -14 * 86_400.0]  # seconds by which a clock may be wrong


class Crashed(Exception):
    """The process of this host is dead: nothing that it does has an effect any more."""


class Made(NamedTuple):
    """What a room does with a call: the estimate of its prompt, how much longer that can be, and the limit of its answer; how
    long the prompt is, as a share of what it can be, how much of it comes from where, how long the answer gets, and how it
    ends."""

    tokens_in: int
    more: int
    tokens_out: int
    length: float
    cached: float
    stored: float
    answered: float
    end: str

    @property
    def usage(self) -> Usage:
        """What is billed."""
        whole = int((self.tokens_in + self.more) * self.length)
        cached = int(whole * self.cached)
        stored = int((whole - cached) * self.stored)
        usage = Usage(whole, int(self.tokens_out * self.answered), cached, 1, stored)
        return Usage(usage.input, usage.output, cached, 1, stored, PRICE.cost(usage))


class Process:
    """One life of a host: each await of its journal goes on when the test lets it, and fails once it is dead."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.is_dead = False
        self.waiting: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def pause(self) -> None:
        event = asyncio.Event()
        self.waiting.append(event)
        await event.wait()
        if self.is_dead:
            raise Crashed

    async def hold(self, hold: Hold) -> tuple[Charge, ...]:
        await self.pause()
        lacking = await self.world.store.journal.hold(hold)
        if not lacking:
            self.world.holds[hold.key] = hold
        await self.pause()
        return lacking

    async def settle(self, settlements: tuple[Settlement, ...]) -> None:
        await self.pause()
        await self.world.store.journal.settle(settlements)
        await self.pause()

    async def spent(self, **given: Any) -> object:
        await self.pause()
        found = await self.world.store.journal.spent(**given)
        await self.pause()
        return found

    def go_on(self, number: int) -> bool:
        """Let one of those that wait go on; whether there is one."""
        if self.waiting:
            self.waiting.pop(number % len(self.waiting)).set()
            return True
        return False

    def die(self) -> None:
        self.is_dead = True
        while self.go_on(0):
            pass


class World:
    """A store that outlives its hosts, a clock that goes anywhere, a provider that sends bills."""

    def __init__(self, caps: list[Budget], rooms: list[list[Made]]) -> None:
        self.store = InMemoryStore()
        self.clock = Clock()
        self.caps, self.rooms = caps, rooms
        self.holds: dict[str, Hold] = {}
        self.billed: dict[str, Usage] = {}
        self.dead: list[Process] = []
        self.alive = [self.start()]

    def start(self) -> Process:
        process = Process(self)
        budgets = Budgets(process, self.caps, clock=self.clock)  # type: ignore[arg-type]
        for number, calls in enumerate(self.rooms):
            process.tasks.append(asyncio.create_task(self.room(process, budgets, number, calls)))
        return process

    async def room(self, process: Process, budgets: Budgets, number: int, calls: list[Made]) -> None:
        try:
            for made in calls:
                call = budgets.open(
                    agent="ab"[number % 2],
                    turn=f"t{number}",
                    person=f"p{number % 3}",
                    room=f"r{number}",
                    provider="p",
                    model="m",
                    price=PRICE,
                )
                refused = await call.hold(made.tokens_in, made.tokens_out, most_in=made.tokens_in + made.more)
                if refused is None:
                    await self.ask(process, call, made)
                    await budgets.flush()
        except Crashed:
            pass

    async def ask(self, process: Process, call: Call, made: Made) -> None:
        if made.end == "turned away":
            call.fail(ProviderError("Not now.", reason="overloaded"))
            return
        if call.key:  # else no budget applies to it
            self.billed[call.key] = made.usage
        await process.pause()
        if made.end == "cut":
            call.fail(ProviderError("Cut.", reason="incomplete"), received=1)
        else:
            call.settle(made.usage)

    async def run(self, script: list[int]) -> None:
        for number in script:
            await self.idle()
            if number == CRASH:
                self.dead.append(self.alive.pop(0))
                self.dead[-1].die()
                self.alive.append(self.start())
            elif number == ANOTHER:
                self.alive += [self.start()] if len(self.alive) < 2 else []
            elif number >= CLOCK:
                self.clock.now = START + CLOCKS[number % len(CLOCKS)]
                await self.store.journal.expire_spent(self.clock())
            else:
                self.alive[number % len(self.alive)].go_on(number)
        for _ in range(5):  # what one of them wakes may take long
            while any(process.go_on(0) for process in self.alive):
                await self.idle()
            await self.idle(100)
        assert all(task.done() for process in self.alive for task in process.tasks), "somebody waits for nothing"
        for task in (tasks := [task for process in self.dead for task in process.tasks]):
            task.cancel()  # those that waited for others when their process died
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [each for each in found if not isinstance(each, asyncio.CancelledError | None)] == []
        for process in self.alive:
            await asyncio.gather(*process.tasks)

    async def idle(self, rounds: int = 6) -> None:
        for _ in range(rounds):
            await asyncio.sleep(0)

    def judge(self) -> None:
        """What was billed in a counter stays within its cap, but for what the estimate of one call was too low: that of the last
        one that was let through."""
        grants: dict[CounterKey, list[tuple[str, Charge]]] = defaultdict(list)
        for key, hold in self.holds.items():
            for charge in hold.charges:
                grants[charge.counter].append((key, charge))
        for granted in grants.values():
            paid = {key for key, _ in granted if key in self.billed}
            last, _ = granted[-1]
            for _, charge in granted:
                for most, amount in ((charge.most_tokens, _tokens), (charge.most_cost, _cost)):
                    if most is not None:
                        error = self.error(last, amount) if last in paid else 0
                        assert sum(amount(self.billed[key]) for key in paid) <= most + error

    def error(self, key: str, amount: Callable[[Usage], int]) -> int:
        return max(0, amount(self.billed[key]) - amount(self.holds[key].estimate))


def _tokens(usage: Usage) -> int:
    return usage.input + usage.output


def _cost(usage: Usage) -> int:
    return usage.cost


def calls(more: st.SearchStrategy[int]) -> st.SearchStrategy[list[Made]]:
    share = st.floats(0, 1)
    ends = st.sampled_from(["settled", "cut", "settled", "turned away"])
    length = st.one_of(st.just(1.0), share)
    sizes = st.integers(50, 150)
    made = st.builds(Made, sizes, more, sizes, length, share, share, st.floats(0.5, 1), ends)
    return st.lists(made, min_size=3, max_size=8)


# Of a size that a few calls come to.
CAPS = st.lists(
    st.builds(
        Budget,
        per=st.sampled_from(["host", "room", "person", "agent", "provider", "turn"]),
        window=st.sampled_from(["day", "month"]),
        tokens=st.one_of(st.none(), st.integers(200, 800)),
        usd=st.integers(400, 1_600).map(lambda cost: cost / DOLLAR),
        agents=st.sampled_from([None, ("a",), ("a", "b")]),
    ),
    min_size=1,
    max_size=3,
)
CRASH, ANOTHER, CLOCK = -1, -2, 1_000
# A step lets one of those that wait go on, as most do; or a process dies, or a second one starts, or the clock is put elsewhere.
STEP = st.integers(0, 55).map(
    lambda number: number if number < 46 else CRASH if number < 48 else ANOTHER if number < 50 else CLOCK + number
)
SCRIPT = st.lists(STEP, min_size=80, max_size=200)


def play(caps: list[Budget], rooms: list[list[Made]], script: list[int]) -> World:
    async def whole() -> World:
        world = World(caps, rooms)
        await world.run(script)
        return world

    return asyncio.run(whole())


@settings(max_examples=300, deadline=None)
@given(CAPS, st.lists(calls(st.just(0)), min_size=1, max_size=4), SCRIPT)
def test_with_estimates_that_hold_nothing_is_spent_beyond_a_cap(
    caps: list[Budget], rooms: list[list[Made]], script: list[int]
) -> None:
    world = play(caps, rooms, script)

    totals: dict[CounterKey, Usage] = defaultdict(Usage)
    for key, usage in world.billed.items():
        for counter in {charge.counter for charge in world.holds[key].charges}:
            totals[counter] += usage
    for hold in world.holds.values():
        for charge in hold.charges:
            spent = totals[charge.counter]
            assert charge.most_tokens is None or _tokens(spent) <= charge.most_tokens
            assert charge.most_cost is None or spent.cost <= charge.most_cost


@settings(max_examples=600, deadline=None)
@given(CAPS, st.lists(calls(st.integers(0, 300)), min_size=1, max_size=4), SCRIPT)
def test_with_wrong_estimates_it_is_by_no_more_than_one_of_them_was_wrong(
    caps: list[Budget], rooms: list[list[Made]], script: list[int]
) -> None:
    play(caps, rooms, script).judge()
