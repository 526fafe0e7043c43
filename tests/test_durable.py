"""Durable turns: what was recorded is not done again, what was accepted is answered, whatever ended the process before.

Here a process ends in the middle because it stops without waiting; tests/faults kills real ones.
"""

from __future__ import annotations

import anyio
import msgspec
import pytest

from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Completion,
    Decision,
    Effect,
    Finish,
    Inbound,
    InboundKind,
    InDoubt,
    NotSent,
    Part,
    Prompt,
    Status,
    Step,
    Turn,
    Unavailable,
    Unknown,
    impl,
)
from carrier_core.testing import HASTY, EchoProvider, FakeClient, InMemoryStore, Lives

pytestmark = pytest.mark.anyio

ALLOW = HASTY + '[policy]\nallow = ["ship"]\n'


class Ship(Action):
    """Ships something, once for each key if it is ``idempotent``."""

    name = "ship"
    description = "Ship a parcel."
    parameters = {"type": "object", "properties": {"what": {"type": "string"}}}
    effect = Effect.EXTERNAL

    def __init__(self, *, idempotent: bool = False, found: ActionResult | NotSent | Unknown | None = None) -> None:
        self.idempotent = idempotent
        self.found = found or Unknown()
        self.shipped: list[str] = []
        self.began = anyio.Event()
        self.hangs = False

    @impl
    def register_actions(self) -> Action:
        return self

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        self.shipped.append(call.key)
        self.began.set()
        if self.hangs:
            await anyio.sleep_forever()
        return ActionResult(f"shipped as {len(self.shipped)}")

    async def find(self, turn: Turn, call: ActionCall) -> ActionResult | NotSent | Unknown:
        return self.found


def calls(*calls: ActionCall) -> Completion:
    return Completion((), calls, Finish.CALLS, provider="echo", model="echo")


SHIP = ActionCall("c1", "ship", {"what": "books"})


def of_kind(client: FakeClient, kind: InboundKind, turn: str, value: str, text: str = "") -> Inbound:
    return msgspec.structs.replace(client.message("r", "Ana", text), kind=kind, target=turn, value=value)


# --- after the last recorded step --------------------------------------------------------------------------------------


async def test_a_turn_that_was_cut_off_while_the_model_answered_is_answered_once():
    lives = Lives()
    async with lives.host() as running:
        lives.provider.hold()
        turn = (await lives.client.say("r", "Ana", "hello")).heard[0].turn
        await lives.provider.asked(1)
    lives.provider.release()
    async with lives.host() as running:
        assert (await running.client.host.wait(turn))["status"] == "replied"
    assert lives.client.texts == ("You said: hello",)
    assert len(lives.provider.prompts) == 2  # what had not been recorded was asked for again


async def test_a_recorded_completion_is_not_generated_again_nor_a_recorded_action_performed_again():
    ship = Ship()
    lives = Lives(ship, config=ALLOW)
    async with lives.host():
        lives.provider.then(calls(SHIP))
        turn = (await lives.client.say("r", "Ana", "ship my books")).heard[0].turn
        await ship.began.wait()
        lives.provider.hold()
        await lives.provider.asked(2)
    lives.provider.release()
    async with lives.host() as running:
        await running.client.host.wait(turn)
        record = await running.last()
    assert len(ship.shipped) == 1
    assert lives.client.texts == ("It came to this: shipped as 1",)
    first, _, third = lives.provider.prompts
    assert third.messages[-1].text == "shipped as 1"
    assert third.messages[: len(first.messages)] == first.messages
    done = ["decide", "compose/1", "generate/1", "act/1/0", "evaluate/1", "compose/2", "generate/2"]
    assert [step.name for step in record.steps][:7] == done
    assert record.outcome.usage.calls == 2


async def test_a_replayed_step_passes_its_wrappers_which_cannot_change_it():
    seen: list[tuple[str, bool]] = []

    class Watch:
        @impl
        async def around_step(self, turn: Turn, step: Step, call):
            seen.append((step.name, step.replayed))
            value = await call()
            return Decision(False, "never") if step.replayed and step.name == "decide" else value

    ship = Ship()
    lives = Lives(ship, Watch(), config=ALLOW)
    async with lives.host():
        lives.provider.then(calls(SHIP))
        turn = (await lives.client.say("r", "Ana", "ship my books")).heard[0].turn
        await ship.began.wait()
        lives.provider.hold()
        await lives.provider.asked(2)
    lives.provider.release()
    seen.clear()
    async with lives.host() as running:
        await running.client.host.wait(turn)
    recorded = ["decide", "compose/1", "generate/1", "act/1/0", "evaluate/1", "compose/2"]
    assert seen[:7] == [*((name, True) for name in recorded), ("generate/2", False)]
    assert lives.client.texts == ("It came to this: shipped as 1",)


