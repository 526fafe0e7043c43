"""Where the conversation takes place."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_context_standard.names import listed, shown
from carrier_core import OPERATOR, Context, Part, Provenance, Room, RoomKind, State, Turn, outside

_KINDS = {
    RoomKind.DM: "a direct conversation, which only the two of you read",
    RoomKind.GROUP: "a group, which others may read along",
    RoomKind.THREAD: "a thread, which others may read along",
    RoomKind.FEED: "a feed, which anybody may read",
    RoomKind.API: "a conversation over an API",
}
_NAMED = 30  # rooms that are named


class World(Context):
    """The room and its platform, the world that it belongs to, and the other rooms of that world that the agent takes part in.

    What sort of room it is, is the host's word; its name and those of others were given by whoever runs the world.
    """

    name = "world"
    dynamic = True
    description = "Where this conversation takes place: platform, server or account, this room and the others there."
    size = 3_000

    async def provide(self, turn: Turn) -> State | None:
        """Two parts."""
        room = turn.room
        kind = _KINDS.get(room.kind, "a conversation")
        here = Part(
            f"You are in {kind}, on the platform {room.platform}.",
            self.name,
            Provenance((OPERATOR,)),
            order=order.WORLD,
        )
        called = [f"This room is called {shown(room.name)}."] if room.name else []
        world = turn.inbound.world
        if world is not None and world.name:
            called.append(f"It belongs to {shown(world.name)}.")
        others = await _others(turn)
        if others:
            names = [shown(other.name) for other in others[:_NAMED]]
            names += [f"{len(others) - _NAMED} more"] if len(others) > _NAMED else []
            called.append(f"You take part in other rooms there too: {listed(names)}.")
        origin = Provenance((outside(f"{room.platform}/rooms"),), turn.spoken.audience)
        names_of = (Part(" ".join(called), self.name, origin, order=order.WORLD),) if called else ()
        return State((here, *names_of))


async def _others(turn: Turn) -> list[Room]:
    """Rooms of many of the same world; direct ones are nobody else's business."""
    world = turn.inbound.world.id if turn.inbound.world is not None else turn.room.world
    if not world:
        return []
    rooms = await turn.agent.memory.rooms(agent=turn.agent.name)
    return [room for room in rooms if room.world == world and room.id != turn.room.id and room.kind is not RoomKind.DM]
