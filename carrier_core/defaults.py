"""The default of every step: the host's own implementations, last in line, replaced like anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from carrier_core.contract import impl
from carrier_core.errors import Rejected
from carrier_core.messages import Part, Query, Recalled, Receipt, ReplyPart
from carrier_core.outcomes import Connection
from carrier_core.prompts import (
    ActionCall,
    ActionResult,
    Authorization,
    Completion,
    Decision,
    Draft,
    Evaluation,
    Json,
    Prompt,
    PromptMessage,
    State,
    Tool,
)
from carrier_core.provenance import OPERATOR, Provenance
from carrier_core.things import Action, Client, Context, Evaluator, Kind, Recaller

if TYPE_CHECKING:
    from carrier_core.turn import Turn


@impl(trylast=True)
def register_kinds() -> tuple[Kind, ...]:
    from carrier_core.kinds import Conversational, Task

    return Conversational(), Task()


@impl(trylast=True)
async def ensure_connection(turn: Turn) -> Connection:
    return Connection(turn.person, turn.room, turn.inbound.world)


@impl(trylast=True)
async def decide(turn: Turn) -> Decision:
    """Answer in a DM or over an API, and what was scheduled; elsewhere when the agent is addressed: mentioned, or
    answered to."""
    addressed = turn.addressed
    if addressed:
        return Decision(True, addressed)
    return Decision(False, "a bot that did not mention the agent" if turn.person.bot else "not addressed to the agent")


@impl(trylast=True)
async def provide_state(turn: Turn) -> State | None:
    """Everything that registered context provides, in the order of its plugins."""
    answers = await turn.hooks.collect(turn.table.methods(Context, Context.provide), turn)
    return State(tuple(part for answer in answers for part in answer.value.parts)) if answers else None


@impl(trylast=True)
async def recall(turn: Turn, query: Query) -> tuple[Recalled, ...]:
    """What the store recalls; where memory services are registered, the better score of each memory counts."""
    found = await turn.agent.memory.recall(query)
    callers = turn.table.methods(Recaller, Recaller.recall)
    if not callers.impls:
        return found
    best = {recalled.memory.id: recalled for recalled in found}
    for answer in await turn.hooks.collect(callers, query):
        for recalled in answer.value:
            if recalled.memory.id not in best or best[recalled.memory.id].score < recalled.score:
                best[recalled.memory.id] = recalled
    ranked = sorted(best.values(), key=lambda recalled: recalled.score, reverse=True)
    return tuple(ranked[: query.limit])


@impl(trylast=True)
async def assemble_prompt(turn: Turn, state: State) -> Prompt:
    """Stable text first, so that providers can cache it; then the conversation; what changes comes with the last message."""
    stable = tuple(part for part in state.parts if part.stable and not part.role)
    lines = [part for part in state.parts if part.role]
    moving = tuple(part for part in state.parts if not part.stable and not part.role)
    messages = [PromptMessage("system", stable)] if stable else []
    messages += [PromptMessage(part.role, (part,)) for part in lines]
    if moving:
        messages.append(PromptMessage("system", moving))
    if turn.inbound.schedule:
        messages.append(PromptMessage("system", (_due(turn),)))
    spoken = tuple(
        Part(
            part.text,
            "message",
            turn.origin(part),
            "user",
            turn.person.name,
            turn.memory_id,
            kind=part.kind,
            attachment=part.attachment,
        )
        for part in turn.message.content
    )
    messages.append(PromptMessage("user", spoken))
    messages += _rounds(turn)
    return Prompt(tuple(messages), await tools(turn))


def _due(turn: Turn) -> Part:
    """What the model is told of a message that nobody says now."""
    text = f"What follows was scheduled by {turn.person.name or 'somebody'} and is due now. Tell the room."
    return Part(text, "schedule", Provenance((OPERATOR,), plugin="carrier"))


def _rounds(turn: Turn) -> list[PromptMessage]:
    """What the model asked for in earlier rounds of this turn, and what came of it."""
    messages: list[PromptMessage] = []
    done = {each.name: each.value for each in turn.progress.done}
    for name, value in done.items():
        if not (name.startswith("generate/") and name.count("/") == 1 and isinstance(value, Completion)):
            continue
        messages.append(PromptMessage("assistant", value.parts, value.calls, carry=value.carry))
        for number in range(len(value.calls)):
            result = done.get(f"act/{name.removeprefix('generate/')}/{number}")
            if isinstance(result, ActionResult):
                text = result.text or ("done" if result.ok else "failed")
                part = Part(text, key="result", provenance=result.provenance)
                messages.append(PromptMessage("tool", (part,), call=result.call, failed=not result.ok))
    return messages


async def tools(turn: Turn) -> tuple[Tool, ...]:
    """The actions that can be used in this turn, as the model is offered them."""
    return tuple([_tool(cast("Action", entry.thing)) for entry in await turn.agent.actions(turn)])


def _tool(action: Action) -> Tool:
    """An action as a tool: the same object from turn to turn, so that it is encoded and weighed once."""
    known = _TOOLS.get(action)
    if known is None or known[0] is not action.description or known[1] is not action.parameters:
        described = "\n".join((action.description, *[f"Example: {each}" for each in action.examples]))
        tool = Tool(action.name, described, dict(action.parameters), action.origins)
        known = _TOOLS[action] = (action.description, action.parameters, tool)
    return known[2]


_TOOLS: WeakKeyDictionary[Action, tuple[str, Mapping[str, Json], Tool]] = WeakKeyDictionary()


@impl(trylast=True)
async def generate(turn: Turn, prompt: Prompt) -> Completion:
    """Ask the models that the prompt's class stands for, one after another until one answers."""
    return await turn.agent.host.asking.ask(turn, prompt)


