"""Acting, step 5 of the loop: the calls that a model asked for are judged, carried out once, and answered to the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import anyio
import msgspec

from carrier_core import specs
from carrier_core.approving import approved, refused_before
from carrier_core.contract import CORE
from carrier_core.errors import CarrierError, InDoubt, NotDone, Parked, Rejected, single
from carrier_core.journal import Intent
from carrier_core.messages import NotSent, PartKind, Role, Unknown, make_id
from carrier_core.policy import Case, Words, judge, plain, visible
from carrier_core.policy.case import defaults_in, foreign_to, keys_in, places_in
from carrier_core.policy.clauses import alike
from carrier_core.policy.roles import role_of
from carrier_core.policy.uses import use, used_up
from carrier_core.prompts import ActionCall, ActionResult, Authorization, Completion, Effect, Json, Ruling
from carrier_core.provenance import Provenance, derive, outside, person
from carrier_core.recording import completions_of
from carrier_core.things import Action
from carrier_core.turn import Turn

_REPEATED = 3
"""Times that one turn may make exactly the same call: a model that goes in circles is told so."""


async def process_actions(turn: Turn, completion: Completion, within: str = "") -> tuple[ActionResult, ...]:
    """Perform what the model asked for; a refusal or failure is a result that the model is told.

    Reads are performed side by side where nothing else is asked for, everything else call after call. ``within`` is the name of
    the steps where they are no round of the turn's own.
    """
    acts: list[Callable[[], Awaitable[ActionResult]]] = []
    calls = []
    effects = []
    for number, asked in enumerate(completion.calls):
        name = f"{within or f'act/{turn.round}'}/{number}"
        call = msgspec.structs.replace(_resolved(turn, asked), key=make_id("effect", turn.id, name))
        calls.append(call)
        too_many = _too_many(turn, calls)
        effects.append(Effect.READ if too_many else effect_of(turn, call))
        if effects[-1] is Effect.READ:
            acts.append(partial(turn.progress.run, name, partial(_read, turn, call, too_many)))
        else:
            allow, carry_out = partial(_refused, turn, call), partial(_carried_out, turn, call)
            words, seconds = in_words(call), _seconds(turn, call)
            acts.append(partial(turn.progress.effect, name, words, seconds, allow, carry_out))
    if len(acts) > 1 and all(effect is Effect.READ for effect in effects):
        results = await _together(turn, acts)
    else:
        results = [await act() for act in acts]
    turn.calls += completion.calls
    turn.results += tuple(results)
    return tuple(results)


async def _together(turn: Turn, acts: list[Callable[[], Awaitable[ActionResult]]]) -> list[ActionResult]:
    """Do several things side by side. Where some have to wait for a person, the others are done first."""
    results: list[ActionResult] = [ActionResult()] * len(acts)
    waiting: dict[int, Parked] = {}

    async def one(number: int) -> None:
        try:
            results[number] = await acts[number]()
        except Parked as parked:
            waiting[number] = parked

    with single():
        async with anyio.create_task_group() as group:
            for number in range(len(acts)):
                group.start_soon(one, number)
    if waiting:
        first = min(waiting)
        for number in waiting.keys() - {first}:  # they are asked when it is their turn, with all the time that there is
            turn.progress.unnote(waiting[number].step.rpartition("/")[0])
        raise waiting[first]
    return results


def _too_many(turn: Turn, calls: list[ActionCall]) -> str:
    """Why the last of these calls is one too many for the turn; empty if it is not."""
    made, last, most = (*turn.calls, *calls), calls[-1], turn.agent.calls
    if len(made) > most:
        return f"{last.name} was not carried out: a turn may make {most} calls."
    same = sum(1 for call in made if call.name == last.name and call.arguments == last.arguments)
    if same > _REPEATED:
        return f"{last.name} was not carried out: you have made exactly this call {_REPEATED} times. Do something else."
    return ""


def _resolved(turn: Turn, call: ActionCall) -> ActionCall:
    """The call under the action's own name, where a model wrote it in capitals or used a simile: before it is judged."""
    entries = turn.table.things(Action)
    if turn.table.thing(Action, call.name) is not None:
        return call
    wanted = call.name.casefold()
    for matches in (lambda action: [action.name], lambda action: action.similes):
        for entry in entries:
            if isinstance(entry.thing, Action) and wanted in [name.casefold() for name in matches(entry.thing)]:
                return call if entry.thing.name == call.name else msgspec.structs.replace(call, name=entry.thing.name)
    return call


