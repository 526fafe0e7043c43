"""What waits for somebody to choose."""

from __future__ import annotations

import pytest

from carrier_context_standard.choices import Choices
from carrier_core import Provenance, Question

pytestmark = pytest.mark.anyio


async def test_the_options_of_what_waits_are_told_as_the_words_of_whoever_led_to_them(turn) -> None:
    of = Provenance(("agent", "outside:https://tickets.example"))
    turn.waiting = ((Question("q" * 32, ("by land", "by air"), turn.now + 60), of),)

    (part,) = (await Choices().provide(turn)).parts

    assert part.text.endswith("by land / by air")
    assert (part.key, part.provenance.origins) == ("choices", of.origins)


async def test_where_nothing_waits_nothing_is_told(turn) -> None:
    assert await Choices().provide(turn) is None
