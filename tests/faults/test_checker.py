"""The checker finds what it is there for: each kind of fault, planted into a history that has none."""

from dataclasses import replace

import msgspec
import pytest

from carrier_core import (
    ActionResult,
    Intent,
    Outcome,
    Outgoing,
    Part,
    ReplyPart,
    Room,
    Sending,
    Status,
    StepRecord,
    TurnRecord,
    encode,
    make_id,
)
from tests.faults.checker import Kept, check
from tests.faults.recorder import Manners, World

FORGETFUL = Manners(keys=False, finds=False, ship_keys=False, ship_finds=False)


class Story:
    """A daemon that does everything right, told by hand; tests change what it did."""

    def __init__(self, manners: Manners | None = None) -> None:
        self.world = World(manners or Manners())
        self.turns: dict[str, TurnRecord] = {}
        self.outbox: dict[str, Outgoing] = {}
        self.doubts: list[Intent] = []
        self.seqs: dict[str, int] = {}
        self.ready: tuple = ()

    def accept(self, room: str, event: str, text: str) -> str:
        self.world.say(room, event, text)
        self.world.to_hand(room, again=False)
        return self.confirm(room, event)

    def confirm(self, room: str, event: str) -> str:
        seq = self.seqs[event] = self.seqs.get(event) or 1 + sum(self.world.said[e].room == room for e in self.seqs)
        turn = make_id("turn", room, str(seq))
        is_new = not self.world.said[event].accepted
        self.world.accepted({"event": event, "heard": [["robin", seq, turn, is_new]], "reason": ""})
        return turn

    def ask(self, turn: str, event: str, text: str, step: str = "generate/1", results: tuple = ()) -> dict:
        return self.world.ask({"text": f"{event} {text}", "results": results, "turn": turn, "step": step})

    def record(self, turn: str, *steps: str) -> None:
        self.world.note("noted", key="record_steps", turn=turn, steps=steps)

    def ship(self, turn: str, event: str, key: str = "") -> str:
        key = key or make_id("ship", turn)
        line = {"key": key, "turn": turn, "step": "act/1/0", "cargo": event}
        return self.world.perform(line).get("native", "")

    def post(self, turn: str, room: str, event: str, text: str, number: int = 0, **more: object) -> str:
        key = str(more.pop("key", make_id("part", turn, str(number))))
        reply_to = make_id("harbour", "", "message", event)
        line = {"key": key, "turn": turn, "room": room, "number": number, "text": text, "notice": False}
        self.world.post(line | {"reply_to": reply_to} | more)
        return key

    def settle(self, turn: str, keys: list[str], status: Status = Status.REPLIED, steps: tuple = ()) -> None:
        for number, key in enumerate(keys):
            part = ReplyPart(key, turn, "robin", Room.of("harbour", "r1"), (Part("re"),), number=number)
            self.outbox[key] = Outgoing(part, Sending.SENT)
        self.turns[turn] = TurnRecord(turn, "robin", "room", "ana", "harbour", (1,), 1.0, Outcome(status), steps=steps)

    def answer(self, room: str, event: str, text: str, turn: str = "") -> str:
        """A message from its acceptance to its reply, as it should be."""
        turn = turn or self.accept(room, event, text)
        self.answered(turn, room, event, text)
        return turn

    def answered(self, turn: str, room: str, event: str, text: str) -> None:
        answer = self.ask(turn, event, text)
        self.record(turn, "generate/1")
        steps: tuple = ()
        if answer["calls"]:
            native = self.ship(turn, event)
            self.record(turn, "act/1/0")
            steps = (acted(f"shipped as {native}"),)
            answer = self.ask(turn, event, text, "generate/2", (f"shipped as {native}",))
        self.settle(
            turn, [self.post(turn, room, event, part, n) for n, part in enumerate(answer["parts"])], steps=steps
        )

    def died(self) -> None:
        self.world.note("died", pid=1)

    def faults(self) -> list[str]:
        kept = Kept(tuple(self.turns.values()), tuple(self.outbox.values()), tuple(self.doubts), (), self.ready)
        return [fault.kind for fault in check(self.world.history, kept, self.world.manners)]


def acted(text: str, in_doubt: bool = False) -> StepRecord:
    return StepRecord("act/1/0", 1.0, 1.0, msgspec.Raw(encode(ActionResult(text))), in_doubt)


