"""Limits of use: how often actions are carried out, for each person, room and time, across restarts."""

import pytest

from carrier_core import Action, ActionCall, Completion, Effect, Finish, action, impl
from carrier_core.testing import InMemoryStore, running_host

pytestmark = pytest.mark.anyio


class Rings:
    """A plugin with a bell and a door bell, and how often they rang."""

    def __init__(self):
        self.rang = []

    @impl
    def register_actions(self) -> tuple[Action, ...]:
        @action(effect=Effect.WRITE)
        async def ring_bell() -> None:
            """Ring the bell."""
            self.rang.append("bell")

        @action(effect=Effect.READ)
        async def ring_door(times: int = 1) -> None:
            """Ring at the door."""
            self.rang.append("door")

        return ring_bell, ring_door


def limits(*given):
    return {"policy": {"limits": list(given)}}


async def ring(running, *names, room="main", person="Ana"):
    """Have the agent call these; what the model was told of it."""
    calls = tuple(ActionCall(f"c{number}", name, {}) for number, name in enumerate(names))
    running.provider.then(Completion((), calls, Finish.CALLS), "done")
    await running.ask("ring", room=room, person=person)
    return [message.text for message in running.provider.prompts[-1].messages if message.role == "tool"]


async def test_each_person_has_their_own_uses():
    bells = Rings()
    async with running_host([bells], config=limits({"action": "ring_bell", "most": 1})) as running:
        assert await ring(running, "ring_bell") == ["done"]
        assert "as often as it may be (once a day for each person)" in (await ring(running, "ring_bell"))[0]
        assert "as often as it may be" in (await ring(running, "ring_bell", room="other"))[0]
        assert await ring(running, "ring_bell", room="theirs", person="Bob") == ["done"]
        assert await ring(running, "ring_door") == ["done"]
    assert bells.rang == ["bell", "bell", "door"]


@pytest.mark.parametrize(
    ("limit", "rang"),
    [
        ({"per": "room", "most": 2}, 2),
        ({"per": "agent", "most": 3}, 3),
        ({"per": "host", "most": 0}, 0),
        ({"window": "turn", "most": 1}, 2),
        ({"effect": "write", "most": 1}, 3),
        ({"effect": ["read", "write"], "most": 1}, 1),
        ({"agent": "somebody_else", "most": 0}, 4),
    ],
)
async def test_what_a_limit_counts(limit, rang):
    bells = Rings()
    async with running_host([bells], config=limits(limit)) as running:
        await ring(running, "ring_bell", "ring_bell")
        await ring(running, "ring_door", "ring_door")
    assert len(bells.rang) == rang


async def test_a_new_window_begins_anew_and_a_restart_does_not():
    bells, store = Rings(), InMemoryStore()
    given = {"config": limits({"window": "hour", "most": 1}), "store": store}
    async with running_host([bells], **given) as running:
        await ring(running, "ring_bell")
        client, clock = running.client, running.clock
    async with running_host([bells], client=client, **given) as running:
        assert "as often as it may be" in (await ring(running, "ring_bell"))[0]
        clock.advance(3600.0)
        assert await ring(running, "ring_bell") == ["done"]
    assert bells.rang == ["bell", "bell"]


async def test_of_several_limits_the_one_without_room_is_told():
    bells = Rings()
    several = ({"action": "ring_*", "most": 5}, {"action": "ring_bell", "window": "month", "most": 1})
    async with running_host([bells], config=limits(*several)) as running:
        told = await ring(running, "ring_bell", "ring_bell")
    assert told[0] == "done"
    assert "once a month" in told[1]


async def test_nobody_is_asked_for_what_cannot_be_done():
    bells = Rings()
    config = {
        "policy": {
            "limits": [{"action": "ring_bell", "most": 1}],
            "rules": [{"ruling": "ask", "action": "ring_bell", "outside": True}],
        }
    }
    async with running_host([bells], config=config) as running:
        assert await ring(running, "ring_bell") == ["done"]
        assert "once a day" in (await ring(running, "ring_bell"))[0]
        assert (await running.last()).outcome.status == "replied"
    assert bells.rang == ["bell"]
