"""Recording: a turn's steps as they are kept while it runs, and the whole of it for ``why`` when it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from carrier_core.errors import CarrierError
from carrier_core.journal import Journal, StoredPart
from carrier_core.ledger import Ledger, composed_of, digests_of
from carrier_core.outcomes import Composition, Outcome, Ran, StepRecord, TurnRecord
from carrier_core.prompts import Completion, Composed, Prompt, State
from carrier_core.records import VERSIONS, decode, encode

if TYPE_CHECKING:
    from carrier_core.turn import Turn


class Done(NamedTuple):
    """A step that was done: its name, when it began, its milliseconds, its value, whether its effect is in doubt."""

    name: str
    at: float
    duration_ms: float
    value: object
    in_doubt: bool = False


_NOTHING = msgspec.Raw(b"null")


def steps_of(
    done: Iterable[Done], used: Iterable[str], ledger: Ledger
) -> tuple[tuple[StepRecord, ...], tuple[StoredPart, ...]]:
    """Steps with all that is needed to go on after them, and the parts that they name and that are not stored yet."""
    new: dict[str, StoredPart] = {}
    steps = []
    for each in done:
        value = each.value
        if isinstance(value, Composed):
            value = ledger.composition(value, used, new)
        if isinstance(value, msgspec.Struct) and type(value) in VERSIONS:
            raw = msgspec.Raw(encode(value))
            steps.append(StepRecord(each.name, each.at, round(each.duration_ms, 3), raw, each.in_doubt))
    return tuple(steps), tuple(new.values())


async def value_of(step: StepRecord, journal: Journal) -> tuple[object, tuple[str, ...]]:
    """The value of a recorded step, and the memories that went into it. CarrierError where it cannot be read any more."""
    value = decode(step.value, object)
    if not isinstance(value, Composition):
        return value, ()
    parts = {found.digest: found.part for found in await journal.parts(digests_of(value))}
    try:
        return composed_of(value, parts), value.used
    except KeyError as error:
        raise CarrierError(f"A part of the recorded step {step.name} is gone ({error.args[0]}).") from error


def opened(turn: Turn, outcome: Outcome) -> TurnRecord:
    """The turn as it is kept while it runs: without what it did."""
    return TurnRecord(
        turn.id,
        turn.agent.name,
        turn.room.id,
        turn.person.id,
        turn.client,
        turn.seqs,
        turn.started,
        outcome,
        seed=turn.seed,
        generation=turn.table.generation,
        superseded=turn.superseded,
    )


def ended(turn: Turn, outcome: Outcome, digests: tuple[str, ...], *, trace: bool = True) -> TurnRecord:
    """The turn as it is kept when it has ended; its trace is added when it is whole."""
    return TurnRecord(
        turn.id,
        turn.agent.name,
        turn.room.id,
        turn.person.id,
        turn.client,
        turn.seqs,
        turn.started,
        outcome,
        round((time.perf_counter() - turn.clock) * 1000, 3),
        _steps(turn, digests) if trace else (),
        tuple(
            [Ran(r.step, r.hook, r.plugin, round(r.seconds * 1000, 3), r.result, describe(r.value)) for r in turn.trace]
        )
        if trace
        else (),
        tuple(turn.used),
        digests,
        turn.seed,
        turn.table.generation,
        turn.superseded,
    )


def _steps(turn: Turn, digests: tuple[str, ...]) -> tuple[StepRecord, ...]:
    """The steps that were done, before them those that an earlier process recorded and this one did not come to again."""
    done = turn.progress.done
    said = completions_of((each.name, each.value) for each in done)
    steps = []
    for each in done:
        value = each.value
        if isinstance(value, Composed):
            try:
                value = turn.agent.ledger.outline(value.prompt, digests, said, alone=len(turn.prompts) == 1)
            except KeyError:
                pass  # a prompt that no model was asked, as the turn was stopped there: it is not kept
        steps.append(StepRecord(each.name, each.at, round(each.duration_ms, 3), _kept(value), each.in_doubt))
    resumed = turn.progress.resumed
    if resumed is None:
        return tuple(steps)
    names = {step.name for step in steps}
    left = [step for step in resumed.record.steps if step.name not in names]
    earlier = [msgspec.structs.replace(s, value=_NOTHING) if s.name.startswith("compose/") else s for s in left]
    return (*earlier, *steps)


def completions_of(steps: Iterable[tuple[str, object]]) -> dict[int, Completion]:
    """What the model answered in each round, by the names and values of a turn's steps."""
    return {
        int(name.removeprefix("generate/")): value
        for name, value in steps
        if isinstance(value, Completion) and name.startswith("generate/") and name.count("/") == 1
    }


def _kept(value: object) -> msgspec.Raw:
    """The record of a step's value; what the turn itself keeps is not kept again."""
    if isinstance(value, msgspec.Struct) and type(value) in VERSIONS and not isinstance(value, Outcome):
        return msgspec.Raw(encode(value))
    return _NOTHING


def describe(value: object) -> str:
    """What an implementation answered, in a line of at most 200 characters."""
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    elif isinstance(value, State):
        keys = dict.fromkeys([part.key for part in value.parts])
        text = ", ".join([key or "text" for key in keys]) + f" ({len(value.parts)} parts)"
    elif isinstance(value, Prompt):
        text = f"{len(value.messages)} messages, {len(value.tools)} tools"
    elif isinstance(value, tuple):
        text = f"{len(value)} items"
    elif hasattr(value, "text") and isinstance(value.text, str):
        calls = "".join(f" +{call.name}()" for call in getattr(value, "calls", ()))
        text = f"{value.text}{calls}"
    else:
        named = [f"{key}={getattr(value, key)}" for key in _TELLING if getattr(value, key, None) not in (None, "")]
        text = " ".join(named) or type(value).__name__
    return text if len(text) <= 200 else text[:199] + "…"


_TELLING = ("answer", "ruling", "verdict", "status", "reason", "feedback", "native")
