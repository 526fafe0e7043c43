"""Goals: set, followed, reached."""

from __future__ import annotations

import pytest

from carrier_core import Audience, Memory, MemoryKind, Part, Provenance, person

pytestmark = pytest.mark.anyio


async def goals(talk) -> list[Memory]:
    return list(reversed(await talk.memory.list(kind=MemoryKind.GOAL)))


async def test_a_goal_is_set_in_the_persons_own_words(talk) -> None:
    told = await talk.call("I want to run a marathon.", "set_goal", goal="run a marathon")

    (goal,) = await goals(talk)
    assert told.text == "The goal is set. run a marathon (open)"
    assert (goal.text, goal.data["status"], goal.data["steps"]) == ("run a marathon", "open", [])
    assert goal.data["person"] == goal.entity == talk.client.person("Ana").id
    assert goal.provenance.origins == (person(goal.entity),)


async def test_a_goal_with_steps_of_the_models_is_the_models(talk) -> None:
    await talk.call("I want to run a marathon.", "set_goal", goal="run a marathon", steps=["buy shoes", "train"])

    (goal,) = await goals(talk)
    assert goal.data["steps"] == [{"text": "buy shoes", "done": False}, {"text": "train", "done": False}]
    assert "agent" in goal.provenance.origins


async def test_steps_are_done_and_added_and_the_goal_is_reached(talk) -> None:
    await talk.call("I want to move to Porto.", "set_goal", goal="move to Porto", steps=["find a flat", "pack"])

    told = await talk.call(
        "I found a flat!", "update_goal", goal="Porto", done_steps=["found a flat"], add_steps=["tell Ben"]
    )
    assert told.text == "Noted. move to Porto (open; done: found a flat; left: find a flat, pack, tell Ben)"

    told = await talk.call("And packed.", "update_goal", goal="move to Porto", done_steps=["find a flat", "pack"])
    assert told.text == "Noted. move to Porto (open; done: find a flat, pack, found a flat; left: tell Ben)"

    told = await talk.call("I have moved.", "update_goal", goal="moving to Porto", status="done")
    assert told.text.startswith("Noted. move to Porto (done;")

    (goal,) = await goals(talk)
    assert goal.data["status"] == "done"
    assert [earlier["status"] for earlier in goal.data["was"]] == ["open", "open", "open"]
    assert goal.data["was"][0]["steps"] == [{"text": "find a flat", "done": False}, {"text": "pack", "done": False}]
    assert goal.data["changed"] > goal.data["set"]


@pytest.mark.parametrize("status", ["done", "failed", "dropped"])
async def test_the_text_of_a_goal_tells_that_it_is_over_and_is_as_it_was_when_it_is_open_again(
    talk, status: str
) -> None:
    await talk.call("I want to run a marathon.", "set_goal", goal="run a marathon")
    for _ in range(2):
        told = await talk.call("It is over.", "update_goal", goal="marathon", status=status)
        assert told.text == f"Noted. run a marathon ({status})"
    (goal,) = await goals(talk)
    assert (goal.text, goal.data["status"]) == (f"{status.capitalize()}: run a marathon", status)

    await talk.call("Again.", "update_goal", goal="run a marathon", status="open")
    (goal,) = await goals(talk)
    assert (goal.text, goal.data["status"]) == ("run a marathon", "open")


async def test_a_goal_that_is_set_again_is_the_same_goal(talk) -> None:
    await talk.call("I want to run a marathon.", "set_goal", goal="run a marathon")
    await talk.call("I gave up.", "update_goal", goal="marathon", status="dropped")

    await talk.call("I want to run a marathon.", "set_goal", goal="Run a marathon.")

    (goal,) = await goals(talk)
    assert goal.data["status"] == "open"


async def test_where_it_is_not_clear_which_goal_is_meant_it_is_asked(talk) -> None:
    for text in ("run a marathon", "run a business"):
        await talk.call(f"I want to {text}.", "set_goal", goal=text)

    several = await talk.call("Done.", "update_goal", goal="run", status="done")
    none = await talk.call("Done.", "update_goal", goal="fly", status="done")

    for told in (several, none):
        assert told.failed
        assert "run a marathon (open)" in told.text
        assert "run a business (open)" in told.text


async def test_an_open_goal_is_meant_rather_than_one_that_is_over(talk) -> None:
    await talk.call("I want to read Homer.", "set_goal", goal="read Homer in May")
    await talk.call("Done.", "update_goal", goal="Homer", status="done")
    await talk.call("I want to read Homer.", "set_goal", goal="read Homer in June")

    told = await talk.call("I gave up.", "update_goal", goal="read Homer", status="dropped")

    assert told.text == "Noted. read Homer in June (dropped)"


async def test_a_goal_that_another_plugin_has_noted_is_followed_too(talk) -> None:
    ana, dm = talk.client.person("Ana"), talk.client.dm("Ana")
    said = Provenance((person(ana.id),), Audience((dm.id,)))
    was = [{"status": "open", "at": 0.0, "turn": "a", "step": "pack"}]
    data = {"status": "open", "steps": [{"text": "pack", "done": True}], "was": was, "their": "own"}
    goal = Memory(
        "x" * 32, "robin", dm.id, MemoryKind.GOAL, (Part("Move.", provenance=said),), 1.0, said, ana.id, "Ana"
    )
    await talk.memory.put((Memory(**{key: getattr(goal, key) for key in goal.__struct_fields__} | {"data": data}),))

    told = await talk.call("I have moved.", "update_goal", goal="move", status="done", room=dm)

    assert told.text == "Noted. Move. (done; done: pack)"
    old, kept = await goals(talk)
    assert (kept.data["status"], kept.data["their"], kept.data["was"][0]) == ("done", "own", was[0])
    assert (kept.entity, kept.data["key"]) == (ana.id, old.id)
    told = await talk.call("I have moved.", "update_goal", goal="move", add_steps=["rest"], room=dm)
    assert told.text == "Noted. Move. (done; done: pack; left: rest)"  # the newer one is meant, not both


async def test_nobody_hears_of_a_goal_that_was_told_elsewhere(talk) -> None:
    await talk.call("I want to leave my job.", "set_goal", goal="leave my job", room=talk.client.dm("Ana"))
    hall = talk.client.group("hall")
    await talk.client.ask(hall, "Ben", "Robin, hello.")

    told = await talk.call("Robin, what of my job?", "update_goal", goal="leave job", status="done", room=hall)

    assert told.failed
    assert "leave my job" not in told.text


async def test_a_goal_of_the_person_is_meant_rather_than_anothers(talk) -> None:
    hall = talk.client.group("hall")
    for who, goal in (("Ana", "read Homer"), ("Ben", "read Homer aloud")):
        await talk.call(f"Robin, set a goal: {goal}", "set_goal", goal=goal, room=hall, person=who)

    told = await talk.call("Robin, mark the goal Homer as done.", "update_goal", goal="Homer", status="done", room=hall)

    assert told.text == "Noted. read Homer (done)"


async def test_the_same_goal_in_two_rooms_is_two_where_one_must_not_be_known_in_the_other(talk) -> None:
    await talk.call(
        "Set a goal: leave my job", "set_goal", goal="leave my job", room=talk.client.dm("Ana"), steps=["tell Ben"]
    )
    hall = talk.client.group("hall")
    await talk.call("Robin, set a goal: leave my job", "set_goal", goal="leave my job", room=hall)

    private, shared = await goals(talk)
    assert (len(private.data["steps"]), shared.data["steps"]) == (1, [])
