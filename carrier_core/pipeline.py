"""The loop: the seven steps of a turn, from an accepted message to what is remembered of it.

Initialisation and reception happen before a turn begins (:mod:`carrier_core.host`); the rest reads from top to bottom in
:func:`run`. Each step is named, timed and recorded; between steps only recorded values are used, so that a turn that was
cut off goes on after its last recorded step.
"""

from __future__ import annotations

from functools import partial

import anyio
import msgspec

from carrier_core import specs
from carrier_core.acting import process_actions
from carrier_core.contract import CORE
from carrier_core.errors import CarrierError, OverBudget, PluginError
from carrier_core.journal import Outgoing
from carrier_core.kinds import Exhausted, Rounds, acts_of, reached
from carrier_core.lingering import beside
from carrier_core.messages import Block, Memory, MemoryKind, Part, Question, Reply, ReplyPart, make_id
from carrier_core.outcomes import Connection, Outcome, Status
from carrier_core.prompts import (
    Completion,
    Composed,
    Decision,
    Draft,
    Evaluation,
    Finish,
    Judged,
    Prompt,
    PromptMessage,
    State,
    Verdict,
)
from carrier_core.provenance import OPERATOR, Provenance, derive
from carrier_core.things import Evaluator
from carrier_core.turn import Turn

# --- the turn --------------------------------------------------------------------------------------------------------


async def run(turn: Turn) -> Outcome:
    """All steps of a turn that has been opened, up to what is to be delivered. Raises what a step raised."""
    if not turn.message.content:
        return Outcome(Status.SILENT, reason="the message was taken back")
    decision = await turn.progress.run("decide", partial(decide, turn))
    if not decision.answer:
        return Outcome(Status.SILENT, reason=decision.reason)
    rounds = Rounds(turn.agent.kind, turn.agent.settings.limits.revisions)
    while True:
        turn.round += 1
        number = turn.round
        composed = await turn.progress.run(f"compose/{number}", partial(compose, turn, rounds.feedback, rounds.urge))
        turn.compose_with(composed)
        if number > 1:
            await turn.progress.flush()
        completion = await turn.progress.run(f"generate/{number}", partial(generate_response, turn, composed.prompt))
        if completion.calls or _lingers(turn):
            await turn.progress.flush()
        before = len(turn.calls)
        results = await process_actions(turn, completion)
        if any(result.silent for result in results):
            return Outcome(Status.SILENT, reason="the agent chose not to answer", usage=turn.usage)
        draft = rounds.draft(number, completion, results)
        verdict = await _verdict(turn, draft)
        if verdict is not None and verdict.verdict is Verdict.BLOCK:
            return Outcome(Status.BLOCKED, reason=f"{verdict.evaluator}: {verdict.feedback}", usage=turn.usage)
        if not rounds.go_on(draft, verdict, turn.agent.rounds - number):
            break
        limit = reached(turn, before)
        if limit and (turn.agent.kind.thinks or said_nothing(rounds.said)):
            raise Exhausted(limit, number)
        if limit:
            break
    if turn.agent.kind.thinks and said_nothing(rounds.said):
        raise Exhausted("the model had nothing to say", number)
    return await turn.progress.run("settle", partial(settle, turn, rounds.said, rounds.ending(draft)))


def _lingers(turn: Turn) -> bool:
    """Whether anything that may take long stands between a completion and the end of the turn, which records it anyhow."""
    specs_between = (
        specs.evaluate,
        specs.transform_reply,
        specs.transform_memory,
        specs.around_step,
        specs.around_turn,
    )
    return any(turn.table.has(spec, beside=CORE) for spec in specs_between)


# --- 3a, 3b: who spoke, and what is stored of it -------------------------------------------------------------------------


async def ensure_connection(turn: Turn) -> tuple[Connection | None, tuple[Memory, ...]]:
    """Who spoke, in which room of which world, and the memory of what was said; both are stored when the turn opens."""
    answer = await turn.hooks.first(turn.table.caller(specs.ensure_connection), turn)
    kept = [await turn.keep(memory) for memory in _said(turn)]
    return (answer.value if answer else None), tuple(memory for memory in kept if memory is not None)


def _said(turn: Turn) -> list[Memory]:
    """The memories of what was said; nobody says now what was scheduled before."""
    return [
        Memory(
            make_id("memory", turn.agent.name, inbound.message.id),
            turn.agent.name,
            turn.room.id,
            MemoryKind.MESSAGE,
            inbound.message.content,
            inbound.message.at,
            turn.told(inbound.message.content),
            entity=turn.person.id,
            name=turn.person.name,
            turn=turn.id,
            reply_to=inbound.message.reply_to,
        )
        for inbound in turn.inbounds
        if inbound.message.content and not inbound.schedule
    ]


