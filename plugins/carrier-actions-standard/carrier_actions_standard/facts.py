"""Facts: to remember one beyond the conversation, and to forget it again."""

from __future__ import annotations

from typing import Annotated

import msgspec

from carrier_actions_standard.arguments import LONGEST, Name, Sentence
from carrier_actions_standard.likeness import best, same_of
from carrier_actions_standard.words import refused, told, whose
from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Effect,
    Memory,
    MemoryKind,
    NotSent,
    Turn,
)

_LOOKED_AT = 100  # newest facts of a person among which one to forget is looked for, besides those that are recalled
_TOLD = 5  # facts that are told where it is not clear which one is meant


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be remembered."""

    text: Annotated[Sentence, msgspec.Meta(description=f"The fact, in one sentence of at most {LONGEST:,} characters.")]


class Forgotten(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be forgotten."""

    what: Annotated[
        Name, msgspec.Meta(description="The fact, or the words in it that tell it from others: “the dog's name”.")
    ]
    every: Annotated[
        bool, msgspec.Meta(description="Whether to forget all facts that have these words, if there are several.")
    ] = False


class Remember(Action):
    """Stores a fact, which is recalled in later turns by those who may know it."""

    name = "remember"
    similes = (
        "REMEMBER",
        "REMEMBER_FACT",
        "NOTE",
        "STORE",
        "STORE_FACT",
        "MEMORIZE",
        "KEEP_IN_MIND",
        "SAVE",
        "WRITE_DOWN",
        "DON_T_FORGET",
    )
    description = (
        "Remember a fact beyond this conversation, such as somebody's name, preference, plan or promise. Messages are kept "
        "anyway: use it for what will matter later, and when somebody asks you to remember something. One fact at a time, as a "
        "sentence that can be understood by itself, with names instead of pronouns; where possible in the person's own words. "
        "No passwords or other secrets."
    )
    examples = ("Ana: “Remember that I am allergic to nuts.” — text “Ana is allergic to nuts.”",)
    effect = Effect.WRITE
    arguments = Fact
    idempotent = True  # performed again in its turn, it writes the same memory

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The result says what was stored; whose words it counts as is said in :func:`~carrier_actions_standard.words.whose`."""
        memory = await turn.remember(call.read(Fact).text.strip(), provenance=whose(turn, call, "text"))
        if memory is None:
            return refused(call, "It was not stored: a plugin of this agent keeps such things from being remembered.")
        return told(call, f"Remembered: {memory.text}", data={"memory": memory.id})


class Forget(Action):
    """Removes facts about the person who asks."""

    name = "forget"
    similes = (
        "FORGET",
        "FORGET_FACT",
        "FORGET_ABOUT",
        "REMOVE_FACT",
        "DELETE_FACT",
        "DELETE_MEMORY",
        "DELETE",
        "REMOVE",
        "ERASE",
        "UNREMEMBER",
    )
    description = (
        "Forget a fact that you have remembered about the person you are talking with, when they ask you to. What somebody else "
        "told you is not theirs to have forgotten. To correct a fact, forget the old one and remember the new one."
    )
    examples = ("Ana: “Forget where I live.” — what “where I live”", "Ben: “Forget my dog's name.” — what “dog's name”")
    effect = Effect.WRITE
    arguments = Forgotten

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The facts that were forgotten, in words; where it is not clear which are meant, those that may be."""
        wanted = call.read(Forgotten)
        theirs, meant = await _meant(turn, wanted)
        if not meant:
            near = theirs[:_TOLD]
            known = f" What you remember of {turn.person.name}:\n{_listed(near)}" if near else ""
            return _about(call, near, f"Nothing that you remember fits “{wanted.what}”.{known}", ok=False)
        if not wanted.every and not all(same_of(fact.name, fact.text, meant[0].text) for fact in meant):
            text = f"Several facts fit. Ask which is meant, or set `every`:\n{_listed(meant)}"
            return _about(call, meant, text, ok=False)
        await turn.forget(meant)
        return _about(call, meant, f"Forgotten:\n{_listed(meant)}\nDo not mention it any more.")

    async def find(self, turn: Turn, call: ActionCall) -> ActionResult | NotSent:
        """What is still there was not forgotten; what is not there is forgotten, whoever did it."""
        wanted = call.read(Forgotten)
        _, meant = await _meant(turn, wanted)
        return NotSent() if meant else told(call, f"Nothing that you remember fits “{wanted.what}” any more.")


async def _meant(turn: Turn, wanted: Forgotten) -> tuple[list[Memory], list[Memory]]:
    """The facts of the person, and those of them that are meant: what says the same before what only has the words."""
    theirs = await _facts_of_person(turn, wanted.what)
    exact = [fact for fact in theirs if same_of(fact.name, fact.text, wanted.what)]
    return theirs, exact or best(wanted.what, theirs, lambda fact: fact.text)


async def _facts_of_person(turn: Turn, what: str) -> list[Memory]:
    """The facts that were noted when the person spoke, by recall and then the newest. What others have told is not theirs, though
    their words may have been in the prompt."""
    recalled = await turn.recall(what, kinds=(MemoryKind.FACT,), limit=_LOOKED_AT)
    newest = await turn.known(MemoryKind.FACT, person=turn.person.id, limit=_LOOKED_AT)
    facts = {memory.id: memory for memory in (*(found.memory for found in recalled), *newest)}
    return [fact for fact in facts.values() if fact.entity == turn.person.id]


def _listed(facts: list[Memory]) -> str:
    return "\n".join(f"- {fact.text}" for fact in facts)


def _about(call: ActionCall, facts: list[Memory], text: str, *, ok: bool = True) -> ActionResult:
    """A result that repeats these facts."""
    return told(call, text, also=[fact.provenance for fact in facts], ok=ok)
