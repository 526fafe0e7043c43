"""Who takes part in which room."""

from __future__ import annotations

from carrier_core import Connection, Entity, Kept, Readers, Room, RoomKind
from carrier_memory_postgres.connections import Row
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.queries import queries

KEPT = 4_096
"""Connections that are kept in mind."""

_SQL = queries("people")


class People:
    """Entities, rooms and participants.

    Who was connected is kept in mind, so that what is known is not written again; who takes part is not: another daemon
    may have met somebody, and whoever reads along decides what may be recalled.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connections: Kept[tuple[str, str, str], Connection] = Kept(KEPT)

    def news(self, agent: str, connection: Connection | None) -> Connection | None:
        """The connection, if it says anything that is not stored yet, as far as is remembered."""
        if connection is None:
            return None
        known = self._connections.get((agent, connection.room.id, connection.entity.id))
        return None if known == connection else connection

    def note(self, agent: str, connection: Connection) -> None:
        """That a connection was written durably."""
        self._connections[agent, connection.room.id, connection.entity.id] = connection

    async def participants(self, room: str) -> tuple[Entity, ...]:
        """The entities that were seen in a room, by id."""
        return tuple([Entity(*row) for row in await self._database.rows(_SQL["participants"], room)])

    async def readers(self, room: Room) -> Readers:
        """Who reads along, and the rooms that all of them have in common."""
        if not room.listed:
            return Readers(room.id)
        rows = await self._database.rows(_SQL["rooms_in_common"], room.id)
        people, rooms = rows[0]
        return Readers(room.id, tuple(people), tuple(rooms)) if people else Readers(room.id)

    async def room(self, room: str) -> Room | None:
        """The room with this id."""
        rows = await self._database.rows(_SQL["room"], room)
        return _room(rows[0]) if rows else None

    async def rooms(self, agent: str) -> tuple[Room, ...]:
        """All rooms, or those of an agent, by platform and name."""
        if agent:
            return tuple([_room(row) for row in await self._database.rows(_SQL["rooms_of_agent"], agent)])
        return tuple([_room(row) for row in await self._database.rows(_SQL["rooms"])])

    def clear(self) -> None:
        """Keep nothing in mind."""
        self._connections.clear()


def _room(row: Row) -> Room:
    key, platform, native, kind, name, world, realm = row
    return Room(key, platform, native, RoomKind(kind), name, world, realm)
