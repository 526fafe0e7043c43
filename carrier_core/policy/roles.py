"""Roles: what a person is to an agent in a world, and who may change that.

The operator's configuration goes first; whoever is the operator, at the terminal, is the owner. Other roles are kept as memories
that only this module writes: one for each agent, world (or room, where there is no world) and person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from carrier_core.errors import Rejected
from carrier_core.messages import Entity, Memory, MemoryKind, Part, Role, make_id
from carrier_core.policy.rules import ids_of
from carrier_core.provenance import OPERATOR, Audience, Provenance, person

if TYPE_CHECKING:
    from carrier_core.turn import Turn


async def role_of(turn: Turn, who: Entity) -> Role:
    """What a person is to the turn's agent, where the turn takes place."""
    settled = settled_role(turn, who)
    if settled is not None:
        return settled
    found = await turn.agent.memory.get((_key(turn, who),))
    return Role(found[0].text) if found and found[0].kind is MemoryKind.ROLE else Role.GUEST


def settled_role(turn: Turn, who: Entity) -> Role | None:
    """What a person is by the configuration, or because they are the operator; None where that says nothing."""
    if who.id == OPERATOR:
        return Role.OWNER
    agent = turn.agent
    newest = agent.host.config.settings.agents.get(agent.name, agent.settings)  # a turn may have begun before a reload
    for name, people in newest.roles.items():
        if any(each in people for each in ids_of(who)):
            return Role(name)
    if who.id == turn.person.id and turn.agent.host.clients.is_operators(turn.client):
        return Role.OWNER
    return None


async def change_role(turn: Turn, who: Entity, role: Role) -> None:
    """Make somebody something else, as the person spoken with wants it. Rejected where they may not.

    An owner may make anybody anything, an admin may change those below into what is below an admin. Nobody changes themselves,
    nor whom the configuration has made what they are.
    """
    if role is Role.UNKNOWN:
        raise Rejected("There is no such role.", remedy="There are: owner, admin, member, guest.")
    if settled_role(turn, who) is not None:
        raise Rejected(f"The operator has settled what {who.name} is.", remedy="Change `roles` in the agent's section.")
    actor, before = await turn.role(), await role_of(turn, who)
    if who.id == turn.person.id:
        raise Rejected("Nobody changes their own role.")
    is_free = actor is Role.OWNER or (actor is Role.ADMIN and max(before.rank, role.rank) < actor.rank)
    if not is_free:
        raise Rejected(f"{turn.person.name} is {_a(actor)} here and cannot make {who.name}, {_a(before)}, {_a(role)}.")
    provenance = Provenance((person(turn.person.id),), Audience((turn.room.id,)), "carrier", "roles")
    memory = Memory(
        _key(turn, who),
        turn.agent.name,
        turn.room.id,
        MemoryKind.ROLE,
        (Part(str(role), provenance=provenance),),
        turn.now,
        provenance,
        entity=who.id,
        name=who.name,
        turn=turn.id,
        data={"world": _place(turn), "by": turn.person.id, "was": str(before)},
    )
    await turn.agent.memory.put((memory,))


def _key(turn: Turn, who: Entity) -> str:
    return make_id("role", turn.agent.name, _place(turn), who.id)


def _place(turn: Turn) -> str:
    """The world where a role counts; the room, where that belongs to none."""
    world = turn.inbound.world
    return world.id if world is not None else turn.room.world or turn.room.id


def _a(role: Role) -> str:
    return f"{'an' if role in (Role.OWNER, Role.ADMIN) else 'a'} {role}"