async def test_a_model_that_a_hook_asked_is_not_asked_again():
    class Asks:
        def __init__(self) -> None:
            self.answers: list[str] = []

        @impl
        async def decide(self, turn: Turn) -> Decision | None:
            completion = await turn.generate(Prompt(()))
            self.answers.append(completion.text)
            await self.then.wait()
            return None

    asks = Asks()
    asks.then = anyio.Event()
    lives = Lives(asks)
    lives.config = HASTY + "[limits.budgets]\ndecide = 3600\n"
    async with lives.host():
        lives.provider.then("certainly")
        turn = (await lives.client.say("r", "Ana", "hello")).heard[0].turn
        while not asks.answers:
            await anyio.lowlevel.checkpoint()
    asks.then.set()
    async with lives.host() as running:
        await running.client.host.wait(turn)
    assert asks.answers == ["certainly", "certainly"]
    assert len(lives.provider.prompts) == 2  # the hook's question and the turn's


async def test_what_an_action_remembered_is_there_after_it_was_replayed():
    class Learn(Ship):
        async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
            await turn.remember("Ana likes books.")
            return await super().perform(turn, call)

    ship = Learn()
    lives = Lives(ship, config=ALLOW)
    async with lives.host():
        lives.provider.then(calls(SHIP))
        turn = (await lives.client.say("r", "Ana", "ship my books")).heard[0].turn
        await ship.began.wait()
        lives.provider.hold()
        await lives.provider.asked(2)
    lives.provider.release()
    async with lives.host() as running:
        await running.client.host.wait(turn)
        memories = await lives.store.memory.list(agent="robin")
    assert [memory.text for memory in memories].count("Ana likes books.") == 1


async def test_rooms_go_on_in_order_after_a_restart():
    lives = Lives()
    async with lives.host():
        lives.provider.hold()
        for number in range(5):
            await lives.client.say("r", "Ana", f"m{number}")
        await lives.provider.asked(1)
    lives.provider.release()
    async with lives.host():
        await lives.client.replies(5)
    assert lives.client.texts == tuple(f"You said: m{number}" for number in range(5))


async def test_a_turn_that_keeps_dying_fails_visibly():
    lives = Lives(config=HASTY + "[agents.robin.limits]\nactivations = 2\n")
    lives.provider.hold()
    async with lives.host():
        turn = (await lives.client.say("r", "Ana", "poison")).heard[0].turn
        await lives.provider.asked(1)
    async with lives.host():
        await lives.provider.asked(2)
    async with lives.host() as running:
        ended = await running.client.host.wait(turn)
    assert (ended["status"], "died in the middle of it 2 times" in ended["reason"]) == ("failed", True)
    assert [part.notice for part in lives.client.sends] == [True]
    assert len(lives.provider.prompts) == 2


async def test_a_turn_that_gets_further_is_not_given_up_however_often_the_process_dies():
    ship = Ship()
    lives = Lives(ship, config=ALLOW + "[agents.robin.limits]\nactivations = 1\n")
    lives.provider.then(calls(SHIP), calls(SHIP), calls(SHIP), "done")
    async with lives.host():
        turn = (await lives.client.say("r", "Ana", "go")).heard[0].turn
        ended = await lives.client.host.wait(turn)
    assert ended["status"] == "replied"


# --- effects ----------------------------------------------------------------------------------------------------------


async def cut_off_in_the_middle_of_an_effect(lives: Lives, ship: Ship) -> str:
    async with lives.host():
        ship.hangs = True
        lives.provider.then(calls(SHIP))
        turn = (await lives.client.say("r", "Ana", "ship my books")).heard[0].turn
        await ship.began.wait()
    ship.hangs = False
    return turn


async def test_an_effect_that_was_cut_off_is_repeated_under_its_key_where_that_is_safe():
    ship = Ship(idempotent=True)
    lives = Lives(ship, config=ALLOW)
    turn = await cut_off_in_the_middle_of_an_effect(lives, ship)
    async with lives.host() as running:
        assert (await running.client.host.wait(turn))["status"] == "replied"
    assert len(ship.shipped) == 2
    assert len(set(ship.shipped)) == 1
    assert await lives.store.journal.doubts() == ()


