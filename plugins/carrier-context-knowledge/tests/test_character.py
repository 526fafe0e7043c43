"""The files that a character's knowledge names."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

import carrier_context_knowledge
from carrier_core import MemoryKind

pytestmark = pytest.mark.anyio


async def until(true: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not await true():
            await anyio.sleep(0.01)


async def known(running) -> set[tuple[str, str]]:
    found = await running.store.memory.list(kind=MemoryKind.DOCUMENT)
    return {(memory.agent, memory.name) for memory in found if memory.data["mark"]}


async def test_they_are_known_soon_after_the_start(make_host, tmp_path) -> None:
    docs = tmp_path / "config" / "docs"
    for folder in (tmp_path, *tmp_path.iterdir(), docs):
        folder.mkdir(exist_ok=True, parents=True)
    character = {"name": "Robin", "knowledge": [{"path": str(docs)}, "It has 99 steps.", {"path": "nowhere.md"}]}
    (docs / "menu.md").write_text("# Menu\n\nLeek soup on Mondays.")
    (docs / "junk.txt").write_bytes(b"\0\1\2")
    async with make_host([carrier_context_knowledge], character=character) as running:
        await until(lambda: known(running))
        await running.ask("When is there leek soup?")
        [prompt] = await running.provider.asked()

    assert "Leek soup on Mondays." in [part.text for part in prompt.select("documents")]


async def test_paths_are_seen_from_the_characters_file_and_shared_ones_are_for_every_agent(make_host, tmp_path) -> None:
    (tmp_path / "own.toml").write_text(
        'name = "Own"\n[[knowledge]]\npath = "books/own.md"\n[[knowledge]]\npath = "books/all.md"\nshared = true\n'
    )
    (tmp_path / "other.toml").write_text('name = "Other"\n')
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "own.md").write_text("mine")
    (tmp_path / "books" / "all.md").write_text("ours")
    config = f'[agents.own]\ncharacter = "{tmp_path}/own.toml"\n[agents.other]\ncharacter = "{tmp_path}/other.toml"\n'
    async with make_host([carrier_context_knowledge], config=config) as running:

        async def are_known() -> bool:
            return len(await known(running)) == 3

        await until(are_known)
        assert await known(running) == {("own", "own.md"), ("own", "all.md"), ("other", "all.md")}


async def test_whatever_goes_wrong_with_them_the_agent_answers(make_host, monkeypatch) -> None:
    async def breaks(*given: object, **more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("carrier_context_knowledge.character._take", breaks)
    async with make_host(
        [carrier_context_knowledge], character={"name": "Robin", "knowledge": [{"path": "x.md"}]}
    ) as running:
        assert await running.ask("Hello.")
