"""Telling: how scenarios went, in lines for a person. Whoever shows them makes control characters visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from carrier_core.prompts import Json
from carrier_core.scenarios.runner import Result, Tried

_SHOWN = 300  # characters of what was wanted and of what came


def row_of(result: Result) -> tuple[str, ...]:
    """A result as a row of a table, in the columns of ``HEAD``."""
    checks = [check for tried in result.tried for check in tried.checks]
    usage = result.usage
    return (
        "passed" if result.ok else "FAILED",
        result.scenario,
        result.agent,
        model_of(result),
        f"{sum(check.ok for check in checks)}/{len(checks)}",
        f"{usage.input}/{usage.output}",
        dollars(result),
        f"{sum(tried.exchange.seconds for tried in result.tried):.1f}",
    )


HEAD = ("", "SCENARIO", "AGENT", "MODEL", "MET", "TOKENS", "USD", "SECONDS")


def summary_of(results: Sequence[Result]) -> str:
    """All results in a sentence."""
    passed = sum(result.ok for result in results)
    judging = sum(result.judging.input + result.judging.output for result in results)
    return f"{passed} of {len(results)} passed." + (f" The judge used {judging} tokens." if judging else "")


def model_of(result: Result) -> str:
    """The model that was asked for, else those that answered."""
    answered = dict.fromkeys(name for tried in result.tried for name in tried.exchange.models)
    return result.model or ", ".join(answered) or "its own"


def dollars(result: Result) -> str:
    """What the turns cost; a question mark where nobody knows."""
    if not all(tried.exchange.priced for tried in result.tried):
        return "?"
    return f"{sum(tried.exchange.usd for tried in result.tried):.4f}"


def failure_of(result: Result) -> Iterator[str]:
    """Why a result is no pass: each expectation that was not met, with what was wanted, what came, and how it came about."""
    again = f", run {result.run}" if result.run > 1 else ""
    yield f"{result.scenario}, agent {result.agent}, model {model_of(result)}{again} ({result.file}:{result.line})"
    for number, tried in enumerate(result.tried, 1):
        if not tried.ok:
            yield from (f"  {line}" for line in _of(tried, number, result.state))
    if result.error:
        yield f"  it went no further: {result.error}"


def _of(tried: Tried, number: int, state: str) -> Iterator[str]:
    yield f"message {number} (line {tried.line}), {tried.person} in {tried.room}: {_cut(tried.say)}"
    for check in tried.checks:
        if not check.ok:
            yield f"  {check.name}: wanted {_cut(check.wanted)}"
            yield f"  {' ' * len(check.name)}  came {_cut(check.came)}"
    if tried.exchange.reply and not any(check.came == tried.exchange.reply for check in tried.checks if not check.ok):
        yield f"  the answer: {_cut(tried.exchange.reply)}"
    yield from (f"  {_cut(line)}" for line in tried.exchange.why())
    if state and tried.exchange.turn:
        yield f"  more: carrierd why {tried.exchange.turn[:12]} --state {state}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


# --- as JSON, version 1 --------------------------------------------------------------------------------------------------


def json_of(result: Result) -> dict[str, Json]:
    """A result as ``carrierd scenario run --json`` has it. Within a version keys are only added."""
    return {
        "ok": result.ok,
        "scenario": result.scenario,
        "file": result.file,
        "line": result.line,
        "agent": result.agent,
        "model": result.model,
        "run": result.run,
        "error": result.error,
        "state": result.state,
        "answers": [_json_of(tried) for tried in result.tried],
    }


def _json_of(tried: Tried) -> dict[str, Json]:
    exchange = tried.exchange
    usage = exchange.usage
    return {
        "ok": tried.ok,
        "line": tried.line,
        "person": tried.person,
        "room": tried.room,
        "say": tried.say,
        "turn": exchange.turn,
        "status": exchange.status,
        "reason": exchange.reason,
        "reply": exchange.reply,
        "notice": exchange.notice,
        "calls": [
            {"name": call.name, "arguments": call.arguments, "ok": call.ok, "result": call.result}
            for call in exchange.calls
        ],
        "models": list(exchange.models),
        "rounds": exchange.rounds,
        "usage": {"input": usage.input, "output": usage.output, "cached": usage.cached, "calls": usage.calls},
        "usd": exchange.usd if exchange.priced else None,
        "seconds": exchange.seconds,
        "score": tried.score,
        "opinion": tried.opinion,
        "checks": [
            {"name": check.name, "ok": check.ok, "wanted": check.wanted, "came": check.came} for check in tried.checks
        ],
    }
