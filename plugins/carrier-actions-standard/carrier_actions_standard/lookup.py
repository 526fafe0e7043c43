"""Looking up: context that is not in every prompt is brought when the model asks for it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from carrier_actions_standard.arguments import Name
from carrier_actions_standard.words import refused, told
from carrier_core import Action, ActionCall, ActionResult, Effect, Turn, text_of


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be looked up."""

    name: Annotated[Name, msgspec.Meta(description="The name of what to look up, one of those that you were told.")]


class LookUp(Action):
    """Brings what a dynamic context has to say."""

    name = "look_up"
    similes = ("LOOK_UP", "LOOKUP", "LOOK", "GET_CONTEXT", "SHOW_CONTEXT", "CHECK")
    description = (
        "Look up more of what you know here, by its name: what does not stand in every conversation. Use it before you say that you do "
        "not know."
    )
    examples = ("Ana: “Who may change the settings here?” — name “roles”",)
    effect = Effect.READ
    arguments = Asked

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The text of all its parts, with the origins of all of them."""
        name = call.read(Asked).name.strip()
        state = await turn.provide(name.lower()) or (await turn.provide(name) if name != name.lower() else None)
        text = text_of(state.parts) if state is not None else ""
        if state is None or not text.strip():
            return refused(call, f"There is nothing under the name {name}.")
        return told(call, text, also=[part.provenance for part in state.parts if part.provenance is not None])
