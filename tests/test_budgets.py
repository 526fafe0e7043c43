"""Budgets: nothing is spent for which there is no room, and everything that is spent is counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
import pytest

from carrier_core import CarrierError, ConfigError, ProviderError, Settlement, Unavailable, Usage
from carrier_core.bounds import told
from carrier_core.budgets import Budgets, Call, Refusal
from carrier_core.prices import FREE, Price, Rates
from carrier_core.sections import Budget
from carrier_core.testing import Clock, InMemoryStore

CENT = 10_000_000
PRICE = Price((Rates(0, 1000 * CENT, 1000 * CENT, 100 * CENT, 2000 * CENT),))  # a thousand tokens are a cent


class Watched(InMemoryStore):
    """Keeps the batches of settlements; ``broken`` is raised instead, as long as it is there, or, unless it ``is_away``, once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[Settlement, ...]] = []
        self.broken: Exception | None = None
        self.is_away = True
        self._wrote = anyio.Event()
        self._settle = self.journal.settle
        self.journal.settle = self.settle  # type: ignore[method-assign] - this one journal's, and no other's

    async def settle(self, settlements: tuple[Settlement, ...]) -> None:
        if self.broken is not None:
            error, self.broken = self.broken, self.broken if self.is_away else None
            raise error
        await self._settle(settlements)
        self.batches.append(settlements)
        self._wrote.set()

    async def writes(self, count: int) -> None:
        """Wait until so many batches are written."""
        with anyio.fail_after(20):
            while len(self.batches) < count:
                self._wrote = anyio.Event()
                await self._wrote.wait()


def budget(**given: Any) -> Budget:
    return Budget.model_validate(given)


def of_call(budgets: Budgets, **given: Any) -> Call:
    known = {
        "agent": "robin",
        "turn": "t1",
        "person": "ana",
        "room": "r1",
        "provider": "p",
        "model": "m",
        "price": PRICE,
    }
    return budgets.open(**known | given)


async def used(store: InMemoryStore, *scope: str, window: str = "") -> Usage:
    return sum((each.usage for each in await store.journal.spent(scope=scope, window=window)), Usage())


async def held(store: InMemoryStore, *scope: str) -> Usage:
    return sum((each.held for each in await store.journal.spent(scope=scope)), Usage())


async def spend(budgets: Budgets, tokens: int = 1_000, **given: Any) -> Refusal | None:
    """A call that uses what it was thought to."""
    call = of_call(budgets, **given)
    refused = await call.hold(tokens, 0)
    if refused is None:
        call.settle(Usage(tokens))
        await budgets.flush()
    return refused


# --- what is used ------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_every_call_is_counted_with_what_it_cost() -> None:
    store = Watched()
    budgets = Budgets(store.journal, clock=Clock())
    call = of_call(budgets)

    assert await call.hold(900, 500) is None
    settled = call.settle(Usage(1_000, 200, cached=500, stored=100))
    await budgets.flush()

    assert settled == Usage(1_000, 200, 500, 1, 100, (400 + 50 + 200 + 200) * CENT // 1000)
    (counter,) = await store.journal.spent()
    assert counter.counter == (("use", "robin", "ana", "p", "m"), "2026-01-01")
    assert counter.usage == settled
    assert counter.until > datetime(2027, 1, 1, tzinfo=UTC).timestamp()  # a year can be looked back on


@pytest.mark.anyio
async def test_what_the_provider_says_it_cost_counts() -> None:
    call = of_call(Budgets(Watched().journal))

    assert call.settle(Usage(1_000, cost=7)).cost == 7


@pytest.mark.anyio
async def test_without_a_budget_a_call_waits_for_nothing_and_what_comes_together_is_written_once() -> None:
    store = Watched()
    budgets = Budgets(store.journal, clock=Clock())

    for number in range(100):
        call = of_call(budgets, turn=str(number), person="ana" if number % 2 else "ben")
        waiting = call.hold(10, 10)
        with pytest.raises(StopIteration):  # it is through without ever having waited
            waiting.send(None)
        call.settle(Usage(10, 10))
    assert store.batches == []
    await budgets.flush()

    assert [len(batch) for batch in store.batches] == [2]
    assert (await used(store, "use")).calls == 100


@pytest.mark.anyio
async def test_a_call_is_counted_once() -> None:
    store = Watched()
    budgets = Budgets(store.journal)
    call = of_call(budgets)
    await call.hold(10, 10)

    call.settle(Usage(10, 10))
    call.settle(Usage(10, 10))
    call.fail()
    await budgets.flush()

    assert (await used(store)).calls == 1


@pytest.mark.anyio
async def test_without_a_known_price_tokens_are_counted_all_the_same() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=1_500)])

    assert await spend(budgets, price=None) is None
    assert await spend(budgets, price=None) is not None
    assert await used(store, "use") == Usage(1_000, calls=1)


