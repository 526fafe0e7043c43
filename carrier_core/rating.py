"""Rating: a reaction to one of the agent's replies is kept as what somebody thought of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carrier_core.errors import PluginError
from carrier_core.messages import Inbound, Memory, MemoryKind, Part, make_id
from carrier_core.provenance import Audience, Provenance, person
from carrier_core.scheduler import Row
from carrier_core.turn import Turn

if TYPE_CHECKING:
    from carrier_core.agent import AgentRuntime

_LOOKED_AT = 20  # the latest turns of a room, among whose replies the one that is meant is looked for


async def rate(agent: AgentRuntime, inbound: Inbound) -> str:
    """Keep a reaction, one of each person to each reply, after ``transform_memory`` like everything that is stored; a blank one
    takes it back. Returns why it is not kept, or nothing: it may be about somebody else's message, or about a reply of long ago."""
    turn = await _rated(agent, inbound)
    if not turn:
        return "it is not about a reply that is known"
    who, room = inbound.message.sender, inbound.room
    key = make_id("rating", agent.name, turn, who.id)
    if not inbound.value.strip():
        await agent.memory.forget((key,))
        return ""
    provenance = Provenance((person(who.id),), Audience((room.id,)), inbound.client, "receive")
    memory = Memory(
        key,
        agent.name,
        room.id,
        MemoryKind.RATING,
        (Part(inbound.value, provenance=provenance),),
        inbound.message.at,
        provenance,
        entity=who.id,
        name=who.name,
        turn=turn,
        data={"value": inbound.value},
    )
    made = make_id("react", agent.name, inbound.dedupe_key)
    taken = Turn(agent, agent.table(inbound.client), made, (Row(0, inbound),), 0)
    try:
        kept = await taken.keep(memory)
    except PluginError as error:  # a guard that fails; what else is said in the room does not wait for it
        return f"it is not remembered: {error.message}"
    if kept is None:
        await agent.memory.forget((key,))  # an earlier one is not what they think any more
        return "a plugin keeps it from being remembered"
    await agent.memory.put((kept,))
    return ""


async def _rated(agent: AgentRuntime, inbound: Inbound) -> str:
    """The turn whose reply is meant: by its own id, or by the platform's of a post."""
    journal = agent.host.store.journal
    for record in await journal.turns(agent=agent.name, room=inbound.room.id, limit=_LOOKED_AT):
        if inbound.target == record.id:
            return record.id
        if any(row.native == inbound.target for row in await journal.outbox(turn=record.id) if row.native):
            return record.id
    return ""
