"""Goals that people set, work on and reach."""

from __future__ import annotations

import pytest

from carrier_core import Entity, person
from carrier_evaluator_standard.goals import said_of_goals

ANA = Entity.of("test", "ana", name="Ana")
BEN = Entity.of("test", "ben", name="Ben")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My goal is to learn Portuguese.", [("set", "learn Portuguese", ())]),
        (
            "My new goal for this year is to run: buy shoes, train and register.",
            [("set", "run", ("buy shoes", "train", "register"))],
        ),
        ("I've set myself a goal to read more", [("set", "read more", ())]),
        ("I finished the first chapter.", [("done", "the first chapter", ())]),
        ("I'm done with training now", [("done", "training", ())]),
        ("Done with the shoes!", [("done", "the shoes", ())]),
        ("The report is finished", [("done", "The report", ())]),
        ("I have given up on running", [("dropped", "running", ())]),
        ("My goal is reached!", [("done", "My goal", ())]),
        ("My goal has finally been achieved", [("done", "My goal", ())]),
        ("I reached my goal to run a marathon", [("done", "run a marathon", ())]),
        ("My goal of reading more has failed", [("failed", "reading more", ())]),
        ("My goal is off", [("dropped", "My goal", ())]),
        ("My goal is to reach the summit", [("set", "reach the summit", ())]),
        ("My goal is to get it all done", [("set", "get it all done", ())]),
        ("Have I finished it?", []),
        ("If I finished it", []),
        ("What is my goal?", []),
    ],
)
def test_what_people_say_of_goals(text: str, expected: list[tuple[str, str, tuple[str, ...]]]) -> None:
    assert [(said.what, said.text, said.steps) for said in said_of_goals(text)] == expected


def test_a_goal_is_set_worked_on_and_reached(notebook) -> None:
    (goal,) = notebook.hears_of_goals("My goal is to run a marathon: buy shoes, train every week and register.")
    assert goal.text == "Run a marathon."
    assert goal.data["status"] == "open"
    assert goal.data["person"] == goal.entity == ANA.id
    assert goal.data["set"] == goal.data["changed"] == goal.at

    (after,) = notebook.hears_of_goals("I've bought them. I finished buying the shoes!")
    assert [step["done"] for step in after.data["steps"]] == [True, False, False]
    assert (after.id, after.data["status"], after.data["changed"]) == (goal.id, "open", after.at)

    notebook.hears_of_goals("I'm done with training.")
    (last,) = notebook.hears_of_goals("I have finished registering")
    assert last.data["status"] == "done"
    assert [[step["done"] for step in was["steps"]] for was in last.data["was"]] == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
    ]
    assert last.provenance.origins == (person(ANA.id),)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("I reached nothing", "open"),
        ("I've completed my goal", "done"),
        ("I have run the marathon, my goal is reached", "done"),
        ("I reached my goal to run a marathon", "done"),
        ("I've hit my goal", "done"),
        ("I met Bob", "open"),
        ("My goal has failed", "failed"),
        ("I have given up on the marathon", "dropped"),
        ("I finished my lunch", "open"),
    ],
)
def test_a_goal_without_steps(notebook, text: str, status: str) -> None:
    (goal,) = notebook.hears_of_goals("My goal is to run a marathon.")

    notebook.hears_of_goals(text)

    (kept,) = notebook.pages.values()
    shown = "Run a marathon." if status == "open" else f"{status.capitalize()}: Run a marathon."
    assert (kept.id, kept.data["status"], kept.text) == (goal.id, status, shown)


def test_of_several_goals_the_one_that_was_spoken_of_is_reached(notebook) -> None:
    notebook.hears_of_goals("My goal is to run a marathon.")
    notebook.hears_of_goals("My goal is to learn Portuguese.")

    assert notebook.hears_of_goals("My goal is reached!") == ()
    (done,) = notebook.hears_of_goals("I have run the marathon, my goal is reached!")
    assert done.text == "Done: Run a marathon."


def test_a_goal_is_set_once(notebook) -> None:
    notebook.hears_of_goals("My goal is to run a marathon.")

    assert notebook.hears_of_goals("My goal is to run the marathon!") == ()
    assert len(notebook.hears_of_goals("My goal is to learn Portuguese")) == 1


def test_what_is_not_clear_changes_nothing(notebook) -> None:
    notebook.hears_of_goals("My goal is to read: read book one, read book two")

    assert notebook.hears_of_goals("I finished the book") == ()


def test_nobody_reaches_the_goal_of_another_or_of_another_room(notebook) -> None:
    notebook.hears_of_goals("My goal is to run a marathon.", ANA, "harbour")

    assert notebook.hears_of_goals("I finished the marathon", BEN, "harbour") == ()
    assert notebook.hears_of_goals("I finished the marathon", ANA, "dm") == ()
