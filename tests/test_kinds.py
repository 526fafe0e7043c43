"""Kinds of agent: a task goes on until it is ended, or its limits end it; then the room is told what was done."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from carrier_core import (
    OPERATOR,
    Action,
    ActionCall,
    ActionResult,
    Completion,
    Draft,
    Effect,
    Evaluation,
    Evaluator,
    Finish,
    Kind,
    Part,
    Provenance,
    Reply,
    State,
    Then,
    Turn,
    Usage,
    Verdict,
    action,
    impl,
)
from carrier_core.testing import HASTY, HostUnderTest, Lives, running_host

pytestmark = pytest.mark.anyio

TASK = '[agents.robin]\nkind = "task"\n[policy]\nallow = ["write"]\n'


def task(limits: str = "", rest: str = "") -> str:
    """The configuration of an agent that works on tasks, within limits."""
    return f"{TASK}[agents.robin.limits]\n{limits}\n{rest}\n"


def calling(*calls: tuple[str, dict], text: str = "") -> Completion:
    """A completion that asks for these calls."""
    asked = tuple(ActionCall(f"call-{i}", name, arguments) for i, (name, arguments) in enumerate(calls))
    return Completion((Part(text),) if text else (), asked, Finish.CALLS, provider="echo", model="echo")


def end(outcome: str, report: str) -> tuple[str, dict]:
    """The call that ends a task."""
    return "end", {"outcome": outcome, "report": report}


class Works:
    """A plugin with what a task needs: to write down a line, and to end."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.written = anyio.Event()

    @impl
    def register_actions(self) -> list[Action]:
        lines, written = self.lines, self.written

        @action(effect=Effect.WRITE)
        async def write(turn: Turn, call: ActionCall, line: str) -> ActionResult:
            """Write down a line."""
            if line == "spoil":
                raise OSError("the paper is wet")
            lines.append(line)
            written.set()
            return ActionResult(f"line {len(lines)} is written", provenance=_own(call))

        @action(effect=Effect.READ, name="end")
        async def ends(turn: Turn, call: ActionCall, outcome: str, report: str) -> ActionResult:
            """End the task."""
            said = Part(report, provenance=_own(call))
            data = {"outcome": outcome}
            return ActionResult("ended", say=(said,), then=Then.END, data=data, provenance=_own(call))

        return [write, ends]


def _own(call: ActionCall) -> Provenance:
    assert call.provenance is not None
    origins = tuple(origin for origin in call.provenance.origins if origin != OPERATOR)
    return Provenance(origins, call.provenance.audience)


async def told(running: HostUnderTest, text: str) -> dict:
    """Say something and wait; what ``chat --json`` would print."""
    accepted = await running.client.say("main", "Ana", text)
    return await running.client.host.wait(accepted.heard[0].turn)


# --- how a task ends by itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [("done", "the task is done"), ("failed", "the task failed"), ("needs_person", "the task needs a person")],
)
async def test_a_task_ends_with_its_report_and_says_how(outcome, reason):
    works = Works()
    async with running_host([works], config=TASK) as running:
        running.provider.then(
            calling(("write", {"line": "one"}), text="First the one."),
            calling(("write", {"line": "two"}), text="Now the two."),
            calling(end(outcome, "Two lines are written."), text="That was it."),
        )
        result = await told(running, "write two lines")
        assert (result["status"], result["reason"]) == ("replied", reason)
        assert running.client.texts == ("Two lines are written.",)
        assert works.lines == ["one", "two"]


async def test_what_a_task_agent_thinks_stays_in_its_prompt_and_is_not_said():
    async with running_host([Works()], config=TASK) as running:
        running.provider.then(calling(("write", {"line": "one"}), text="I think so."), calling(end("done", "Written.")))
        assert await running.ask("write a line") == "Written."
        assert [message.text for message in running.provider.prompts[1].messages if message.role == "assistant"] == [
            "I think so."
        ]
        assert "I think so." not in [memory.text for memory in await _memories(running)]


