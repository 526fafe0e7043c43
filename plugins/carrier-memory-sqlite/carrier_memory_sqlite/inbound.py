"""The queue of inbound rows of every room, and whose a room is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from carrier_core import Appended, InboundRow, Journal, Unavailable, Work
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.outbox import posts_of
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Place, Transaction

_SQL = queries("inbound")
_TURNS = queries("turns")
_OUTBOX = queries("outbox")


class Inbounds(Journal):
    """See :class:`carrier_core.Journal`, section inbound.

    Leases are kept in memory: the folder's lock keeps every other process out, so an owner that this one does not know
    has none.
    """

    _database: Database
    clock: Callable[[], float] = staticmethod(time.monotonic)
    _leases: dict[str, float]

    async def append_inbound(self, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
        """One row in the ledger and one in the queue; the sequence number is given out here, in the writer."""
        return await self._database.write(lambda transaction: append(transaction, agent, room, dedupe_key, payload))

    async def ready(self) -> tuple[tuple[str, str], ...]:
        """From the indexes of what is to be done, which are as long as the queue."""
        return tuple((agent, room) for agent, room in self._database.rows(_SQL["ready"]))

    async def work(self, agent: str, room: str) -> Work:
        """From the same indexes."""
        rows = self._database.rows
        places = rows(_SQL["place"], (agent, room))
        if not places:
            return Work()
        place = places[0][0]
        waiting = rows(_SQL["waiting"], (place,))
        return Work(
            tuple([turn for (turn,) in rows(_TURNS["work"], (place,))]),
            tuple([InboundRow(seq, payload) for seq, payload in waiting]),
            posts_of(rows(_OUTBOX["work"], (place,))),
        )

    async def discard(
        self, agent: str, room: str, seqs: tuple[int, ...], reason: str, rewritten: tuple[InboundRow, ...] = ()
    ) -> None:
        """The rows stay, with the reason."""

        def discard(transaction: Transaction) -> None:
            place = transaction.place(agent, room)
            transaction.executemany(_SQL["discard"], [(reason, place.number, seq) for seq in seqs])
            for row in rewritten:
                transaction.execute(_SQL["rewrite"], (row.payload, place.number, row.seq))

        await self._database.write(discard)

    async def claim_room(self, agent: str, room: str, owner: str, lease: float) -> int:
        """The epoch is the database's, so it grows over restarts too."""

        def claim(transaction: Transaction) -> int:
            place = transaction.place(agent, room)
            self._refuse(place, agent, room, owner)
            transaction.execute(_SQL["claim"], (place.epoch + 1, owner, place.number))
            place.epoch += 1
            place.owner = owner
            return place.epoch

        epoch = await self._database.write(claim)
        await self.heartbeat(owner, lease)
        return epoch

    async def heartbeat(self, owner: str, lease: float) -> None:
        """Nothing is written: a lease that this process does not know is over."""
        if lease > 0:
            self._leases[owner] = self.clock() + lease
        else:
            self._leases.pop(owner, None)

    def _refuse(self, place: Place, agent: str, room: str, owner: str) -> None:
        left = self._leases.get(place.owner, 0.0) - self.clock()
        if place.owner != owner and left > 0:
            raise Unavailable(
                f"Room {room} of {agent} is held by {place.owner}, whose lease lives {left:.1f} seconds more.",
                remedy="Wait until it is over, or stop that one.",
            )


def append(transaction: Transaction, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
    """Append an inbound, unless its key is in the ledger."""
    place = transaction.place(agent, room)
    seq = place.seq + 1
    if not transaction.wrote(_SQL["dedupe"], (agent, dedupe_key, seq)):
        rows = transaction.rows(_SQL["seen"], (agent, dedupe_key))
        return Appended(rows[0][0], is_new=False)
    transaction.execute(_SQL["append"], (place.number, seq, payload))
    transaction.execute(_SQL["number"], (seq, place.number))
    place.seq = seq
    return Appended(seq, is_new=True)


def take(transaction: Transaction, place: Place, turn: str, seqs: Iterable[int], superseded: Iterable[int]) -> None:
    """Give rows that wait to a turn; those that a later one stands for are discarded."""
    for seq in seqs:
        transaction.execute(_SQL["take"], (turn, place.number, seq))
    for seq in superseded:
        transaction.execute(_SQL["discard"], ("superseded", place.number, seq))


def take_beside(transaction: Transaction, place: Place, turn: str, seq: int) -> None:
    """Give a row to a turn whose record does not name it."""
    transaction.execute(_SQL["take_beside"], (turn, place.number, seq))


def drop(transaction: Transaction, place: Place, seq: int, reason: str) -> None:
    """Discard a row that waits."""
    transaction.execute(_SQL["discard"], (reason, place.number, seq))
