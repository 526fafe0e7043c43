"""What is to be delivered, and the effects of which nobody knows whether they happened."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from carrier_core import Intent, Journal, Outgoing, ReplyPart, Sending, decode, deflate, encode, inflate
from carrier_memory_sqlite.database import Database, Row
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Place, Transaction

_SQL = queries("outbox")
_NEVER: float = msgspec.structs.fields(Outgoing)[3].default
"""The default of times: a record leaves out this very object, not any other zero."""


class Outbox(Journal):
    """See :class:`carrier_core.Journal`, section effects."""

    _database: Database

    async def deliver(self, agent: str, room: str, epoch: int, outbox: tuple[Outgoing, ...]) -> None:
        """By key."""

        def deliver(transaction: Transaction) -> None:
            place = transaction.claimed(agent, room, epoch)
            here = [each for each in outbox if transaction.rows(_SQL["here"], (each.part.key, place.number))]
            deliver_posts(transaction, here)

        await self._database.write(deliver)

    async def outbox(
        self, *, agent: str = "", turn: str = "", states: tuple[Sending, ...] = (), limit: int = 100
    ) -> tuple[Outgoing, ...]:
        """What was sent is looked through in a worker thread: there may be much of it."""
        wanted = msgspec.json.encode(states).decode()
        if turn:
            return posts_of(self._database.rows(_SQL["of_turn"], (agent, wanted, limit, turn)))
        if states and Sending.SENT not in states:
            return posts_of(self._database.rows(_SQL["unsent"], (agent, wanted, limit)))
        return posts_of(await self._database.aside(lambda rows: rows(_SQL["all"], (agent, wanted, limit))))

    async def doubts(self, *, agent: str = "") -> tuple[Intent, ...]:
        """From an index of these alone."""
        return intents_of(self._database.rows(_SQL["doubts"], (agent,)))

    async def settle_doubt(self, key: str) -> bool:
        """The intent goes."""
        return await self._database.write(lambda transaction: transaction.wrote(_SQL["settle"], (key,)))


Post = tuple[str, str, str, int, float, float, float, str, str, bytes]


def posts(outbox: Iterable[Outgoing]) -> list[Post]:
    """Reply parts made ready for :func:`add_posts`, outside of the writer thread."""
    return [
        (
            sending.part.key,
            sending.part.turn,
            sending.state.value,
            sending.attempts,
            sending.due,
            sending.deadline,
            sending.at,
            sending.native,
            sending.error,
            encode(sending.part),
        )
        for sending in outbox
    ]


def add_posts(transaction: Transaction, place: Place, ready: Iterable[Post]) -> int:
    """Put reply parts into the outbox; one that is there stays as it is. Returns how many were new."""
    return sum(transaction.wrote(_SQL["add"], (key, place.number, *rest, deflate(raw))) for key, *rest, raw in ready)


def deliver_posts(transaction: Transaction, outbox: Iterable[Outgoing]) -> None:
    """Write down how far deliveries are."""
    for each in outbox:
        values = (each.state.value, each.attempts, each.due, each.deadline, each.at, each.native, each.error)
        transaction.execute(_SQL["deliver"], (*values, each.part.key))


def posts_of(rows: Iterable[Row]) -> tuple[Outgoing, ...]:
    """The reply parts of rows."""
    return tuple(
        [
            Outgoing(
                decode(inflate(payload), ReplyPart),
                Sending(state),
                attempts,
                due or _NEVER,
                deadline or _NEVER,
                at or _NEVER,
                native,
                error,
            )
            for payload, state, attempts, due, deadline, at, native, error in rows
        ]
    )


def add_intent(transaction: Transaction, intent: Intent) -> Intent:
    """Write down an intent; returns the one of its key that is there."""
    if transaction.wrote(_SQL["add_intent"], msgspec.structs.astuple(intent)):
        return intent
    return intents_of(transaction.rows(_SQL["intent"], (intent.key,)))[0]


def intents_of(rows: Iterable[Row]) -> tuple[Intent, ...]:
    """The intents of rows."""
    return tuple(
        [
            Intent(key, turn, agent, room, step, at, deadline, what, bool(in_doubt))
            for key, turn, agent, room, step, at, deadline, what, in_doubt in rows
        ]
    )