# --- caps --------------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_what_has_no_room_is_refused_with_the_budget_and_the_reason() -> None:
    store = Watched()
    cap = budget(usd=0.025, say="I am tired.")
    budgets = Budgets(store.journal, [cap])
    assert await spend(budgets) is None

    refused = await of_call(budgets).hold(600, 400)

    assert refused is not None
    assert refused.budget == cap
    assert refused.budget.say == "I am tired."
    assert refused.message == (
        "The budget of $0.025 per day has no room for a call of about $0.016: $0.01 used, $0.00 held back."
    )
    assert await held(store) == Usage()


@pytest.mark.anyio
async def test_a_call_that_was_refused_counts_as_nothing() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=10)])
    call = of_call(budgets)

    assert await call.hold(10, 10) is not None
    call.fail()
    await budgets.flush()

    assert await store.journal.spent() == ()


@pytest.mark.anyio
async def test_calls_at_one_time_cannot_take_the_same_room() -> None:
    budgets = Budgets(Watched().journal, [budget(usd=0.035)])
    granted: list[bool] = []

    async def ask() -> None:
        call = of_call(budgets)
        granted.append(await call.hold(0, 1_000) is None)
        if granted[-1]:
            call.settle(Usage(0, 1_000))

    async with behind(budgets), anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(ask)

    assert (sum(granted), len(granted)) == (3, 10)


@pytest.mark.anyio
async def test_what_a_call_has_used_takes_the_place_of_the_estimate() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=1_000)])
    call = of_call(budgets)
    await call.hold(100, 900)
    assert await held(store, "host") == Usage(100, 900, calls=1, cost=11 * CENT // 10)

    call.settle(Usage(100, 50))
    await budgets.flush()

    assert await of_call(budgets).hold(100, 700) is None
    assert await used(store, "host") == Usage(100, 50, calls=1, cost=150 * CENT // 1000)


@pytest.mark.anyio
async def test_there_has_to_be_room_for_the_estimate_and_what_it_can_be_at_most_is_held() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=1_000)])

    assert await of_call(budgets).hold(900, 101, most_in=900) is not None
    assert await of_call(budgets).hold(900, 100, most_in=3_000) is None

    assert await held(store, "host") == Usage(3_000, 100, calls=1, cost=61 * CENT // 10)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("how", "left"), [("used", [("second", True)]), ("cut", [("second", False), ("third", False)])]
)
async def test_a_call_waits_where_there_may_be_room_as_soon_as_others_have_ended(
    how: str, left: list[tuple[str, bool]]
) -> None:
    budgets = Budgets(Watched().journal, [budget(tokens=1_000), budget(per="person", usd=1)])
    first, second, third = (of_call(budgets) for _ in range(3))
    assert await first.hold(100, 300, most_in=400) is None
    through: list[tuple[str, bool]] = []

    async def ask(name: str, call: Call) -> None:
        through.append((name, await call.hold(100, 300, most_in=600) is None))

    async with behind(budgets), anyio.create_task_group() as group:
        group.start_soon(ask, "second", second)
        group.start_soon(ask, "third", third)
        await anyio.wait_all_tasks_blocked()
        assert through == []
        if how == "used":
            first.settle(Usage(100, 100))
        else:
            first.fail()
        await anyio.wait_all_tasks_blocked()
        assert through == left
        group.cancel_scope.cancel()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("per", "same", "other"),
    [
        ("turn", {"room": "r2"}, {"turn": "t2"}),
        ("person", {"room": "r2", "agent": "wren"}, {"person": "ben"}),
        ("room", {"person": "ben", "agent": "wren"}, {"room": "r2"}),
        ("agent", {"person": "ben", "room": "r2"}, {"agent": "wren"}),
        ("provider", {"model": "m2", "agent": "wren"}, {"provider": "p2"}),
    ],
)
async def test_each_has_a_room_of_its_own(per: str, same: dict[str, str], other: dict[str, str]) -> None:
    budgets = Budgets(Watched().journal, [budget(per=per, tokens=1_500)])

    assert await spend(budgets) is None
    assert await spend(budgets, **same) is not None
    assert await spend(budgets, **other) is None


