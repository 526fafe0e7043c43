"""Sending: to say something in another room, or to another person."""

from __future__ import annotations

from typing import Annotated
from weakref import WeakKeyDictionary

import msgspec

from carrier_actions_standard.addresses import Found, problem_of, room_of
from carrier_actions_standard.arguments import Name
from carrier_actions_standard.words import refused, told
from carrier_core import Action, ActionCall, ActionResult, Effect, Readers, Turn

LONGEST = 4_000
"""Characters of one message: what most platforms take in a post or two."""


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be sent, and to whom."""

    to: Annotated[
        Name,
        msgspec.Meta(
            description="The name of the person or of the room, as it was said to you, or an id that you were given."
        ),
    ]
    text: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=LONGEST,
            pattern=r"\S",
            description="The message, exactly as it is to appear there; best in the words of the person who asks.",
        ),
    ]


class SendMessage(Action):
    """Posts a text in another room of the agent's, or in its direct room with a person."""

    name = "send_message"
    similes = (
        "SEND_MESSAGE",
        "SEND",
        "TELL",
        "MESSAGE",
        "WRITE",
        "DM",
        "SEND_DM",
        "POST_MESSAGE",
        "POST",
        "NOTIFY",
        "LET_KNOW",
        "SAY_TO",
        "TEXT",
        "PING",
        "INFORM",
        "ASK",
        "ANNOUNCE",
        "SHARE",
        "FORWARD",
        "WARN",
        "CONTACT",
        "PASS_ON",
    )
    description = (
        "Send a message to another room, or to another person in their direct room with you. Only when somebody asks you to. To "
        "answer in this conversation just write your answer."
    )
    examples = (
        "Ana: “Tell Ben that I am late.” — to “Ben”, text “Ana says: I am late.”",
        "Ben: “Post the plan in #general.” — to “general”, text the plan",
    )
    effect = Effect.EXTERNAL
    destination = ("to",)
    arguments = Message

    def __init__(self) -> None:
        # Found once in a turn: whoever was judged to be the reader is the one who gets it.
        self._found: WeakKeyDictionary[Turn, dict[str, Found]] = WeakKeyDictionary()

    async def readers(self, turn: Turn, call: ActionCall) -> Readers | None:
        """Whoever reads the room that it goes to; None where it goes nowhere."""
        found = await self._room(turn, call.read(Message).to)
        return None if found.room is None else await turn.agent.memory.readers(found.room)

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The message is delivered by the client of that room. Where nobody can tell who is meant, who could be."""
        message = call.read(Message)
        found = await self._room(turn, message.to)
        if found.room is None:
            return refused(call, f"Nothing was sent. {problem_of(found)}", found.origins)
        await turn.deliver(found.room, message.text, provenance=call.own)
        return told(call, f"Sent to {message.to.strip()}.", data={"room": found.room.id})

    async def _room(self, turn: Turn, to: str) -> Found:
        known = self._found.setdefault(turn, {})
        if to not in known:
            known[to] = await room_of(turn, to)
        return known[to]
