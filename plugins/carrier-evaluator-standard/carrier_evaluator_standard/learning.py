"""Learning: what a turn teaches, after its reply was sent, from what was really said in it."""

from __future__ import annotations

from collections.abc import Awaitable

from carrier_core import Entity, Memory, MemoryKind, Outcome, PartKind, RoomKind, Status, Turn, make_id
from carrier_evaluator_standard.claims import claims
from carrier_evaluator_standard.extraction import extract
from carrier_evaluator_standard.facts import Teller, Told, merged, repeated
from carrier_evaluator_standard.goals import followed, said_of_goals
from carrier_evaluator_standard.ratings import rated, rating, verdict
from carrier_evaluator_standard.relationships import Heard, updated
from carrier_evaluator_standard.settings import Settings
from carrier_evaluator_standard.structured import has_model
from carrier_evaluator_standard.summary import summed_up
from carrier_evaluator_standard.ties import Tie, tag_of, ties

KNOWN = 200
"""Memories of one kind that are looked at, the newest of a room."""
BEFORE = 4
"""Messages before this one among which the one that it answers or rates is looked for."""


class Lesson:
    """One turn, as something to learn from."""

    def __init__(self, turn: Turn, outcome: Outcome, settings: Settings) -> None:
        self._turn = turn
        self._outcome = outcome
        self._settings = settings
        self._words = said(turn)
        self._teller = Teller(turn.agent.name, turn.room.id, turn.person, turn.spoken, turn.now, turn.id)
        self._told: tuple[Told, ...] = ()
        self._heard: tuple[Heard, ...] = ()

    async def learned(self) -> tuple[Memory, ...]:
        """All that is to be remembered. What one part fails at costs only its own, and is logged."""
        settings, found = self._settings, list[Memory]()
        if self._words:
            await self._try("listening", self._listen(), found)
            await self._try("facts", self._facts(), found)
            if settings.relationships:
                await self._try("relationships", self._relationships(), found)
            if settings.goals:
                await self._try("goals", self._goals(), found)
            if settings.ratings:
                await self._try("ratings", self._ratings(), found)
        if settings.ratings:
            found += self._verdicts()
        if settings.summary_every and self._outcome.status is Status.REPLIED:
            await self._try("summary", self._summary(), found)
        return tuple(found)

    async def _try(self, what: str, lesson: Awaitable[tuple[Memory, ...]], found: list[Memory]) -> None:
        try:
            found += await lesson
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            self._turn.agent.host.log.warning("lesson_failed", lesson=what, turn=self._turn.id, problem=problem)

    # --- facts and relationships ---

    async def _listen(self) -> tuple[Memory, ...]:
        """Find what was told, by the model or by the rules; what nobody was answered costs no call."""
        text = "\n".join(self._words)
        way = self._settings.facts
        if way == "auto":
            way = "model" if has_model(self._turn) else "rules"
        if way == "model" and self._outcome.status is Status.REPLIED:
            known = await self._known(MemoryKind.FACT, self._turn.person)
            found = await extract(self._turn, self._words, known, self._outcome.reply)
            if found is not None:
                self._told = found.told
                self._heard = tuple(
                    Heard(Tie(link.name, tag_of(link.tag), link.ended), provenance) for link, provenance in found.links
                )
            return ()
        if way != "off":
            self._told = tuple(Told(claim) for claim in claims(text))
        self._heard = tuple(Heard(tie, self._turn.spoken) for tie in ties(text))
        return ()

    async def _facts(self) -> tuple[Memory, ...]:
        if not self._told:
            return ()
        known = await self._known(MemoryKind.FACT, self._turn.person)
        changed = merged(self._teller, self._told, known)
        if again := repeated(self._teller, changed, known):
            await self._turn.forget(again)
        return changed

    async def _relationships(self) -> tuple[Memory, ...]:
        met = await self._met()
        if not met and not self._heard:
            return ()
        people = (*await self._turn.participants(), self._turn.agent.entity(self._turn.room.platform))
        return updated(self._teller, self._heard, met, people, await self._known(MemoryKind.RELATIONSHIP))

    async def _met(self) -> tuple[Entity, ...]:
        """Whom the person addressed: by a mention, by an answer, or because they spoke last before."""
        turn, message = self._turn, self._turn.message
        if turn.room.kind in (RoomKind.DM, RoomKind.API):
            return ()
        there = {entity.id: entity for entity in await turn.participants()}
        met = [there[mention] for mention in message.mentions if mention in there]
        if message.reply_to:
            key = make_id("memory", turn.agent.name, message.reply_to)
            answered = await turn.agent.memory.get((key,))
            met += [there[memory.entity] for memory in answered if memory.entity in there]
        if not met:
            before = [memory for memory in await self._before() if not memory.by_agent]
            met += [there[memory.entity] for memory in before[-1:] if memory.entity in there]
        return tuple(met)

    # --- goals, ratings, summaries ---

    async def _goals(self) -> tuple[Memory, ...]:
        found = said_of_goals("\n".join(self._words))
        return followed(self._teller, found, await self._known(MemoryKind.GOAL)) if found else ()

    async def _ratings(self) -> tuple[Memory, ...]:
        """What the message says of the agent's last answer, if it is about that."""
        given = rated("\n".join(self._words))
        before = await self._before() if given is not None else ()
        if given is None or not before or not before[-1].by_agent:
            return ()
        return (rating(self._teller, given, before[-1]),)

    def _verdicts(self) -> list[Memory]:
        """Why drafts of this turn were not accepted."""
        turn, outcome = self._turn, self._outcome
        given = turn.prompt.select("feedback") if turn.prompt is not None else ()
        judged = [part for part in given if part.provenance is not None and part.provenance.hook == "evaluate"]
        found = [
            verdict(self._teller, "revise", part.text.partition(": ")[2], number, part.provenance)
            for number, part in enumerate(judged)
        ]
        evaluator, _, feedback = outcome.reason.partition(": ")
        if outcome.status is Status.BLOCKED and feedback and " " not in evaluator:
            found.append(verdict(self._teller, "block", feedback, len(judged), None))
        return found

    async def _summary(self) -> tuple[Memory, ...]:
        summary = await summed_up(self._turn, self._settings.summary_every)
        return (summary,) if summary is not None else ()

    # --- what is looked up ---

    async def _known(self, kind: MemoryKind, who: Entity | None = None) -> tuple[Memory, ...]:
        return await self._turn.known(kind, room=self._turn.room.id, person=who.id if who else "", limit=KNOWN)

    async def _before(self) -> tuple[Memory, ...]:
        """The last messages of the room before this turn."""
        return tuple(memory for memory in await self._turn.history(limit=BEFORE) if memory.turn != self._turn.id)


def said(turn: Turn) -> tuple[str, ...]:
    """What the person said here and now, without what they quote or attach; nothing of a bot's or what was scheduled."""
    if turn.person.bot:
        return ()
    return tuple(
        part.text
        for inbound in turn.inbounds
        if inbound.message.sender.id == turn.person.id and not inbound.schedule
        for part in inbound.message.content
        if part.kind is PartKind.TEXT and part.provenance is None and part.text.strip()
    )