@pytest.fixture
def story() -> Story:
    """Two rooms in which everything went well, one process having died in between."""
    told = Story()
    told.answer("r1", "m1-1", "plain")
    told.answer("r2", "m2-1", "long")
    told.died()
    told.answer("r1", "m1-2", "ship")
    return told


def test_a_history_without_faults_has_none(story):
    assert story.faults() == []


def test_a_message_that_was_accepted_and_never_answered_is_a_loss(story):
    story.accept("r1", "m1-3", "plain")
    assert story.faults() == ["loss"]


def test_half_an_answer_is_a_loss(story):
    turn = story.accept("r1", "m1-3", "long")
    story.ask(turn, "m1-3", "long")
    story.settle(turn, [story.post(turn, "r1", "m1-3", "re m1-3 [1/2]")])
    assert story.faults() == ["loss"]


def test_a_failure_that_the_room_was_told_of_is_no_loss(story):
    turn = story.accept("r1", "m1-3", "plain")
    story.settle(turn, [story.post(turn, "r1", "m1-3", "Sorry.", notice=True)], Status.FAILED)
    assert story.faults() == []


def test_answers_in_the_wrong_order_are_a_swap(story):
    first, second = story.accept("r1", "m1-3", "plain"), story.accept("r1", "m1-4", "plain")
    story.answered(second, "r1", "m1-4", "plain")
    story.answered(first, "r1", "m1-3", "plain")
    assert story.faults() == ["swap"]


def test_parts_in_the_wrong_order_are_a_swap(story):
    turn = story.accept("r1", "m1-3", "long")
    story.ask(turn, "m1-3", "long")
    second = story.post(turn, "r1", "m1-3", "re m1-3 [2/2]", 1)
    story.settle(turn, [story.post(turn, "r1", "m1-3", "re m1-3 [1/2]", 0), second])
    assert story.faults() == ["swap"]


def test_rows_in_another_order_than_they_were_confirmed_are_a_fault():
    story = Story()
    story.seqs = {"m1-1": 2, "m1-2": 1}
    story.answer("r1", "m1-1", "plain")
    story.answer("r1", "m1-2", "plain")
    assert "acceptance" in story.faults()


def test_an_event_that_is_taken_as_new_twice_is_a_fault(story):
    story.world.said["m1-1"].accepted = False
    story.confirm("r1", "m1-1")
    assert story.faults() == ["acceptance"]


def test_the_same_answer_under_two_keys_is_a_double(story):
    turn = story.answer("r1", "m1-3", "plain")
    key = story.post(turn, "r1", "m1-3", "re m1-3 [1/1]", key="another")
    story.outbox[key] = Outgoing(msgspec.structs.replace(next(iter(story.outbox.values())).part, key=key), Sending.SENT)
    assert story.faults() == ["double"]


def test_an_answer_and_a_notice_that_it_failed_are_a_double(story):
    turn = story.accept("r1", "m1-3", "plain")
    keys = [story.post(turn, "r1", "m1-3", "re m1-3 [1/1]")]
    keys.append(story.post(turn, "r1", "m1-3", "Sorry.", 1, notice=True))
    story.ask(turn, "m1-3", "plain")
    story.settle(turn, keys)
    assert "double" in story.faults()


def test_a_part_that_is_sent_again_though_nobody_died_is_a_double_even_where_the_key_hides_it(story):
    turn = story.answer("r1", "m1-3", "plain")
    story.post(turn, "r1", "m1-3", "re m1-3 [1/1]")
    assert story.faults() == ["double"]


def test_a_part_may_be_sent_again_after_a_death_where_the_key_hides_it(story):
    turn = story.answer("r1", "m1-3", "plain")
    story.died()
    story.post(turn, "r1", "m1-3", "re m1-3 [1/1]")
    assert story.faults() == []


def test_a_part_that_appears_twice_is_a_double_whoever_died():
    story = Story(FORGETFUL)
    turn = story.answer("r1", "m1-3", "plain")
    story.died()
    story.post(turn, "r1", "m1-3", "re m1-3 [1/1]")
    assert story.faults() == ["double"]


def test_a_model_call_may_be_made_again_after_a_death_but_not_once_it_was_recorded():
    story = Story()
    turn = story.accept("r1", "m1-1", "plain")
    story.ask(turn, "m1-1", "plain")
    story.died()
    story.answer("r1", "m1-1", "plain", turn)
    assert story.faults() == []
    story.died()
    story.ask(turn, "m1-1", "plain")
    assert story.faults() == ["call"]


