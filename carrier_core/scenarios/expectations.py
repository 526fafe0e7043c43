"""Expectations: whether an answer is as a scenario wants it, each told with what was wanted and what came."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from carrier_core.outcomes import Status
from carrier_core.prompts import Json
from carrier_core.scenarios.exchange import Call, Exchange
from carrier_core.scenarios.file import Expected, ExpectedCall

ANY_ACTION = "*"
"""In ``not_calls``: no action at all."""


class Check(msgspec.Struct, frozen=True):
    """One expectation: its key in the file, whether it was met, what was wanted and what came, in words."""

    name: str
    ok: bool
    wanted: str
    came: str


def checks_of(expected: Expected | None, exchange: Exchange) -> tuple[Check, ...]:
    """Every expectation but those that a judge has to look at. Of an answer that nothing is expected of, that it did not fail."""
    if expected is None:
        failed = exchange.status == Status.FAILED
        return (Check("status", False, "an answer, or none", exchange.status),) if failed else ()
    status = Check("status", expected.status == exchange.status, expected.status, exchange.status)
    return (
        status,
        *_of_words(expected, exchange.reply),
        *_of_calls(expected, exchange),
        *_of_bounds(expected, exchange),
    )


def _of_words(expected: Expected, reply: str) -> Iterator[Check]:
    came = reply or "no words"
    if expected.equals is not None:
        yield Check("equals", reply.strip() == expected.equals.strip(), expected.equals, came)
    folded = reply.casefold()
    for text in expected.contains:
        yield Check("contains", text.casefold() in folded, text, came)
    for text in expected.not_contains:
        yield Check("not_contains", text.casefold() not in folded, text, came)
    for pattern in expected.matches:
        yield Check("matches", _found(pattern, reply), pattern, came)
    for pattern in expected.not_matches:
        yield Check("not_matches", not _found(pattern, reply), pattern, came)


def _of_calls(expected: Expected, exchange: Exchange) -> Iterator[Check]:
    came = ", ".join(f"{call}{_how(call)}" for call in exchange.calls) or "no call"
    for wanted in expected.calls:
        yield Check("calls", any(_is(call, wanted) for call in exchange.calls), _words(wanted), came)
    for name in expected.not_calls:
        called = any(name in (ANY_ACTION, call.name) for call in exchange.calls)
        yield Check("not_calls", not called, "no action" if name == ANY_ACTION else name, came)


def _of_bounds(expected: Expected, exchange: Exchange) -> Iterator[Check]:
    length, usage = len(exchange.reply), exchange.usage
    if expected.min_characters is not None:
        yield Check("min_characters", length >= expected.min_characters, f"{expected.min_characters}", f"{length}")
    for name, most, used in (
        ("max_characters", expected.max_characters, length),
        ("max_input_tokens", expected.max_input_tokens, usage.input),
        ("max_output_tokens", expected.max_output_tokens, usage.output),
        ("max_rounds", expected.max_rounds, exchange.rounds),
    ):
        if most is not None:
            yield Check(name, used <= most, f"{most}", f"{used}")
    if expected.max_usd is not None:
        came = f"{exchange.usd:.6f}" if exchange.priced else "nobody knows the price of the model"
        yield Check("max_usd", exchange.priced and exchange.usd <= expected.max_usd, f"{expected.max_usd:g}", came)


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _is(call: Call, wanted: ExpectedCall) -> bool:
    return (
        call.name == wanted.name
        and (wanted.ok is None or call.ok is wanted.ok)
        and within(wanted.arguments, call.arguments)
        and all(
            name in call.arguments and _found(pattern, _text(call.arguments[name]))
            for name, pattern in wanted.matches.items()
        )
    )


def within(wanted: object, given: object) -> bool:
    """Whether all that is wanted is in what is given: of tables the keys that are named, of anything else the whole."""
    if isinstance(wanted, Mapping):
        return isinstance(given, Mapping) and all(
            key in given and within(value, given[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        if not isinstance(given, list) or len(wanted) != len(given):
            return False
        return all(within(*both) for both in zip(wanted, given, strict=True))
    return isinstance(wanted, bool) is isinstance(given, bool) and wanted == given  # to Python true is 1


def _text(value: Json) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _words(wanted: ExpectedCall) -> str:
    words = str(Call(wanted.name, wanted.arguments))
    words += "".join(f", {name} like {pattern}" for name, pattern in wanted.matches.items())
    return words + {None: "", True: ", carried out", False: ", not carried out"}[wanted.ok]


def _how(call: Call) -> str:
    return ", carried out" if call.ok else ", not carried out" if call.ok is False else ", not tried"
