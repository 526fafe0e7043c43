"""Approvals: a person is asked about one call; their answer counts for that call, once, in time, and only if they may give it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from carrier_core import (
    OPERATOR,
    Accepted,
    Action,
    ActionCall,
    Completion,
    Effect,
    Handled,
    Inbound,
    InboundKind,
    Part,
    PartKind,
    ReplyPart,
    Room,
    Turn,
    action,
    impl,
)
from carrier_core.desk import Desk
from carrier_core.outcomes import Approval
from carrier_core.records import decode, encode
from carrier_core.settings import load
from carrier_core.testing import FakeClient, HostUnderTest, InMemoryStore, Lives, running_host
from carrier_core.testing.hosts import write_config
from carrier_core.testing.suites.scene import exported

pytestmark = pytest.mark.anyio

HOUR = 3600.0


class Shop:
    """A plugin with an action that spends money; ``bought`` is what was."""

    def __init__(self) -> None:
        self.bought: list[tuple[str, int]] = []

    @impl
    def register_actions(self) -> Action:
        @action(effect=Effect.SPEND)
        async def buy(turn: Turn, what: str, pence: int = 100) -> str:
            """Buy something."""
            self.bought.append((what, pence))
            return f"{what} is yours"

        return buy


def buying(what: str = "tea", pence: int = 250) -> Completion:
    """A completion that wants to buy something."""
    return Completion(calls=(ActionCall("1", "buy", {"what": what, "pence": pence}),))


class Asked:
    """A host whose agent has asked about a purchase: the question, and how to answer it."""

    def __init__(self, running: HostUnderTest, shop: Shop, question: ReplyPart) -> None:
        assert question.question is not None
        self.running, self.shop, self.part = running, shop, question
        self.question = question.question
        self.client: FakeClient = running.client
        self.room = question.room

    def answering(self, value: str = "approve", person: str = "Ana", **more: Any) -> Inbound:
        """What a client hands over when somebody answers."""
        blank = self.client.message(self.room, person, "")
        given = {"kind": InboundKind.APPROVAL, "target": self.question.id, "value": value, **more}
        return msgspec.structs.replace(blank, **given)

    async def answer(self, value: str = "approve", person: str = "Ana", **more: Any) -> Accepted:
        """Answer, and wait for the turn where it goes on."""
        accepted = await self.running.host.accept(self.answering(value, person, **more))
        if not accepted.reason:
            await self.over()
        return accepted

    async def over(self) -> str:
        """How the turn ended."""
        return str((await self.running.host.wait(self.part.turn))["status"])

    async def status(self) -> str:
        """How the turn stands, by the journal."""
        record = await self.running.store.journal.turn(self.part.turn)
        assert record is not None
        return str(record.outcome.status)


async def question_of(
    running: HostUnderTest, room: str | Room = "r", person: str = "Ana", number: int = 1
) -> ReplyPart:
    """Say something that the agent asks about; its question when it was delivered."""
    accepted = await running.client.say(room, person, "Buy some.", mentions=("robin",))
    assert (await running.host.wait(accepted.heard[0].turn))["status"] == "parked"
    posts = await running.client.replies(number)
    return posts[-1]


@asynccontextmanager
async def asked(room: str = "", config: str = "", what: str = "tea") -> AsyncIterator[Asked]:
    """An agent that has asked Ana, in a DM, or in a group of this name."""
    shop = Shop()
    async with running_host([shop], config=config) as running:
        running.provider.then(buying(what))
        place = running.client.group(room) if room else "r"
        yield Asked(running, shop, await question_of(running, place))


# --- what is asked --------------------------------------------------------------------------------------------------------


async def test_the_question_says_the_call_why_it_is_asked_and_how_to_answer():
    async with asked() as it:
        assert it.part.text.splitlines() == [
            "May I do this?",
            'buy(what="tea", pence=250)',
            "(it spends money)",
            f"To answer, write: approve {it.question.code}, or: refuse {it.question.code}",
        ]
        assert it.question.options == ("approve", "refuse")
        assert it.question.until - it.running.clock() == HOUR
        assert it.shop.bought == []


async def test_braces_and_what_cannot_be_seen_in_a_call_are_shown_as_they_are():
    async with asked(what="{code}\n\u202etea") as it:
        assert r'buy(what="{code}\n\u202etea", pence=250)' in it.part.text


# --- once -----------------------------------------------------------------------------------------------------------------


async def test_an_approved_call_is_performed_once_and_the_turn_goes_on():
    async with asked() as it:
        accepted = await it.answer()
        assert (accepted.reason, accepted.resumed) == ("", it.part.turn)
        posts = await it.client.replies(2)
        assert posts[-1].text == "It came to this: tea is yours"
        assert it.shop.bought == [("tea", 250)]


async def test_the_second_of_two_approvals_is_told_that_nobody_waits():
    async with asked() as it:
        assert not (await it.answer()).reason
        assert await it.answer() == Accepted(reason="no turn waits for it")
        assert await it.answer("refuse") == Accepted(reason="no turn waits for it")
        assert it.shop.bought == [("tea", 250)]


@pytest.mark.parametrize("values", [("approve", "approve"), ("approve", "refuse"), ("refuse", "approve")])
async def test_of_two_answers_at_the_same_instant_one_counts(values):
    async with asked() as it:
        one, other = await it.client.hand_over(*[it.answering(value) for value in values])
        assert sorted([one.reason, other.reason]) == ["", "no turn waits for it"]
        counted = values[0] if not one.reason else values[1]
        assert await it.over() == "replied"
        assert it.shop.bought == [("tea", 250)] * (counted == "approve")


async def test_an_answer_that_the_platform_repeats_counts_once():
    async with asked() as it:
        answer = it.answering()
        assert [each.reason for each in await it.client.hand_over(answer)] == [""]
        assert [each.reason for each in await it.client.hand_over(answer)] == ["it was taken before"]
        await it.over()
        assert it.shop.bought == [("tea", 250)]


async def test_the_same_call_again_is_asked_again():
    async with asked() as it:
        it.running.provider.then(buying())
        assert not (await it.answer()).reason
        second = (await it.client.replies(2))[-1]
        assert second.question is not None
        assert second.question.id != it.question.id
        assert await it.answer() == Accepted(reason="no turn waits for it")
        assert not (await it.answer(target=second.question.id)).reason
        assert it.shop.bought == [("tea", 250)] * 2


async def test_two_calls_of_one_completion_are_asked_about_one_after_the_other():
    shop = Shop()
    async with running_host([shop]) as running:
        running.provider.then(Completion(calls=(buying("tea").calls[0], buying("jam").calls[0])))
        it = Asked(running, shop, await question_of(running))
        assert "tea" in it.part.text
        assert not (await it.answer("refuse")).reason
        second = (await it.client.replies(2))[-1]
        assert "jam" in second.text
        assert not (await it.answer(target=second.question.id)).reason
        assert shop.bought == [("jam", 250)]


# --- refused --------------------------------------------------------------------------------------------------------------


async def test_a_refused_call_is_not_performed_and_the_model_is_told():
    async with asked() as it:
        assert not (await it.answer("refuse")).reason
        posts = await it.client.replies(2)
        assert posts[-1].text == "It came to this: buy was not allowed: it was refused."
        assert it.shop.bought == []


async def test_what_is_neither_yes_nor_no_leaves_the_question_open():
    async with asked() as it:
        assert (await it.answer("perhaps")).reason == "perhaps is neither approve nor refuse"
        assert not (await it.answer()).reason
        assert it.shop.bought == [("tea", 250)]


# --- in time --------------------------------------------------------------------------------------------------------------


async def test_what_nobody_answers_in_time_is_not_done():
    async with asked() as it:
        it.running.clock.advance(HOUR + 1)
        it.running.host.agenda.wake()
        posts = await it.client.replies(2)
        assert posts[-1].text == "It came to this: buy was not allowed: nobody approved it in time."
        assert await it.answer() == Accepted(reason="no turn waits for it")
        assert it.shop.bought == []


async def test_an_approval_after_its_time_does_not_count_even_before_anybody_noticed():
    async with asked() as it:
        it.running.clock.advance(HOUR + 1)
        assert (await it.answer()).reason == "it came too late"
        it.running.host.agenda.wake()
        await it.client.replies(2)
        assert it.shop.bought == []


async def test_an_approval_in_the_last_moment_counts():
    async with asked() as it:
        answer = it.answering()
        it.running.clock.now = it.question.until
        assert not (await it.running.host.accept(answer)).reason
        assert await it.over() == "replied"
        assert it.shop.bought == [("tea", 250)]


async def test_the_operator_says_how_long_an_approval_is_waited_for():
    async with asked(config="[policy]\napproval_seconds = 60\n") as it:
        it.running.clock.advance(61)
        assert (await it.answer()).reason == "it came too late"


# --- by whom --------------------------------------------------------------------------------------------------------------

ADMIN = '[agents.robin]\nroles = { admin = "fake:carol", owner = "fake:olga" }\n'


async def test_somebody_else_in_the_group_may_not_approve():
    async with asked("g") as it:
        assert await it.answer(person="Bob") == Accepted(reason="Bob may not answer it")
        assert await it.answer("refuse", "Bob") == Accepted(reason="Bob may not answer it")
        assert await it.status() == "parked"
        assert not (await it.answer()).reason
        assert it.shop.bought == [("tea", 250)]


@pytest.mark.parametrize("who", ["Carol", "Olga"])
async def test_an_admin_or_owner_by_the_configuration_may_approve_what_another_is_asked(who):
    async with asked("g", ADMIN) as it:
        assert not (await it.answer(person=who)).reason
        assert it.shop.bought == [("tea", 250)]


async def test_a_name_makes_nobody_an_admin():
    async with asked("g", ADMIN) as it:
        blank = it.answering()
        sender = msgspec.structs.replace(it.client.person("Mallory"), name="Carol", username="carol")
        posing = msgspec.structs.replace(blank, message=msgspec.structs.replace(blank.message, sender=sender))
        assert (await it.running.host.accept(posing)).reason == "Carol may not answer it"
        assert it.shop.bought == []


@pytest.mark.parametrize(
    ("approver", "may", "may_not"),
    [
        ("person", ["Ana", "Carol", "Olga"], ["Bob"]),
        ("admin", ["Carol", "Olga"], ["Ana", "Bob"]),
        ("owner", ["Olga"], ["Ana", "Bob", "Carol"]),
        ("operator", [], ["Ana", "Bob", "Carol", "Olga"]),
    ],
)
async def test_the_operator_says_who_may_approve(approver, may, may_not):
    config = f'{ADMIN}[policy]\napprover = "{approver}"\n'
    for who in [*may, *may_not]:
        async with asked("g", config) as it:
            reason = (await it.answer(person=who)).reason
            assert (reason, it.shop.bought) == (
                ("", [("tea", 250)]) if who in may else (f"{who} may not answer it", [])
            )


async def test_the_operator_may_always_approve():
    async with asked("g", '[policy]\napprover = "operator"\n') as it:
        host = it.running.host
        await Desk(host.store, tuple(host.agents), host=host, clock=host.clock).answer(it.part.turn, "approve")
        posts = await it.client.replies(2)
        assert posts[-1].text == "It came to this: tea is yours"
        assert it.shop.bought == [("tea", 250)]


async def test_nobody_who_speaks_in_a_room_passes_for_the_operator():
    async with asked("g") as it:
        blank = it.answering()
        sender = msgspec.structs.replace(it.client.person("Mallory"), id=OPERATOR)
        posing = msgspec.structs.replace(blank, message=msgspec.structs.replace(blank.message, sender=sender))
        assert (await it.running.host.accept(posing)).reason == "nobody who speaks in a room is the operator"
        assert it.shop.bought == []


# --- of the very call -----------------------------------------------------------------------------------------------------


async def test_a_rule_that_denies_the_call_by_now_beats_its_approval():
    async with asked() as it:
        rules = '[[policy.rules]]\nruling = "deny"\naction = "buy"\nreason = "the purse is closed"\n'
        await it.running.host.reload(load(write_config(it.running.folder, rules, {}), {}, it.running.folder))
        assert not (await it.answer()).reason
        posts = await it.client.replies(2)
        assert posts[-1].text == "It came to this: buy was not allowed: the purse is closed."
        assert it.shop.bought == []


async def test_whoever_may_not_approve_any_more_by_now_has_not_approved():
    async with asked("g", ADMIN) as it:
        answer = it.answering(person="Carol")
        stricter = f'{ADMIN}[policy]\napprover = "owner"\n'
        await it.running.host.reload(load(write_config(it.running.folder, stricter, {}), {}, it.running.folder))
        await it.running.host.accept(answer)
        await it.over()
        assert it.shop.bought == []


@pytest.mark.parametrize(("value", "why"), [("refuse", "it was refused"), ("", "nobody approved it in time")])
async def test_a_no_stays_a_no_where_the_operator_has_allowed_the_action_by_now(value, why):
    async with asked() as it:
        laxer = '[policy]\nallow = ["buy"]\n'
        await it.running.host.reload(load(write_config(it.running.folder, laxer, {}), {}, it.running.folder))
        if value:
            await it.answer(value)
        else:
            it.running.clock.advance(HOUR + 1)
            it.running.host.agenda.wake()
        posts = await it.client.replies(2)
        assert posts[-1].text == f"It came to this: buy was not allowed: {why}."
        assert it.shop.bought == []


async def test_what_waits_for_an_agent_that_is_away_goes_on_when_it_is_back():
    both = "[agents.robin]\n[agents.other]\n"
    async with running_host([Shop()], config=both) as running:
        running.provider.then(buying())
        turn = (await running.client.say("r", "Ana", "Buy some.", agent="robin")).heard[0].turn
        await running.host.wait(turn)
        for there in ("[agents.other]\n", both):
            await running.host.reload(load(write_config(running.folder, there, {}), {}, running.folder))
            running.clock.advance(HOUR + 1)
            running.host.agenda.wake()
            await anyio.wait_all_tasks_blocked()
        posts = await running.client.replies(2)
        assert posts[-1].text == "It came to this: buy was not allowed: nobody approved it in time."


class Shops(Lives):
    """Hosts one after the other with a shop; what is between them is the store, which can be tampered with."""

    def __init__(self) -> None:
        self.shop = Shop()
        super().__init__(self.shop)

    async def ask(self) -> ReplyPart:
        """A host that has asked Ana something, and ends."""
        self.provider.then(buying())
        async with self.host() as running:
            return await question_of(running)

    async def tamper(self, change: Callable[[object], object]) -> None:
        """Take everything to another store, the recorded steps changed on the way."""
        store = InMemoryStore()
        for entry in await exported(self.store):
            if isinstance(entry, Handled):
                steps = tuple(
                    msgspec.structs.replace(step, value=msgspec.Raw(encode(change(decode(step.value, object)))))
                    for step in entry.record.steps
                )
                entry = msgspec.structs.replace(entry, record=msgspec.structs.replace(entry.record, steps=steps))
            await store.restore((entry,))
        self.store = store


def dearer(value: object) -> object:
    return buying("gold", 99_999) if isinstance(value, Completion) else value


def longer(value: object) -> object:
    return msgspec.structs.replace(value, until=value.until + 9 * HOUR) if isinstance(value, Approval) else value


@pytest.mark.parametrize("change", [dearer, longer])
async def test_an_approval_counts_for_nothing_but_the_call_that_was_asked_about(change):
    shops = Shops()
    question = await shops.ask()
    await shops.tamper(change)
    async with shops.host() as running:
        it = Asked(running, shops.shop, question)
        assert not (await it.answer()).reason
        posts = await it.client.replies(2)
        assert posts[-1].text == "It came to this: buy was not allowed: the call is not the one that was asked about."
    assert shops.shop.bought == []


async def test_what_nobody_changed_is_performed_in_another_store():
    shops = Shops()
    question = await shops.ask()
    await shops.tamper(lambda value: value)
    async with shops.host() as running:
        assert not (await Asked(running, shops.shop, question).answer()).reason
    assert shops.shop.bought == [("tea", 250)]


# --- where it was asked ---------------------------------------------------------------------------------------------------


async def test_a_question_is_answered_in_its_own_room():
    async with asked("g") as it:
        elsewhere = msgspec.structs.replace(it.answering(), room=it.client.dm("Ana"))
        assert await it.running.host.accept(elsewhere) == Accepted(reason="no turn waits for it")
        assert await it.status() == "parked"
        assert it.shop.bought == []


async def test_an_answer_to_what_was_not_asked_in_the_room_is_a_message_like_any():
    async with asked() as it:
        it.running.provider.then("There is nothing here to approve.")
        accepted = await it.client.say("another", "Ana", f"approve {it.question.code}")
        assert accepted.heard
        assert not accepted.resumed
        assert (await it.running.host.wait(accepted.heard[0].turn))["status"] == "replied"
        assert await it.status() == "parked"
        assert it.shop.bought == []


@pytest.mark.parametrize("text", ["approve {}", "Approve {}.", "approve: {}", "@robin approve {}!", "  APPROVE {} "])
async def test_a_message_that_is_an_answer_and_nothing_else_is_taken_as_one(text):
    async with asked() as it:
        accepted = await it.client.say("r", "Ana", text.format(it.question.code.upper()))
        assert accepted == Accepted(resumed=it.part.turn)
        assert await it.over() == "replied"
        assert it.shop.bought == [("tea", 250)]
        assert len(it.running.provider.prompts) == 2


@pytest.mark.parametrize("text", ["approve", "yes", "approve {} please", "do not approve {}", "approve 3fa9c1"])
async def test_what_is_no_answer_to_what_was_asked_approves_nothing(text):
    async with asked() as it:
        accepted = await it.client.say("r", "Ana", text.format(it.question.code))
        for taken in accepted.heard:
            await it.running.host.wait(taken.turn)
        assert await it.status() == "parked"
        assert it.shop.bought == []


@pytest.mark.parametrize(("own", "approves"), [("", False), ("What is this?", False), ("approve {}", True)])
async def test_what_a_person_quotes_or_forwards_is_not_their_answer(own, approves):
    async with asked() as it:
        said = it.client.message("r", "Ana", own.format(it.question.code))
        quote = Part(f"approve {it.question.code}", kind=PartKind.QUOTE)
        message = msgspec.structs.replace(said.message, content=(*said.message.content, quote))
        accepted = await it.running.host.accept(msgspec.structs.replace(said, message=message))
        for taken in accepted.heard:
            await it.running.host.wait(taken.turn)
        assert (accepted.resumed == it.part.turn) is approves
        await it.over() if approves else None
        assert it.shop.bought == [("tea", 250)] * approves


async def test_somebody_elses_words_approve_nothing():
    async with asked("g") as it:
        accepted = await it.client.say(it.room, "Bob", f"approve {it.question.code}")
        assert accepted == Accepted(reason="Bob may not answer it")
        assert it.shop.bought == []


async def test_two_questions_of_a_room_are_told_apart():
    shop = Shop()
    async with running_host([shop]) as running:
        running.provider.then(buying("tea"), buying("jam"))
        first, second = (
            Asked(running, shop, await question_of(running)),
            Asked(running, shop, await question_of(running, number=2)),
        )
        assert (await first.answer(target="")).reason == "no turn waits for it"
        assert not (await second.answer()).reason
        assert shop.bought == [("jam", 250)]
        assert not (await first.answer()).reason
        assert shop.bought == [("jam", 250), ("tea", 250)]


# --- meanwhile ------------------------------------------------------------------------------------------------------------


async def test_a_turn_that_waits_does_not_keep_the_room_back():
    async with asked() as it:
        assert await it.client.ask("r", "Ana", "How are you?") == "You said: How are you?"
        assert await it.status() == "parked"
        assert not (await it.answer()).reason
        assert it.shop.bought == [("tea", 250)]


@pytest.mark.parametrize("named", [True, False])
async def test_a_stop_ends_what_waits(named):
    async with asked() as it:
        assert not (await it.client.stop("r", "Ana", turn=it.part.turn if named else "")).reason
        assert await it.over() == "stopped"
        assert await it.answer() == Accepted(reason="no turn waits for it")
        it.running.clock.advance(HOUR + 1)
        it.running.host.agenda.wake()
        await anyio.wait_all_tasks_blocked()
        assert await it.status() == "stopped"
        assert it.shop.bought == []


# --- while nobody runs ----------------------------------------------------------------------------------------------------


async def test_an_approval_survives_the_end_of_the_process():
    shops = Shops()
    question = await shops.ask()
    async with shops.host() as running:
        it = Asked(running, shops.shop, question)
        assert await it.status() == "parked"
        assert not (await it.answer()).reason
        assert [post.text for post in await it.client.replies(2)][-1] == "It came to this: tea is yours"
    async with shops.host() as running:
        assert (await Asked(running, shops.shop, question).answer()).reason == "no turn waits for it"
    assert shops.shop.bought == [("tea", 250)]


@pytest.mark.parametrize(("value", "bought"), [("approve", [("tea", 250)]), ("refuse", [])])
async def test_an_answer_that_was_given_while_nobody_ran_counts_when_somebody_does(value, bought):
    shops = Shops()
    question = await shops.ask()
    told = await Desk(shops.store, clock=shops.clock).decide(question.question.code, value, "not today")
    assert (told["turn"], told["taken"]) == (question.turn, False)
    async with shops.host() as running:
        posts = await running.client.replies(2)
        assert ("not allowed: it was refused: not today." in posts[-1].text) is not bought
    assert shops.shop.bought == bought


async def test_an_answer_from_before_the_end_of_the_time_is_too_late_if_nobody_took_it_up_until_then():
    shops = Shops()
    question = await shops.ask()
    await Desk(shops.store, clock=shops.clock).decide(question.question.code, "approve")
    shops.clock.advance(HOUR + 1)
    async with shops.host() as running:
        posts = await running.client.replies(2)
        assert posts[-1].text == "It came to this: buy was not allowed: nobody approved it in time."
    assert shops.shop.bought == []