@pytest.mark.anyio
async def test_a_budget_of_the_host_is_of_all_together() -> None:
    budgets = Budgets(Watched().journal, [budget(tokens=1_500)])

    assert await spend(budgets) is None
    assert await spend(budgets, agent="wren", person="ben", room="r2", provider="p2", turn="t2") is not None


@pytest.mark.anyio
async def test_a_budget_of_some_agents_neither_bounds_others_nor_counts_them() -> None:
    budgets = Budgets(
        Watched().journal, [budget(tokens=1_500, agents=["robin", "wren"]), budget(tokens=1_500, agents=["robin"])]
    )

    assert await spend(budgets, agent="owl") is None
    assert await spend(budgets, agent="owl") is None
    assert await spend(budgets, agent="wren") is None
    refused = await spend(budgets, agent="robin")
    assert refused is not None
    assert refused.budget.agents == ("robin", "wren")


@pytest.mark.anyio
async def test_what_is_asked_for_nobody_counts_for_no_person() -> None:
    budgets = Budgets(Watched().journal, [budget(per="person", tokens=1), budget(per="turn", tokens=1)])

    assert await spend(budgets, person="", turn="") is None


@pytest.mark.anyio
async def test_a_dollar_cap_means_nothing_where_nobody_knows_the_price_so_the_call_is_not_made() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(usd=1)])

    call = of_call(budgets, price=None)
    with pytest.raises(ConfigError, match=r"Nobody knows what p/m costs") as raised:
        await call.hold(10, 10)

    assert '[models."p/m"]' in raised.value.remedy
    assert call.settle(Usage(10)) == Usage(10, calls=1)
    await budgets.flush()
    assert await store.journal.spent() == ()


@pytest.mark.anyio
async def test_a_free_model_goes_on_when_all_money_is_spent() -> None:
    budgets = Budgets(Watched().journal, [budget(usd=0)])

    assert await spend(budgets) is not None
    assert await spend(budgets, price=FREE) is None


@pytest.mark.anyio
async def test_an_operator_can_let_a_call_go_beyond_one_budget_and_no_other() -> None:
    asks, refuses = budget(tokens=500, then="ask"), budget(per="person", tokens=1_500)
    store = Watched()
    budgets = Budgets(store.journal, [asks, refuses])
    call = of_call(budgets)

    refused = await call.hold(1_000, 0)
    assert refused is not None
    assert refused.budgets == (asks,)
    assert await call.hold(1_000, 0, waived=refused.budgets) is None
    call.settle(Usage(1_000))
    await budgets.flush()

    assert (await used(store, "host")).input == 1_000
    again = await of_call(budgets).hold(1_000, 0, waived=refused.budgets)
    assert again is not None
    assert again.budget == refuses


@pytest.mark.anyio
async def test_of_several_full_budgets_the_strictest_decides_and_nobody_is_asked_before_a_cheaper_model() -> None:
    asks, cheaper, refuses = (
        budget(tokens=tokens, then=then) for tokens, then in ((1, "ask"), (2, "cheaper"), (3, "refuse"))
    )
    store = Watched()

    for given, first in (([asks, cheaper, refuses], refuses), ([asks, cheaper], cheaper), ([asks], asks)):
        refused = await of_call(Budgets(store.journal, given)).hold(10, 10)
        assert refused is not None
        assert (refused.budget, refused.budgets) == (first, tuple(given))


@pytest.mark.anyio
async def test_those_that_wait_for_the_same_room_are_let_through_in_line() -> None:
    budgets = Budgets(Watched().journal, [budget(tokens=1_000)])
    first = of_call(budgets)
    assert await first.hold(0, 900) is None
    through: list[str] = []

    async def ask(name: str, tokens: int) -> None:
        call = of_call(budgets)
        assert await call.hold(tokens, 0) is None
        through.append(name)
        call.settle(Usage(50))

    async with behind(budgets), anyio.create_task_group() as group:
        for name, tokens in (("large", 800), ("small", 150), ("tiny", 90)):
            group.start_soon(ask, name, tokens)
            await anyio.wait_all_tasks_blocked()
        assert through == []  # the last would have room, and does not overtake
        first.settle(Usage(0, 100))

    assert through == ["large", "small", "tiny"]