async def test_an_effect_that_the_other_side_knows_of_is_not_repeated():
    ship = Ship(found=ActionResult("shipped, says the harbour"))
    lives = Lives(ship, config=ALLOW)
    turn = await cut_off_in_the_middle_of_an_effect(lives, ship)
    async with lives.host() as running:
        await running.client.host.wait(turn)
    assert len(ship.shipped) == 1
    assert lives.client.texts == ("It came to this: shipped, says the harbour",)


async def test_an_effect_that_did_not_happen_is_done_after_the_restart():
    ship = Ship(found=NotSent())
    lives = Lives(ship, config=ALLOW)
    turn = await cut_off_in_the_middle_of_an_effect(lives, ship)
    async with lives.host() as running:
        await running.client.host.wait(turn)
    assert lives.client.texts == ("It came to this: shipped as 2",)


async def test_an_effect_of_which_nobody_knows_is_reported_and_waits_for_a_person():
    ship = Ship()
    lives = Lives(ship, config=ALLOW)
    turn = await cut_off_in_the_middle_of_an_effect(lives, ship)
    async with lives.host() as running:
        await running.client.host.wait(turn)
        [doubt] = await lives.store.journal.doubts()
        record = await running.last()
    assert len(ship.shipped) == 1
    assert "not known whether ship was carried out" in lives.client.texts[0]
    assert (doubt.turn, doubt.step, doubt.what) == (turn, "act/1/0", 'ship(what="books")')
    assert [step.in_doubt for step in record.steps if step.name == "act/1/0"] == [True]


async def test_a_stop_in_the_middle_of_an_effect_leaves_it_in_doubt():
    ship = Ship()
    ship.hangs = True
    lives = Lives(ship, config=ALLOW)
    async with lives.host() as running:
        lives.provider.then(calls(SHIP))
        turn = (await lives.client.say("r", "Ana", "ship my books")).heard[0].turn
        await ship.began.wait()
        await lives.client.stop("r", "Ana")
        assert (await running.client.host.wait(turn))["status"] == "stopped"
    assert [doubt.step for doubt in await lives.store.journal.doubts()] == ["act/1/0"]


async def test_an_effect_that_is_in_doubt_at_once_is_looked_for_at_once():
    class Lost(Ship):
        async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
            await super().perform(turn, call)
            raise InDoubt("The line went dead.")

    lives = Lives(Lost(found=ActionResult("it arrived")), config=ALLOW)
    async with lives.host():
        lives.provider.then(calls(SHIP))
        assert await lives.client.ask("r", "Ana", "ship my books") == "It came to this: it arrived"


# --- an outage of the store --------------------------------------------------------------------------------------------


async def test_an_outage_of_the_store_costs_time_and_nothing_else():
    lives = Lives()
    journal = lives.store.journal
    real, failures = journal.complete, iter([Unavailable("The server is away.")] * 3)

    async def complete(*args: object) -> None:
        for failure in failures:
            raise failure
        await real(*args)  # type: ignore[arg-type]

    journal.complete = complete  # type: ignore[method-assign,assignment]
    async with lives.host() as running:
        assert await running.ask("hello") == "You said: hello"
        assert running.host.degraded == {}
    assert len(lives.provider.prompts) == 1


async def test_a_host_that_stops_during_an_outage_leaves_the_turn_to_the_next():
    lives = Lives()
    journal = lives.store.journal
    real = journal.complete

    async def complete(*args: object) -> None:
        raise Unavailable("The server is away.")

    journal.complete = complete  # type: ignore[method-assign,assignment]
    async with lives.host() as running:
        turn = (await lives.client.say("r", "Ana", "hello")).heard[0].turn
        while "store" not in running.host.degraded:
            await anyio.lowlevel.checkpoint()
    journal.complete = real  # type: ignore[method-assign]
    async with lives.host() as running:
        assert (await running.client.host.wait(turn))["status"] == "replied"
    assert lives.client.texts == ("You said: hello",)


# --- parking ----------------------------------------------------------------------------------------------------------


class Asking(Ship):
    """Asks which one before it ships."""

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        answer = await turn.park("which one?", until=turn.now + 3600, say="Which one?")
        self.shipped.append(answer.value or ("nothing" if answer.expired else answer.text))
        return ActionResult(f"shipped {self.shipped[-1]}")


