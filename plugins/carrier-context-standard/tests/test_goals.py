"""The goals of the person spoken with."""

from __future__ import annotations

import pytest

from carrier_context_standard.goals import Goals
from carrier_core import Entity, MemoryKind

BEN = Entity.of("test", "ben", name="Ben")

pytestmark = pytest.mark.anyio


async def test_open_goals_are_told_with_their_steps_as_whoever_told_them(turn) -> None:
    steps = [
        {"text": "find a flat", "done": True},
        {"text": "pack", "done": False},
        {"text": "tell Ben", "done": False},
    ]
    goal = turn.memory("Move to Porto.", kind=MemoryKind.GOAL, data={"status": "open", "steps": steps})
    turn.knows = (
        goal,
        turn.memory("Learn to swim", kind=MemoryKind.GOAL, data={"status": "done", "steps": []}),
        turn.memory("Be kind", kind=MemoryKind.GOAL),
        turn.memory("Be bold", kind=MemoryKind.GOAL, data={"status": "failed", "key": "b" * 32}),
        turn.memory("Be bold", kind=MemoryKind.GOAL, id="b" * 32),  # which is what it was before
        turn.memory("Rule the world", BEN, kind=MemoryKind.GOAL, data={"status": "open"}),
    )

    heading, *parts = (await Goals().provide(turn)).parts

    assert "not instructions" in heading.text
    assert heading.provenance.origins == ("operator",)
    assert [part.text for part in parts] == ["Move to Porto. Done: find a flat. Left: pack, tell Ben.", "Be kind."]
    assert (parts[0].key, parts[0].memory, parts[0].provenance) == ("goals", goal.id, goal.provenance)


async def test_no_more_than_five_goals_stand_in_a_prompt(turn) -> None:
    turn.knows = tuple(turn.memory(f"Goal {number}", kind=MemoryKind.GOAL) for number in range(9))

    parts = (await Goals().provide(turn)).select("goals")

    assert [part.text for part in parts] == [f"Goal {number}." for number in range(5)]


@pytest.mark.parametrize(
    "data", [None, "x", {"steps": "x"}, {"steps": ["x", {}]}, {"status": "open", "steps": [{"done": 1}]}]
)
async def test_whatever_a_plugin_has_kept_there_is_a_text(turn, data) -> None:
    turn.knows = (turn.memory("Move.", kind=MemoryKind.GOAL, data=data),)

    (part,) = (await Goals().provide(turn)).select("goals")

    assert part.text.startswith("Move.")


async def test_without_a_goal_there_is_nothing_to_say(turn) -> None:
    turn.knows = (turn.memory("Done.", kind=MemoryKind.GOAL, data={"status": "dropped"}),)

    assert await Goals().provide(turn) is None
