"""The files that a character's ``knowledge`` names: taken in when its agent starts, like those of ``carrierd ingest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from carrier_context_knowledge.files import found, source_of
from carrier_context_knowledge.ingest import Intake, named, shown
from carrier_context_knowledge.library import Label, Library, Taken
from carrier_context_knowledge.reader import Bounds
from carrier_context_knowledge.reading import Reading
from carrier_core import CarrierError, Memory, MemoryStore

if TYPE_CHECKING:
    from carrier_core import AgentRuntime


class Shelf:
    """The memories of a running host, as a library changes them."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def get(self, ids: tuple[str, ...]) -> tuple[Memory, ...]:
        """Those with these ids."""
        return await self._store.get(ids)

    async def change(self, *, put: tuple[Memory, ...] = (), forget: tuple[str, ...] = ()) -> None:
        """Forget some, then store some."""
        if forget:
            await self._store.forget(forget)
        if put:
            await self._store.put(put)


async def take_in(agent: AgentRuntime, bounds: Bounds) -> None:
    """Take in what the agent's character names, while the agent is at work already; the log says what cannot be. ``shared``
    knowledge is for every agent of the host."""
    log = agent.host.log
    try:
        folder = agent.host.config.character_path(agent.name).parent
        async with Reading(bounds) as reading:
            for item in agent.character.knowledge:
                if item.path:
                    agents = tuple(agent.host.agents) if item.shared else (agent.name,)
                    await _take(agent, reading, folder / item.path, {*agents, agent.name})
    except (CarrierError, OSError) as error:
        log.warning("knowledge_not_taken_in", agent=agent.name, error=str(error))
    except Exception:  # raised, it would end the host
        log.exception("knowledge_not_taken_in", agent=agent.name)


async def _take(agent: AgentRuntime, reading: Reading, path: Path, agents: set[str]) -> None:
    log = agent.host.log
    for file in found([str(path)]):
        if file.refusal is not None:
            if file.asked or file.missing:
                log.warning("document_refused", agent=agent.name, path=shown(str(file.path)), why=file.refusal.reason)
            continue
        label = Label(source_of(file.path), named(file.path.name))
        for name in sorted(agents):
            library = Library(Shelf(agent.memory), name, clock=agent.host.clock)
            became = await Intake(library, reading).take(file.path, label)
            if became.refusal is not None:
                log.warning("document_refused", agent=name, path=shown(str(file.path)), why=became.refusal.reason)
                break
            if became.taken is not Taken.UNCHANGED and became.entry is not None:
                fragments = became.entry.fragments
                log.info("document_taken_in", agent=name, path=shown(str(file.path)), fragments=fragments)