async def test_a_parked_turn_leaves_the_queue_and_goes_on_with_its_answer():
    lives = Lives(Asking(), config=ALLOW)
    async with lives.host() as running:
        lives.provider.then(calls(SHIP))
        turn = (await lives.client.say("r", "Ana", "ship my books")).heard[0].turn
        await lives.client.replies(1)
        assert (await running.client.host.wait(turn))["status"] == "parked"
        assert await lives.client.ask("r", "Ana", "meanwhile") == "You said: meanwhile"
        accepted = await lives.client.hand_over(of_kind(lives.client, InboundKind.CHOICE, turn, "the red one"))
        assert accepted[0].reason == ""
        await lives.client.replies(3)
    assert lives.client.texts == ("Which one?", "You said: meanwhile", "It came to this: shipped the red one")


async def test_a_parked_turn_is_answered_after_a_restart():
    asking = Asking()
    lives = Lives(asking, config=ALLOW)
    async with lives.host():
        lives.provider.then(calls(SHIP))
        turn = (await lives.client.say("r", "Ana", "ship my books")).heard[0].turn
        await lives.client.replies(1)
    async with lives.host() as running:
        await lives.client.hand_over(of_kind(lives.client, InboundKind.APPROVAL, turn, "yes"))
        await lives.client.replies(2)
        record = await running.last()
    assert asking.shipped == ["yes"]
    assert lives.client.texts[1] == "It came to this: shipped yes"
    assert (record.outcome.status, len(lives.provider.prompts)) == (Status.REPLIED, 2)


async def test_a_turn_that_nobody_answers_goes_on_when_its_time_is_over():
    asking = Asking()
    lives = Lives(asking, config=ALLOW)
    async with lives.host() as running:
        lives.provider.then(calls(SHIP))
        await lives.client.say("r", "Ana", "ship my books")
        await lives.client.replies(1)
        lives.clock.advance(4000.0)
        running.host.agenda.wake()
        await lives.client.replies(2)
    assert asking.shipped == ["nothing"]


async def test_an_answer_that_nobody_waits_for_is_told_so_and_an_answer_counts_once():
    asking = Asking()
    lives = Lives(asking, config=ALLOW)
    async with lives.host() as running:
        stray = await lives.client.hand_over(of_kind(lives.client, InboundKind.CHOICE, "t0", "x"))
        lives.provider.then(calls(SHIP))
        turn = (await lives.client.say("r", "Ana", "ship my books")).heard[0].turn
        await lives.client.replies(1)
        elsewhere = msgspec.structs.replace(
            of_kind(lives.client, InboundKind.CHOICE, turn, "stolen"), room=lives.client.group("other")
        )
        assert (await lives.client.hand_over(elsewhere))[0].reason == "no turn waits for it"
        answer = of_kind(lives.client, InboundKind.CHOICE, turn, "one")
        await lives.client.hand_over(answer, answer)
        late = await lives.client.hand_over(of_kind(lives.client, InboundKind.CHOICE, turn, "two"))
        await running.client.host.wait(turn)
        await lives.client.replies(2)
    assert stray[0].reason == late[0].reason == "no turn waits for it"
    assert asking.shipped == ["one"]
    assert await lives.store.journal.ready() == ()


async def test_a_parked_turn_can_be_stopped():
    asking = Asking()
    lives = Lives(asking, config=ALLOW)
    async with lives.host() as running:
        lives.provider.then(calls(SHIP))
        turn = (await lives.client.say("r", "Ana", "ship my books")).heard[0].turn
        await lives.client.replies(1)
        await running.client.host.wait(turn)
        assert (await lives.client.stop("r", "Ana", turn=turn)).reason == ""
        assert (await running.last()).outcome.status is Status.STOPPED
    assert asking.shipped == []
    assert await lives.store.journal.ready() == ()


# --- bursts -----------------------------------------------------------------------------------------------------------


def bursts(mode: str) -> Lives:
    return Lives(config=HASTY + f'[agents.robin]\nburst = "{mode}"\n')


async def test_messages_that_arrive_during_a_turn_are_answered_together():
    lives = bursts("together")
    lives.provider.hold()
    async with lives.host() as running:
        first = (await lives.client.say("r", "Ana", "one")).heard[0].turn
        await lives.provider.asked(1)
        turns = [(await lives.client.say("r", "Ana", text)).heard[0].turn for text in ("two", "three")]
        lives.provider.release()
        for turn in (first, *turns):
            assert (await running.client.host.wait(turn))["status"] == "replied"
        texts = [memory.text for memory in await lives.store.memory.list(agent="robin") if not memory.by_agent]
    assert lives.client.texts == ("You said: one", "You said: two\nthree")
    assert texts == ["three", "two", "one"]