@pytest.mark.anyio
async def test_a_call_that_waits_is_estimated_again() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(per="agent", tokens=3_000)])
    first, other = of_call(budgets), of_call(budgets, agent="wren")
    assert await first.hold(0, 2_900) is None

    async with behind(budgets), anyio.create_task_group() as group:
        waiting = of_call(budgets)
        group.start_soon(partial(waiting.hold, 200, 0, most_in=300))
        await anyio.wait_all_tasks_blocked()
        await other.hold(50, 0, most_in=60)
        other.settle(Usage(660))
        first.settle(Usage(0, 10))

    assert (await held(store, "agent", "robin")).input == 300 + 600


@pytest.mark.anyio
async def test_a_free_call_waits_for_no_other() -> None:
    budgets = Budgets(Watched().journal, [budget(usd=0.05)])
    assert await of_call(budgets).hold(0, 5_000) is None

    async with behind(budgets), anyio.create_task_group() as group:
        group.start_soon(of_call(budgets).hold, 0, 1_000)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(20):
            assert await of_call(budgets, price=FREE).hold(10, 10) is None
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_room_that_another_process_leaves_meanwhile_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store, caps = Watched(), [budget(tokens=1_000)]
    other = Budgets(store.journal, caps)
    theirs = of_call(other)
    assert await theirs.hold(0, 1_000) is None
    look = store.journal.spent

    async def just_then(**given: Any) -> Any:
        theirs.drop()
        await other.flush()
        return await look(**given)

    monkeypatch.setattr(store.journal, "spent", just_then)
    with anyio.fail_after(20):
        assert await of_call(Budgets(store.journal, caps)).hold(0, 1_000) is None


@pytest.mark.anyio
async def test_looking_for_room_outlasts_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Watched()
    look, failing = store.journal.spent, [Unavailable("The store is away.")]

    async def away_once(**given: Any) -> Any:
        if failing:
            raise failing.pop()
        return await look(**given)

    async def outlast(write: Any) -> Any:
        try:
            return await write()
        except Unavailable:
            return await write()

    monkeypatch.setattr(store.journal, "spent", away_once)
    assert await of_call(Budgets(store.journal, [budget(tokens=1)], outlast=outlast)).hold(2, 0) is not None
    assert failing == []


@pytest.mark.anyio
async def test_a_free_model_goes_on_when_more_than_all_money_is_spent() -> None:
    budgets = Budgets(Watched().journal, [budget(usd=0.001)])
    call = of_call(budgets)
    assert await call.hold(10, 10) is None
    call.settle(Usage(10_000, 10))
    await budgets.flush()

    assert await of_call(budgets).hold(1, 0) is not None
    assert await of_call(budgets, price=FREE).hold(1_000, 1_000) is None


@pytest.mark.anyio
async def test_a_budget_that_only_calls_under_way_fill_does_not_decide() -> None:
    refuses, asks = budget(tokens=1_000), budget(per="person", tokens=100, then="ask")
    budgets = Budgets(Watched().journal, [refuses, asks])
    assert await of_call(budgets, person="ben").hold(50, 0, most_in=990) is None

    refused = await of_call(budgets).hold(101, 0)

    assert refused is not None
    assert (refused.budget, refused.budgets) == (asks, (asks,))


@pytest.mark.anyio
async def test_prompts_that_turn_out_longer_than_estimated_are_estimated_higher() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100_000)], clock=Clock())
    call = of_call(budgets)
    await call.hold(1_000, 0)
    call.settle(Usage(1_500))
    await budgets.flush()

    await of_call(budgets).hold(1_000, 0)
    await of_call(budgets, model="other").hold(1_000, 0)

    assert (await held(store)).input == 1_500 + 1_000


@pytest.mark.anyio
async def test_what_a_service_bills_beyond_what_a_prompt_can_have_is_held_for_the_next_ones_too() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100_000)])
    call = of_call(budgets)
    await call.hold(1_000, 50, most_in=2_000)
    call.settle(Usage(12_000, 60))
    await budgets.flush()

    await of_call(budgets).hold(500, 50, most_in=1_000)
    await of_call(budgets, model="other").hold(500, 50, most_in=1_000)

    total = await held(store, "host")
    assert (total.input, total.output) == (11_000 + 1_000, 60 + 50)


@pytest.mark.anyio
async def test_one_prompt_of_an_unforeseen_length_does_not_keep_the_next_ones_out() -> None:
    store, clock = Watched(), Clock()
    budgets = Budgets(store.journal, [budget(tokens=100_000)], clock=clock)
    call = of_call(budgets)
    await call.hold(1_000, 0)
    call.settle(Usage(200_000))
    await budgets.flush()
    clock.advance(86_400.0)

    assert await of_call(budgets).hold(1_000, 0) is None