async def _read(turn: Turn, call: ActionCall, too_many: str) -> ActionResult:
    refused = await _ended(turn, call, _no(call, too_many)) if too_many else await _refused(turn, call)
    try:
        return refused if refused is not None else await _performed(turn, call)
    except InDoubt as error:  # nothing was changed, so it simply failed
        return await _ended(turn, call, ActionResult(f"{call.name} failed: {error.message}", ok=False))


async def _refused(turn: Turn, call: ActionCall) -> ActionResult | None:
    """What the model is told instead, where the call cannot be made or the policy does not allow it. Nothing lies between this
    and the effect."""
    unfit = await _unfit(turn, call)
    if unfit:
        return await _ended(turn, call, _no(call, unfit))
    authorization = await turn.hooks.strictest(turn.table.caller(specs.authorize), turn, call)
    if authorization is None:
        authorization = Authorization(Ruling.DENY, "nobody judged it")
    reason = authorization.reason
    if authorization.ruling is Ruling.ASK:
        full = await used_up(turn, call, effect_of(turn, call))  # nobody is asked for what cannot be done
        reason = full or await approved(turn, call, authorization, in_words(call, whole=True))
    elif authorization.ruling is Ruling.ALLOW:
        reason = await refused_before(turn)
    reason = reason or await use(turn, call, effect_of(turn, call))
    return await _ended(turn, call, _no(call, f"{call.name} was not allowed: {reason}.")) if reason else None


async def _unfit(turn: Turn, call: ActionCall) -> str:
    """Why a call cannot be made, whoever allows it: there is no such action here, or its arguments are wrong."""
    entry = turn.table.thing(Action, call.name)
    if entry is None or not isinstance(entry.thing, Action):
        return ""  # some plugin may perform it all the same
    available = await turn.agent.actions(turn)
    if entry not in available:
        names = ", ".join(sorted(str(getattr(each.thing, "name", "")) for each in available)) or "none"
        return f"{call.name} cannot be used here. There are: {names}."
    try:
        problem = entry.thing.check(call.arguments)
    except (Exception, SystemExit) as error:
        turn.agent.host.log.exception("action_not_checked", action=call.name, plugin=entry.plugin, turn=turn.id)
        return f"{call.name} failed: its arguments could not be checked ({type(error).__name__})."
    return f"The arguments of {call.name} are wrong: {problem}. Correct them and call it again." if problem else ""


async def _performed(turn: Turn, call: ActionCall) -> ActionResult:
    """The result of the call, or how it failed. InDoubt where nobody can tell."""
    try:
        answer = await turn.hooks.first(turn.table.caller(specs.perform), turn, call)
    except InDoubt:
        raise
    except CarrierError as error:
        begun = not isinstance(error, (NotDone, Rejected))
        result = ActionResult(f"{call.name} failed: {error.message}", ok=False, begun=begun)
    else:
        result = answer.value if answer else _no(call, f"There is no action {call.name}.")
        result = msgspec.structs.replace(result, begun=answer is not None)
    return await _ended(turn, call, result)


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
            turn.progress.repeat()
    return await _ended(turn, call, _no(call, f"{call.name} was not carried out."))


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
        return await _ended(turn, call, found)
    if isinstance(found, NotSent):
        return None
    turn.progress.doubt()
    host.log.error("action_in_doubt", turn=turn.id, agent=turn.agent.name, action=call.name, key=call.key)
    text = f"It is not known whether {call.name} was carried out. The operator was told; do not repeat it unasked."
    return await _ended(turn, call, msgspec.structs.replace(_no(call, text), begun=True))


def _no(call: ActionCall, text: str) -> ActionResult:
    """What the host itself says of a call: nobody's words but those of whoever led to it."""
    led = () if call.provenance is None else (call.provenance,)
    return ActionResult(text, ok=False, provenance=derive(led, plugin=CORE, hook="perform"))


async def _ended(turn: Turn, call: ActionCall, result: ActionResult) -> ActionResult:
    """The result as the model is told it: bounded, and with nothing that somebody who reads this room may not know."""
    provenance = result.provenance or derive(_inputs(call), plugin=CORE, hook="perform")
    turn.emit("action_performed", name=call.name, ok=result.ok)
    if not await turn.admits(provenance.audience):
        turn.agent.host.log.warning("result_withheld", turn=turn.id, agent=turn.agent.name, action=call.name)
        withheld = _no(call, f"{call.name} has a result that not everyone in this room may know. It is withheld.")
        return msgspec.structs.replace(withheld, call=call.id, name=call.name)
    most = turn.agent.host.config.settings.limits.result_bytes
    text = _cut(result.text, most)
    data = result.data if text is result.text and _fits(result, most) else None
    say = tuple([part for part in result.say if part.provenance is None or await turn.admits(part.provenance.audience)])
    return msgspec.structs.replace(
        result, text=text, data=data, say=say, call=call.id, name=call.name, provenance=provenance
    )