async def test_two_persons_messages_are_never_joined():
    lives = bursts("together")
    lives.provider.hold()
    async with lives.host():
        await lives.client.say("r", "Ana", "one")
        await lives.provider.asked(1)
        for person, text in (("Ana", "two"), ("Ben", "three"), ("Ana", "four"), ("Ana", "five")):
            await lives.client.say("r", person, text)
        lives.provider.release()
        await lives.client.replies(4)
    assert lives.client.texts == ("You said: one", "You said: two", "You said: three", "You said: four\nfive")


async def test_only_the_latest_is_answered_and_the_others_are_remembered_and_marked():
    lives = bursts("latest")
    lives.provider.hold()
    async with lives.host() as running:
        await lives.client.say("r", "Ana", "one")
        await lives.provider.asked(1)
        turns = [(await lives.client.say("r", "Ana", text)).heard[0].turn for text in ("two", "three", "four")]
        lives.provider.release()
        for turn in turns:
            await running.client.host.wait(turn)
        record = await running.last()
        texts = [memory.text for memory in await lives.store.memory.list(agent="robin") if not memory.by_agent]
    assert lives.client.texts == ("You said: one", "You said: four")
    assert (record.inbound, record.superseded) == ((4,), (2, 3))
    assert texts == ["four", "three", "two", "one"]
    lines = [part.text for part in lives.provider.prompts[-1].parts if part.key == "message" or part.role]
    assert lines[-1] == "four"


@pytest.mark.parametrize("mode", ["together", "latest"])
async def test_a_burst_that_was_cut_off_is_answered_after_a_restart(mode):
    lives = bursts(mode)
    lives.provider.hold()
    async with lives.host():
        await lives.client.say("r", "Ana", "one")
        await lives.provider.asked(1)
        for text in ("two", "three"):
            await lives.client.say("r", "Ana", text)
    async with lives.host():
        await lives.provider.asked(2)
    lives.provider.release()
    async with lives.host():
        await lives.client.replies(2)
    last = "You said: two\nthree" if mode == "together" else "You said: three"
    assert lives.client.texts == ("You said: one", last)


# --- a stop ------------------------------------------------------------------------------------------------------------


async def test_a_stop_is_not_forgotten_when_the_process_dies_right_after_it():
    lives = Lives()
    journal = lives.store.journal
    real = journal.complete

    async def complete(*args: object) -> None:
        raise Unavailable("The server is away.")

    async with lives.host() as running:
        lives.provider.hold()
        turn = (await lives.client.say("r", "Ana", "buy it")).heard[0].turn
        await lives.provider.asked(1)
        journal.complete = complete  # type: ignore[method-assign,assignment]
        await lives.client.stop("r", "Ana")
        while "store" not in running.host.degraded:
            await anyio.lowlevel.checkpoint()
    journal.complete = real  # type: ignore[method-assign]
    lives.provider.release()
    async with lives.host() as running:
        assert (await running.client.host.wait(turn))["status"] == "stopped"
    assert lives.client.texts == ()
    assert await lives.store.journal.ready() == ()


async def test_an_edit_of_a_waiting_message_survives_a_restart():
    lives = Lives()
    lives.provider.hold()
    async with lives.host():
        await lives.client.say("r", "Ana", "first")
        await lives.provider.asked(1)
        await lives.client.say("r", "Ana", "I live in Porot")
        await lives.client.edit(lives.client.said[1], "I live in Porto")
    lives.provider.release()
    async with lives.host():
        await lives.client.replies(2)
    assert lives.client.texts == ("You said: first", "You said: I live in Porto")


async def test_a_draft_that_was_shown_is_edited_into_the_reply_after_a_restart():
    lives = Lives()
    lives.client.retracts = True
    stuck = anyio.Event()

    class Slow(EchoProvider):
        async def generate(self, prompt, model, emit):
            emit("You ")
            stuck.set()
            return await super().generate(prompt, model, emit)

    lives.provider = Slow()
    lives.provider.hold()
    async with lives.host():
        turn = (await lives.client.say("r", "Ana", "hello")).heard[0].turn
        await stuck.wait()
        while not lives.client.drafts:
            await anyio.lowlevel.checkpoint()
    lives.provider.release()
    async with lives.host() as running:
        await running.client.host.wait(turn)
    assert [part.draft for part in lives.client.sends] == [turn]
    assert Part(lives.client.texts[0]).text == "You said: hello"
    assert await lives.store.journal.doubts() == ()