@pytest.mark.anyio
async def test_a_call_that_was_not_made_after_all_counts_as_nothing() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100)])
    call = of_call(budgets)
    await call.hold(10, 90)
    call.drop()
    await budgets.flush()

    assert (await held(store), await used(store)) == (Usage(), Usage())


# --- calls that fail ---------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("reason", ["auth", "rate_limit", "overloaded", "invalid", "length", "server", "connection"])
async def test_what_was_turned_away_is_not_counted_and_its_room_is_free_again(reason: str) -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100)])
    call = of_call(budgets)
    await call.hold(50, 50)

    assert call.fail(ProviderError("No.", reason=reason)) == Usage()
    await budgets.flush()

    assert await used(store) == Usage()
    assert await of_call(budgets).hold(50, 50) is None


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "received"),
    [
        (ProviderError("Too slow.", reason="timeout"), 0),
        (ProviderError("Cut.", reason="incomplete"), 0),
        (ProviderError("Broke off.", reason="server"), 3),
        (ProviderError("Hung up.", reason="connection"), 3),
        (RuntimeError("a bug"), 0),
        (None, 0),
    ],
)
async def test_what_may_have_been_billed_counts_as_all_that_was_held(error: Exception | None, received: int) -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100)])
    call = of_call(budgets)
    await call.hold(30, 20)

    call.fail(error, received)
    await budgets.flush()

    assert await used(store, "host") == await used(store, "use") == Usage(30, 20, calls=1, cost=CENT * 8 // 100)


@pytest.mark.anyio
@pytest.mark.parametrize("reason", ["connection", "server", "overloaded", "rate_limit", "length"])
@pytest.mark.parametrize(
    ("told", "counted"),
    [(Usage(), Usage(40, 20, calls=1)), (Usage(35, 1, 10, 1, 5), Usage(35, 20, 10, 1, 5))],
)
async def test_an_answer_that_had_begun_may_be_billed_whatever_ended_it(
    reason: str, told: Usage, counted: Usage
) -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100)])
    call = of_call(budgets, price=FREE)
    await call.hold(30, 20, most_in=40)

    call.fail(ProviderError("No more.", reason=reason), told=told)
    await budgets.flush()

    assert await used(store, "host") == counted


@pytest.mark.anyio
async def test_without_a_budget_a_cut_answer_counts_as_its_prompt_and_what_came_of_it() -> None:
    store = Watched()
    budgets = Budgets(store.journal)
    call = of_call(budgets)
    await call.hold(300, 2_000)

    call.fail(ProviderError("Cut.", reason="incomplete"), received=7)
    await budgets.flush()

    assert await used(store) == Usage(300, 7, calls=1, cost=307 * CENT // 1000)


@pytest.mark.anyio
async def test_an_answer_that_does_not_say_what_it_used_counts_as_all_that_was_held() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100)])
    call = of_call(budgets)
    await call.hold(30, 20)

    assert call.settle(Usage()).output == 20
    unbounded = of_call(Budgets(store.journal))
    await unbounded.hold(30, 20)
    assert unbounded.settle(Usage()) == Usage(30, calls=1, cost=CENT * 3 // 100)
    unseen = of_call(Budgets(store.journal))
    await unseen.hold(0, 20)
    assert unseen.settle(Usage(), sent=40).input == 40


# --- days, restarts, configurations --------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize(("window", "seconds"), [("day", 86_400), ("month", 31 * 86_400)])
async def test_with_the_next_day_or_month_there_is_room_again(window: str, seconds: float) -> None:
    clock = Clock()
    budgets = Budgets(Watched().journal, [budget(tokens=1_500, window=window)], clock=clock)

    assert await spend(budgets) is None
    assert await spend(budgets) is not None
    clock.advance(seconds)
    assert await spend(budgets) is None


@pytest.mark.anyio
async def test_days_are_those_of_the_zone() -> None:
    store = Watched()
    clock = Clock(datetime(2027, 1, 31, 23, 30, tzinfo=UTC).timestamp())

    await spend(Budgets(store.journal, [budget(tokens=9_999)], zone="Europe/Berlin", clock=clock))

    assert {each.window for each in await store.journal.spent()} == {"2027-02-01"}


@pytest.mark.anyio
async def test_a_call_counts_where_it_began_whatever_the_clock_does_meanwhile() -> None:
    store = Watched()
    clock = Clock()
    budgets = Budgets(store.journal, [budget(tokens=9_999)], clock=clock)
    call = of_call(budgets)
    clock.advance(86_400)
    await call.hold(10, 10)
    clock.advance(-10 * 86_400)

    call.settle(Usage(10, 10))
    await budgets.flush()

    assert {each.window for each in await store.journal.spent()} == {"2026-01-01"}


@pytest.mark.anyio
async def test_a_restart_forgets_neither_what_was_used_nor_a_call_that_was_never_settled() -> None:
    store = Watched()
    caps = [budget(tokens=2_500)]
    first = Budgets(store.journal, caps)
    await spend(first)
    assert await of_call(first).hold(0, 1_000) is None  # and then the process dies

    assert await of_call(Budgets(store.journal, caps)).hold(0, 1_000) is not None


@pytest.mark.anyio
async def test_a_changed_configuration_forgets_nothing_either() -> None:
    budgets = Budgets(Watched().journal, [budget(tokens=1_500)])
    await spend(budgets)

    budgets.configure([budget(per="person", tokens=9_999), budget(tokens=1_900, say="Later.")], "UTC")

    refused = await spend(budgets)
    assert refused is not None
    assert refused.budget.say == "Later."


@pytest.mark.anyio
async def test_a_call_that_is_cancelled_while_room_is_held_for_it_gives_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100)])
    hold = store.journal.hold

    async def written_then_cut(given: Any) -> Any:
        await hold(given)
        scope.cancel()
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope, monkeypatch.context() as patch:
        patch.setattr(store.journal, "hold", written_then_cut)
        await of_call(budgets).hold(100, 0)
    await budgets.flush()

    assert await of_call(budgets).hold(100, 0) is None


