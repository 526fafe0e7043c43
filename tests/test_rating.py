"""Ratings: what people think of a reply is kept with its turn."""

import pytest

from carrier_core import MemoryKind, make_id
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio


async def ratings(running):
    return await running.store.memory.list(kind=MemoryKind.RATING)


async def test_a_reaction_to_a_reply_is_kept_until_it_is_taken_back():
    async with running_host() as running:
        await running.ask("hello")
        post, turn = running.client.sends[0], (await running.last()).id
        native = make_id("fake", "post", post.key)

        assert (await running.client.react("main", "Ana", native, "👍")).reason == ""
        assert (await running.client.react("main", "Ana", native, "👎")).reason == ""
        (rating,) = await ratings(running)
        assert (rating.text, rating.data, rating.turn) == ("👎", {"value": "👎"}, turn)
        assert (rating.entity, rating.room) == (running.client.person("Ana").id, post.room.id)

        assert (await running.client.react("main", "Ana", native, "")).reason == ""
        assert await ratings(running) == ()


async def test_each_person_has_one_rating_of_a_reply_and_the_turn_may_be_named():
    async with running_host() as running:
        await running.ask("hello")
        turn = (await running.last()).id
        for name in ("Ana", "Bob", "Ana"):
            await running.client.react("main", name, turn, "👍")
        assert sorted(rating.name for rating in await ratings(running)) == ["Ana", "Bob"]


async def test_a_reaction_to_something_else_is_not_kept():
    async with running_host() as running:
        await running.ask("hello")
        assert "not about a reply" in (await running.client.react("main", "Ana", "elsewhere", "👍")).reason
        assert (
            "not about a reply" in (await running.client.react("other", "Ana", (await running.last()).id, "👍")).reason
        )
        assert await ratings(running) == ()