# --- 4a: whether to answer -------------------------------------------------------------------------------------------------


async def decide(turn: Turn) -> Decision:
    """Whether to answer at all."""
    answer = await turn.hooks.first(turn.table.caller(specs.decide), turn)
    return answer.value if answer else Decision(False, "nobody decided to answer")


# --- 3c, 3d: state and prompt ------------------------------------------------------------------------------------------------


async def compose_state(turn: Turn) -> State:
    """What all context contributes, in order."""
    answers = await turn.hooks.collect(turn.table.caller(specs.provide_state), turn)
    parts = [part for answer in answers for part in answer.value.parts]
    if turn.agent.kind.brief:
        parts.append(_of_kind(turn, turn.agent.kind.brief, "brief"))
    parts.sort(key=lambda part: part.order)
    return await turn.hooks.transform(turn.table.caller(specs.transform_state), turn, State(tuple(parts)))


async def compose(turn: Turn, feedback: tuple[Evaluation, ...], urge: str = "") -> Composed:
    """The state of a round and its prompt; what evaluators want changed comes last, or what the kind of agent urges."""
    if turn.round > 1:
        turn.state = None
    state = await _admitted(turn, await turn.compose())
    answer = await turn.hooks.first(turn.table.caller(specs.assemble_prompt), turn, state)
    if answer is None:
        raise CarrierError("Nobody assembled a prompt.", remedy="Look at the failures above: assemble_prompt failed.")
    prompt = await turn.hooks.transform(turn.table.caller(specs.transform_prompt), turn, answer.value)
    if feedback:
        prompt = _with_feedback(turn, prompt, feedback)
    if urge:
        extra = PromptMessage("system", (_of_kind(turn, urge, "urge"),))
        prompt = msgspec.structs.replace(prompt, messages=(*prompt.messages, extra))
    return Composed(state, prompt)


def _of_kind(turn: Turn, text: str, key: str) -> Part:
    """What the kind of agent tells the model: in the operator's name, if it is the host's or a trusted plugin's."""
    part = Part(text, key, Provenance((OPERATOR,)), order=_BRIEF, stable=key == "brief")
    return turn.stamp.part(part, turn.agent.kind_from, "kind")


_BRIEF = -70  # before what changes from turn to turn


async def _admitted(turn: Turn, state: State) -> State:
    """The state without what somebody who reads this room may not know, whoever brought it."""
    audiences = {part.provenance.audience for part in state.parts if part.provenance is not None}
    withheld = [audience for audience in audiences if not await turn.admits(audience)]
    if not withheld:
        return state
    left = [part for part in state.parts if part.provenance is not None and part.provenance.audience in withheld]
    turn.agent.host.log.warning(
        "parts_withheld", turn=turn.id, agent=turn.agent.name, keys=sorted({part.key for part in left}), count=len(left)
    )
    return State(tuple([part for part in state.parts if part not in left]))


def _with_feedback(turn: Turn, prompt: Prompt, feedback: tuple[Evaluation, ...]) -> Prompt:
    parts = tuple(
        Part(
            f"Your last draft was not accepted: {given.feedback}",
            key="feedback",
            provenance=_of_evaluator(turn, given.plugin),
        )
        for given in feedback
    )
    extra = tuple(turn.stamp.part(part, "carrier", "evaluate") for part in parts)
    return msgspec.structs.replace(prompt, messages=(*prompt.messages, PromptMessage("system", extra)))


def _of_evaluator(turn: Turn, plugin: str) -> Provenance:
    """Whose words feedback is: the operator's, if its plugin may speak for them, and else from outside."""
    if plugin in turn.agent.trusted:
        return Provenance((OPERATOR,), turn.audience, plugin, "evaluate")
    return turn.stamp.unlabelled(plugin, "evaluate")


# --- 4b: response ------------------------------------------------------------------------------------------------------------


async def generate_response(turn: Turn, prompt: Prompt) -> Completion:
    """The completion of a round, metered, after its transforms."""
    answer = await turn.hooks.first(turn.table.caller(specs.generate), turn, prompt)
    if answer is None:
        raise CarrierError("Nobody answered the prompt.", remedy="Enable a plugin that brings a model provider.")
    turn.meter(answer.value)
    completion = await turn.hooks.transform(turn.table.caller(specs.transform_completion), turn, answer.value)
    if not completion.parts and not completion.calls and completion.finish is not Finish.REFUSED and turn.round == 1:
        raise CarrierError(
            f"{completion.provider or answer.plugin} answered with nothing.",
            remedy="Try again, or choose another model.",
        )
    return completion


