"""Talking: to say something, something more, or nothing."""

from __future__ import annotations

from typing import Annotated

import msgspec

from carrier_actions_standard.arguments import NoArguments
from carrier_actions_standard.words import claimed, refused, told
from carrier_core import Action, ActionCall, ActionResult, Effect, Part, Then, Turn

MOST_CONTINUED = 2
"""Times that one turn can be continued: three messages, which is ElizaOS's bound. The host carries out no call a fourth time."""


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be said."""

    text: Annotated[str, msgspec.Meta(description="What to say, exactly as it is to appear.")]


class Reply(Action):
    """Says a text in the room and ends the turn."""

    name = "reply"
    similes = ("REPLY", "RESPOND", "RESPONSE", "SEND_REPLY", "REPLY_TO_MESSAGE", "GREET")
    description = (
        "Say something in the conversation and end your turn. Writing your answer as plain text does the same and is the "
        "usual way; use this only to say it together with other calls, and do not write the same text outside of the call."
    )
    examples = ("After `remember`, in the same step: reply with the text “Noted, Ana.”",)
    effect = Effect.READ
    arguments = Said

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The text becomes a part of the reply."""
        text = call.read(Said).text
        if not text.strip():
            return refused(call, "The text of a reply must not be empty. To say nothing at all, call ignore.")
        said = Part(text, key="reply", provenance=claimed(call.provenance))
        return told(call, "It is said.", say=(said,), then=Then.END)


class Ignore(Action):
    """Ends the turn without a word."""

    name = "ignore"
    similes = ("IGNORE", "STOP_TALKING", "STOP_CHATTING", "STOP_CONVERSATION")
    description = (
        "Say nothing and end your turn: nobody sees an answer to this message. For messages that are not meant for you, that "
        "only want to provoke, or where the conversation is over and an answer would be one too many. Not for questions "
        "that you cannot answer, and never when somebody may need help: say so instead."
    )
    examples = ("Ana: “ok, bye!” after you have said goodbye: ignore.",)
    effect = Effect.READ
    arguments = NoArguments

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The turn ends silently, whatever was written beside the call."""
        return told(call, "Nothing is said.", then=Then.END, silent=True)


class Nothing(Action):
    """Ends the turn with what was said."""

    name = "none"
    similes = ("NONE", "NO_ACTION", "NO_RESPONSE", "NO_REACTION")
    description = (
        "Do nothing besides what you have written: your turn ends with that text. Leaving out all calls does the same. "
        "To stay silent, call ignore."
    )
    effect = Effect.READ
    arguments = NoArguments

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The turn ends."""
        return told(call, "Nothing more is done.", then=Then.END)


class Continue(Action):
    """Lets the model say one more thing in the same turn."""

    name = "continue"
    similes = ("CONTINUE", "ELABORATE", "KEEP_TALKING")
    description = (
        "Go on with another message right after the one that you have just written, without waiting for an answer. Only when "
        "something important is left to say that did not belong in it; never after a question, and not to repeat yourself."
    )
    effect = Effect.READ
    arguments = NoArguments

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The model is asked again, twice in a turn at most."""
        if sum(1 for earlier in turn.calls if earlier.name == self.name) >= MOST_CONTINUED:
            return told(call, "You have gone on often enough; your turn is over.", ok=False, then=Then.END)
        return told(call, "Go on: write only what comes next, and do not repeat what you have said.")
