"""``carrierd usage``: what was spent, by whatever one asks, and how full the budgets are."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from carrier_core import Connection, Entity, Room, Usage
from carrier_core.bill import bill
from carrier_core.budgets import Budgets
from carrier_core.cli import COMMANDS, main
from carrier_core.cli.usage import lines
from carrier_core.plugins import choose_store, load_plugins
from carrier_core.prices import Price, Rates
from carrier_core.sections import Budget
from carrier_core.settings import load
from carrier_core.testing import Clock, InMemoryStore
from carrier_core.windows import Windows

CONFIG = """\
[agents.robin]
models = { large = "scripted/rules" }
character = "bot"
[plugins]
enabled = ["carrier-memory-sqlite", "carrier-provider-scripted"]
[[budgets]]
usd = 0.10
[[budgets]]
per = "person"
tokens = 100_000
then = "cheaper"
"""
PRICE = Price((Rates(0, 2_000_000_000, 10_000_000_000, 200_000_000, 2_000_000_000),))
ANA = Entity.of("discord", "1", name="Ana")
ROOM = Room.of("discord", "9", name="kitchen")
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC).timestamp()


async def spend(budgets: Budgets, **given: Any) -> None:
    """A call of 1,000 tokens in, 600 of them cached, and 100 out."""
    known = {
        "agent": "robin", "turn": "t1", "person": ANA.id, "room": ROOM.id, "provider": "scripted", "model": "rules",
        "price": PRICE,
    }  # fmt: skip
    call = budgets.open(**known | given)
    assert await call.hold(1_000, 200) is None
    call.settle(Usage(1_000, 100, cached=600))
    await budgets.flush()


def told(store: InMemoryStore, *budgets: Budget, now: float = NOON, **asked: Any) -> dict[str, Any]:
    return asyncio.run(bill(store, Windows("UTC"), budgets, now, **asked))


@pytest.fixture
def store() -> InMemoryStore:
    """Two agents, three days, two models."""

    async def fill() -> InMemoryStore:
        store, clock = InMemoryStore(), Clock(NOON - 40 * 86_400)
        budgets = Budgets(store.journal, clock=clock)
        await store.memory.connect("robin", Connection(ANA, ROOM))
        await spend(budgets)
        clock.now = NOON - 86_400
        await spend(budgets, model="other")
        clock.now = NOON
        await spend(budgets)
        await spend(budgets, agent="wren", person="")
        return store

    return asyncio.run(fill())


# --- figures -----------------------------------------------------------------------------------------------------------------

ONE = {"calls": 1, "input": 1_000, "cached": 600, "stored": 0, "output": 100, "cost": 1_920_000, "usd": 0.00192}


def times(number: int) -> dict[str, float]:
    return {name: pytest.approx(value * number) for name, value in ONE.items()}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("agent", [{"agent": "robin", **times(2)}, {"agent": "wren", **times(1)}]),
        ("person", [{"person": ANA.id, "name": "Ana", **times(2)}, {"person": "", "name": "", **times(1)}]),
        ("model", [{"model": "scripted/rules", **times(2)}, {"model": "scripted/other", **times(1)}]),
        ("day", [{"day": "2026-06-14", **times(1)}, {"day": "2026-06-15", **times(2)}]),
    ],
)
def test_it_is_summed_up_by_whatever_one_asks(store: InMemoryStore, by: str, expected: list[dict[str, Any]]) -> None:
    answer = told(store, by=by)

    assert answer["rows"] == expected
    assert answer["total"] == times(3)
    assert (answer["v"], answer["from"], answer["to"], answer["zone"]) == (1, "2026-05-17", "2026-06-15", "UTC")


@pytest.mark.parametrize(
    ("asked", "calls"),
    [
        ({"days": 1}, 2),
        ({"days": 2}, 3),
        ({"days": 400}, 4),
        ({"month": "2026-06"}, 3),
        ({"month": "2026-05"}, 1),
        ({"month": "2026-04"}, 0),
        ({"agent": "robin"}, 2),
        ({"agent": "nobody"}, 0),
    ],
)
def test_it_can_be_of_some_days_a_month_or_one_agent(store: InMemoryStore, asked: dict[str, Any], calls: int) -> None:
    assert told(store, **asked)["total"]["calls"] == calls


def test_a_budget_is_told_with_its_fullest_counters() -> None:
    budgets = (
        Budget(usd=0.01),
        Budget(per="person", tokens=2_000, window="month"),
        Budget(per="turn", tokens=10_000),
        Budget(per="room", tokens=100, agents=("wren",)),
    )

    async def fill() -> InMemoryStore:
        store = InMemoryStore()
        book = Budgets(store.journal, budgets[:3], clock=Clock(NOON))
        await store.memory.connect("robin", Connection(ANA, ROOM))
        await spend(book)
        await spend(book, person="b" * 32)
        await book.open(agent="robin", turn="t1", person=ANA.id, room="", provider="p", model="m", price=PRICE).hold(
            100, 50
        )
        return store

    host, person, turn, room = told(asyncio.run(fill()), *budgets)["budgets"]

    (whole,) = host["counters"]
    assert (host["budget"], host["window"], host["most_cost"]) == ("$0.01 per day", "2026-06-15", 10_000_000)
    assert whole["full"] == pytest.approx((2 * 1_920_000 + 700_000) / 10_000_000)
    assert (whole["used"], whole["held"]) == ("$0.00384", "$0.0007")
    assert [(each["name"], each["of"], each["tokens"]) for each in person["counters"]] == [
        ("Ana", ANA.id, 1_100),
        ("", "b" * 32, 1_100),
    ]
    assert person["window"] == "2026-06"
    assert [(each["of"], each["tokens"], each["held_tokens"]) for each in turn["counters"]] == [("t1", 2_200, 150)]
    assert room["counters"] == []


def test_of_many_counters_the_fullest_are_told_and_how_many_there_are_more() -> None:
    budget = Budget(per="person", tokens=1_000_000)

    async def fill() -> InMemoryStore:
        store = InMemoryStore()
        book = Budgets(store.journal, [budget], clock=Clock(NOON))
        for number in range(8):
            for _ in range(number + 1):
                await spend(book, person=f"p{number}")
        return store

    (told_of,) = told(asyncio.run(fill()), budget)["budgets"]

    assert [each["of"] for each in told_of["counters"]] == ["p7", "p6", "p5", "p4", "p3"]
    assert told_of["more"] == 3


def test_people_read_a_table_and_how_full_each_budget_is(store: InMemoryStore) -> None:
    shown = "\n".join(lines(told(store, Budget(usd=0.01), Budget(per="person", tokens=5, then="ask"), by="person")))

    assert "By person, 2026-05-17 to 2026-06-15 (UTC):" in shown
    assert f"Ana ({ANA.id[:12]})" in shown
    assert "(nobody, or forgotten)" in shown
    assert "total" in shown
    assert "$0.00576" in shown
    assert "Budget of $0.01 per day, then refuse:\n  all  0% full: $0.00 used" in shown
    assert "Budget of 5 tokens per person and day, then ask: nothing is used." in shown


def test_where_nothing_was_called_it_says_so() -> None:
    assert lines(told(InMemoryStore(), days=1)) == ["No model was called, 2026-06-15 (UTC)."]
    assert lines(told(InMemoryStore(), month="2026-05")) == ["No model was called, in 2026-05 (UTC)."]


# --- the command -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, in which the command runs."""
    for name in [name for name in os.environ if name.startswith("CARRIER_") or name.endswith(("_API_KEY", "_TOKEN"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    (tmp_path / "config" / "characters").mkdir(parents=True)
    (tmp_path / "config" / "carrier.toml").write_text(CONFIG)
    (tmp_path / "config" / "characters" / "bot.toml").write_text('name = "Bot"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def carrierd(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs ``carrierd usage``; returns its exit code and what it printed."""

    def carrierd(*args: str) -> tuple[int, str, str]:
        code = main(["usage", *args])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    yield carrierd
    structlog.reset_defaults()


async def _live(folder: Path) -> None:
    """Two calls in the store of the folder, today."""
    config = load(folder / "config" / "carrier.toml", os.environ)
    store = choose_store(config, load_plugins(config))
    (folder / "state").mkdir()
    await store.open(folder / "state")
    try:
        await store.memory.connect("robin", Connection(ANA, ROOM))
        budgets = Budgets(store.journal, config.settings.budgets, clock=time.time)
        await spend(budgets)
        await spend(budgets)
    finally:
        await store.close()


def test_it_is_a_command() -> None:
    assert "usage" in COMMANDS


def test_the_command_reads_the_store_of_the_configuration(carrierd: Callable[..., Any], folder: Path) -> None:
    asyncio.run(_live(folder))

    code, out, err = carrierd("--days", "2", "--by", "person")
    assert (code, err) == (0, "")
    assert "Ana" in out
    assert "2,000" in out
    assert "4% full: $0.0038 used" in out.replace("$0.00384", "$0.0038")

    code, out, err = carrierd("--json", "--agent", "robin")
    answer = json.loads(out)
    assert answer["total"]["calls"] == 2
    assert [each["budget"] for each in answer["budgets"]] == ["$0.10 per day", "100,000 tokens per person and day"]
    assert answer["budgets"][1]["counters"][0]["name"] == "Ana"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--days", "0"], "--days must be from 1 to 400"),
        (["--month", "June"], "June is no month"),
        (["--month", "2026-13"], "is no month"),
        (["--by", "moon"], "invalid choice"),
        (["--days", "3", "--month", "2026-01"], "not allowed with"),
    ],
)
def test_wrong_usage_is_said(carrierd: Callable[..., Any], args: list[str], said: str) -> None:
    code, _, err = carrierd(*args)

    assert code == 64
    assert said in err


def test_without_a_store_it_says_that_there_is_none(carrierd: Callable[..., Any]) -> None:
    assert carrierd()[0] == 69