# --- 5: actions, in acting.py --------------------------------------------------------------------------------------


# --- 6: evaluation --------------------------------------------------------------------------------------------------------------


async def evaluate(turn: Turn, draft: Draft) -> Judged:
    """All verdicts on a draft, each with the name of its evaluator."""
    answers = await turn.hooks.collect(turn.table.caller(specs.evaluate), turn, draft)
    return Judged(tuple([_whose(plugin, given) for plugin, given in answers]))


def _whose(plugin: str, given: Evaluation) -> Evaluation:
    """A verdict with whose it is, whatever it says itself; of the registered evaluators the host's own default has said so."""
    whose = given.plugin if plugin == CORE and given.plugin else plugin
    return Evaluation(given.verdict, given.feedback, given.evaluator or whose, whose)


async def _verdict(turn: Turn, draft: Draft) -> Evaluation | None:
    judge = partial(turn.progress.run, f"evaluate/{turn.round}", partial(evaluate, turn, draft))
    judged = await (
        beside(judge, turn.progress.flush, turn.agent.host.spawn) if turn.table.things(Evaluator) else judge()
    )
    for wanted in (Verdict.BLOCK, Verdict.REVISE, Verdict.FOLLOW_UP):
        for given in judged.evaluations:
            if given.verdict is wanted:
                return given
    return None


# --- 7: reply and memory ----------------------------------------------------------------------------------------------------------


async def settle(turn: Turn, said: tuple[Part, ...], ending: str = "") -> Outcome:
    """The reply as it is to be delivered, or why there is none; ``ending`` says how the turn ended, where its kind does."""
    if said_nothing(said):
        return Outcome(Status.SILENT, reason="the agent had nothing to say", usage=turn.usage)
    reply: object = await turn.hooks.transform(
        turn.table.caller(specs.transform_reply), turn, Reply(said, reply_to=turn.message.id)
    )
    if isinstance(reply, Block):
        return Outcome(Status.BLOCKED, reason=reply.reason, usage=turn.usage)
    assert isinstance(reply, Reply)
    return Outcome(Status.REPLIED, reply, ending, turn.usage)


def said_nothing(said: tuple[Part, ...]) -> bool:
    """Whether nothing in it can be delivered."""
    return not any(part.text.strip() or part.attachment for part in said)


async def remember_reply(turn: Turn, reply: Reply) -> tuple[Memory, ...]:
    """The memory of the agent's own words."""
    origins = [part.provenance for part in reply.parts if part.provenance is not None]
    provenance = derive(origins, plugin=CORE, hook="settle")
    memory = Memory(
        make_id("memory", turn.agent.name, turn.id, "reply"),
        turn.agent.name,
        turn.room.id,
        MemoryKind.MESSAGE,
        reply.parts,
        max(turn.now, turn.agent.host.clock()),
        msgspec.structs.replace(provenance, audience=provenance.audience & turn.audience),
        entity=turn.agent.entity(turn.room.platform).id,
        name=turn.agent.character.name,
        by_agent=True,
        turn=turn.id,
        reply_to=turn.memory_id,
    )
    kept = await turn.keep(memory)
    return () if kept is None else (kept,)


def outbox_of(turn: Turn, reply: Reply, step: str = "") -> tuple[Outgoing, ...]:
    """The reply as the client takes it: one row, key and receipt for each part; ``step`` is that of a question."""
    contents = turn.agent.split(turn.client, reply)
    parts = [
        _part(turn, reply, number, content, f"{step}/{number}" if step else str(number))
        for number, content in enumerate(contents)
    ]
    if reply.question is not None and parts:
        parts[-1] = msgspec.structs.replace(parts[-1], question=reply.question)
    return tuple([Outgoing(part) for part in parts])


def question(turn: Turn, text: str, asked: object = None) -> Reply:
    """What a turn asks before it parks: made of what it was shown, and of whatever a hook offers, or says, which comes from outside."""
    noted = [done.value for done in turn.progress.done if isinstance(done.value, Reply)]
    offered = [part.provenance for reply in noted if reply.question == asked for part in reply.parts if part.provenance]
    others = offered if asked is not None else [turn.stamp.unlabelled(CORE, "park")]
    whole = derive((turn.stamp.completion_of(turn.prompt, CORE, "park"), *others), plugin=CORE, hook="park")
    part = Part(text, key="question", provenance=whole)
    return Reply((part,), reply_to=turn.message.id, question=asked if isinstance(asked, Question) else None)


