"""What the character knows by itself."""

from __future__ import annotations

import pytest

from carrier_context_standard.knowledge import Knowledge

pytestmark = pytest.mark.anyio


async def test_texts_of_the_characters_file_are_stable_and_the_operators(turn) -> None:
    turn.is_character(
        {"name": "Tifa", "knowledge": [{"text": "Soup on Mondays."}, {"path": "menu.txt"}, {"text": "Tea always."}]}
    )
    knowledge = Knowledge()

    (part,) = (await knowledge.provide(turn)).parts

    assert part.text == "# What you know\n- Soup on Mondays.\n- Tea always."
    assert (part.key, part.stable, part.provenance.origins) == ("knowledge", True, ("operator",))
    assert (await knowledge.provide(turn)).parts[0] is part
    assert turn.log.lines == []


async def test_a_character_that_knows_nothing(turn) -> None:
    assert await Knowledge().provide(turn) is None


async def test_what_is_too_much_for_every_prompt_is_left_out_and_the_log_says_so_once(turn) -> None:
    turn.is_character({"name": "Tifa", "knowledge": [{"text": f"{n}" * 3_000} for n in range(4)]})
    knowledge = Knowledge()

    for _ in range(2):
        text = (await knowledge.provide(turn)).text("knowledge")

    assert "1111" in text
    assert "2222" not in text
    assert turn.log.lines == [("knowledge_left_out", {"agent": "tifa", "texts": 2, "most": 8_000})]
