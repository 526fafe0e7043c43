"""What all context keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from carrier_core import OPERATOR, Attachment, Context, State, Turn, encode
from carrier_core.testing.hosts import Objects
from carrier_core.testing.suites.cancellation import swallowed
from carrier_core.testing.turns import Turns, running_turns

STRANGE = "שלום 你好 olá 🌊 👩‍🚀 \u202eabc\u202c e\u0301 {{agent_name}} {% if %} <b> \\ \" '"

PLUGIN = "the-context"
"""The name under which the context is asked."""

Scene = Callable[[Turns], AbstractAsyncContextManager[Turn]]


@asynccontextmanager
async def _first_words(turns: Turns) -> AsyncIterator[Turn]:
    async with turns.turn("Hello.") as turn:
        yield turn


@asynccontextmanager
async def _a_conversation(turns: Turns) -> AsyncIterator[Turn]:
    name = next(iter(turns.running.host.agents.values())).character.name
    lines = [("Ana", "I live in Porto."), (name, "How lovely."), ("Ana", "I have a dog."), (name, "What is its name?")]
    await turns.said(*lines * 5)
    async with turns.turn("Where do I live?") as turn:
        yield turn


@asynccontextmanager
async def _a_file_without_words(turns: Turns) -> AsyncIterator[Turn]:
    file = Attachment("image/jpeg", "ola.jpg", "https://example.org/ola.jpg", 12)
    async with turns.turn("", attachments=(file,)) as turn:
        yield turn


@asynccontextmanager
async def _many_people(turns: Turns) -> AsyncIterator[Turn]:
    group = turns.group()
    await turns.said(("Bea", "Is the lighthouse open?"), ("Caio", "On Sundays."), room=group)
    async with turns.turn("Robin, when is the lighthouse open?", room=group) as turn:
        yield turn


@asynccontextmanager
async def _strange_signs(turns: Turns) -> AsyncIterator[Turn]:
    await turns.said(("Ana", STRANGE), ("Ana", ""), ("Ana", " \n\t"), (STRANGE, "Who am I?"))
    async with turns.turn(STRANGE, person=turns.running.client.person(STRANGE)) as turn:
        yield turn


SCENES: Mapping[str, Scene] = {
    "the first words in a room": _first_words,
    "a conversation": _a_conversation,
    "a file without words": _a_file_without_words,
    "a room of many": _many_people,
    "strange signs": _strange_signs,
}
"""The turns in which context is asked."""


class ContextConformance:
    """Subclass it and override ``context``.

    ``trusted`` says that the operator is to list its plugin in ``[policy] trusted``: then it may speak for the operator.
    ``plugins``, ``config`` and ``character`` make the host in whose turns it is asked (see ``running_host``).
    """

    trusted = False
    plugins: Objects = ()
    config: str | Mapping[str, object] = ""
    character: Mapping[str, object] | None = None

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The backend that the host runs on."""
        return "asyncio"

    @pytest.fixture
    def context(self) -> Context:
        """The context."""
        raise NotImplementedError("Override the fixture `context`.")

    def test_it_has_a_name(self, context: Context) -> None:
        """A context has a name, by which it is registered and reported."""
        assert isinstance(context.name, str)
        assert context.name

    @pytest.mark.anyio
    async def test_it_answers_in_every_turn(self, context: Context) -> None:
        """Whatever was said, before or now, by whomever, it returns a state or None, and raises nothing."""
        for name, scene in SCENES.items():
            async with self._turns() as turns, scene(turns) as turn:
                state = await context.provide(turn)
                assert state is None or isinstance(state, State), f"{name}: it returned {type(state).__name__}"

    @pytest.mark.anyio
    async def test_its_parts_have_keys(self, context: Context) -> None:
        """Every part has the key that prompts and ``why`` know it by, and a role of the conversation or none."""
        for name, state in (await self._states(context)).items():
            for part in state.parts:
                assert part.key, f"{name}: {part}"
                assert part.role in ("", "user", "assistant"), f"{name}: {part}"

    @pytest.mark.anyio
    async def test_its_text_can_be_stored(self, context: Context) -> None:
        """The state can be recorded: it is valid text without NUL."""
        for name, state in (await self._states(context)).items():
            assert encode(state), name
            assert not any("\x00" in part.text for part in state.parts), name

    @pytest.mark.anyio
    async def test_one_turn_has_one_state(self, context: Context) -> None:
        """Asked again in a turn, or in the same turn of another process, it gives the same: clock and chance are the turn's."""
        for name, scene in SCENES.items():
            states = []
            for _ in range(2):
                async with self._turns() as turns, scene(turns) as turn:
                    states += [await context.provide(turn), await context.provide(turn)]
            assert states[0] == states[1], f"{name}: asked twice in one turn"
            assert states[0] == states[2], f"{name}: the same turn in another host"

    @pytest.mark.anyio
    async def test_what_is_stable_is_the_same_in_every_turn_of_a_room(self, context: Context) -> None:
        """Stable parts, which providers cache, do not change from one turn of a room to the next."""
        async with self._turns() as turns:
            found = []
            for text in ("Hello.", "Where is the lighthouse?", STRANGE):
                async with turns.turn(text) as turn:
                    state = await context.provide(turn) or State()
                found.append([part.text for part in state.parts if part.stable])
                await turns.said(("Ana", "I have a dog."))
                turns.running.clock.advance(86_400.0)
        assert found[0] == found[1] == found[2]

    @pytest.mark.anyio
    async def test_its_size_is_bounded(self, context: Context) -> None:
        """The state does not grow with the length of the room's past."""
        sizes = []
        for length in (200, 800):
            async with self._turns() as turns:
                await turns.said(*[("Ana", f"The lighthouse has {number:04} steps.") for number in range(length)])
                async with turns.turn("How many steps has the lighthouse?") as turn:
                    state = await context.provide(turn) or State()
            sizes.append(sum(len(part.text) for part in state.parts))
        assert sizes[1] <= sizes[0] * 1.2 + 100, f"after 200 messages {sizes[0]} characters, after 800 {sizes[1]}"

    @pytest.mark.anyio
    async def test_it_does_not_speak_for_the_operator(self, context: Context) -> None:
        """No part carries the operator's label, unless the plugin is to be trusted."""
        for name, state in (await self._states(context)).items():
            labelled = [part for part in state.parts if part.provenance and OPERATOR in part.provenance.origins]
            assert self.trusted or not labelled, f"{name}: {labelled}"

    @pytest.mark.anyio
    async def test_its_labels_hold(self, context: Context) -> None:
        """The host takes every label as it is: a part claims only origins of what its context was shown in the turn."""
        for name, scene in SCENES.items():
            async with self._turns() as turns, scene(turns) as turn:
                state = await context.provide(turn) or State()
                for part in state.parts:
                    if part.provenance is None:
                        continue
                    held = turn.stamp.part(part, PLUGIN, "provide_state").provenance
                    assert held is not None
                    added = {*held.origins} - {*part.provenance.origins}
                    assert not added, f"{name}: {part.provenance.origins} became {held.origins}: {part.text[:80]!r}"

    @pytest.mark.anyio
    async def test_a_cancellation_passes_through(self, context: Context) -> None:
        """A context that is cancelled ends at once, with the cancellation and nothing else."""
        async with self._turns() as turns, turns.turn("Where is the lighthouse?") as turn:
            assert await swallowed(context.provide(turn)) == ""

    async def _states(self, context: Context) -> dict[str, State]:
        found = {}
        for name, scene in SCENES.items():
            async with self._turns() as turns, scene(turns) as turn:
                found[name] = await context.provide(turn) or State()
        return found

    @asynccontextmanager
    async def _turns(self) -> AsyncIterator[Turns]:
        async with running_turns(self.plugins, config=self.config, character=self.character) as turns:
            if self.trusted:
                for agent in turns.running.host.agents.values():
                    agent.trusted |= {PLUGIN}
            yield turns
