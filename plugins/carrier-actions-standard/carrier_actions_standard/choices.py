"""Choices: to pass on which option somebody has chosen, where a turn waits for that."""

from __future__ import annotations

from typing import Annotated

import msgspec

from carrier_actions_standard.arguments import Name
from carrier_actions_standard.likeness import best, same
from carrier_actions_standard.words import refused, told
from carrier_core import Action, ActionCall, ActionResult, Effect, NotSent, Question, Turn, Unknown


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody has chosen."""

    option: Annotated[Name, msgspec.Meta(description="The option that the person has chosen, as it was offered.")]


class ChooseOption(Action):
    """Answers a question of this room that waits for a choice."""

    name = "choose_option"
    similes = (
        "CHOOSE_OPTION",
        "CHOOSE",
        "SELECT_OPTION",
        "SELECT",
        "PICK",
        "PICK_OPTION",
        "TAKE",
        "OPTION",
        "WANT",
        "PREFER",
        "GO_WITH",
        "PLEASE",
        "I_CHOOSE",
        "I_TAKE",
        "I_WANT",
    )
    description = (
        "Choose an option of a question that waits for a choice in this room, when the person says which one they want. Never "
        "choose for them. What waits for an approval cannot be answered so."
    )
    examples = ("Ana, asked whether to ship by land or by air: “By air, please.” — option “air”",)
    effect = Effect.WRITE
    arguments = Chosen

    async def validate(self, turn: Turn) -> bool:
        """Only where a question waits."""
        return bool(await turn.choices())

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """Whoever asked goes on with the answer; where no option fits, the model is told which there are."""
        wanted = call.read(Chosen).option
        waiting = await turn.choices()
        fitting = [(question, option, of) for question, of in waiting for option in _fitting(question, wanted)]
        if len(fitting) != 1:
            offered = "; ".join(", ".join(question.options) for question, _ in waiting) or "none"
            problem = f"{'Several options fit' if fitting else 'No option fits'}. There are: {offered}."
            return told(call, problem, also=[of for _, of in waiting], ok=False)
        question, option, of = fitting[0]
        problem = await turn.answer(question.id, option)
        if problem:
            return refused(call, f"It was not chosen: {problem}.")
        return told(call, f"Chosen: {option}", also=(of,))

    async def find(self, turn: Turn, call: ActionCall) -> NotSent | Unknown:
        """A question that still waits was not answered; one that does not may have been answered by anybody."""
        wanted = call.read(Chosen).option
        still = any(_fitting(question, wanted) for question, _ in await turn.choices())
        return NotSent() if still else Unknown()


def _fitting(question: Question, wanted: str) -> list[str]:
    exact = [option for option in question.options if same(option, wanted)]
    return exact or best(wanted, question.options, lambda option: option)
