"""Roles: what a person is to the agent here, and may have done."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from carrier_actions_standard.addresses import people_named
from carrier_actions_standard.arguments import Name
from carrier_actions_standard.words import refused, told
from carrier_core import Action, ActionCall, ActionResult, Effect, Role, Turn, person


class Promoted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to be what."""

    person: Annotated[Name, msgspec.Meta(description="The name of somebody in this room, or the id.")]
    role: Annotated[Literal["owner", "admin", "member", "guest"], msgspec.Meta(description="What they are to be.")]


class UpdateRole(Action):
    """Makes a person something else here."""

    name = "update_role"
    similes = (
        "UPDATE_ROLE",
        "CHANGE_ROLE",
        "SET_ROLE",
        "GIVE_ROLE",
        "ASSIGN_ROLE",
        "MAKE_ADMIN",
        "MAKE_MEMBER",
        "MAKE",
        "PROMOTE",
        "DEMOTE",
        "APPOINT",
    )
    description = (
        "Change what a person of this room is to you here: owner, admin, member or guest. Only when an owner or admin asks for it; an "
        "admin may change only those below them."
    )
    examples = ("Ana, who is an owner: “Make Ben an admin.” — person “Ben”, role “admin”",)
    effect = Effect.WRITE
    role = Role.ADMIN
    arguments = Promoted
    idempotent = True

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """Who it is has to be clear: names are what people call themselves. The host refuses what the person may not."""
        wanted = call.read(Promoted)
        people = await people_named(turn, wanted.person)
        origins = tuple(person(each.id) for each in people)
        if len(people) != 1:
            names = "; ".join(f"{each.name} ({each.username or each.native}, id {each.id})" for each in people)
            problem = (
                f"Several people fit: {names}. Ask which is meant" if people else "Nobody of that name was seen here"
            )
            return refused(call, f"Nothing was changed. {problem}.", origins)
        who = people[0]
        await turn.set_role(who, Role(wanted.role))
        text = f"{who.name} ({who.username or who.native} on {who.platform}) is {wanted.role} here now."
        return told(call, text, data={"person": who.id, "role": wanted.role})
