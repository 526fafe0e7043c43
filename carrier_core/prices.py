"""Prices: what the tokens of a model cost, and how many it takes, from the configuration or from a table that came with Carrier.

The table is the package genai-prices, as it was installed: nothing is fetched. It is read in a thread when the first model that
it may know is asked. Where the package is missing, only the configuration says what a model costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import anyio
import anyio.to_thread

from carrier_core.prompts import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

    from carrier_core.sections import ModelFacts

BILLION = 1_000_000_000
"""Of the unit in which money is counted there are so many in a US dollar."""
_MILLION = 1_000_000
_NAMES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "stored": "cache_write_mtok",
}
"""What we call a price -> what the table does."""


class Rates(NamedTuple):
    """What a million tokens cost, in billionths of a US dollar, in calls whose prompt has more than ``above`` tokens."""

    above: int
    input: int
    output: int
    cached: int
    stored: int


class Price(NamedTuple):
    """What a model costs: some services ask more where a prompt is long. The rates for the shortest prompts come first."""

    rates: tuple[Rates, ...]

    def cost(self, usage: Usage) -> int:
        """What a call has cost, in billionths of a US dollar, rounded up to a whole one."""
        rates = self._rates(usage.input)
        plain = max(0, usage.input - usage.cached - usage.stored)
        whole = plain * rates.input + usage.cached * rates.cached + usage.stored * rates.stored
        return -(-(whole + usage.output * rates.output) // _MILLION)

    def most(self, tokens_in: int, tokens_out: int) -> int:
        """What a call of that size can cost at most, however much of its prompt is written to the provider's cache."""
        rates = self._rates(tokens_in)
        dearest = max(rates.input, rates.cached, rates.stored)
        return -(-(tokens_in * dearest + tokens_out * rates.output) // _MILLION)

    def _rates(self, tokens_in: int) -> Rates:
        if len(self.rates) == 1:
            return self.rates[0]
        return next(rates for rates in reversed(self.rates) if tokens_in > rates.above or not rates.above)


FREE = Price((Rates(0, 0, 0, 0, 0),))
"""That of a model that costs nothing."""


class Billed(Protocol):
    """Who asks for money: a provider, or what has as much of one as prices need to know."""

    @property
    def name(self) -> str:
        """As in the configuration."""

    @property
    def billed_as(self) -> str:
        """As in the table; empty where it is not there."""

    @property
    def free(self) -> bool:
        """Whether it costs nothing."""


class Table(Protocol):
    """A table of prices."""

    def find(self, service: str, model: str) -> ModelInfo | None:
        """What it knows of a model; None if that is nothing."""


class _Known(NamedTuple):
    """What is known of a model. ``info`` is that of the table where its price depends on the time; ``made`` are those that came
    of it, with their sources, whose addresses would else be given to others."""

    price: Price | None
    context: int | None
    facts: ModelFacts | None
    info: ModelInfo | None
    made: dict[int, tuple[ModelPrice, Price | None]]


class Prices:
    """What models cost. ``facts`` are those of the configuration, by ``provider/model``; ``clock`` gives seconds since the
    epoch, for services that are cheaper at night or become dearer some day. ``load`` reads the table; it is called in a thread.
    """

    def __init__(
        self,
        facts: Mapping[str, ModelFacts],
        *,
        clock: Callable[[], float] = time.time,
        load: Callable[[], Table] | None = None,
    ) -> None:
        self._facts = facts
        self._clock = clock
        self._load = load or bundled
        self._loading = anyio.Lock()
        self._table: Table | None = None
        self._known: dict[tuple[str, str], _Known] = {}

    async def price(self, provider: Billed, model: str) -> Price | None:
        """What a model costs now: as the configuration says, else nothing with a free provider, else as the table says. None
        where nobody knows."""
        known = self._known.get((provider.name, model)) or await self._look_up(provider, model)
        return known.price if known.info is None else self._dated(known, known.info)

    async def context(self, provider: Billed, model: str) -> int | None:
        """How many tokens prompt and answer may have together; None where nobody knows."""
        known = self._known.get((provider.name, model)) or await self._look_up(provider, model)
        return known.context

    def knows(self, provider: Billed, model: str) -> bool:
        """Whether it is known what a model costs. The table is read here and now: this is for a check before anything runs."""
        if self._table is None and self._wants_table(provider, model):
            self._table = self._load()
        known = self._found(provider, model)
        return known.price is not None or known.info is not None

    async def _look_up(self, provider: Billed, model: str) -> _Known:
        if self._wants_table(provider, model):
            async with self._loading:
                if self._table is None:
                    self._table = await anyio.to_thread.run_sync(self._load)
        return self._found(provider, model)

    def _wants_table(self, provider: Billed, model: str) -> bool:
        return bool(provider.billed_as) and not _says_all(self._facts.get(f"{provider.name}/{model}"))

    def _found(self, provider: Billed, model: str) -> _Known:
        facts = self._facts.get(f"{provider.name}/{model}")
        table = self._table if self._wants_table(provider, model) else None
        info = None if table is None else table.find(provider.billed_as, model)
        context = facts.context if facts is not None and facts.context else info.context_window if info else None
        price = FREE if provider.free else None
        if price is None and info is not None and not isinstance(info.prices, list):
            price = _price(info.prices)
        dated = info if price is None and info is not None and isinstance(info.prices, list) else None
        known = _Known(_corrected(price, facts), context, facts, dated, {})
        self._known[provider.name, model] = known
        return known

    def _dated(self, known: _Known, info: ModelInfo) -> Price | None:
        prices = info.get_prices(datetime.fromtimestamp(self._clock(), UTC))
        made = known.made.get(id(prices))
        if made is None:
            made = known.made[id(prices)] = (prices, _corrected(_price(prices), known.facts))
        return made[1]


# --- the table -----------------------------------------------------------------------------------------------------------


class Bundled:
    """The table that was installed."""

    def __init__(self) -> None:
        from genai_prices.data import providers
        from genai_prices.data_snapshot import DataSnapshot

        self._snapshot = DataSnapshot(providers, from_auto_update=False)

    def find(self, service: str, model: str) -> ModelInfo | None:
        """What it knows of a model."""
        try:
            return self._snapshot.find_provider_model(model, None, service, None)[1]
        except LookupError:
            return None


class Empty:
    """A table in which nothing stands."""

    def find(self, service: str, model: str) -> ModelInfo | None:
        """Nothing."""
        return None


def bundled() -> Table:
    """The table that was installed, if one was."""
    try:
        return Bundled()
    except ImportError:
        return Empty()


def _price(prices: ModelPrice) -> Price | None:
    """A price of the table; None where a model is not paid by tokens. What is not there of the output costs nothing, as with
    embeddings; of the cache, as much as other input."""
    given = {ours: vars(prices).get(theirs) for ours, theirs in _NAMES.items()}
    if given["input"] is None:
        return None
    starts = {0, *(tier.start for each in given.values() for tier in getattr(each, "tiers", ()))}
    return Price(tuple(_rates(given, above) for above in sorted(starts)))


def _rates(given: Mapping[str, object], above: int) -> Rates:
    values = {name: None if each is None else _per_million(_tier(each, above)) for name, each in given.items()}
    dear = values["input"] or 0
    cached, stored = (dear if values[name] is None else values[name] for name in ("cached", "stored"))
    return Rates(above, dear, values["output"] or 0, cached or 0, stored or 0)


def _tier(given: Any, above: int) -> Decimal:
    """The price that holds in calls whose prompt is longer than this."""
    found = getattr(given, "base", given)
    for tier in getattr(given, "tiers", ()):
        if tier.start <= above:
            found = tier.price
    return Decimal(found)


def _per_million(dollars: Decimal) -> int:
    return int((dollars * BILLION).to_integral_value(ROUND_CEILING))


# --- the configuration ---------------------------------------------------------------------------------------------------


def _says_all(facts: ModelFacts | None) -> bool:
    return facts is not None and None not in (facts.input, facts.output, facts.context)


def _corrected(price: Price | None, facts: ModelFacts | None) -> Price | None:
    """A price with what the operator says about it: all of it, or, of a price that is known, a part."""
    if facts is None:
        return price
    given = {name: getattr(facts, name) for name in _NAMES}
    said = {name: billionths(value) for name, value in given.items() if value is not None}
    if price is None and not ("input" in said and "output" in said):
        return None
    if "input" in said:
        said = {"cached": said["input"], "stored": said["input"]} | said
    return Price(tuple(rates._replace(**said) for rates in (price or FREE).rates))


def billionths(dollars: float) -> int:
    """An amount of the configuration, as it is written there, in billionths of a US dollar."""
    return _per_million(Decimal(repr(dollars)))


def dollars(cost: int) -> str:
    """An amount of money, given in billionths of a dollar, to the cent or as much more exactly as a small one needs."""
    digits = 4 if cost >= BILLION // 100 else 6
    whole, _, rest = f"{cost / BILLION:,.{digits}f}".partition(".")
    return f"${whole}.{rest.rstrip('0').ljust(2, '0')}"
