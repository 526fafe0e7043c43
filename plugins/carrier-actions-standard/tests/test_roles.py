"""Who is what, and who may change that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import carrier_actions_standard
from carrier_core import Entity, MemoryKind
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio

CONFIG = '[agents.robin.roles]\nowner = ["fake:ana"]\nadmin = ["fake:ada"]\n'


@pytest.fixture
async def owned(talk) -> AsyncIterator[object]:
    """A host in which Ana is the owner and Ada an admin; they and Ben are in the hall."""
    async with running_host([carrier_actions_standard], config=CONFIG) as running:
        made = type(talk)(running)
        for name in ("Ana", "Ada", "Ben"):
            await made.client.ask(made.client.group("hall"), name, "Robin, hello.")
        yield made


async def test_an_owner_makes_somebody_an_admin(owned) -> None:
    told = await _update(owned, "Ana", "Ben", "admin")

    assert told.text == "Ben (ben on fake) is admin here now."
    (role,) = await owned.memory.list(kind=MemoryKind.ROLE)
    assert (role.text, role.entity) == ("admin", owned.client.person("Ben").id)


async def test_an_admin_makes_members_but_no_admins(owned) -> None:
    assert not (await _update(owned, "Ada", "Ben", "member")).failed
    assert (await _update(owned, "Ada", "Ben", "admin")).failed


@pytest.mark.parametrize("who", ["Ben", "Ana"])
async def test_a_guest_changes_nothing(owned, who: str) -> None:
    assert (await _update(owned, "Ben", who, "owner")).failed
    assert await owned.memory.list(kind=MemoryKind.ROLE) == ()


async def test_nobody_raises_themselves(owned) -> None:
    await _update(owned, "Ana", "Ben", "admin")

    assert (await _update(owned, "Ben", "Ben", "owner")).failed


async def test_of_two_people_of_one_name_nobody_becomes_anything(owned) -> None:
    impostor = Entity.of("fake", "ben2", name="Ben")
    await owned.client.ask(owned.client.group("hall"), impostor, "Robin, hello.")

    told = await _update(owned, "Ana", "Ben", "admin")

    assert told.failed
    assert "Several people fit" in told.text
    assert impostor.id in told.text


async def test_who_was_not_seen_here_becomes_nothing(owned) -> None:
    assert "Nobody of that name was seen here" in (await _update(owned, "Ana", "Zoe", "member")).text


async def _update(owned, by: str, who: str, role: str):
    arguments: dict[str, object] = {"person": who, "role": role}
    owned.provider.then(owned.calls(("update_role", arguments)), "Well.")
    await owned.client.ask(owned.client.group("hall"), by, f"Robin, update the role of {who}: {role}.")
    return owned.told()
