"""What is looked up when the model asks for it."""

from __future__ import annotations

import pytest

import carrier_actions_standard
from carrier_core import Context, Part, Provenance, State, Turn, impl
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio


class Tides(Context):
    name = "tides"
    dynamic = True
    description = "When the water is high."

    async def provide(self, turn: Turn) -> State | None:
        return State((Part("High at six.", "tides", Provenance(("outside:https://tides.example",))),))


class Silent(Tides):
    name = "silent"

    async def provide(self, turn: Turn) -> State | None:
        return None


@impl
def register_context():
    return (Tides(), Silent())


async def test_the_model_is_told_what_a_context_has_to_say_and_whose_words_that_is(talk) -> None:
    async with running_host([carrier_actions_standard, register_context]) as running:
        other = type(talk)(running)
        for name in ("tides", "Tides "):
            told = await other.call("When is the water high?", "look_up", name=name)

            assert told.text == "High at six."
            assert "outside:https://tides.example" in told.parts[0].provenance.origins

        for name in ("silent", "moon"):
            told = await other.call("When is the water high?", "look_up", name=name)
            assert (told.failed, told.text) == (True, f"There is nothing under the name {name}.")
