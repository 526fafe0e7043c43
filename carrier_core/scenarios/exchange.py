"""An exchange: a message and what came of it, as the record of its turn has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from carrier_core.outcomes import Status, TurnRecord
from carrier_core.prompts import ActionResult, Attempt, Completion, Finish, Json, Usage
from carrier_core.records import decode

T = TypeVar("T")

DROPPED = "dropped"
"""The status of a message that nobody took: a plugin dropped it when it came in."""

_FINE = ("answered", "declined", "passed")
_LINE = 200


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call that a model asked for; ``ok`` is None where nothing came of it, because the turn ended before."""

    name: str
    arguments: dict[str, Json]
    ok: bool | None = None
    result: str = ""

    def __str__(self) -> str:
        arguments = msgspec.json.encode(self.arguments).decode() if self.arguments else ""
        return f"{self.name}({arguments})"


class Exchange(msgspec.Struct, frozen=True):
    """What came of a message.

    ``reply`` is what the person was told, ``notice`` whether that was a sentence of the host; ``models`` are those that
    answered, as provider/model, ``rounds`` how often the agent's model was asked. ``priced`` says that the cost in ``usage``
    is known. ``seconds`` is how long the turn took.
    """

    turn: str = ""
    status: str = DROPPED
    reason: str = ""
    reply: str = ""
    notice: bool = False
    calls: tuple[Call, ...] = ()
    rounds: int = 0
    models: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    refused: bool = False
    usage: Usage = Usage()
    priced: bool = True
    seconds: float = 0.0
    troubles: tuple[str, ...] = ()

    @property
    def usd(self) -> float:
        """What its model calls cost, in US dollars."""
        return self.usage.cost / 1_000_000_000

    def why(self) -> Iterator[str]:
        """What there is to know about it where it is not as expected, a line for each."""
        told = f"{self.status}{f' ({self.reason})' if self.reason else ''}"
        if not self.turn:
            yield told
            return
        rounds = f"{self.rounds} round{'s' * (self.rounds != 1)}"
        usage = f"{self.usage.input} tokens in, {self.usage.output} out"
        yield f"turn {self.turn}: {told}, {rounds}, {usage}, {self.seconds:.1f} s"
        if self.models:
            yield f"answered by {', '.join(dict.fromkeys(self.models))}"
        for attempt in self.attempts:
            yield f"{attempt.provider}/{attempt.model} did not answer ({attempt.reason}): {attempt.message}"
        for call in self.calls:
            came = {True: "ok", False: "failed", None: "not carried out"}[call.ok]
            yield f"called {call}: {came}{f': {call.result}' if call.result else ''}"
        yield from self.troubles


def exchange_of(record: TurnRecord) -> Exchange:
    """What a turn's record says; ``priced`` is left to who knows prices."""
    outcome = record.outcome
    completions = _values(record, "generate/", Completion)
    results = _values(record, "act/", ActionResult)
    made = tuple(completions.values())
    return Exchange(
        record.id,
        str(outcome.status),
        outcome.reason,
        outcome.reply.text if outcome.reply is not None else "",
        outcome.reply is not None and outcome.reply.notice,
        tuple(_calls(completions, results)),
        len(made),
        tuple(f"{each.provider}/{each.model}" for each in made if each.provider),
        tuple(attempt for each in made for attempt in each.attempts),
        any(each.finish is Finish.REFUSED for each in made),
        outcome.usage,
        seconds=record.duration_ms / 1000,
        troubles=tuple(
            f"{ran.hook} of {ran.plugin} {ran.result}: {ran.contributed}"[:_LINE]
            for ran in record.ran
            if ran.result not in _FINE
        ),
    )


def is_asked(exchange: Exchange) -> bool:
    """Whether the agent took the message up: whatever it stayed out of without asking a model says nothing about answers."""
    return bool(exchange.usage.calls) or exchange.status not in (str(Status.SILENT), DROPPED)


def _values(record: TurnRecord, prefix: str, expected: type[T]) -> dict[str, T]:
    """The values of the turn's own steps of a sort; what hooks ask a model for has a longer name."""
    found = {}
    for step in record.steps:
        words = step.name.removeprefix(prefix).split("/")
        if step.name.startswith(prefix) and all(word.isdigit() for word in words) and bytes(step.value) != b"null":
            value = decode(step.value, object)
            if isinstance(value, expected):
                found[step.name] = value
    return found


def _calls(completions: dict[str, Completion], results: dict[str, ActionResult]) -> Iterator[Call]:
    for step, completion in completions.items():
        for number, call in enumerate(completion.calls):
            result = results.get(f"act/{step.removeprefix('generate/')}/{number}")
            if result is None:
                yield Call(call.name, call.arguments)
            else:
                yield Call(result.name or call.name, call.arguments, result.ok, result.text[:_LINE])
