"""Who takes part in which room."""

from __future__ import annotations

from carrier_core import Connection, Entity, Kept, Readers, Room, RoomKind
from carrier_memory_sqlite.database import Database, Row
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Transaction

KEPT = 4_096
"""Rooms and connections that are kept in mind."""

_SQL = queries("people")


class People:
    """Entities, worlds, rooms and participants. What is kept in mind is changed when a write is known to be durable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connections: Kept[tuple[str, str, str], Connection] = Kept(KEPT)
        self._participants: Kept[str, tuple[Entity, ...]] = Kept(KEPT)
        self._readers: Kept[str, Readers] = Kept(KEPT)

    def news(self, agent: str, connection: Connection | None) -> Connection | None:
        """The connection, if it says anything that is not stored yet, as far as is remembered."""
        if connection is None:
            return None
        known = self._connections.get((agent, connection.room.id, connection.entity.id))
        return None if known == connection else connection

    def connect(self, transaction: Transaction, agent: str, connection: Connection) -> bool:
        """Store a connection; whether the entity is new in the room."""
        entity, room, world = connection.entity, connection.room, connection.world
        transaction.execute(
            _SQL["add_entity"],
            (
                entity.id,
                entity.platform,
                entity.realm,
                entity.native,
                entity.name,
                entity.username,
                entity.bot,
            ),
        )
        if world is not None:
            transaction.execute(_SQL["add_world"], (world.id, world.platform, world.realm, world.native, world.name))
        transaction.execute(
            _SQL["add_room"],
            (room.id, room.platform, room.realm, room.native, room.kind.value, room.name, room.world),
        )
        transaction.execute(_SQL["reside"], (agent, room.id))
        return transaction.wrote(_SQL["join"], (room.id, entity.id))

    def note(self, agent: str, connection: Connection) -> None:
        """That a connection was written durably."""
        self._participants.clear()  # its entity may have another name now, in every room
        self._readers.clear()
        self._connections[agent, connection.room.id, connection.entity.id] = connection

    def participants(self, room: str) -> tuple[Entity, ...]:
        """The entities that were seen in a room, by id."""
        found = self._participants.get(room)
        if found is None:
            found = tuple(
                Entity(key, platform, native, name, username, realm, bool(bot))
                for key, platform, native, name, username, realm, bot in self._database.rows(
                    _SQL["participants"], (room,)
                )
            )
            if self._database.writable:
                self._participants[room] = found
        return found

    def readers(self, room: Room) -> Readers:
        """Who reads along, and the rooms that all of them have in common."""
        people = self.participants(room.id) if room.listed else ()
        if not people:
            return Readers(room.id)
        found = self._readers.get(room.id)
        if found is None:
            common = set.intersection(*(self._rooms_of(entity) for entity in people))
            found = Readers(room.id, tuple(entity.id for entity in people), tuple(sorted(common)))
            if self._database.writable:
                self._readers[room.id] = found
        return found

    def room(self, room: str) -> Room | None:
        """The room with this id."""
        rows = self._database.rows(_SQL["room"], (room,))
        return _room(rows[0]) if rows else None

    def rooms(self, agent: str) -> tuple[Room, ...]:
        """All rooms, or those of an agent, by platform and name."""
        if agent:
            return tuple(_room(row) for row in self._database.rows(_SQL["rooms_of_agent"], (agent,)))
        return tuple(_room(row) for row in self._database.rows(_SQL["rooms"]))

    def clear(self) -> None:
        """Keep nothing in mind."""
        self._connections.clear()
        self._participants.clear()
        self._readers.clear()

    def _rooms_of(self, entity: Entity) -> set[str]:
        return {room for (room,) in self._database.rows(_SQL["rooms_of_entity"], (entity.id,))}


def _room(row: Row) -> Room:
    key, platform, native, kind, name, world, realm = row
    return Room(key, platform, native, RoomKind(kind), name, world, realm)
