"""The queue of inbound rows of every room, and whose a room is."""

from __future__ import annotations

from collections.abc import Hashable

from carrier_core import Appended, InboundRow, Journal, Unavailable, Work
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.outbox import posts_of
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.standing import Needs

_SQL = queries("inbound")


class Inbounds(Journal):
    """See :class:`carrier_core.Journal`, section inbound."""

    _database: Database

    async def append_inbound(self, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
        """One row in the ledger and one in the queue; the sequence number is given out under the lock of the place."""
        needs = Needs(places=((agent, room),), keys=((agent, dedupe_key),))
        return await self._database.write(
            needs,
            lambda batch: append(batch, agent, room, dedupe_key, payload),
            key=("append", agent, dedupe_key),
        )

    async def ready(self) -> tuple[tuple[str, str], ...]:
        """From the indexes of what is to be done, which are as long as the queue."""
        return tuple((agent, room) for agent, room in await self._database.rows(_SQL["ready"]))

    async def work(self, agent: str, room: str) -> Work:
        """One query, so that it is the state of one moment."""
        turns: list[str] = []
        rows: list[InboundRow] = []
        posts = []
        for sort, turn, seq, payload, *progress in await self._database.rows(_SQL["work"], agent, room):
            if sort == "turn":
                turns.append(turn)
            elif sort == "row":
                rows.append(InboundRow(seq, payload))
            else:
                posts.append((payload, *progress))
        return Work(tuple(turns), tuple(rows), posts_of(posts))

    async def discard(
        self, agent: str, room: str, seqs: tuple[int, ...], reason: str, rewritten: tuple[InboundRow, ...] = ()
    ) -> None:
        """The rows stay, with the reason."""

        def discard(batch: Batch) -> None:
            place = batch.place(agent, room)
            batch.take(place, seqs, discarded=reason)
            for row in rewritten:
                batch.rewrite(place, row.seq, row.payload)

        await self._database.write(Needs(places=((agent, room),)), discard)

    async def claim_room(self, agent: str, room: str, owner: str, lease: float) -> int:
        """Granted where the room was this owner's, where the other's lease is over, and where its session is gone."""

        def claim(batch: Batch) -> int:
            place = batch.place(agent, room)
            if place.owner not in ("", owner):
                if batch.is_held(place):
                    raise Unavailable(
                        f"Room {room} of {agent} is held by {place.owner}, whose lease lives.",
                        remedy="Wait until it is over, or stop that one.",
                    )
                batch.known.renumber()
            place.epoch += 1
            place.owner, place.changed = owner, True
            batch.writes.leases[owner] = lease
            return int(place.epoch)

        return await self._database.write(Needs(places=((agent, room),), claims=((agent, room),)), claim)

    async def heartbeat(self, owner: str, lease: float) -> None:
        """By the clock of the database."""

        def beat(batch: Batch) -> None:
            batch.writes.leases[owner] = lease

        await self._database.write(Needs(), beat)


def append(batch: Batch, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
    """Append an inbound, unless its key is in the ledger. Where it was this very process that appended it, and nobody was
    told, it is new all the same."""
    seq = batch.seq_of(agent, dedupe_key)
    if seq is None:
        return Appended(batch.append(agent, room, dedupe_key, payload), is_new=True)
    key: Hashable = ("append", agent, dedupe_key)
    if batch.known.lost.get(key) == Appended(seq, is_new=True):
        batch.answered.append(key)
        return Appended(seq, is_new=True)
    return Appended(seq, is_new=False)
