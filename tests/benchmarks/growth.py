"""What a turn leaves behind: the bytes by which the database grows, beside the text of the message and its reply.

After the history of 100 rooms is there and everything is in the database's own file (a checkpoint), some thousand default turns
are made in the same rooms, with sentences that nobody has said before. The growth of the file less the text on both sides, and
how it is divided between tables and indexes (SQLite's ``dbstat``, PostgreSQL's own figures), counting whole pages.

``growth`` runs on SQLite, ``growth-postgres`` on PostgreSQL, with a VACUUM every 500 turns, as autovacuum would.
"""

from __future__ import annotations

import anyio
import anyio.to_thread

from carrier_core.logs import configure
from carrier_core.settings import LogSettings
from tests.benchmarks.backends import Backend, Site, backend
from tests.benchmarks.talk import HISTORY, Conversation, places, running

ROOMS = 100
EACH = 25
AT_ONCE = 5  # turns of a room until the database is tidied
SMALL = 16  # bytes a turn, below which a table is not worth a line


async def talk(server: Backend, site: Site, each: int, number: int) -> tuple[int, int]:
    """So many turns in every room; the store is closed after them. How many turns that were, and the bytes of their text."""
    turns = text = 0
    async with running(site, server.plugin) as host:
        conversation = Conversation(host, places(ROOMS), number=number, seed=number + 1)
        for stretch in range(0, each, AT_ONCE):
            said = await conversation.go_on(min(AT_ONCE, each - stretch))
            turns, text = turns + said.turns, text + said.text
            await anyio.to_thread.run_sync(server.tidy, site)
    return turns, text


def measure(name: str = "sqlite") -> dict[str, dict[str, object]]:
    """Measure on one backend."""
    configure(LogSettings(), least="warning")
    with backend(name) as server, server.site() as site:
        anyio.run(talk, server, site, HISTORY, 0)
        size, tables = server.sizes(site)
        turns, text = anyio.run(talk, server, site, EACH, HISTORY)
        grown, after = server.sizes(site)
    whole, text_each = (grown - size) / turns, text / turns
    by_table = {table: (bytes_ - tables.get(table, 0)) / turns for table, bytes_ in after.items()}
    rest = ", ".join(table for table, each in by_table.items() if each < SMALL)
    results: dict[str, dict[str, object]] = {
        "bytes_per_turn": {
            "value": round(whole - text_each),
            "unit": f"bytes a turn beside {text_each:.0f} of text, over {turns} turns",
            "goal": "<= 6144",
            "detail": [
                *(
                    f"{each:8.0f}  {table}"
                    for table, each in sorted(by_table.items(), key=lambda item: -item[1])
                    if each >= SMALL
                ),
                f"   below {SMALL} each: {rest}",
            ],
        },
    }
    return {f"growth_{name}_{key}": value for key, value in results.items()}
