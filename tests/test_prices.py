"""Prices: what a model costs, by the configuration or by the table that was installed, exactly."""

import subprocess
import sys
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal

import pytest
from genai_prices import types
from hypothesis import given
from hypothesis import strategies as st

from carrier_core import Completion, Prompt, Provider, Usage
from carrier_core.prices import FREE, Empty, Price, Prices, Rates, bundled, dollars
from carrier_core.sections import ModelFacts
from carrier_core.testing import Clock

D = Decimal


class Shop(Provider):
    """A provider that is billed by a service of the table."""

    name = "shop"
    models = {}
    billed_as = "service"

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        raise NotImplementedError


class Charity(Shop):
    free = True


class Unlisted(Shop):
    billed_as = ""


class Shelf:
    """A table with one model of each sort; ``asked`` counts how often it was looked into."""

    def __init__(self) -> None:
        self.asked = 0
        cheap, dear = types.ModelPrice(input_mtok=D(1), output_mtok=D(2)), types.ModelPrice(input_mtok=D(3))
        tiers = types.TieredPrices(D(1), [types.Tier(1000, D(2)), types.Tier(9000, D(4))])
        night = types.TimeOfDateConstraint(_time(20), _time(23))
        self._prices = {
            "plain": types.ModelPrice(
                input_mtok=D(2), output_mtok=D(10), cache_read_mtok=D("0.1"), cache_write_mtok=D("2.5")
            ),
            "tiered": types.ModelPrice(input_mtok=tiers, output_mtok=D(5)),
            "nightly": [types.ConditionalPrice(prices=dear), types.ConditionalPrice(night, prices=cheap)],
            "spoken": types.ModelPrice(input_audio_mtok=D(5)),
            "vectors": types.ModelPrice(input_mtok=D("0.02")),
        }

    def find(self, service: str, model: str) -> types.ModelInfo | None:
        self.asked += 1
        prices = self._prices.get(model)
        return None if prices is None or service != "service" else _info(model, prices)


def _time(hour: int) -> object:
    from datetime import UTC, time

    return time(hour, tzinfo=UTC)


def _info(model: str, prices: object) -> types.ModelInfo:
    return types.ModelInfo(model, types.ClauseEquals(model), context_window=100_000, prices=prices)  # type: ignore[arg-type]


def prices(shelf: Shelf | None = None, clock: Clock | None = None, **facts: dict[str, float]) -> Prices:
    """With these facts about models of the shop."""
    made = {f"shop/{model}": ModelFacts.model_validate(given) for model, given in facts.items()}
    return Prices(made, clock=clock or Clock(), load=lambda: shelf or Shelf())


# --- where a price comes from ------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_table_says_what_a_model_costs_and_takes() -> None:
    known = prices()

    assert await known.price(Shop(), "plain") == Price(
        (Rates(0, 2_000_000_000, 10_000_000_000, 100_000_000, 2_500_000_000),)
    )
    assert await known.context(Shop(), "plain") == 100_000


@pytest.mark.anyio
async def test_the_configuration_goes_before_the_table() -> None:
    known = prices(plain={"input": 0.15, "output": 0.6, "context": 8_000})

    assert await known.price(Shop(), "plain") == Price((Rates(0, 150_000_000, 600_000_000, 150_000_000, 150_000_000),))
    assert await known.context(Shop(), "plain") == 8_000


@pytest.mark.anyio
async def test_the_configuration_may_correct_a_part() -> None:
    known = prices(plain={"cached": 0.05}, tiered={"output": 7})

    assert await known.price(Shop(), "plain") == Price(
        (Rates(0, 2_000_000_000, 10_000_000_000, 50_000_000, 2_500_000_000),)
    )
    tiered = await known.price(Shop(), "tiered")
    assert tiered is not None
    assert [(rates.input, rates.output) for rates in tiered.rates] == [
        (1_000_000_000, 7_000_000_000),
        (2_000_000_000, 7_000_000_000),
        (4_000_000_000, 7_000_000_000),
    ]


@pytest.mark.anyio
async def test_what_only_half_is_known_of_has_no_price() -> None:
    known = prices(mine={"input": 1.0}, yours={"input": 1.0, "output": 0.0})

    assert await known.price(Shop(), "mine") is None
    assert await known.price(Shop(), "yours") is not None


@pytest.mark.anyio
async def test_a_free_provider_costs_nothing_unless_the_operator_says_so() -> None:
    known = prices(rented={"input": 1.0, "output": 1.0})

    assert await known.price(Charity(), "plain") == FREE
    assert await known.price(Charity(), "whatever") == FREE
    assert await known.price(Charity(), "rented") != FREE


@pytest.mark.anyio
@pytest.mark.parametrize("provider", [Shop(), Unlisted()])
async def test_nobody_knows_some_models(provider: Provider) -> None:
    known = prices()

    assert await known.price(provider, "unheard-of") is None
    assert await known.context(provider, "unheard-of") is None


@pytest.mark.anyio
async def test_a_model_that_is_not_paid_by_tokens_has_no_price() -> None:
    assert await prices().price(Shop(), "spoken") is None


