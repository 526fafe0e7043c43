"""How an agent that works on a task keeps its plan, tells how far it is, and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import carrier_actions_standard
from carrier_core import MemoryKind
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio

CONFIG = '[agents.robin]\nkind = "task"\n'


def steps(*texts: str, done: int = 0) -> dict[str, object]:
    return {"steps": [{"text": text, "done": number < done} for number, text in enumerate(texts)]}


@pytest.fixture
async def task(talk) -> AsyncIterator[object]:
    async with running_host([carrier_actions_standard], config=CONFIG) as running:
        yield type(talk)(running)


async def test_only_an_agent_that_works_on_tasks_is_offered_a_plan(talk, task) -> None:
    for each in (talk, task):
        each.provider.then(each.calls(("finish", {"outcome": "done", "report": "Done."})), "Well.")
        await each.running.ask("Hello")

    names = {tool.name for tool in talk.provider.prompts[0].tools}
    assert names.isdisjoint({"plan", "finish"})
    assert {"plan", "finish"} <= {tool.name for tool in task.provider.prompts[0].tools}


async def test_the_plan_is_kept_and_the_room_is_told_of_each_step_that_got_done(task) -> None:
    task.provider.then(
        task.calls(("plan", steps("look up", "compare"))),
        task.calls(("plan", steps("look up", "compare", done=1))),
        task.calls(("plan", steps("look up", "compare", "ask Ben", done=2))),
        task.calls(("finish", {"outcome": "done", "report": "The first is cheaper."})),
    )

    await task.running.ask("Compare two hotels.")

    assert list(task.client.texts) == [
        "Done: look up (1 of 2).",
        "Done: compare (2 of 3).",
        "The first is cheaper.",
    ]
    results = [message.text for message in task.provider.prompts[-1].messages if message.role == "tool"]
    assert results[0] == "The plan is kept. The next step is: look up"
    assert results[1] == "The plan is kept. The next step is: compare"
    (goal,) = await task.memory.list(kind=MemoryKind.GOAL)
    assert (goal.text, goal.data["status"]) == ("Done: Compare two hotels.", "done")
    assert all(step["done"] for step in goal.data["steps"])
    assert len(goal.data["was"]) == 3


@pytest.mark.parametrize(("outcome", "status"), [("failed", "failed"), ("needs_person", "open")])
async def test_a_task_that_was_not_done_says_so_and_its_goal_does(task, outcome: str, status: str) -> None:
    task.provider.then(
        task.calls(("plan", steps("look up", "compare"))),
        task.calls(("finish", {"outcome": outcome, "report": "I need the names."})),
    )

    assert await task.running.ask("Compare two hotels.") == "I need the names."

    (goal,) = await task.memory.list(kind=MemoryKind.GOAL)
    assert goal.data["status"] == status
    assert not any(step["done"] for step in goal.data["steps"])


async def test_a_task_without_a_plan_ends_too(task) -> None:
    task.provider.then(task.calls(("finish", {"outcome": "done", "report": "Nothing was to be done."})))

    assert await task.running.ask("Do nothing.") == "Nothing was to be done."
    assert await task.memory.list(kind=MemoryKind.GOAL) == ()


async def test_each_turn_has_its_own_plan(task) -> None:
    for text in ("Compare two hotels.", "Compare two planes."):
        task.provider.then(
            task.calls(("plan", steps("look up"))), task.calls(("finish", {"outcome": "done", "report": "Done."}))
        )
        await task.running.ask(text)

    assert {goal.text for goal in await task.memory.list(kind=MemoryKind.GOAL)} == {
        "Done: Compare two hotels.",
        "Done: Compare two planes.",
    }
