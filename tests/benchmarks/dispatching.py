"""What one dispatch costs, for each verb and 1, 5 and 20 implementations."""

import time
from collections.abc import Awaitable, Callable

import anyio

from carrier_core.breaker import Quarantine
from carrier_core.contract import Accepts, Caller, Contract, Impl, Verb
from carrier_core.dispatch import Hooks
from carrier_core.prompts import Authorization, Ruling

ROUNDS = 300
RUNS = 5


def caller(verb: Verb, count: int, function: Callable[..., Awaitable[object]]) -> Caller:
    """A hook with so many implementations."""
    quarantine = Quarantine(time.monotonic)
    impls = [Impl(f"p{i}", "hook", function, quarantine.breaker(f"p{i}", "hook")) for i in range(count)]
    return Caller("hook", Contract(verb, 2.0, False), Accepts(object), impls)


async def answer(value: object) -> object:
    """An implementation that answers."""
    return value


async def decline(value: object) -> None:
    """An implementation that has nothing to say."""


async def allow(value: object) -> Authorization:
    """An implementation that allows."""
    return Authorization(Ruling.ALLOW)


async def inward(value: object, call: Callable[[], Awaitable[object]]) -> object:
    """A wrapper."""
    return await call()


async def nothing() -> str:
    """What is wrapped."""
    return "value"


def cases(hooks: Hooks, count: int) -> dict[str, Callable[[], Awaitable[object]]]:
    """One dispatch of each verb."""
    collected, declined = caller(Verb.COLLECT, count, answer), caller(Verb.FIRST, count, decline)
    changed, judged = caller(Verb.TRANSFORM, count, answer), caller(Verb.STRICTEST, count, allow)
    watched, wrapped = caller(Verb.OBSERVE, count, answer), caller(Verb.AROUND, count, inward)
    return {
        "collect": lambda: hooks.collect(collected, "value"),
        "first": lambda: hooks.first(declined, "value"),
        "transform": lambda: hooks.transform(changed, "value"),
        "strictest": lambda: hooks.strictest(judged, "value"),
        "observe": lambda: hooks.observe(watched, "value"),
        "around": lambda: hooks.around(wrapped, "value", call=nothing),
    }


async def microseconds(call: Callable[[], Awaitable[object]]) -> float:
    """CPU microseconds of one call, the least of several runs."""
    best = float("inf")
    for _ in range(RUNS):
        started = time.process_time()
        for _ in range(ROUNDS):
            await call()
        best = min(best, time.process_time() - started)
    return best / ROUNDS * 1e6


async def run() -> dict[str, dict[str, object]]:
    """Measure all verbs."""
    hooks = Hooks()
    results: dict[str, dict[str, object]] = {}
    results["plain_await_us"] = {"value": round(await microseconds(nothing), 2), "unit": "us CPU"}
    for count in (1, 5, 20):
        for verb, call in cases(hooks, count).items():
            value = round(await microseconds(call), 1)
            results[f"dispatch_{verb}_{count}_us"] = {"value": value, "unit": "us CPU", "samples": RUNS * ROUNDS}
    return results


def measure() -> dict[str, dict[str, object]]:
    """Measure all verbs."""
    return anyio.run(run)
