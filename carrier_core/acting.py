"""Acting, step 5 of the loop: the calls that a model asked for are judged, carried out once, and answered to the model."""

from __future__ import annotations

from functools import partial

import anyio
import msgspec

from carrier_core import specs
from carrier_core.contract import CORE
from carrier_core.errors import CarrierError, InDoubt
from carrier_core.journal import Intent
from carrier_core.messages import NotSent, Unknown, make_id
from carrier_core.policy import judge
from carrier_core.prompts import ActionCall, ActionResult, Authorization, Completion, Effect, Ruling
from carrier_core.provenance import Provenance, derive, outside
from carrier_core.things import Action
from carrier_core.turn import Turn


async def process_actions(turn: Turn, completion: Completion) -> tuple[ActionResult, ...]:
    """Perform what the model asked for, call after call; a refusal or failure is a result that the model is told."""
    results = []
    for number, asked in enumerate(completion.calls):
        name = f"act/{turn.round}/{number}"
        call = msgspec.structs.replace(_resolved(turn, asked), key=make_id("effect", turn.id, name))
        if effect_of(turn, call) is Effect.READ:
            results.append(await turn.progress.run(name, partial(_read, turn, call)))
        else:
            allow, carry_out = partial(_refused, turn, call), partial(_carried_out, turn, call)
            results.append(await turn.progress.effect(name, _words(call), _seconds(turn, call), allow, carry_out))
    turn.calls += completion.calls
    turn.results += tuple(results)
    return tuple(results)


def _resolved(turn: Turn, call: ActionCall) -> ActionCall:
    """The call under the action's own name, where a model wrote it in capitals or used a simile: before it is judged."""
    entries = turn.table.things(Action)
    wanted = call.name.casefold()
    for matches in (lambda action: [action.name], lambda action: action.similes):
        for entry in entries:
            if isinstance(entry.thing, Action) and wanted in [name.casefold() for name in matches(entry.thing)]:
                return call if entry.thing.name == call.name else msgspec.structs.replace(call, name=entry.thing.name)
    return call


async def _read(turn: Turn, call: ActionCall) -> ActionResult:
    refused = await _refused(turn, call)
    return refused if refused is not None else await _performed(turn, call)


async def _refused(turn: Turn, call: ActionCall) -> ActionResult | None:
    """What the model is told instead, where the policy does not allow the call. Nothing lies between this and the effect."""
    authorization = await turn.hooks.strictest(turn.table.caller(specs.authorize), turn, call)
    if authorization is None:
        authorization = Authorization(Ruling.DENY, "nobody judged it")
    if authorization.ruling is Ruling.ALLOW:
        return None
    return _ended(turn, call, ActionResult(f"{call.name} was not allowed: {authorization.reason}.", ok=False))


async def _performed(turn: Turn, call: ActionCall) -> ActionResult:
    """The result of the call, or how it failed. InDoubt where nobody can tell."""
    try:
        answer = await turn.hooks.first(turn.table.caller(specs.perform), turn, call)
    except InDoubt:
        raise
    except CarrierError as error:
        result = ActionResult(f"{call.name} failed: {error.message}", ok=False)
    else:
        result = answer.value if answer else ActionResult(f"There is no action {call.name}.", ok=False)
    return _ended(turn, call, result)


async def _carried_out(turn: Turn, call: ActionCall, earlier: Intent | None) -> ActionResult:
    """The result of an effect, once: what an ``earlier`` attempt came to is asked for before anything is done again."""
    if earlier is not None:
        known = await _settled(turn, call, earlier, again=True)
        if known is not None:
            return known
        refused = await _refused(turn, call)
        if refused is not None:
            return refused
    for again in (True, False):
        try:
            return await _performed(turn, call)
        except InDoubt:
            known = await _settled(turn, call, None, again=again)
            if known is not None:
                return known
    return _ended(turn, call, ActionResult(f"{call.name} was not carried out.", ok=False))


async def _settled(turn: Turn, call: ActionCall, earlier: Intent | None, *, again: bool) -> ActionResult | None:
    """What became of a call in doubt: its result, None if it can be performed ``again``, or that nobody knows."""
    host = turn.agent.host
    entry = turn.table.thing(Action, call.name)
    action = entry.thing if entry is not None and isinstance(entry.thing, Action) else None
    if action is not None and action.idempotent and again:
        return None
    if earlier is not None and not host.store.exclusive:  # whoever began it may still be at it
        await anyio.sleep(max(0.0, earlier.deadline - host.clock()))
    found: ActionResult | NotSent | Unknown | None = None
    if entry is not None and action is not None:
        try:
            found = await turn.hooks.call(turn.table.method(entry, Action.find), turn, call)
        except CarrierError as error:
            host.log.warning("doubt_not_settled", turn=turn.id, action=call.name, error=error.message)
    if isinstance(found, ActionResult):
        return _ended(turn, call, found)
    if isinstance(found, NotSent):
        return None
    turn.progress.doubt()
    host.log.error("action_in_doubt", turn=turn.id, agent=turn.agent.name, action=call.name, key=call.key)
    return _ended(turn, call, unknown(call.name))


def unknown(action: str) -> ActionResult:
    """The result of an effect of which nobody knows whether it happened."""
    text = f"It is not known whether {action} was carried out. The operator was told; do not repeat it unasked."
    return ActionResult(text, ok=False)


def _ended(turn: Turn, call: ActionCall, result: ActionResult) -> ActionResult:
    provenance = result.provenance or derive(_inputs(call), plugin="carrier", hook="perform")
    turn.emit("action_performed", name=call.name, ok=result.ok)
    return msgspec.structs.replace(result, call=call.id, name=call.name, provenance=provenance)


def _words(call: ActionCall) -> str:
    """The call for a person who has to look after it."""
    text = f"{call.name}({', '.join(f'{key}={value!r}' for key, value in call.arguments.items())})"
    return text if len(text) <= _WORDS else text[: _WORDS - 1] + "…"


def _seconds(turn: Turn, call: ActionCall) -> float:
    """How long the effect may take: the longer of the hook's and the action's own budget."""
    callers = [turn.table.caller(specs.perform)]
    entry = turn.table.thing(Action, call.name)
    if entry is not None:
        callers.append(turn.table.method(entry, Action.perform))
    return max(turn.hooks.budgets.get(caller.hook, caller.budget) for caller in callers)


_WORDS = 500  # characters of a call that are kept for a person


def _inputs(call: ActionCall) -> tuple[Provenance, ...]:
    """A result that says nothing of its origin comes from outside, and from whatever led to the call."""
    result = Provenance((outside(f"action/{call.name}"),))
    return (result,) if call.provenance is None else (call.provenance, result)


def effect_of(turn: Turn, call: ActionCall) -> Effect:
    """What a call does to the world, as far as anybody said."""
    entry = turn.table.thing(Action, call.name)
    if entry is not None and isinstance(entry.thing, Action):
        return entry.thing.effect
    if turn.table.has(specs.perform, beside=CORE):
        return Effect.EXTERNAL  # some plugin may perform it, and nobody has said what it does
    return Effect.READ  # nobody can perform it, which the model is told


def rule(turn: Turn, call: ActionCall) -> Authorization | None:
    """The policy's own ruling, the default of ``authorize``."""
    return judge(call.name, effect_of(turn, call), turn.agent.host.config.settings.policy.allow)