# --- what should not happen ---------------------------------------------------------------------------------------------


async def test_a_turn_whose_end_raised_where_nothing_should_goes_on_and_is_answered():
    lives = Lives()
    journal = lives.store.journal
    real, failures = journal.complete, iter([RuntimeError("a fault of the store")])

    async def complete(*args: object) -> None:
        for failure in failures:
            raise failure
        await real(*args)  # type: ignore[arg-type]

    journal.complete = complete  # type: ignore[method-assign,assignment]
    async with lives.host() as running:
        assert await running.ask("hello", room="r") == "You said: hello"
        assert await running.ask("again", room="r") == "You said: again"


async def test_a_turn_that_always_raises_ends_and_the_room_goes_on():
    lives = Lives()
    journal = lives.store.journal
    real = journal.complete

    async def complete(turn, *args: object) -> None:
        if turn.inbound == (1,):
            raise RuntimeError("a fault of the store")
        await real(turn, *args)  # type: ignore[arg-type]

    journal.complete = complete  # type: ignore[method-assign,assignment]
    async with lives.host() as running:
        turn = (await lives.client.say("r", "Ana", "one")).heard[0].turn
        assert "a fault of the store" in (await running.client.host.wait(turn))["reason"]
        assert await running.ask("two", room="r") == "You said: two"


async def test_a_room_that_another_daemon_claimed_meanwhile_is_claimed_again_and_answered_once():
    lives = Lives()
    journal = lives.store.journal
    async with lives.host() as running:
        lives.provider.hold()
        turn = (await lives.client.say("r", "Ana", "hello")).heard[0].turn
        await lives.provider.asked(1)
        await journal.heartbeat(running.host.owner, 0.0)
        await journal.claim_room("robin", lives.client.said[0].room.id, "another daemon", 60.0)
        await journal.heartbeat("another daemon", 0.0)
        lives.provider.release()
        assert (await running.client.host.wait(turn))["status"] == "replied"
    assert lives.client.texts == ("You said: hello",)


async def test_a_message_handed_over_again_after_its_first_receipt_was_lost_is_answered():
    lives = Lives()
    journal = lives.store.journal
    real = journal.append_inbound

    async def append_inbound(*args: object):
        await real(*args)  # type: ignore[arg-type]
        raise Unavailable("The connection broke after the commit.")

    async with lives.host():
        said = lives.client.message("r", "Ana", "hello")
        journal.append_inbound = append_inbound  # type: ignore[method-assign,assignment]
        with pytest.raises(ExceptionGroup, match="unhandled"):
            await lives.client.hand_over(said)
        journal.append_inbound = real  # type: ignore[method-assign]
        await lives.client.hand_over(said)
        await lives.client.replies(1)
        await lives.client.hand_over(said)
    assert lives.client.texts == ("You said: hello",)


async def test_a_turn_whose_messages_are_gone_fails_visibly_and_the_room_goes_on():
    lives = Lives()
    async with lives.host():
        lives.provider.hold()
        turn = (await lives.client.say("r", "Ana", "hello")).heard[0].turn
        await lives.provider.asked(1)
    lives.provider.release()
    assert isinstance(lives.store, InMemoryStore)
    lives.store.journal.database.inbound.clear()
    async with lives.host() as running:
        result = await running.client.host.wait(turn)
        assert (result["status"], result["reason"], result["room"]) == ("failed", "its messages are gone", "r")
        assert [event.turn for event in running.told("turn_failed")] == [turn]
        assert await running.ask("and now?", room="r") == "You said: and now?"
        ready = await lives.store.journal.ready()
        assert all([not (await lives.store.journal.work(*place)).turns for place in ready])


async def test_a_room_that_cannot_be_read_keeps_no_other_back():
    lives = Lives()
    journal = lives.store.journal
    async with lives.host():
        lives.provider.hold()
        for room in ("r", "other"):
            await lives.client.say(room, "Ana", f"hello from {room}")
        await lives.provider.asked(2)
    lives.provider.release()
    real, unreadable = journal.work, lives.client.said[0].room.id

    async def work(agent: str, room: str):
        if room == unreadable:
            raise ValueError("a record that nobody can read")
        return await real(agent, room)

    journal.work = work  # type: ignore[method-assign]
    async with lives.host() as running:
        await lives.client.replies(1)
        assert "nobody can read" in running.host.degraded[f"room {unreadable}"]
    assert lives.client.texts == ("You said: hello from other",)