def _part(turn: Turn, reply: Reply, number: int, content: tuple[Part, ...], key: str) -> ReplyPart:
    return ReplyPart(
        make_id("reply", turn.id, key),
        turn.id,
        turn.agent.name,
        turn.room,
        content,
        client=turn.client,
        number=number,
        reply_to=reply.reply_to,
        notice=reply.notice,
        draft=turn.id if turn.progress.drafted and not number else "",
    )


async def reflect(turn: Turn, outcome: Outcome) -> tuple[Memory, ...]:
    """What is learned from the turn, after the reply."""
    caller = turn.table.caller(specs.reflect)
    if not caller.impls:
        return ()

    async def learn() -> tuple[Memory, ...]:
        learned = []
        for plugin, memories in await turn.hooks.collect(caller, turn, outcome):
            for memory in memories:
                kept = await turn.keep(_of_turn(turn, memory, plugin))
                if kept is not None:
                    learned.append(kept)
        return tuple(learned)

    return await turn.progress.run("reflect", learn)


def _of_turn(turn: Turn, memory: Memory, plugin: str) -> Memory:
    """A memory that a plugin hands in: no more trusted and no wider known than the turn that it is drawn from."""
    parts = tuple(turn.stamp.part(part, plugin, "reflect") for part in memory.content)
    drawn = derive(part.provenance for part in parts if part.provenance is not None)
    audience = drawn.audience & turn.audience & memory.provenance.audience
    return msgspec.structs.replace(
        memory,
        agent=turn.agent.name,
        turn=turn.id,
        content=parts,
        provenance=msgspec.structs.replace(drawn, audience=audience),
    )


async def within(turn: Turn) -> Outcome:
    """A whole turn within its wrappers and its time; whatever goes wrong becomes an outcome that can be shown."""
    seconds = turn.agent.seconds
    turn.can_park = True
    try:
        with anyio.fail_after(seconds):
            caller = turn.table.caller(specs.around_turn)
            if caller.impls:
                return await turn.hooks.around(caller, turn, call=partial(run, turn))
            return await run(turn)
    except TimeoutError:
        return await cut_short(turn, f"the turn took longer than {seconds:g} s", f"it has taken {seconds:g} seconds")
    except Exhausted as error:
        return await cut_short(turn, str(error), error.limit)
    except OverBudget as error:
        told = await cut_short(turn, error.message, error.say.rstrip(".") or "it may not cost more")
        if turn.calls and told.reply is not None and not told.reply.notice:
            return told
        reply = notice(error.say, turn.message.id) if error.say else None
        return Outcome(Status.BLOCKED, reply, error.message, turn.usage)
    except PluginError as error:
        return await cut_short(turn, error.message)
    except CarrierError as error:
        return await cut_short(turn, str(error))
    except Exception as error:
        turn.agent.host.log.exception("turn_raised", turn=turn.id, agent=turn.agent.name)
        return await cut_short(turn, f"{type(error).__name__}: {error}")
    finally:
        turn.can_park = False


def failed(turn: Turn, reason: str) -> Outcome:
    """The outcome of a turn that cannot be answered: the room is told, in the operator's words."""
    reply = notice(turn.agent.settings.failure, turn.message.id)
    return Outcome(Status.FAILED, reply, reason, turn.usage)


async def cut_short(turn: Turn, reason: str, limit: str = "") -> Outcome:
    """The outcome of a turn that did not come to its end: the room is told what was done, where the kind of agent has a report."""
    turn.can_park = False
    outcome = failed(turn, reason)
    calls, results = acts_of(turn.progress.done)
    try:
        text = turn.agent.kind.report(limit, calls, results)
        if not text:
            return outcome
        said = Part(text, "report", turn.stamp.completion_of(turn.prompt, CORE, "settle"))
        told = await settle(turn, (said,))
    except (Exception, SystemExit) as error:  # a guard of replies, or a plugin's kind
        turn.agent.host.log.warning("report_failed", turn=turn.id, agent=turn.agent.name, error=str(error))
        return outcome
    return msgspec.structs.replace(told, status=Status.FAILED, reason=reason) if told.reply is not None else outcome


def notice(text: str, reply_to: str = "") -> Reply:
    """A sentence of the host itself, in the operator's words."""
    part = Part(text, key="notice", provenance=Provenance((OPERATOR,), plugin="carrier"))
    return Reply((part,), reply_to, notice=True)