async def test_the_model_is_told_what_a_task_agent_is_in_the_stable_part_of_the_prompt():
    async with running_host([Works()], config=TASK) as running:
        running.provider.then(calling(("write", {"line": "one"})), calling(end("done", "Written.")))
        await running.ask("write a line")
        first, second = running.provider.prompts
        (brief,) = first.select("brief")
        assert first.messages[0].parts[-1] == brief == second.messages[0].parts[-1]
        assert brief.provenance == Provenance((OPERATOR,))


async def test_a_task_agent_that_only_writes_is_asked_to_go_on_and_then_believed():
    async with running_host([Works()], config=TASK) as running:
        running.provider.then("Hm.", "Well.", "Which line do you want?", "never asked")
        result = await told(running, "write a line")
        assert running.client.texts == ("Which line do you want?",)
        assert (result["status"], result["reason"]) == ("replied", "the task needs a person")
        first, second, third = running.provider.prompts
        assert not first.select("urge")
        assert second.messages[-1].parts == second.select("urge") == third.select("urge")
        assert "go on with the next step" in second.messages[-1].text.lower()


async def test_who_acts_in_between_is_asked_again_as_often():
    async with running_host([Works()], config=TASK) as running:
        line = calling(("write", {"line": "one"}))
        running.provider.then("Hm.", "Well.", line, "Hm.", "Well.", calling(end("done", "Written.")))
        assert await running.ask("write a line") == "Written."
        assert [bool(prompt.select("urge")) for prompt in running.provider.prompts] == [
            False,
            True,
            True,
            False,
            True,
            True,
        ]


async def test_success_is_not_reported_over_a_call_that_failed_beside_it():
    works = Works()
    async with running_host([works], config=TASK) as running:
        running.provider.then(
            calling(("write", {"line": "spoil"}), end("done", "All is written.")),
            calling(("write", {"line": "one"}), end("done", "It is written now.")),
        )
        assert await running.ask("write a line") == "It is written now."
        assert "has not ended" in running.provider.prompts[1].messages[-1].text


async def test_failure_may_be_reported_beside_a_call_that_failed():
    async with running_host([Works()], config=TASK) as running:
        running.provider.then(calling(("write", {"line": "spoil"}), end("failed", "It cannot be written.")))
        assert await running.ask("write a line") == "It cannot be written."


async def test_an_end_without_a_word_is_asked_for_one():
    async with running_host([Works()], config=TASK) as running:
        running.provider.then(calling(end("done", " ")), calling(end("done", "Written.")))
        assert await running.ask("write a line") == "Written."


async def test_the_next_message_goes_on_with_what_was_asked():
    works = Works()
    async with running_host({"works": works, "lines": Lines()}, config=TASK) as running:
        running.provider.then(
            calling(("write", {"line": "one"})),
            calling(end("needs_person", "Which line comes second?")),
            calling(("write", {"line": "two"}), end("done", "Both are there.")),
        )
        assert await running.ask("write two lines") == "Which line comes second?"
        assert await running.ask("two, please") == "Both are there."
        assert works.lines == ["one", "two"]
        said = [message.text for message in running.provider.prompts[2].messages if message.role != "system"]
        assert said == ["write two lines", "Which line comes second?", "two, please"]


async def test_a_report_that_is_not_good_enough_is_written_again():
    class Judge(Evaluator):
        name = "judge"

        async def evaluate(self, turn: Turn, draft: Draft) -> Evaluation | None:
            return Evaluation(Verdict.REVISE, "say please") if draft.text and "please" not in draft.text else None

    class Judges:
        @impl
        def register_evaluators(self) -> Evaluator:
            return Judge()

    async with running_host([Works(), Judges()], config=TASK) as running:
        running.provider.then(
            calling(("write", {"line": "one"}), text="A thought that nobody judges."),
            calling(end("done", "Look.")),
            calling(end("done", "Look, please.")),
        )
        assert await running.ask("write a line") == "Look, please."


# --- how a conversation ends ---------------------------------------------------------------------------------------------


async def test_a_conversation_ends_with_the_action_that_ends_it_whatever_is_done_beside_it():
    works = Works()
    async with running_host([works]) as running:
        running.provider.then(calling(("write", {"line": "one"}), end("", "Noted.")), "never asked")
        assert await running.ask("note one") == "Noted."
        assert works.lines == ["one"]