@impl(trylast=True)
async def authorize(turn: Turn, call: ActionCall) -> Authorization | None:
    from carrier_core.acting import rule

    return await rule(turn, call)


@impl(trylast=True)
async def perform(turn: Turn, call: ActionCall) -> ActionResult | None:
    """Perform the registered action of that name, if it is among those that this turn may use."""
    available = await turn.agent.actions(turn)
    entry = next((entry for entry in available if getattr(entry.thing, "name", "") == call.name), None)
    if entry is None:
        names = ", ".join(sorted(str(getattr(entry.thing, "name", "")) for entry in available)) or "none"
        return ActionResult(f"{call.name} cannot be used here. There are: {names}.", ok=False)
    result = await turn.hooks.call(turn.table.method(entry, Action.perform), turn, call)
    return result if result is not None else ActionResult("done")


@impl(trylast=True)
async def evaluate(turn: Turn, draft: Draft) -> Evaluation | None:
    """The strictest verdict of the registered evaluators."""
    caller = turn.table.methods(Evaluator, Evaluator.evaluate)
    if not caller.impls:
        return None
    answers = await turn.hooks.collect(caller, turn, draft)
    ranking = ("block", "revise", "follow_up", "pass", "unknown")
    ranked = sorted(answers, key=lambda answer: ranking.index(answer.value.verdict))
    if not ranked:
        return None
    plugin, strictest = ranked[0]
    return Evaluation(strictest.verdict, strictest.feedback, strictest.evaluator or plugin, plugin)


@impl(trylast=True)
async def deliver(turn: Turn, part: ReplyPart) -> Receipt:
    """Hand a part to the client that the message came in through."""
    entry = turn.agent.host.outlet(part.client, part.room.id)
    if entry is None:
        raise Rejected(f"There is no client {part.client or 'of that name'} to deliver it.")
    receipt: Receipt | None = await turn.hooks.call(turn.table.method(entry, Client.send), part)
    if receipt is None:
        raise Rejected(f"The client {part.client} gave no receipt.")
    return receipt