def _cut(text: str, most: int) -> str:
    """A text of so many bytes at most; what is left out is said to be."""
    if len(text) * 4 <= most or len(encoded := text.encode()) <= most:
        return text
    kept = encoded[:most].decode(errors="ignore")
    return f"{kept}\n[{len(encoded) - most} bytes more were left out]"


def _fits(result: ActionResult, most: int) -> bool:
    """Whether a result's data, which is kept with the step, can be kept, and has no more bytes than that."""
    try:
        return result.data is not None and len(msgspec.json.encode(result.data)) <= most
    except (TypeError, ValueError, OverflowError, RecursionError):  # a plugin may put in anything
        return False


def in_words(call: ActionCall, *, whole: bool = False) -> str:
    """The call for a person: what cannot be seen is written out, so that nothing in it passes for anything else."""
    arguments = [f"{key}={visible(msgspec.json.encode(value).decode())}" for key, value in call.arguments.items()]
    text = f"{call.name}({', '.join(arguments)})"
    return text if whole or len(text) <= _WORDS else text[: _WORDS - 1] + "…"


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


async def rule(turn: Turn, call: ActionCall) -> Authorization | None:
    """The policy's own ruling, the default of ``authorize``."""
    settings = turn.agent.host.config.settings.policy
    return judge(await _case(turn, call), settings)


async def _case(turn: Turn, call: ActionCall) -> Case:
    """All that counts of a call."""
    entry = turn.table.thing(Action, call.name)
    action = entry.thing if entry is not None and isinstance(entry.thing, Action) else None
    own = person(turn.person.id)
    prompt = turn.prompt.parts if turn.prompt is not None else ()
    known = [part.text for part in prompt if part.provenance is not None and part.provenance.origins == (own,)]
    said = [part.text for part in turn.message.content if part.kind is PartKind.TEXT]
    said = said if turn.spoken.origins == (own,) else []  # a schedule may have been somebody else's idea
    provenance = call.provenance
    private = False
    if entry is not None and action is not None and type(action).readers is not Action.readers:
        readers = await turn.hooks.call(turn.table.method(entry, Action.readers), turn, call)
        private = readers is not None and (provenance is None or not provenance.audience.admits(readers))
    effect, character = effect_of(turn, call), turn.agent.character
    by_server = action is not None and bool(action.origins)  # which may say of its tools what it likes
    schema = action.parameters if action is not None else {}
    places = action.destination if action is not None else None
    return Case(
        turn.agent.name,
        turn.client,
        turn.room,
        turn.person,
        await role_of(turn, turn.person),  # as it is now, not as it was when the turn began
        call,
        effect,
        (call.name, *(action.similes if action is not None and not by_server else ())),
        places if places is not None else () if effect is Effect.READ and not by_server else places_in(schema),
        action.role if action is not None else Role.GUEST,
        foreign_to(turn.person, provenance.origins if provenance is not None else (outside("unknown"),)),
        Words(said),
        Words([*said, *known]),
        private,
        {} if by_server else defaults_in(schema),
        (turn.agent.name, character.name, character.username),
        keys_in(dict(schema)),
        _is_again(turn, call, places, defaults_in(schema)),
    )


def _is_again(turn: Turn, call: ActionCall, places: tuple[str, ...] | None, defaults: Mapping[str, Json]) -> bool:
    """Whether the turn has carried out a call that says the same in other words: one sentence of a person's asks for one."""
    done = {each.name: each.value for each in turn.progress.done}
    for round_, completion in completions_of(done.items()).items():
        for number, earlier in enumerate(completion.calls):
            result = done.get(f"act/{round_}/{number}")
            if not (isinstance(result, ActionResult) and result.begun and result.name == call.name):
                continue
            if places and all(_place(earlier, name) == _place(call, name) for name in places):
                return True
            if not places and alike(_said(earlier, defaults), _said(call, defaults)):
                return True
    return False


def _place(call: ActionCall, name: str) -> str:
    return plain(str(call.arguments.get(name, "")))


def _said(call: ActionCall, defaults: Mapping[str, Json]) -> Json:
    """What a call says beside what it would be without saying."""
    return [value for name, value in call.arguments.items() if name not in defaults]