def test_a_model_call_that_is_made_again_though_nobody_died_is_a_fault(story):
    turn = story.accept("r1", "m1-3", "plain")
    story.ask(turn, "m1-3", "plain")
    story.answer("r1", "m1-3", "plain", turn)
    assert story.faults() == ["call"]


def test_a_write_that_returned_is_a_sign_that_the_call_was_recorded(story):
    turn = story.accept("r1", "m1-3", "plain")
    story.ask(turn, "m1-3", "plain")
    story.record(turn, "generate/1")
    story.died()
    story.answer("r1", "m1-3", "plain", turn)
    assert story.faults() == ["call"]


def test_an_action_that_is_performed_twice_is_a_fault():
    story = Story(FORGETFUL)
    turn = story.answer("r1", "m1-1", "ship")
    story.died()
    story.ship(turn, "m1-1")
    assert "action" in story.faults()


def test_an_action_under_two_keys_is_a_fault(story):
    turn = story.accept("r1", "m1-3", "ship")
    story.ship(turn, "m1-3", "one")
    story.answer("r1", "m1-3", "ship", turn)
    assert "action" in story.faults()


def test_an_action_may_be_sent_again_in_doubt_where_the_key_hides_it():
    story = Story()
    turn = story.accept("r1", "m1-1", "ship")
    story.ask(turn, "m1-1", "ship")
    story.record(turn, "generate/1")
    story.ship(turn, "m1-1")
    story.died()
    native = story.ship(turn, "m1-1")
    told = f"shipped as {native}"
    story.record(turn, "act/1/0")
    answer = story.ask(turn, "m1-1", "ship", "generate/2", (told,))
    story.settle(turn, [story.post(turn, "r1", "m1-1", answer["parts"][0])], steps=(acted(told),))
    assert story.faults() == []
    story.died()
    story.ship(turn, "m1-1")
    assert story.faults() == ["action"]


def doubtful(listed: bool, step: StepRecord) -> Story:
    story = Story(FORGETFUL)
    turn = story.accept("r1", "m1-1", "ship")
    story.ask(turn, "m1-1", "ship")
    story.ship(turn, "m1-1", "key")
    story.died()
    story.ask(turn, "m1-1", "ship", "generate/2", ("nobody knows",))
    story.settle(turn, [story.post(turn, "r1", "m1-1", "re m1-1 [1/1]")], steps=(step,))
    if listed:
        story.doubts.append(Intent("key", turn, "robin", "room", "act/1/0", 1.0, 2.0, "ship", True))
    return story


def test_an_action_in_doubt_is_listed():
    assert doubtful(True, acted("nobody knows", True)).faults() == []
    assert doubtful(False, acted("nobody knows", True)).faults() == ["doubt"]


def test_a_journal_that_says_that_nothing_happened_though_it_did_lies():
    assert doubtful(False, acted("ship failed")).faults() == ["lie"]


def test_an_action_whose_turn_failed_before_it_was_recorded_is_listed():
    assert doubtful(False, replace_name(acted(""), "other")).faults() == ["doubt"]
    assert doubtful(True, replace_name(acted(""), "other")).faults() == []


def replace_name(step: StepRecord, name: str) -> StepRecord:
    return msgspec.structs.replace(step, name=name)


def test_a_doubt_that_the_world_could_have_resolved_is_a_fault():
    story = doubtful(True, acted("nobody knows", True))
    story.world.manners = replace(FORGETFUL, ship_finds=True)
    assert story.faults() == ["doubt"]


def state_of(story: Story, turn: str, state: Sending) -> None:
    for key, row in story.outbox.items():
        if row.part.turn == turn:
            story.outbox[key] = msgspec.structs.replace(row, state=state)


def test_a_part_that_was_shown_is_sent_or_in_doubt_in_the_outbox():
    story = Story(FORGETFUL)
    turn = story.answer("r1", "m1-1", "plain")
    state_of(story, turn, Sending.IN_DOUBT)
    assert story.faults() == []
    state_of(story, turn, Sending.DEAD)
    assert story.faults() == ["doubt"]


def test_a_part_that_is_said_to_be_sent_was_shown(story):
    turn = story.accept("r1", "m1-3", "plain")
    story.ask(turn, "m1-3", "plain")
    story.settle(turn, ["key"])
    assert story.faults() == ["loss", "lie"]


def test_work_that_is_left_is_a_fault(story):
    story.ready = (("robin", "room"),)
    assert story.faults() == ["left"]
