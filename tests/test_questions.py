"""Questions: what an operator is shown of what turns ask, and what becomes of the answers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from carrier_core import ActionCall, CarrierError, Completion, Effect, Question, action, impl
from carrier_core.desk import Desk
from carrier_core.testing import running_host
from tests.test_approvals import ADMIN, HOUR, Asked, Shop, Shops, asked, buying, dearer, question_of

pytestmark = pytest.mark.anyio


def desk_of(it: Asked) -> Desk:
    """The desk of a host that runs."""
    host = it.running.host
    return Desk(host.store, tuple(host.agents), host=host, clock=host.clock)


async def refusal(answering: Any) -> CarrierError:
    """The error that an answer is refused with."""
    with pytest.raises(CarrierError) as raised:
        await answering
    assert raised.value.remedy
    return raised.value


# --- what is shown --------------------------------------------------------------------------------------------------------


async def test_an_approval_is_shown_with_all_that_counts():
    async with asked("g", f'{ADMIN}[policy]\napprover = "admin"\n') as it:
        told = await desk_of(it).approvals()
        assert told == {
            "v": 1,
            "approvals": [
                {
                    "code": it.question.code,
                    "id": it.question.id,
                    "turn": it.part.turn,
                    "agent": "robin",
                    "room": "g",
                    "room_id": it.room.id,
                    "person": "Ana",
                    "person_id": it.client.person("Ana").id,
                    "until": it.question.until,
                    "left": HOUR,
                    "answered": None,
                    "action": "buy",
                    "arguments": {"what": "tea", "pence": 250},
                    "call": 'buy(what="tea", pence=250)',
                    "reason": "it spends money",
                    "approver": "admin",
                }
            ],
            "choices": [],
        }
        assert (await desk_of(it).approvals(agent="wren"))["approvals"] == []
        await it.answer(person="Carol")
        assert (await desk_of(it).approvals())["approvals"] == []


async def test_what_ends_first_is_shown_first():
    shops = Shops()
    await shops.ask()
    shops.clock.advance(60)
    shops.provider.then(buying("gold"))
    async with shops.host() as running:
        await question_of(running, "other", number=2)
        shown = await Desk(running.store, clock=shops.clock).approvals()
    assert [each["arguments"]["what"] for each in shown["approvals"]] == ["tea", "gold"]
    assert shown["approvals"][0]["left"] < shown["approvals"][1]["left"]


async def test_arguments_that_are_not_those_that_were_asked_about_are_not_shown():
    shops = Shops()
    await shops.ask()
    await shops.tamper(dearer)
    [shown] = (await Desk(shops.store, clock=shops.clock).approvals())["approvals"]
    assert (shown["arguments"], shown["call"]) == (None, 'buy(what="tea", pence=250)')


# --- what becomes of answers ------------------------------------------------------------------------------------------------


async def test_an_answer_is_taken_at_once_where_the_agent_runs():
    async with asked() as it:
        told = await desk_of(it).decide(it.question.code, "approve")
        assert told == {
            "v": 1,
            "answered": it.question.id,
            "code": it.question.code,
            "turn": it.part.turn,
            "value": "approve",
            "taken": True,
        }
        assert await it.over() == "replied"
        assert it.shop.bought == [("tea", 250)]


@pytest.mark.parametrize(("key", "code"), [("zzz", 70), ("", 64), (" ", 64), ("approve", 70)])
async def test_what_nobody_asked_is_told(key, code):
    async with asked() as it:
        error = await refusal(desk_of(it).decide(key, "approve"))
        assert (error.exit_code, error.remedy) == (code, "`carrierd approvals` lists what waits.")
        assert await it.status() == "parked"


async def test_a_beginning_that_several_have_is_not_guessed():
    shop = Shop()
    async with running_host([shop]) as running:
        beginnings: Counter[str] = Counter()
        for number in range(17):  # of 17 ids two begin with the same of 16 digits
            running.provider.then(buying())
            part = await question_of(running, f"room {number}", number=number + 1)
            beginnings[part.question.id[0]] += 1
        [(shared, _)] = beginnings.most_common(1)
        error = await refusal(Desk(running.store, clock=running.clock).decide(shared, "approve"))
        assert (error.exit_code, error.message.startswith(f"There is more than one question {shared}: ")) == (64, True)
    assert shop.bought == []


async def test_an_answer_after_the_time_is_told_to_be_late():
    shops = Shops()
    question = await shops.ask()
    shops.clock.advance(HOUR + 1)
    error = await refusal(Desk(shops.store, clock=shops.clock).decide(question.question.code, "approve"))
    assert (error.exit_code, "is over: nothing is done" in error.message) == (70, True)
    assert (await Desk(shops.store, clock=shops.clock).approvals())["approvals"][0]["left"] == 0


async def test_whoever_comes_second_is_told_what_the_first_said():
    async with asked() as it:
        desk, host = desk_of(it), it.running.host
        look = host.look

        async def slower(agent: str, room: str) -> None:
            assert not (await host.accept(it.answering("refuse"))).reason
            await look(agent, room)

        host.look = slower
        error = await refusal(desk.decide(it.question.code, "approve"))
        assert "any more: refuse, before your answer" in error.message
        assert await it.over() == "replied"
        assert it.shop.bought == []


async def test_an_answer_for_an_agent_that_does_not_run_here_is_kept():
    shops = Shops()
    question = await shops.ask()
    shops.config = f"{shops.config}\n[agents.wren]\n"
    async with shops.host() as running:
        host = running.host
        desk = Desk(host.store, tuple(host.agents), host=host, clock=host.clock)
        assert not (await desk.decide(question.question.code, "approve"))["taken"]
        assert "was answered already: approve" in (await refusal(desk.decide(question.question.code, "refuse"))).message
    shops.config = ""
    async with shops.host() as running:
        await running.client.replies(2)
    assert shops.shop.bought == [("tea", 250)]


# --- choices ----------------------------------------------------------------------------------------------------------------


class Menu:
    """A plugin whose action lets people choose."""

    @impl
    def register_actions(self):
        @action(effect=Effect.WRITE, idempotent=True)
        async def offer(turn) -> str:
            """Let somebody choose."""
            return await turn.choose("What do you want?", ("tea", "jam"), until=turn.now + 60) or "nothing"

        return offer


async def test_a_choice_is_shown_and_made():
    async with running_host([Menu]) as running:
        running.provider.then(Completion(calls=(ActionCall("1", "offer", {}),)))
        part = await question_of(running)
        host = running.host
        desk = Desk(host.store, tuple(host.agents), host=host, clock=host.clock)
        [shown] = (await desk.approvals())["choices"]
        assert isinstance(part.question, Question)
        assert (shown["id"], shown["code"]) == (part.question.id, part.question.id[:6])
        assert (shown["question"], shown["options"], shown["room"]) == ("What do you want?", ["tea", "jam"], "r")
        error = await refusal(desk.decide(shown["code"], "beer"))
        assert (error.exit_code, error.message.endswith("which takes: tea, jam.")) == (64, True)
        assert (await desk.decide(shown["code"], "jam"))["taken"]
        assert (await host.wait(part.turn))["reply"]["text"] == "It came to this: jam"
