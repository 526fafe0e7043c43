"""The actions of every agent: reply, ignore, none, continue, remember.

A conversation needs none of them: what a model writes is its reply. They are for what writing alone cannot say, and for
models and characters that are used to them from ElizaOS, whose names for them are among the similes.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Generic, TypeVar

import msgspec

from carrier_core import (
    OPERATOR,
    Action,
    ActionCall,
    ActionResult,
    Effect,
    Json,
    Part,
    PartKind,
    Provenance,
    Then,
    Turn,
    derive,
    impl,
    outside,
)

__version__ = "0.1.0"
__all__ = ["register_actions"]

MOST_CONTINUED = 3
"""Times that one turn can be continued; ElizaOS's bound."""

LONGEST_FACT = 2_000
"""Characters of what is remembered at one time."""


@impl
def register_actions() -> tuple[Action, ...]:
    """All five."""
    return (Reply(), Ignore(), Nothing(), Continue(), Remember())


# --- arguments ----------------------------------------------------------------------------------------------------------


class NoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For an action that needs nothing more."""


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be said."""

    text: str


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be remembered."""

    text: Annotated[str, msgspec.Meta(max_length=LONGEST_FACT)]


A = TypeVar("A", NoArguments, Said, Fact)

_NO_PARAMETERS: dict[str, Json] = {
    "type": "object",
    "properties": {},
    "required": [],
    "additionalProperties": False,
}


class Checked(Action, Generic[A]):
    """An action whose arguments are checked before it is done; what is wrong with them is told to the model."""

    arguments: type[A]
    parameters: dict[str, Json] = _NO_PARAMETERS
    effect = Effect.READ

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """Do it with the call's arguments."""
        try:
            arguments = msgspec.convert(call.arguments, self.arguments)
        except msgspec.ValidationError as error:
            return _refused(call, f"The arguments of {self.name} are wrong: {error}. Correct them and call it again.")
        return await self.act(turn, call, arguments)

    @abstractmethod
    async def act(self, turn: Turn, call: ActionCall, arguments: A) -> ActionResult:
        """Do it with these arguments."""


def _refused(call: ActionCall, problem: str) -> ActionResult:
    return ActionResult(problem, ok=False, provenance=_claimed(call.provenance))


def _claimed(provenance: Provenance | None) -> Provenance | None:
    """The same without the operator, for whom a plugin may not speak. Nothing gains trust by losing its most trusted origin:
    a model's text keeps the agent's, and those of everyone whose words were in the prompt."""
    if provenance is None or OPERATOR not in provenance.origins:
        return provenance
    return Provenance(tuple(origin for origin in provenance.origins if origin != OPERATOR), provenance.audience)


# --- the actions ----------------------------------------------------------------------------------------------------------


class Reply(Checked[Said]):
    """Says a text in the room and ends the turn."""

    name = "reply"
    similes = ("REPLY", "RESPOND", "RESPONSE", "SEND_REPLY", "REPLY_TO_MESSAGE", "GREET")
    description = (
        "Say something in the conversation and end your turn. Writing your answer as plain text does the same and is the "
        "usual way; use this only to say it together with other calls, and do not write the same text outside of the call."
    )
    parameters: dict[str, Json] = {
        "type": "object",
        "properties": {"text": {"type": "string", "description": "What to say, exactly as it is to appear."}},
        "required": ["text"],
        "additionalProperties": False,
    }
    arguments = Said

    async def act(self, turn: Turn, call: ActionCall, arguments: Said) -> ActionResult:
        """The text becomes a part of the reply."""
        if not arguments.text.strip():
            return _refused(call, "The text of a reply must not be empty. To say nothing at all, call ignore.")
        provenance = _claimed(call.provenance)
        said = Part(arguments.text, key="reply", provenance=provenance)
        return ActionResult("It is said.", say=(said,), then=Then.END, provenance=provenance)


class Ignore(Checked[NoArguments]):
    """Ends the turn without a word."""

    name = "ignore"
    similes = ("IGNORE", "STOP_TALKING", "STOP_CHATTING", "STOP_CONVERSATION")
    description = (
        "Say nothing and end your turn: nobody sees an answer to this message. For messages that are not meant for you, that "
        "only want to provoke, or where the conversation is over and an answer would be one too many. Not for questions "
        "that you cannot answer, and never when somebody may need help: say so instead."
    )
    arguments = NoArguments

    async def act(self, turn: Turn, call: ActionCall, arguments: NoArguments) -> ActionResult:
        """The turn ends silently, whatever was written beside the call."""
        return ActionResult("Nothing is said.", then=Then.END, silent=True, provenance=_claimed(call.provenance))


