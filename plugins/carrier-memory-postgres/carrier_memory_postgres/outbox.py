"""What is to be delivered, and the effects of which nobody knows whether they happened."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from carrier_core import Intent, Journal, Outgoing, ReplyPart, Sending, decode, deflate, encode, inflate
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.connections import Row
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.standing import Key, Needs

_SQL = queries("outbox")

_NEVER: float = msgspec.structs.fields(Outgoing)[3].default
"""The default of times: a record leaves out this very object, not any other zero."""

Post = tuple[Key, bytes, Outgoing]


class Outbox(Journal):
    """See :class:`carrier_core.Journal`, section effects."""

    _database: Database

    async def deliver(self, agent: str, room: str, epoch: int, outbox: tuple[Outgoing, ...]) -> None:
        """By key, in this room."""

        def deliver(batch: Batch) -> None:
            place = batch.claimed(agent, room, epoch)
            deliver_posts(batch, outbox, place.number)

        await self._database.write(Needs(places=((agent, room),)), deliver)

    async def outbox(
        self, *, agent: str = "", turn: str = "", states: tuple[Sending, ...] = (), limit: int = 100
    ) -> tuple[Outgoing, ...]:
        """In the order in which they were put there."""
        name = "of_turn" if turn else "stuck" if states and Sending.SENT not in states else "all"
        values = (agent, [state.value for state in states], limit, *((turn,) if turn else ()))
        return posts_of(await self._database.rows(_SQL[name], *values))

    async def doubts(self, *, agent: str = "") -> tuple[Intent, ...]:
        """From an index of these alone."""
        return tuple([Intent(*row) for row in await self._database.rows(_SQL["doubts"], agent)])

    async def settle_doubt(self, key: str) -> bool:
        """The intent goes."""
        found: list[Row] = []

        async def settle(batch: Batch) -> None:
            found[:] = await batch.link.fetch(_SQL["settle"], key)
            batch.known.turns.clear()  # one of them has it

        return await self._database.write(Needs(), lambda batch: bool(found), alone=settle)


def posts(outbox: Iterable[Outgoing]) -> list[Post]:
    """Reply parts made ready for :func:`add_posts`: the place that each is for, its record, its progress."""
    return [((post.part.agent, post.part.room.id), deflate(encode(post.part)), post) for post in outbox]


def add_posts(batch: Batch, ready: Iterable[Post]) -> None:
    """Put reply parts into the outbox; one that is there stays as it is."""
    for key, record, post in ready:
        place = batch.place(*key).number
        batch.writes.posts.setdefault(post.part.key, (place, post.part.turn, record, post))


def deliver_posts(batch: Batch, outbox: Iterable[Outgoing], place: int | None = None) -> None:
    """Write down how far deliveries are: those of one place, or all."""
    for post in outbox:
        key = post.part.key
        new = batch.writes.posts.get(key)
        if new is not None and place in (None, new[0]):
            batch.writes.posts[key] = (*new[:3], post)
        else:
            batch.writes.delivered[key] = (place, post)


def posts_of(rows: Iterable[Row]) -> tuple[Outgoing, ...]:
    """The reply parts of rows."""
    return tuple([post_of(row) for row in rows])


def post_of(row: Row) -> Outgoing:
    """The reply part of a row."""
    payload, state, attempts, due, deadline, at, native, error = row
    times = (due or _NEVER, deadline or _NEVER, at or _NEVER)
    return Outgoing(decode(inflate(payload), ReplyPart), Sending(state), attempts, *times, native, error)
