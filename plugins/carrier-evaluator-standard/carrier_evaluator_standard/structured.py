"""Structured answers: a small model asked from within a hook, whose JSON is read as a struct, or else done without."""

from __future__ import annotations

import re
from typing import Generic, TypeVar

import msgspec

from carrier_core import CarrierError, Json, Part, Prompt, PromptMessage, Provenance, Turn, derive

T = TypeVar("T", bound=msgspec.Struct)

ATTEMPTS = 2
"""Times that a model is asked for an answer that can be read."""
LONGEST_ANSWER = 1_500  # tokens

_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?```\s*\Z", re.S)


class Reading(msgspec.Struct, Generic[T], frozen=True):
    """What a model answered, and the provenance of whatever is made of it."""

    value: T
    provenance: Provenance


async def ask(
    turn: Turn, messages: tuple[PromptMessage, ...], kind: type[T], schema: dict[str, Json], purpose: str
) -> Reading[T] | None:
    """Ask the class small; once more where the answer cannot be read. None, with a line in the log, where that did not help or
    no model answered: nobody is told anything wrong, and the turn goes on."""
    problem = ""
    for _ in range(ATTEMPTS):
        try:
            completion = await turn.generate(
                Prompt(messages, model="small", schema=schema, max_tokens=LONGEST_ANSWER, temperature=0.0)
            )
        except CarrierError as error:
            problem = str(error)
            break
        try:
            value = read(completion.text, kind)
        except msgspec.MsgspecError as error:
            problem = str(error)
            again = Part(f"That could not be read: {error}. Answer with the JSON object alone.", key="again")
            messages = (*messages, PromptMessage("assistant", completion.parts), PromptMessage("user", (again,)))
            continue
        return Reading(value, derive(part.provenance for part in completion.parts if part.provenance is not None))
    turn.agent.host.log.warning("model_not_understood", purpose=purpose, turn=turn.id, problem=problem)
    return None


def read(text: str, kind: type[T]) -> T:
    """The answer as a struct; a fence around it is taken off. msgspec.MsgspecError where it does not fit."""
    fenced = _FENCE.match(text)
    return msgspec.json.decode((fenced[1] if fenced else text).encode(), type=kind)


def has_model(turn: Turn) -> bool:
    """Whether a model of the class small is ready that is neither free nor a last resort: an echo understands nothing."""
    try:
        provider = turn.agent.models.chain("small")[0].provider
    except CarrierError:
        return False
    return not (provider.free or provider.last_resort)