class Nothing(Checked[NoArguments]):
    """Ends the turn with what was said."""

    name = "none"
    similes = ("NONE", "NO_ACTION", "NO_RESPONSE", "NO_REACTION")
    description = (
        "Do nothing besides what you have written: your turn ends with that text. Leaving out all calls does the same. "
        "To stay silent, call ignore."
    )
    arguments = NoArguments

    async def act(self, turn: Turn, call: ActionCall, arguments: NoArguments) -> ActionResult:
        """The turn ends."""
        return ActionResult("Nothing more is done.", then=Then.END, provenance=_claimed(call.provenance))


class Continue(Checked[NoArguments]):
    """Lets the model say one more thing in the same turn."""

    name = "continue"
    similes = ("CONTINUE", "ELABORATE", "KEEP_TALKING")
    description = (
        "Go on with another message right after the one that you have just written, without waiting for an answer. Only when "
        "something important is left to say that did not belong in it; never after a question, and not to repeat yourself."
    )
    arguments = NoArguments

    async def act(self, turn: Turn, call: ActionCall, arguments: NoArguments) -> ActionResult:
        """The model is asked again, three times in a turn at most."""
        provenance = _claimed(call.provenance)
        if sum(1 for earlier in turn.calls if earlier.name == self.name) >= MOST_CONTINUED:
            return ActionResult(
                "You have gone on often enough; your turn is over.", ok=False, then=Then.END, provenance=provenance
            )
        return ActionResult(
            "Go on: write only what comes next, and do not repeat what you have said.", provenance=provenance
        )


class Remember(Checked[Fact]):
    """Stores a fact, which is recalled in later turns by those who may know it."""

    name = "remember"
    similes = ("REMEMBER", "REMEMBER_FACT", "NOTE", "STORE_FACT", "MEMORIZE")
    description = (
        "Remember a fact beyond this conversation, such as somebody's name, preference, plan or promise. Messages are kept "
        "anyway: use it for what will matter later, and when somebody asks you to remember something. One fact at a time, as a "
        "sentence that can be understood by itself, with names instead of pronouns; where possible in the person's own words. "
        "No passwords or other secrets."
    )
    parameters: dict[str, Json] = {
        "type": "object",
        "properties": {
            "text": {
                "type": "string",
                "description": f"The fact, in one sentence of at most {LONGEST_FACT:,} characters.",
                "minLength": 1,
                "maxLength": LONGEST_FACT,
            }
        },
        "required": ["text"],
        "additionalProperties": False,
    }
    effect = Effect.WRITE
    arguments = Fact

    async def act(self, turn: Turn, call: ActionCall, arguments: Fact) -> ActionResult:
        """The result says what was stored; whose words it counts as is said in :func:`whose`."""
        text = arguments.text.strip()
        if not text:
            return _refused(call, "There is nothing to remember: the text is empty.")
        memory = await turn.remember(text, provenance=_claimed(whose(turn, call)))
        if memory is None:
            return _refused(call, "It was not stored: a plugin of this agent keeps such things from being remembered.")
        return ActionResult(
            f"Remembered: {memory.text}", data={"memory": memory.id}, provenance=_claimed(call.provenance)
        )


def whose(turn: Turn, call: ActionCall) -> Provenance:
    """Whose words a text to be remembered are.

    What a model writes is of everyone whose words were in its prompt. Only where the host found the text, as it is, in
    what the person has just said here (not in what they quote), it is of those in whose parts it was found.
    """
    text = call.arguments.get("text")
    written = call.provenance or Provenance((outside("action/remember"),), turn.spoken.audience)
    sources = [source for source in call.sources if source.argument == "text"]
    own = [part.text for part in turn.message.content if part.kind is PartKind.TEXT]
    if not isinstance(text, str) or not sources or not any(text in said for said in own):
        return written
    if any(turn.memory_id not in source.parts for source in sources):
        return written
    return derive(source.provenance for source in sources)
