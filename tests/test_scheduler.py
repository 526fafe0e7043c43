"""The scheduler: a room's turns one after another, rooms side by side, nothing begun after the end."""

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_core.messages import Entity, Inbound, Room
from carrier_core.scheduler import Rooms, Row


def row(seq):
    inbound = Inbound.say(Room.of("x", "r"), Entity.of("x", "ana"), str(seq), event=str(seq), at=0.0)
    return Row(seq, inbound)


class Desk:
    """Handles rows as the test lets it, and writes down what happened in which order."""

    def __init__(self):
        self.log = []
        self.gates = {}
        self.running = 0
        self.most = 0

    def gate(self, seq):
        return self.gates.setdefault(seq, anyio.Event())

    async def patiently(self, agent, row):
        self.log.append(("begins", agent, row.seq))
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate(row.seq).wait()
        self.running -= 1
        self.log.append(("ends", agent, row.seq))

    async def at_once(self, agent, row):
        self.log.append(("begins", agent, row.seq))
        await anyio.sleep(0)
        self.log.append(("ends", agent, row.seq))

    def order(self, what="begins"):
        return [seq for happened, _, seq in self.log if happened == what]


def play(test, *, patient=True, most=10_000):
    """Run ``test(rooms, desk)`` and wait for what it left to do."""

    async def whole():
        desk = Desk()
        async with anyio.create_task_group() as group:
            rooms = Rooms(group, desk.patiently if patient else desk.at_once, most=most)
            await test(rooms, desk)
        return desk

    return anyio.run(whole)


def test_messages_of_a_room_are_answered_one_after_another():
    async def twenty(rooms, desk):
        for seq in range(20):
            rooms.push("tifa", "r", row(seq))
        assert rooms.busy == 1
        await rooms.idle()

    desk = play(twenty, patient=False)
    assert desk.log == [(what, "tifa", seq) for seq in range(20) for what in ("begins", "ends")]


def test_a_thousand_rooms_overlap():
    async def thousand(rooms, desk):
        for seq in range(1000):
            rooms.push("tifa", f"room-{seq}", row(seq))
        await anyio.wait_all_tasks_blocked()
        assert desk.order() == list(range(1000))
        assert desk.order("ends") == []
        for seq in range(1000):
            desk.gate(seq).set()

    assert play(thousand).most == 1000


def test_two_agents_in_one_room_do_not_wait_for_each_other():
    async def both(rooms, desk):
        rooms.push("tifa", "r", row(1))
        rooms.push("barret", "r", row(1))
        await anyio.wait_all_tasks_blocked()
        assert rooms.busy == 2
        desk.gate(1).set()

    desk = play(both)
    assert desk.log[:2] == [("begins", "tifa", 1), ("begins", "barret", 1)]


def test_a_row_that_is_confirmed_late_takes_its_place_among_those_that_wait():
    async def late(rooms, desk):
        rooms.push("tifa", "r", row(1))
        await anyio.wait_all_tasks_blocked()
        for seq in (5, 3, 4, 2):
            rooms.push("tifa", "r", row(seq))
        assert rooms.queued == 4
        for seq in range(1, 6):
            desk.gate(seq).set()

    assert play(late).order() == [1, 2, 3, 4, 5]


def test_a_row_that_is_confirmed_after_its_successor_began_comes_next():
    async def late(rooms, desk):
        rooms.push("tifa", "r", row(2))
        await anyio.wait_all_tasks_blocked()
        rooms.push("tifa", "r", row(1))
        desk.gate(1).set()
        desk.gate(2).set()

    assert play(late).order() == [2, 1]


def test_a_row_that_comes_before_the_rooms_task_has_begun_is_in_order_too():
    async def early(rooms, desk):
        for seq in (3, 1, 2):
            rooms.push("tifa", "r", row(seq))
            desk.gate(seq).set()

    assert play(early).order() == [1, 2, 3]


def test_at_most_so_many_rooms_are_worked_on_and_the_others_wait_their_turn():
    async def many(rooms, desk):
        for seq in range(10):
            rooms.push("tifa", f"room-{seq}", row(seq))
            rooms.push("tifa", f"room-{seq}", row(seq + 100))
        await anyio.wait_all_tasks_blocked()
        assert rooms.busy == 3
        for seq in (*range(10), *range(100, 110)):
            desk.gate(seq).set()
        await rooms.idle()
        assert (rooms.busy, rooms.queued) == (0, 0)

    desk = play(many, most=3)
    assert desk.most == 3
    assert [seq for seq in desk.order() if seq < 100] == list(range(10))
    assert len(desk.order()) == 20


def test_after_closing_what_runs_ends_and_nothing_begins():
    async def closing(rooms, desk):
        for seq in range(3):
            rooms.push("tifa", "r", row(seq))
            rooms.push("tifa", f"room-{seq}", row(seq + 10))
        await anyio.wait_all_tasks_blocked()
        rooms.close()
        rooms.push("tifa", "late", row(20))
        for seq in (0, 10, 11, 12):
            desk.gate(seq).set()
        await rooms.idle()
        assert rooms.queued == 3

    assert play(closing).order("ends") == [0, 10, 11, 12]


def test_idle_waits_for_a_room_that_became_busy_meanwhile():
    async def again(rooms, desk):
        await rooms.idle()
        rooms.push("tifa", "r", row(1))
        desk.gate(1).set()
        await rooms.idle()
        assert desk.order("ends") == [1]
        rooms.push("tifa", "r", row(2))
        desk.gate(2).set()
        await rooms.idle()
        assert desk.order("ends") == [1, 2]

    play(again)


def test_a_room_leaves_nothing_behind():
    async def gone(rooms, desk):
        for seq in range(100):
            rooms.push("tifa", f"room-{seq}", row(seq))
        await rooms.idle()
        assert rooms._queues == {}
        assert not rooms._waiting

    play(gone, patient=False)


def test_what_the_handler_raises_comes_out():
    async def broken(agent, row):
        raise LookupError("the handler answers for its errors")

    async def whole():
        async with anyio.create_task_group() as group:
            Rooms(group, broken, most=10).push("tifa", "r", row(1))

    with pytest.raises(ExceptionGroup) as raised:
        anyio.run(whole)
    assert raised.group_contains(LookupError)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), min_size=1, max_size=30).flatmap(
        lambda pushes: st.tuples(st.just(pushes), st.permutations(range(len(pushes))))
    ),
    st.integers(1, 4),
)
def test_however_rows_come_each_is_handled_once_and_a_rooms_turns_never_overlap(drawn, most):
    pushes, seqs = drawn
    busy = set()
    handled = []

    async def handle(agent, row):
        room = row.inbound.event.partition("/")[0]
        assert room not in busy
        busy.add(room)
        for _ in range(pushes[seqs.index(row.seq)][1]):
            await anyio.sleep(0)
        busy.discard(room)
        handled.append(row.seq)

    async def whole():
        async with anyio.create_task_group() as group:
            rooms = Rooms(group, handle, most=most)
            for seq, (room, _, pause) in zip(seqs, pushes, strict=True):
                inbound = Inbound.say(Room.of("x", "r"), Entity.of("x", "a"), "", event=f"{room}/{seq}", at=0.0)
                rooms.push("tifa", str(room), Row(seq, inbound))
                if pause:
                    await anyio.sleep(0)
                assert rooms.busy <= most
            await rooms.idle()
            assert (rooms.busy, rooms.queued) == (0, 0)

    anyio.run(whole)
    assert sorted(handled) == list(range(len(pushes)))
