"""The context of this plugin keeps what the host relies on."""

from __future__ import annotations

import pytest

from carrier_context_knowledge import Settings
from carrier_context_knowledge.documents import Documents
from carrier_core import Context, Memory, MemoryKind, Part, Provenance, impl, outside
from carrier_core.testing import ContextConformance


class Librarian:
    """Puts documents into the store before anything is said."""

    @impl
    async def start_agent(self, agent) -> None:
        texts = ("The lighthouse has 99 steps.", "The lighthouse is open on Sundays.", "Porto is a town.")
        await agent.memory.put(
            tuple(
                Memory(
                    f"{number:032x}",
                    agent.name,
                    "",
                    MemoryKind.FRAGMENT,
                    (Part(text),),
                    0.0,
                    Provenance((outside("book"),)),
                )
                for number, text in enumerate(texts)
            )
        )


class TestDocuments(ContextConformance):
    trusted = True
    plugins = (Librarian(),)

    @pytest.fixture
    def context(self) -> Context:
        return Documents(Settings())
