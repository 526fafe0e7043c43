"""The journal: the queue of every room, turns, the outbox, schedules and spending, over one database."""

from __future__ import annotations

from collections.abc import Iterable

from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.inbound import Inbounds
from carrier_memory_sqlite.memory import SqliteMemory
from carrier_memory_sqlite.outbox import Outbox
from carrier_memory_sqlite.records import Records
from carrier_memory_sqlite.schedules import Schedules
from carrier_memory_sqlite.spending import Spendings
from carrier_memory_sqlite.turns import Turns


class SqliteJournal(Inbounds, Turns, Records, Outbox, Schedules, Spendings):
    """See :class:`carrier_core.Journal`."""

    def __init__(self, database: Database, memory: SqliteMemory) -> None:
        self._database = database
        self._memory = memory
        self._known: dict[str, None] = {}  # parts that are stored
        self._leases: dict[str, float] = {}  # until when each owner's lease lives, by the clock
        self._forgotten: set[str] = set()  # turns that may not come back

    def clear(self) -> None:
        """Keep nothing in mind."""
        self._known.clear()
        self._leases.clear()
        self._forgotten.clear()

    def forgot(self, turns: Iterable[str]) -> None:
        """That parts were removed, and these turns with them, which may not be completed any more."""
        self._known.clear()
        self._forgotten.update(turns)

    def restored(self, turns: Iterable[str]) -> None:
        """That these turns came back, from an archive."""
        self._forgotten.difference_update(turns)
