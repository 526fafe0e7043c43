"""Upkeep: what is not to be kept any longer goes, and a lease lives as long as its host."""

from __future__ import annotations

import pytest

from carrier_core import Unavailable
from carrier_core.testing import HASTY, InMemoryStore, Lives, running_host

pytestmark = pytest.mark.anyio


async def test_what_no_rule_keeps_is_removed_and_the_rest_goes_on():
    rules = "[agents.robin.retention]\nturn = { days = 1 }\nmessage = { most = 2 }\n[agents.wren]\n"
    lives = Lives(config=HASTY + rules)
    async with lives.host() as running:
        for text in ("one", "two", "three"):
            await running.ask(text, agent="robin")
            await running.ask(text, agent="wren")
        lives.clock.advance(2 * 24 * 3600.0)
        await running.ask("four", agent="robin")
        assert await running.host.upkeep.expire() > 0
        kept = [memory.text for memory in await lives.store.memory.list(agent="robin")]
        turns = await lives.store.journal.turns(agent="robin")
        assert (kept, len(turns)) == (["You said: four", "four"], 1)
        assert len(await lives.store.journal.turns(agent="wren")) == 3
        assert await running.host.upkeep.expire() == 0
        assert await running.ask("five", agent="robin") == "You said: five"
        [record] = await lives.store.journal.turns(agent="robin", limit=1)
        assert len(await lives.store.journal.parts(record.parts)) == len(record.parts)


async def test_a_host_holds_its_rooms_until_it_stops():
    store = InMemoryStore()
    async with running_host(store=store) as running:
        await running.ask("hello", room="r")
        room = running.client.said[0].room.id
        with pytest.raises(Unavailable):
            await store.journal.claim_room("robin", room, "another", 30.0)
    assert await store.journal.claim_room("robin", room, "another", 30.0) > 1
