"""The journal: what it writes, and what it finds when it looks back."""

from __future__ import annotations

from carrier_core import InboundRow, Intent, OpenTurn, Parking, Part, StoredPart, TurnRecord, decode, inflate
from carrier_memory_postgres.connections import Link
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.inbound import Inbounds
from carrier_memory_postgres.memory import PostgresMemory
from carrier_memory_postgres.outbox import Outbox
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.schedules import Schedules
from carrier_memory_postgres.spending import Spendings
from carrier_memory_postgres.traces import read_records
from carrier_memory_postgres.turns import Turns

_SQL = queries("turns")


class PostgresJournal(Inbounds, Turns, Outbox, Schedules, Spendings):
    """See :class:`carrier_core.Journal`."""

    def __init__(self, database: Database, memory: PostgresMemory) -> None:
        self._database = database
        self._memory = memory

    async def reopen(self, turn: str) -> OpenTurn | None:
        """In one query, so that it is the state of one moment."""
        rows = await self._database.rows(_SQL["reopen"], turn)
        if not rows:
            return None
        state, record, activations, agent, room, step, until, reason, steps, inbound, intents = rows[0]
        found = (await self._database.pool.run(lambda link: read_records(link, [(state, record, steps)])))[0]
        payloads = {row[0]: row[1] for row in inbound or ()}
        parking = Parking(turn, agent, room, step, until, reason) if state == "parked" else None
        return OpenTurn(
            found,
            tuple([InboundRow(seq, payloads[seq]) for seq in found.inbound if seq in payloads]),
            tuple([Intent(*intent) for intent in intents or ()]),
            activations,
            parking,
            completed=state in ("completed", "finished"),
        )

    async def parked(self) -> tuple[Parking, ...]:
        """By the end of their waiting."""
        return tuple([Parking(*row) for row in await self._database.rows(_SQL["parked"])])

    async def turn(self, turn: str) -> TurnRecord | None:
        """The exact id before any beginning; None where a beginning fits several."""
        found = await self._records("turn", turn)
        if not found and turn:
            found = await self._records("turns_like", turn, turn + "\U0010ffff")
        return found[0] if len(found) == 1 else None

    async def turns(
        self, *, agent: str = "", room: str = "", status: str = "", limit: int = 20
    ) -> tuple[TurnRecord, ...]:
        """By the order of their opening."""
        if room:
            return await self._records("turns_of_room", room, agent, status, limit)
        if agent:
            return await self._records("turns_of_agent", agent, status, limit)
        return await self._records("turns", status, limit)

    async def parts(self, digests: tuple[str, ...]) -> tuple[StoredPart, ...]:
        """In the order asked for."""
        rows = await self._database.rows(_SQL["parts"], list(digests))
        return tuple([StoredPart(digest, decode(inflate(part), Part)) for digest, part in rows])

    async def _records(self, name: str, *values: object) -> tuple[TurnRecord, ...]:
        async def read(link: Link) -> tuple[TurnRecord, ...]:
            return tuple(await read_records(link, await link.fetch(_SQL[name], *values)))

        return await self._database.pool.run(read)
