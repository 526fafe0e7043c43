"""All actions of this plugin keep what the host relies on."""

from __future__ import annotations

import pytest

from carrier_actions_standard import Settings, register_actions
from carrier_core import (
    Action,
    AgentRuntime,
    Audience,
    Connection,
    Context,
    Entity,
    Json,
    Memory,
    MemoryKind,
    Part,
    Provenance,
    Question,
    Room,
    RoomKind,
    Schedule,
    State,
    Turn,
    impl,
    make_id,
    person,
)
from carrier_core.testing import ActionConformance

ACTIONS = {action.name: action for action in register_actions(Settings())}

ARGUMENTS: dict[str, dict[str, Json]] = {
    "reply": {"text": "Ana lives in Porto."},
    "send_message": {"to": "Ben", "text": "I am late."},
    "remember": {"text": "Ana lives in Porto."},
    "forget": {"what": "where I live"},
    "remind_me": {"text": "call the bank", "when": "tomorrow at 9"},
    "schedule": {"text": "Tell us the news.", "when": "every day at 9", "zone": "UTC"},
    "cancel_reminder": {"what": "the milk"},
    "set_goal": {"goal": "run a marathon", "steps": ["buy shoes"]},
    "update_goal": {"goal": "move", "status": "done", "done_steps": ["pack"], "add_steps": ["rest"]},
    "choose_option": {"option": "by air"},
    "update_role": {"person": "Ben", "role": "member"},
    "look_up": {"name": "tides"},
    "plan": {"steps": [{"text": "look up", "done": True}]},
    "finish": {"outcome": "done", "report": "It is done."},
}

ANA, BEN = (Entity.of("fake", name.lower(), name=name) for name in ("Ana", "Ben"))
HOME, BENS = (Room.of("fake", f"dm/{name}", kind=RoomKind.DM) for name in ("ana", "ben"))


class Tides(Context):
    name = "tides"
    dynamic = True

    async def provide(self, turn: Turn) -> State | None:
        return State.of(tides="High at six.")


class Past:
    """What was before: Ana has told a fact and a goal, has set up a reminder, and Ben was here."""

    @impl
    def register_context(self) -> Context:
        return Tides()

    @impl
    async def start_agent(self, agent: AgentRuntime) -> None:
        said = Provenance((person(ANA.id),), Audience((HOME.id,)))
        for text, kind, data in (
            ("Ana lives in Porto.", MemoryKind.FACT, None),
            ("Move.", MemoryKind.GOAL, {"status": "open", "steps": [{"text": "pack", "done": False}]}),
        ):
            key, part = make_id("memory", text), Part(text, provenance=said)
            memory = Memory(key, agent.name, HOME.id, kind, (part,), 1.0, said, ANA.id, "Ana", data=data)
            await agent.memory.put((memory,))
        for entity, room in ((ANA, HOME), (BEN, HOME), (BEN, BENS)):
            await agent.memory.connect(agent.name, Connection(entity, room))
        milk = Schedule("s" * 32, agent.name, HOME, ANA, "buy milk", "at 2030-01-01T00:00", 1_893_456_000.0)
        await agent.host.store.journal.schedule(milk)


class TestAction(ActionConformance):
    plugins = (Past(),)
    config = '[agents.robin.roles]\nowner = ["fake:ana"]\n'

    @pytest.fixture(params=ACTIONS.values(), ids=ACTIONS)
    def action(self, request: pytest.FixtureRequest) -> Action:
        return request.param

    @pytest.fixture
    def arguments(self, action: Action) -> dict[str, Json]:
        return ARGUMENTS.get(action.name, {})

    @pytest.fixture(autouse=True)
    def _choice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A turn that waits for a choice takes a second turn: test_choices has one."""

        async def choices(turn: Turn) -> tuple[tuple[Question, Provenance], ...]:
            return ((Question("q" * 32, ("by land", "by air"), turn.now + 60), turn.spoken),)

        async def answer(turn: Turn, question: str, option: str) -> str:
            return "" if (question, option) == ("q" * 32, "by air") else "nobody waits for it"

        monkeypatch.setattr(Turn, "choices", choices)
        monkeypatch.setattr(Turn, "answer", answer)


# --- what the model is offered --------------------------------------------------------------------------------------------


def test_every_action_is_there() -> None:
    names = "reply ignore none continue follow_room unfollow_room mute_room unmute_room send_message remember forget remind_me schedule"
    more = "cancel_reminder set_goal update_goal choose_option update_role look_up plan finish"

    assert list(ACTIONS) == [*names.split(), *more.split()]


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_a_model_can_tell_what_it_does(action: Action) -> None:
    assert len(action.description) > 60
    assert action.name.upper() in action.similes  # ElizaOS's name, where it has one
    assert action.arguments is not None
    described = action.parameters["properties"].values()
    assert all(each.get("description") for each in described)


def test_no_two_actions_share_a_name_or_a_simile() -> None:
    names = [name.casefold() for action in ACTIONS.values() for name in {action.name.upper(), *action.similes}]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_what_may_be_done_twice_in_doubt_does_it_once(action: Action) -> None:
    writes = action.effect.value == "write"

    assert action.idempotent or not writes or action.name in ("forget", "cancel_reminder", "choose_option")