@pytest.mark.anyio
async def test_embeddings_have_no_output_to_pay() -> None:
    price = await prices().price(Shop(), "vectors")

    assert price is not None
    assert price.cost(Usage(1_000_000)) == 20_000_000


@pytest.mark.anyio
async def test_a_price_that_depends_on_the_hour_follows_the_clock() -> None:
    clock = Clock()  # at 10 in the morning
    known = prices(clock=clock)
    usage = Usage(1_000_000)

    by_day = await known.price(Shop(), "nightly")
    clock.advance(11 * 3600)
    by_night = await known.price(Shop(), "nightly")

    assert by_day is not None
    assert by_night is not None
    assert (dollars(by_day.cost(usage)), dollars(by_night.cost(usage))) == ("$3.00", "$1.00")
    assert await known.price(Shop(), "nightly") is by_night


@pytest.mark.anyio
async def test_a_model_is_looked_up_once_and_only_where_it_has_to_be() -> None:
    shelf = Shelf()
    known = prices(shelf, whole={"input": 1, "output": 1, "context": 1})

    await known.price(Shop(), "whole")
    await known.context(Shop(), "whole")
    assert shelf.asked == 0
    for _ in range(3):
        await known.price(Shop(), "plain")
        await known.context(Shop(), "plain")
        await known.price(Shop(), "unheard-of")
    assert shelf.asked == 2


def test_a_check_learns_whether_a_price_is_known_without_waiting() -> None:
    known = {each: Prices({}, load=Shelf).knows(Shop(), each) for each in ("plain", "nightly", "spoken", "none")}

    assert known == {"plain": True, "nightly": True, "spoken": False, "none": False}
    assert Prices({}, load=Shelf).knows(Charity(), "none")
    assert Prices({"shop/none": ModelFacts(input=1, output=2)}, load=Empty).knows(Shop(), "none")


# --- the table that is installed ---------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_installed_table_knows_models_by_their_dated_names() -> None:
    table = bundled()

    assert not isinstance(table, Empty)
    found = table.find("google", "gemini-2.0-flash-001")
    assert found is not None
    assert found.context_window
    assert table.find("google", "no-such-model") is None
    assert table.find("no-such-service", "gemini-2.0-flash") is None


def test_the_table_is_read_when_it_is_needed_and_nothing_is_fetched() -> None:
    code = """
import socket, sys, threading
import carrier_core.prices, carrier_core.budgets
assert "genai_prices" not in sys.modules
class Network(socket.socket):
    def connect(self, *args): raise SystemExit("it goes to the network")
socket.socket = Network
assert carrier_core.prices.bundled().find("google", "gemini-2.0-flash") is not None
assert "genai_prices" in sys.modules and threading.active_count() == 1
"""
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0


@pytest.mark.anyio
async def test_without_the_package_only_the_configuration_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)
    known = Prices({"shop/mine": ModelFacts(input=1.0, output=1.0)})

    assert await known.price(Shop(), "plain") is None
    assert await known.price(Shop(), "mine") is not None


# --- sums --------------------------------------------------------------------------------------------------------------------

TOKENS = st.integers(0, 10_000_000)
RATES = st.builds(Rates, st.just(0), *[st.integers(0, 10**12)] * 4)


@given(RATES, TOKENS, TOKENS, TOKENS, TOKENS)
def test_a_cost_is_exact_to_the_billionth(rates: Rates, plain: int, cached: int, stored: int, output: int) -> None:
    usage = Usage(plain + cached + stored, output, cached, 1, stored)
    exact = D(plain * rates.input + cached * rates.cached + stored * rates.stored + output * rates.output) / 1_000_000

    assert Price((rates,)).cost(usage) == exact.to_integral_value(ROUND_CEILING)


@given(RATES, TOKENS, TOKENS, st.floats(0, 1), st.floats(0, 1))
def test_no_call_costs_more_than_the_most_it_can(
    rates: Rates, tokens_in: int, output: int, cached: float, stored: float
) -> None:
    kept = int(tokens_in * cached)
    usage = Usage(tokens_in, output, kept, 1, int((tokens_in - kept) * stored))

    assert Price((rates,)).cost(usage) <= Price((rates,)).most(tokens_in, output)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tokens", "cost"), [(1_000, 1_000_000), (1_001, 2_002_000), (9_000, 18_000_000), (9_001, 36_004_000)]
)
async def test_long_prompts_have_their_own_price(tokens: int, cost: int) -> None:
    price = await prices().price(Shop(), "tiered")

    assert price is not None
    assert price.cost(Usage(tokens)) == price.most(tokens, 0) == cost


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (0, "$0.00"),
        (5_000_000_000, "$5.00"),
        (1_234_567_890_000, "$1,234.5679"),
        (12_345_678, "$0.0123"),
        (1_500, "$0.000002"),
    ],
)
def test_amounts_are_shown_as_exactly_as_it_takes(cost: int, shown: str) -> None:
    assert dollars(cost) == shown
