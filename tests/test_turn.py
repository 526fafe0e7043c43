"""What a turn shows of the conversation."""

from __future__ import annotations

from itertools import pairwise

import pytest

from carrier_core import EVERYONE, Memory, MemoryKind, Part, Provenance, Reply, Unavailable, impl, make_id
from carrier_core.testing import running_host
from carrier_core.testing.turns import running_turns
from carrier_core.turn import steady


def line(number: int) -> Memory:
    said = Provenance((), EVERYONE)
    key = make_id("line", str(number))
    return Memory(key, "robin", "r", MemoryKind.MESSAGE, (Part(str(number)),), number, said, by_agent=bool(number % 2))


def test_the_conversation_begins_in_most_turns_where_it_did_before():
    talk = [line(number) for number in range(400)]
    shown = [steady(tuple(talk[turn : turn + 32])) for turn in range(0, 360, 2)]
    assert all(24 <= len(lines) <= 32 for lines in shown)
    assert not any(lines[0].by_agent for lines in shown)
    moved = sum(before[0] is not after[0] for before, after in pairwise(shown))
    assert moved < len(shown) / 2


@pytest.mark.anyio
async def test_what_is_asked_for_by_number_is_that_number():
    lengths = []

    class Looks:
        @impl
        async def provide_state(self, turn: object) -> None:
            lengths.append((len(await turn.history()), len(await turn.history(8))))

    async with running_host([Looks()], config="[agents.robin]\nconversation_length = 12\n") as running:
        for number in range(10):
            await running.ask(f"line {number}")
    assert lengths[0] == (0, 0)
    assert lengths[-1][1] == 8
    assert 9 <= lengths[-1][0] <= 12


@pytest.mark.anyio
async def test_what_could_not_be_stored_is_there_the_next_time_before_what_came_after_it():
    async with running_turns() as turns, turns.turn() as turn:
        turn.progress.note("one", Reply())

        async def fail():
            async with turn.progress.storing():
                turn.progress.note("two", Reply())
                raise Unavailable("The server is away.")

        with pytest.raises(Unavailable):
            await fail()
        async with turn.progress.storing() as (steps, _, _):
            assert [step.name for step in steps][-2:] == ["one", "two"]
        async with turn.progress.storing() as (steps, _, _):
            assert steps == ()
