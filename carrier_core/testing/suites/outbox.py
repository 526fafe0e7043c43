"""What every journal keeps of deliveries."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import Outgoing, Part, Sending, Status, Store
from carrier_core.testing.suites.scene import AGENT_NAME, LEASE, ME, OTHER, OTHER_AGENT, ROOM, Scene


class OutboxLaws:
    """Laws of the journal about the outbox; a part of ``StoreConformance``."""

    @pytest.mark.anyio
    async def test_reply_parts_are_kept_in_order(self, store: Store) -> None:
        """Reply parts are listed in the order in which they were put there, by agent, turn, state and number if asked for,
        whatever became of them."""
        journal, scene = store.journal, Scene()
        posts: list[Outgoing] = []
        for number in range(6):
            agent, room = ((AGENT_NAME, ROOM), (OTHER_AGENT, ROOM), (AGENT_NAME, OTHER))[number % 3]
            epoch = await journal.claim_room(agent, room.id, ME, LEASE)
            turn = scene.turn(str(number), (), Status.REPLIED, room=room, agent=agent)
            pair = (scene.sending(turn, 1), scene.sending(turn, 0))
            await journal.complete(turn, epoch, (), (), pair)
            posts.extend(pair)
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        posts[1] = msgspec.structs.replace(posts[1], state=Sending.SENT, native="n1", at=5.0)
        posts[6] = msgspec.structs.replace(posts[6], state=Sending.IN_DOUBT)
        await journal.deliver(AGENT_NAME, ROOM.id, epoch, (posts[6], posts[1]))
        assert await journal.outbox() == tuple(posts)
        assert await journal.outbox(limit=3) == tuple(posts[:3])
        assert await journal.outbox(agent=OTHER_AGENT) == (*posts[2:4], *posts[8:10])
        assert await journal.outbox(turn=posts[4].part.turn) == (posts[4], posts[5])
        assert await journal.outbox(states=(Sending.IN_DOUBT, Sending.SENT)) == (posts[1], posts[6])
        assert await journal.outbox(agent=AGENT_NAME, states=(Sending.WAITING,), limit=2) == (posts[0], posts[4])
        assert await journal.outbox(agent=OTHER_AGENT, states=(Sending.SENT,)) == ()
        assert (await journal.work(AGENT_NAME, ROOM.id)).outbox == (posts[0], posts[7])

    @pytest.mark.anyio
    async def test_a_delivery_is_noted(self, store: Store) -> None:
        """All that is told of a delivery is kept; the part stays what it was, and parts that are not in this room's outbox are
        left out."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        elsewhere = await journal.claim_room(AGENT_NAME, OTHER.id, ME, LEASE)
        turn, there = scene.turn("1", (), Status.REPLIED), scene.turn("2", (), Status.REPLIED, room=OTHER)
        post, theirs = scene.sending(turn), scene.sending(there)
        await journal.complete(turn, epoch, (), (), (post,))
        await journal.complete(there, elsewhere, (), (), (theirs,))
        other_words = msgspec.structs.replace(post.part, content=(Part("Something else."),))
        for state in (*Sending, Sending.WAITING):
            if state is not Sending.UNKNOWN:
                told = Outgoing(other_words, state, 3, 20.25, 50.5, 7.125, "n1", "olá 🌊")
                unknown = msgspec.structs.replace(told, part=scene.post(turn, 9))
                foreign = msgspec.structs.replace(told, part=theirs.part)
                await journal.deliver(AGENT_NAME, ROOM.id, epoch, (unknown, told, foreign))
                assert await journal.outbox() == (msgspec.structs.replace(told, part=post.part), theirs)

    @pytest.mark.anyio
    async def test_what_is_said_on_the_way_waits_as_the_turn_goes_on(self, store: Store) -> None:
        """A part that comes with steps is in the outbox once they are recorded, beside an effect that is under way, and only
        once; the turn goes on."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        turn = scene.turn("1")
        await journal.open_turn(turn, epoch, None, ())
        intent = await journal.begin_step(turn, epoch, scene.intent(turn, "act/1/0"))
        post = scene.sending(turn, 0, Sending.WAITING)
        for _ in range(2):
            await journal.record_steps(turn, epoch, (scene.step("act/1/0/say/0"),), outbox=(post,))
        assert await journal.outbox() == (post,)
        sent = msgspec.structs.replace(post, state=Sending.SENT, at=5.0, native="n1")
        await journal.deliver(AGENT_NAME, ROOM.id, epoch, (sent,))
        await journal.record_steps(turn, epoch, (scene.step("act/1/0/say/0"),), outbox=(post,))
        assert await journal.outbox() == (sent,)
        found = await journal.reopen(turn.id)
        assert found is not None
        assert (found.intents, found.completed, found.parking) == ((intent,), False, None)

    @pytest.mark.anyio
    async def test_a_part_is_put_into_the_outbox_once(self, store: Store) -> None:
        """A part whose key is in the outbox already is not put there again, and its delivery not begun anew."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        turn, ended = scene.turn("1"), scene.turn("1", (), Status.REPLIED)
        await journal.open_turn(turn, epoch, None, ())
        asked = scene.sending(turn)
        await journal.park(turn, epoch, scene.parking(turn), outbox=(asked,))
        sent = msgspec.structs.replace(asked, state=Sending.SENT, at=5.0, native="n1")
        await journal.deliver(AGENT_NAME, ROOM.id, epoch, (sent,))
        await journal.park(turn, epoch, scene.parking(turn), outbox=(asked,))
        assert await journal.outbox() == (sent,)
        await journal.unpark(turn, epoch, scene.step("ask/1"))
        await journal.complete(ended, epoch, (), (), (asked, scene.sending(turn, 1, Sending.SENDING)))
        assert await journal.outbox() == (sent, scene.sending(turn, 1, Sending.SENDING))