async def test_a_conversation_does_not_end_before_the_model_knows_of_a_call_that_failed():
    async with running_host([Works()]) as running:
        running.provider.then(calling(("write", {"line": "spoil"}), end("", "Noted.")), "Oh, I could not note it.")
        assert await running.ask("note it") == "Oh, I could not note it."


async def test_a_conversation_goes_on_after_calls_and_keeps_what_was_written_beside_them():
    async with running_host([Works()]) as running:
        running.provider.then(calling(("write", {"line": "one"}), text="One moment."), "It is noted.")
        assert await running.ask("note one") == "One moment.\nIt is noted."


# --- how a task ends at its limits -------------------------------------------------------------------------------------


ENDLESS = [calling(("write", {"line": str(number)})) for number in range(300)]


@pytest.mark.parametrize(
    ("limits", "rounds", "why"),
    [
        ("", 50, "it has taken 50 rounds of thinking and acting"),
        ("rounds = 3", 3, "it has taken 3 rounds of thinking and acting"),
        ("tokens = 40", 4, "it has used 40 tokens"),
    ],
)
async def test_a_task_without_end_is_ended_with_a_report_of_what_was_done(limits, rounds, why):
    works = Works()
    async with running_host([works], config=task(limits)) as running:
        if "tokens" in limits:
            running.provider.then(*[_costing(each) for each in ENDLESS])
        else:
            running.provider.then(*ENDLESS)
        result = await told(running, "write lines")
        assert len(works.lines) == rounds
        assert result["status"] == "failed"
        assert why in result["reason"]
        (text,) = running.client.texts
        assert text.startswith(f"I had to stop before the task was done: {why}.\nDone:\n")
        assert f"- write {rounds - 1}" in text
        assert text.endswith("A person has to look at it. Write to me and I go on.")
        assert not result["reply"]["notice"]


def _costing(completion: Completion, tokens: int = 10) -> Completion:
    return msgspec.structs.replace(completion, usage=Usage(tokens - 2, 2, calls=1))


async def test_a_task_is_warned_before_its_rounds_are_over():
    async with running_host([Works()], config=task("rounds = 4")) as running:
        running.provider.then(*ENDLESS[:3], calling(end("failed", "There are too many lines.")))
        assert await running.ask("write lines") == "There are too many lines."
        assert [len(prompt.select("urge")) for prompt in running.provider.prompts] == [0, 0, 1, 1]
        assert "You have one round left" in running.provider.prompts[3].messages[-1].text


async def test_a_task_that_goes_on_calling_beyond_its_calls_is_ended():
    works = Works()
    many = [calling(*[("write", {"line": f"{n}-{m}"}) for m in range(4)]) for n in range(9)]
    async with running_host([works], config=task("calls = 6")) as running:
        running.provider.then(*many)
        result = await told(running, "write lines")
        assert (len(works.lines), len(running.provider.prompts)) == (6, 3)  # it was told once
        assert result["status"] == "failed"
        assert "it has made 6 calls" in running.client.texts[0]
        assert "Failed, or not known to be done:\n- write 1-2" in running.client.texts[0]


async def test_a_task_that_takes_too_long_tells_what_it_did_and_what_is_not_known():
    works = Works()

    class Hangs:
        @impl
        def register_actions(self) -> Action:
            @action(effect=Effect.WRITE)
            async def dig(depth: int) -> None:
                """Dig."""
                await anyio.sleep_forever()

            return dig

    async with running_host([works, Hangs()], config=task("seconds = 0.3")) as running:
        running.provider.then(calling(("write", {"line": "one"})), calling(("dig", {"depth": 3})))
        result = await told(running, "write, then dig")
        assert (result["status"], result["reason"]) == ("failed", "the turn took longer than 0.3 s")
        assert running.client.texts == (
            "I had to stop before the task was done: it has taken 0.3 seconds.\nDone:\n- write one\n"
            "Failed, or not known to be done:\n- dig 3\nA person has to look at it. Write to me and I go on.",
        )


