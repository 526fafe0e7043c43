"""Roles: what somebody is to an agent in a world, and who may change that."""

import pytest

from carrier_core import Action, MemoryKind, Rejected, Role, World, action, impl
from carrier_core.policy.roles import role_of
from carrier_core.prompts import ActionCall, Completion, Effect, Finish
from carrier_core.settings import load
from carrier_core.testing import running_host
from carrier_core.testing.hosts import write_config
from carrier_core.testing.turns import running_turns

pytestmark = pytest.mark.anyio

ROLES = '[agents.robin.roles]\nowner = "fake:olga"\nadmin = ["fake:adam", "fake:eve"]\n'


async def role(turns, name, room=None):
    async with turns.turn(room=room, person=name) as turn:
        return await turn.role()


async def change(turns, actor, whom, to, room=None):
    """Have somebody make somebody else something; why not, if not."""
    async with turns.turn(room=room, person=actor) as turn:
        try:
            await turn.set_role(turns.running.client.person(whom), Role(to))
        except Rejected as error:
            return error.message
    return ""


async def test_the_configuration_says_who_is_what_by_the_platforms_own_id():
    async with running_turns(config=ROLES) as turns:
        assert [await role(turns, name) for name in ("Olga", "Adam", "Ana")] == [Role.OWNER, Role.ADMIN, Role.GUEST]


@pytest.mark.parametrize(
    ("actor", "whom", "to", "may"),
    [
        ("Olga", "Ana", "owner", True),
        ("Olga", "Ana", "guest", True),
        ("Adam", "Ana", "member", True),
        ("Adam", "Ana", "admin", False),
        ("Adam", "Eve", "guest", False),  # the operator has settled that
        ("Ana", "Bob", "guest", False),
        ("Ana", "Ana", "owner", False),
        ("Olga", "Ana", "emperor", False),
    ],
)
async def test_who_may_make_whom_what(actor, whom, to, may):
    async with running_turns(config=ROLES) as turns:
        problem = await change(turns, actor, whom, to)
        assert (problem == "") is may
        if may:
            assert await role(turns, whom) == Role(to)


async def test_an_owner_that_was_made_one_may_not_change_themselves_nor_be_changed_by_an_admin():
    async with running_turns(config=ROLES) as turns:
        await change(turns, "Olga", "Ana", "owner")
        assert "their own" in await change(turns, "Ana", "Ana", "guest")
        assert "cannot make" in await change(turns, "Adam", "Ana", "guest")
        assert await change(turns, "Olga", "Ana", "guest") == ""
        assert await role(turns, "Ana") is Role.GUEST


async def test_a_role_counts_in_its_world():
    async with running_turns(config=ROLES) as turns:
        client = turns.running.client
        here, there = World.of("fake", "harbour"), World.of("fake", "castle")
        square, bank, hall = (
            client.group("square", world=here),
            client.group("bank", world=here),
            client.group("hall", world=there),
        )
        assert await change(turns, "Olga", "Ana", "member", square) == ""
        found = [await role(turns, "Ana", room) for room in (square, bank, hall)]
        assert found == [Role.MEMBER, Role.MEMBER, Role.GUEST]


async def test_an_action_is_for_those_who_are_enough():
    @action(effect=Effect.READ, role=Role.ADMIN)
    async def look_at_books() -> str:
        """Look at the books."""
        return "all is well"

    class Books:
        @impl
        def register_actions(self) -> Action:
            return look_at_books

    async with running_host([Books()], config=ROLES) as running:
        for person, told in (("Ana", "is for admins, and Ana is a guest"), ("Adam", "all is well"), ("Olga", "all")):
            running.provider.then(Completion((), (ActionCall("c", "look_at_books", {}),), Finish.CALLS))
            assert told in await running.ask("How are the books?", room=person, person=person)


async def test_the_newest_configuration_says_who_is_what_while_a_turn_runs():
    async with running_turns(config=ROLES) as turns:
        running = turns.running
        async with turns.turn(person="Adam") as turn:
            await running.host.reload(load(write_config(running.folder, "[agents.robin]\n", {}), {}, running.folder))
            assert await role_of(turn, turn.person) is Role.GUEST

        async with turns.turn(person="Adam") as turn:
            await running.host.reload(load(write_config(running.folder, ROLES, {}), {}, running.folder))
            assert await role_of(turn, turn.person) is Role.ADMIN


async def test_an_agent_that_is_gone_keeps_its_roles_until_its_turn_has_ended():
    async with running_turns(config=ROLES) as turns:
        running = turns.running
        async with turns.turn(person="Adam") as turn:
            await running.host.reload(load(write_config(running.folder, "[agents.tifa]\n", {}), {}, running.folder))
            assert await role_of(turn, turn.person) is Role.ADMIN


async def test_a_plugin_cannot_write_a_role_as_a_memory():
    async with running_turns(config=ROLES) as turns, turns.turn(person="Ana") as turn:
        with pytest.raises(Exception, match="set_role"):
            await turn.remember("owner", kind=MemoryKind.ROLE)


async def test_a_role_that_is_taken_away_while_a_turn_runs_is_gone_for_its_next_call():
    done = []

    @action(effect=Effect.WRITE, role=Role.ADMIN)
    async def purge(name: str) -> str:
        """Purge something."""
        done.append(name)
        return "purged"

    class Books:
        @impl
        def register_actions(self) -> Action:
            return purge

    async with running_host([Books()], config=ROLES) as running:
        running.provider.then(Completion((), (ActionCall("c", "purge", {"name": "all"}),), Finish.CALLS), "No more.")
        running.provider.hold()
        accepted = await running.client.say("r", "Adam", "Purge all.")
        await running.provider.asked()
        nobody = write_config(running.folder, "[agents.robin]\n", {})
        await running.host.reload(load(nobody, {}, running.folder))
        running.provider.release()
        await running.host.wait(accepted.heard[0].turn)
        assert done == []


async def test_resetting_a_room_forgets_what_was_said_and_not_who_may_do_what():
    async with running_turns(config=ROLES) as turns:
        room = turns.running.client.group("square", world=World.of("fake", "harbour"))
        assert await change(turns, "Olga", "Ana", "admin", room) == ""
        async with turns.turn(room=room, person="Ana") as turn:
            await turn.remember("Ana likes tea")
        assert await turns.running.host.reset("robin", room.id) > 0
        left = await turns.running.store.memory.list(agent="robin", room=room.id)
        assert [memory.kind for memory in left] == [MemoryKind.ROLE]
        assert await role(turns, "Ana", room) is Role.ADMIN