# --- writing behind ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def behind(budgets: Budgets) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        group.start_soon(budgets.run)
        yield
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_what_is_counted_is_written_behind() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100)])

    async with behind(budgets):
        call = of_call(budgets)
        await call.hold(50, 50)
        call.settle(Usage(1, 1))
        await store.writes(1)
        plain = of_call(budgets, agent="wren")
        plain.settle(Usage(1, 1))
        await store.writes(2)

    assert (await used(store, "use")).calls == 2


@pytest.mark.anyio
async def test_no_failure_of_the_store_ends_the_writing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("carrier_core.tally._AGAIN", 0.0)
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100)])
    store.broken, store.is_away = RuntimeError("a bug of the store"), False

    async with behind(budgets):
        call = of_call(budgets)
        await call.hold(50, 50)
        call.settle(Usage(20, 20))
        await store.writes(1)

    assert (await used(store, "host")).input == 20
    assert "usage_not_written" in capsys.readouterr().out


@pytest.mark.anyio
async def test_a_write_that_fails_loses_nothing_and_a_stop_writes_what_is_left() -> None:
    store = Watched()
    budgets = Budgets(store.journal, [budget(tokens=100)])
    call = of_call(budgets)
    await call.hold(50, 50)
    store.broken = Unavailable("The store is away.")
    call.settle(Usage(20, 20))

    with pytest.raises(CarrierError, match="away"):
        await budgets.flush()
    of_call(budgets).settle(Usage(5, 5))
    store.broken = None
    await budgets.flush()
    await budgets.flush()

    assert (await used(store, "use")).input == 25
    assert await held(store) == Usage()
    assert (await used(store, "host")).input == 20


@pytest.mark.anyio
async def test_a_write_outlasts_a_store_that_is_away() -> None:
    store = Watched()
    tried: list[object] = []

    async def outlast(write: Any) -> Any:
        tried.append(write)
        return await write()

    budgets = Budgets(store.journal, [budget(tokens=100)], outlast=outlast)
    call = of_call(budgets)
    await call.hold(50, 50)
    call.settle(Usage(20, 20))
    await budgets.flush()

    assert len(tried) == 2


# --- in words ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"usd": 5}, "$5.00 per day"),
        (
            {"usd": 0.005, "tokens": 12_000, "per": "person", "window": "month"},
            "$0.005 and 12,000 tokens per person and month",
        ),
        ({"tokens": 100, "per": "turn", "agents": ["robin"]}, "100 tokens per turn of robin"),
    ],
)
def test_a_budget_in_words(given: dict[str, Any], words: str) -> None:
    assert told(budget(**given)) == words