async def test_a_task_without_money_tells_what_it_did():
    budgets = '[[budgets]]\ntokens = 40_000\nsay = "That is all for today."\n'
    async with running_host([Works()], config=task("", budgets)) as running:
        running.provider.then(*[_costing(each, 15_000) for each in ENDLESS])
        result = await told(running, "write lines")
        assert result["status"] == "failed"
        assert "budget" in result["reason"]
        (text,) = running.client.texts
        assert text.startswith("I had to stop before the task was done: That is all for today.\nDone:\n- write 0\n")


async def test_a_task_that_may_cost_nothing_is_refused_in_the_operators_words():
    budgets = '[[budgets]]\ntokens = 1\nsay = "Come back tomorrow."\n'
    async with running_host([Works()], config=task("", budgets)) as running:
        result = await told(running, "write lines")
        assert (result["status"], running.client.texts) == ("blocked", ("Come back tomorrow.",))


async def test_a_task_whose_model_fails_tells_what_it_did():
    async with running_host([Works()], config=TASK) as running:
        running.provider.then(calling(("write", {"line": "one"})), RuntimeError("gone"), RuntimeError("gone"))
        result = await told(running, "write lines")
        assert result["status"] == "failed"
        assert "because something went wrong on my side.\nDone:\n- write one\n" in running.client.texts[0]
        assert "gone" not in running.client.texts[0]


async def test_a_task_that_fails_before_it_did_anything_says_what_any_agent_says():
    async with running_host([Works()], config=TASK) as running:
        running.provider.then(RuntimeError("gone"))
        result = await told(running, "write lines")
        assert (result["status"], result["reply"]["notice"]) == ("failed", True)


async def test_a_guard_of_replies_guards_the_report_too():
    class Guard:
        @impl
        async def transform_reply(self, turn: Turn, reply: Reply) -> Reply:
            return Reply(tuple(Part(part.text.replace("0", "?")) for part in reply.parts))

    async with running_host([Works(), Guard()], config=task("rounds = 1")) as running:
        running.provider.then(*ENDLESS)
        await told(running, "write lines")
        assert "- write ?" in running.client.texts[0]


async def test_the_report_is_remembered_so_that_the_next_message_can_go_on():
    async with running_host([Works(), Lines()], config=task("rounds = 1")) as running:
        running.provider.then(ENDLESS[0], calling(end("done", "Written.")))
        await told(running, "write lines")
        assert await running.ask("go on") == "Written."
        assert "- write 0" in running.provider.prompts[1].messages[-2].text


async def test_a_task_goes_on_after_a_restart_where_it_was():
    works = Works()
    lives = Lives(works, config=HASTY + TASK)
    async with lives.host():
        lives.provider.then("Hm.", calling(("write", {"line": "one"})))
        turn = (await lives.client.say("r", "Ana", "write two lines")).heard[0].turn
        await works.written.wait()
        lives.provider.hold()
        await lives.provider.asked(3)
    lives.provider.release()
    lives.provider.then(calling(("write", {"line": "two"})), calling(end("done", "Both are there.")))
    async with lives.host() as running:
        assert (await running.client.host.wait(turn))["reason"] == "the task is done"
    assert works.lines == ["one", "two"]
    assert lives.client.texts == ("Both are there.",)
    _, second, third, again, _ = lives.provider.prompts
    assert second.select("urge")
    assert third == again


async def test_a_task_waits_for_an_approval_over_a_restart_and_answers_others_meanwhile():
    works = Works()
    asks = '[agents.robin]\nkind = "task"\n[[policy.rules]]\naction = "write"\nruling = "ask"\n'
    lives = Lives(works, config=HASTY + asks)
    async with lives.host() as running:
        lives.provider.then("Hm.", calling(("write", {"line": "one"})))
        turn = (await lives.client.say("r", "Ana", "write a line")).heard[0].turn
        assert (await running.client.host.wait(turn))["status"] == "parked"
        (question,) = await lives.client.replies(1)
        assert question.question is not None
    async with lives.host() as running:
        lives.provider.then(calling(end("done", "It is Monday.")))
        assert await running.ask("which day is it?", room="r") == "It is Monday."
        lives.provider.then(calling(end("done", "Written.")))
        accepted = await lives.client.answer("r", "Ana", question.question.id, "approve")
        assert not accepted.reason
        assert (await running.client.host.wait(turn))["reason"] == "the task is done"
    assert works.lines == ["one"]
    assert lives.client.texts[1:] == ("It is Monday.", "Written.")


STANDARD = """\
[plugins]
enabled = ["carrier-actions-standard", "carrier-context-standard"]
[agents.robin]
kind = "task"
[policy]
trusted = ["carrier-actions-standard", "carrier-context-standard"]
"""


async def test_a_task_plans_asks_a_person_and_goes_on_with_their_answer():
    steps = [{"text": "find a room"}, {"text": "book it"}]
    works = Works()
    async with running_host([works], config=STANDARD) as running:
        running.provider.then(
            calling(("plan", {"steps": steps})),
            calling(("plan", {"steps": [{"text": "find a room", "done": True}, steps[1]]})),
            calling(("finish", {"outcome": "needs_person", "report": "The blue room is free. Shall I book it?"})),
        )
        result = await told(running, "Book a room for Monday")
        assert result["reason"] == "the task needs a person"
        posts = await running.client.replies(2)
        assert [post.text for post in posts] == [
            "Done: find a room (1 of 2).",
            "The blue room is free. Shall I book it?",
        ]
        running.provider.then(
            calling(("write", {"line": "blue"})),
            calling(("finish", {"outcome": "done", "report": "The blue room is booked."})),
        )
        result = await told(running, "yes")
        assert result["reason"] == "the task is done"
        assert works.lines == ["blue"]
        asked = running.provider.prompts[-2]
        (goals,) = [part.text for part in asked.parts if part.key == "goals"]
        assert "Book a room for Monday" in goals
        assert "book it" in goals
        said = [message.text for message in asked.messages if message.role in ("user", "assistant")]
        assert said[0] == "Book a room for Monday"
        assert said[-2:] == ["The blue room is free. Shall I book it?", "yes"]


# --- kinds of a plugin's ---------------------------------------------------------------------------------------------------


async def test_a_plugin_brings_a_kind_that_ends_when_it_likes_and_is_no_operator():
    class Stubborn(Kind):
        name = "stubborn"
        brief = "You are stubborn."

        def goes_on(self, draft: Draft) -> bool:
            return draft.round < 3

    class Brings:
        @impl
        def register_kinds(self) -> Kind:
            return Stubborn()

    async with running_host([Brings()], config='[agents.robin]\nkind = "stubborn"\n') as running:
        running.provider.then("one", "two", "three", "four")
        assert await running.ask("say something") == "one\ntwo\nthree"
        (brief,) = running.provider.prompts[0].select("brief")
        assert brief.provenance.origins == ("outside:plugin/brings",)


@pytest.mark.parametrize("method", ["goes_on", "urge", "ending", "report"])
async def test_a_kind_that_fails_costs_its_turn_and_is_named(method):
    class Broken(Kind):
        name = "broken"

        def goes_on(self, draft: Draft) -> bool:
            return draft.round < 2

    def fails(self: Kind, *given: object) -> object:
        raise ValueError("no")

    setattr(Broken, method, fails)

    class Brings:
        @impl
        def register_kinds(self) -> Kind:
            return Broken()

    async with running_host([Brings()], config='[agents.robin]\nkind = "broken"\n') as running:
        running.provider.then("one", RuntimeError("gone") if method == "report" else "two")
        result = await told(running, "say something")
        assert (result["status"], result["reply"]["notice"]) == ("failed", True)
        assert method == "report" or "broken" in result["reason"]


async def _memories(running: HostUnderTest) -> tuple:
    return await running.store.memory.list(agent="robin")


class Lines:
    """The lines of the conversation, as the standard context has them."""

    @impl
    async def provide_state(self, turn: Turn) -> State:
        return State(
            tuple(
                Part(memory.text, role="assistant" if memory.by_agent else "user", memory=memory.id)
                for memory in await turn.history()
            )
        )
