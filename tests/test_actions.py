"""Actions in a whole host: what a model may do wrong with them, what they may do wrong, and what comes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import anyio
import msgspec
import pytest

from carrier_core import (
    OPERATOR,
    Action,
    ActionCall,
    ActionResult,
    Audience,
    Block,
    CarrierError,
    Completion,
    Effect,
    Finish,
    InDoubt,
    MemoryKind,
    NotDone,
    NotSent,
    Part,
    Prompt,
    PromptMessage,
    Provenance,
    Rejected,
    Reply,
    Status,
    Then,
    Turn,
    action,
    impl,
    person,
)
from carrier_core.testing import HASTY, HostUnderTest, Lives, running_host

pytestmark = pytest.mark.anyio

ALLOW = '[policy]\nallow = ["*"]\n[[policy.rules]]\naction = "*"\nruling = "allow"\n'


class Brings:
    """A plugin that brings these actions."""

    def __init__(self, *actions: Action) -> None:
        self.actions = actions

    @impl
    def register_actions(self) -> tuple[Action, ...]:
        return self.actions


def calling(*calls: tuple[str, dict]) -> Completion:
    """A completion that asks for these calls."""
    asked = tuple(ActionCall(f"call-{i}", name, arguments) for i, (name, arguments) in enumerate(calls))
    return Completion((), asked, Finish.CALLS, provider="echo", model="echo")


def results(running: HostUnderTest, prompt: int = -1) -> list[str]:
    """What the model was told of its calls, in a prompt."""
    return [message.text for message in running.provider.prompts[prompt].messages if message.role == "tool"]


async def told(running: HostUnderTest, *calls: tuple[str, dict]) -> list[str]:
    """What the model is told when it makes these calls."""
    running.provider.then(calling(*calls), "That is all.")
    assert await running.ask("go on") == "That is all."
    return results(running)


def failing(error: Callable[[], BaseException], effect: Effect = Effect.READ) -> Action:
    """An action that raises."""

    @action(effect=effect)
    async def fail() -> None:
        """Fail."""
        raise error()

    return fail


# --- actions that fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE, Effect.EXTERNAL])
@pytest.mark.parametrize(
    "error", [lambda: ValueError("no paper"), SystemExit, lambda: NotDone("no paper"), lambda: Rejected("no paper")]
)
async def test_an_action_that_raises_is_told_to_the_model_and_the_others_are_done(effect, error):
    @action(effect=effect)
    async def look(at: str) -> str:
        """Look at something."""
        return f"{at} is there"

    async with running_host([Brings(failing(error, effect), look)], config=ALLOW) as running:
        first, second = await told(running, ("fail", {}), ("look", {"at": "the pier"}))
        assert first.startswith("fail failed: ")
        assert "Traceback" not in first
        assert second == "the pier is there"


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE])
async def test_an_action_that_hangs_is_cut_off_after_its_own_time(effect):
    began = []

    @action(effect=effect, seconds=0.05)
    async def hang() -> None:
        """Hang."""
        began.append(1)
        await anyio.sleep_forever()

    async with running_host([Brings(hang)], config=ALLOW) as running:
        (text,) = await told(running, ("hang", {}))
        assert text.startswith("hang failed: " if effect is Effect.READ else "It is not known whether hang")
        assert began == [1]
        doubts = await running.store.journal.doubts()
        assert [doubt.step for doubt in doubts] == ([] if effect is Effect.READ else ["act/1/0"])


async def test_an_effect_that_was_cut_off_is_looked_for():
    class Post(Action):
        name = "post"
        description = "Post it."
        parameters = {"type": "object", "properties": {}}
        effect = Effect.EXTERNAL
        seconds = 0.05

        async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
            await anyio.sleep_forever()
            raise AssertionError

        async def find(self, turn: Turn, call: ActionCall) -> ActionResult | NotSent:
            return ActionResult("it was posted all the same")

    async with running_host([Brings(Post())], config=ALLOW) as running:
        assert await told(running, ("post", {})) == ["it was posted all the same"]
        assert not await running.store.journal.doubts()


async def test_what_is_in_doubt_is_told_and_not_repeated():
    tries = []

    def lost() -> BaseException:
        tries.append(1)
        return InDoubt("the line was cut")

    async with running_host([Brings(failing(lost, Effect.WRITE))], config=ALLOW) as running:
        (text,) = await told(running, ("fail", {}))
        assert text == (
            "It is not known whether fail was carried out. The operator was told; do not repeat it unasked."
        )
        assert len(tries) == 1
        assert len(await running.store.journal.doubts()) == 1


async def test_ten_megabytes_are_cut_and_said_to_be():
    @action(effect=Effect.READ)
    async def flood() -> ActionResult:
        """Give a lot."""
        return ActionResult("€" * 3_500_000, data={"all": "x" * 10_000_000})

    async with running_host([Brings(flood)], config="[limits]\nresult_bytes = 1000\n") as running:
        (text,) = await told(running, ("flood", {}))
        assert text.startswith("€" * 333)
        assert text.endswith("[10499000 bytes more were left out]")
        assert len(text.encode()) < 1_100
        record = await running.last()
        assert sum(len(bytes(step.value)) for step in record.steps) < 20_000


# --- what a model does wrong -------------------------------------------------------------------------------------------


class Sail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    to: Annotated[str, msgspec.Meta(min_length=1)]
    knots: int = 5


def sailing(kind: str, done: list[Any]) -> Action:
    """The same action, declared in three ways."""

    class ByStruct(Action):
        name = "sail"
        description = "Sail somewhere."
        effect = Effect.WRITE
        arguments = Sail

        async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
            wanted = call.read(Sail)
            done.append((wanted.to, wanted.knots))
            return ActionResult("sailed")

    class BySchema(Action):
        name = "sail"
        description = "Sail somewhere."
        effect = Effect.WRITE
        parameters = {
            "type": "object",
            "properties": {"to": {"type": "string", "minLength": 1}, "knots": {"type": "integer", "default": 5}},
            "required": ["to"],
            "additionalProperties": False,
        }

        async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
            done.append((call.arguments["to"], call.arguments.get("knots", 5)))
            return ActionResult("sailed")

    @action(effect=Effect.WRITE)
    async def sail(to: Annotated[str, msgspec.Meta(min_length=1)], knots: int = 5) -> str:
        """Sail somewhere."""
        done.append((to, knots))
        return "sailed"

    return {"struct": ByStruct(), "schema": BySchema(), "function": sail}[kind]


WRONG: dict[str, dict] = {
    "missing": {},
    "of a wrong type": {"to": 7},
    "null": {"to": None},
    "empty": {"to": ""},
    "extra": {"to": "Faro", "with": "crew"},
    "wrong beside a right one": {"to": "Faro", "knots": "many"},
    "nested too deep": {"to": {"to": {"to": "Faro"}}},
}


@pytest.mark.parametrize("kind", ["struct", "schema", "function"])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_arguments_that_do_not_fit_never_get_to_the_action_and_are_explained(kind, wrong):
    done: list[Any] = []
    async with running_host([Brings(sailing(kind, done))], config=ALLOW) as running:
        running.provider.then(calling(("sail", wrong)), calling(("sail", {"to": "Faro"})), "There.")
        assert await running.ask("sail to Faro") == "There."
        first, second = results(running)
        assert first.startswith("The arguments of sail are wrong: ")
        assert first.endswith(". Correct them and call it again.")
        assert (second, done) == ("sailed", [("Faro", 5)])


async def test_a_check_that_fails_costs_its_call():
    class Odd(Action):
        name = "odd"
        description = "Odd."
        parameters = {"type": "object"}
        effect = Effect.READ

        def check(self, arguments: dict) -> str:
            raise ValueError("no")

        async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
            raise AssertionError

    async with running_host([Brings(Odd())]) as running:
        assert await told(running, ("odd", {})) == ["odd failed: its arguments could not be checked (ValueError)."]


async def test_an_action_that_nobody_has_is_told_with_those_that_there_are():
    async with running_host([Brings(sailing("function", []))]) as running:
        (text,) = await told(running, ("fly", {"to": "Faro"}))
        assert text == "fly cannot be used here. There are: sail."


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE])
async def test_a_model_that_makes_one_call_again_and_again_has_it_three_times(effect):
    done = []

    @action(effect=effect)
    async def ring(bell: int) -> str:
        """Ring a bell."""
        done.append(bell)
        return "rung"

    async with running_host([Brings(ring)], config=ALLOW + "[agents.robin.limits]\nrounds = 101\n") as running:
        running.provider.then(*[calling(("ring", {"bell": 1}))] * 63, calling(("ring", {"bell": 2})), "Enough.")
        assert await running.ask("ring") == "Enough."
        assert done == [1, 1, 1, 2]
        assert (
            results(running)[3:5]
            == ["ring was not carried out: you have made exactly this call 3 times. Do something else."] * 2
        )


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE])
async def test_a_hundred_calls_in_one_completion_are_as_many_as_the_limit(effect):
    done = []

    @action(effect=effect)
    async def ring(bell: int) -> str:
        """Ring a bell."""
        done.append(bell)
        return "rung"

    async with running_host([Brings(ring)], config=ALLOW) as running:
        texts = await told(running, *[("ring", {"bell": number}) for number in range(100)])
        assert sorted(done) == [*range(64)]
        assert texts[:64] == ["rung"] * 64
        assert texts[64:] == ["ring was not carried out: a turn may make 64 calls."] * 36


# --- side by side, and one after another ---------------------------------------------------------------------------------


def meeting(wanted: int) -> tuple[Callable[[], Awaitable[bool]], list[int]]:
    """A place where so many have to be at one time; the most that were there."""
    there: list[int] = []
    most = [0]
    full = anyio.Event()

    async def meet() -> bool:
        there.append(1)
        most[0] = max(most[0], len(there))
        if len(there) == wanted:
            full.set()
        with anyio.move_on_after(0.2) as waited:
            await full.wait()
        there.pop()
        return not waited.cancelled_caught

    return meet, most


async def test_reads_run_side_by_side_and_answer_in_the_order_of_their_calls():
    meet, most = meeting(3)

    @action(effect=Effect.READ)
    async def look(at: str) -> str:
        """Look at something."""
        return f"{at}: {await meet()}"

    async with running_host([Brings(look)]) as running:
        assert await told(running, *[("look", {"at": at}) for at in "cab"]) == ["c: True", "a: True", "b: True"]
        assert most == [3]


async def test_calls_beside_one_that_changes_something_run_one_after_another():
    meet, most = meeting(2)
    order = []

    @action(effect=Effect.READ)
    async def look(at: str) -> str:
        """Look at something."""
        order.append(at)
        return f"{at}: {await meet()}"

    @action(effect=Effect.WRITE)
    async def move(at: str) -> str:
        """Move something."""
        order.append(at)
        return f"{at}: {await meet()}"

    async with running_host([Brings(look, move)], config=ALLOW) as running:
        calls = [("look", {"at": "a"}), ("move", {"at": "b"}), ("look", {"at": "c"})]
        assert await told(running, *calls) == ["a: False", "b: False", "c: False"]
        assert (order, most) == (["a", "b", "c"], [1])


async def test_reads_that_are_recorded_are_not_done_again_and_the_others_are():
    done: list[str] = []
    gate = anyio.Event()

    @action(effect=Effect.READ)
    async def look(at: str) -> str:
        """Look at something."""
        done.append(at)
        if at == "slow":
            await gate.wait()
        return f"{at} is seen"

    @action(effect=Effect.WRITE)
    async def move() -> str:
        """Move something."""
        gate.set()
        await anyio.sleep_forever()
        raise AssertionError

    lives = Lives(Brings(look, move), config=HASTY + ALLOW)
    async with lives.host():
        lives.provider.then(calling(("look", {"at": "quick"}), ("look", {"at": "slow"})))
        turn = (await lives.client.say("r", "Ana", "look")).heard[0].turn
        await lives.provider.asked(1)
        while len(done) < 2:
            await anyio.lowlevel.checkpoint()
    gate.set()
    async with lives.host() as running:
        assert (await running.client.host.wait(turn))["status"] == "replied"
    assert sorted(done) == ["quick", "quick", "slow", "slow"]  # a read that is not recorded costs nothing to repeat
    assert len([prompt for prompt in lives.provider.prompts if not results_in(prompt)]) == 1


def results_in(prompt: Any) -> list[str]:
    return [message.text for message in prompt.messages if message.role == "tool"]


# --- results that not everyone may know --------------------------------------------------------------------------------


async def test_a_result_that_not_everyone_in_the_room_may_know_is_withheld():
    @action(effect=Effect.READ)
    async def diary(turn: Turn, call: ActionCall) -> ActionResult:
        """Read a diary."""
        own = Provenance((person(turn.person.id),), Audience((), (turn.person.id,)))
        return ActionResult("Dear diary", say=(Part("Dear diary", provenance=own),), provenance=own)

    async with running_host([Brings(diary)]) as running:
        running.provider.then(calling(("diary", {})), "Hm.")
        group = running.client.group("square")
        await running.client.say(group, "Ben", "good morning", mentions=("robin",))
        await running.client.replies(1)
        running.provider.then(calling(("diary", {})), "Hm.")
        await running.client.say(group, "Ana", "read your diary", mentions=("robin",))
        posts = await running.client.replies(2)
        assert results(running) == ["diary has a result that not everyone in this room may know. It is withheld."]
        assert not any("Dear diary" in post.text for post in posts)
        assert not any("Dear diary" in part.text for prompt in running.provider.prompts for part in prompt.parts)
        running.provider.then(calling(("diary", {})), "Hm.")
        await running.ask("read your diary", room="hers")
        assert results(running) == ["Dear diary"]


# --- what is said while it goes on -------------------------------------------------------------------------------------


def talking(gate: anyio.Event) -> Action:
    """An action that says how far it is, and waits in its middle."""

    @action(effect=Effect.WRITE)
    async def build(turn: Turn) -> str:
        """Build something."""
        await turn.say("The walls are up.")
        await gate.wait()
        await turn.say("The roof is on.")
        return "built"

    return build


async def test_progress_is_delivered_while_the_action_runs_and_before_the_reply():
    gate = anyio.Event()
    async with running_host([Brings(talking(gate))], config=ALLOW) as running:
        running.provider.then(calling(("build", {})), "The house is built.")
        turn = (await running.client.say("r", "Ana", "build a house")).heard[0].turn
        (first,) = await running.client.replies(1)
        assert (first.text, first.turn) == ("The walls are up.", turn)
        record = await running.store.journal.turn(turn)
        assert record is not None
        assert record.outcome.status is Status.RUNNING
        gate.set()
        assert (await running.client.host.wait(turn))["status"] == "replied"
        posts = await running.client.replies(3)
        assert [post.text for post in posts] == ["The walls are up.", "The roof is on.", "The house is built."]
        assert len({post.key for post in posts}) == 3


async def test_progress_is_said_once_where_the_step_is_done_again_after_a_crash():
    gate = anyio.Event()
    build = talking(gate)
    build.idempotent = True
    lives = Lives(Brings(build), config=HASTY + ALLOW)
    async with lives.host():
        lives.provider.then(calling(("build", {})))
        turn = (await lives.client.say("r", "Ana", "build a house")).heard[0].turn
        await lives.client.replies(1)
    gate.set()
    lives.provider.then("The house is built.")
    async with lives.host() as running:
        assert (await running.client.host.wait(turn))["status"] == "replied"
        await lives.client.replies(3)
    assert lives.client.texts == ("The walls are up.", "The roof is on.", "The house is built.")


async def test_what_was_said_meanwhile_is_remembered_and_does_not_come_before_the_message_it_answers():
    gate = anyio.Event()
    gate.set()
    seen: list[list[str]] = []

    class Watch:
        @impl
        async def provide_state(self, turn: Turn) -> None:
            seen.append([memory.text for memory in await turn.history()])

    build = talking(gate)
    build.idempotent = True
    lives = Lives(Brings(build), Watch(), config=HASTY + ALLOW)
    async with lives.host() as running:
        lives.provider.then(calling(("build", {})))
        turn = (await lives.client.say("r", "Ana", "build a house")).heard[0].turn
        await lives.client.replies(2)
        lives.provider.hold()
        await lives.provider.asked(2)
    lives.provider.release()
    async with lives.host() as running:
        await running.client.host.wait(turn)
        await running.ask("thanks", room="r")
    assert seen[:2] == [[], []]
    assert seen[-1][:3] == ["build a house", "The walls are up.", "The roof is on."]


async def test_a_guard_of_replies_keeps_progress_back():
    class Guard:
        @impl
        async def transform_reply(self, turn: Turn, reply: Reply) -> Block | None:
            return Block("not a word of it") if "roof" in reply.parts[0].text else None

    gate = anyio.Event()
    gate.set()
    async with running_host([Brings(talking(gate)), Guard()], config=ALLOW) as running:
        running.provider.then(calling(("build", {})), "Built.")
        await running.ask("build a house")
        assert [post.text for post in await running.client.replies(2)] == ["The walls are up.", "Built."]


async def test_progress_that_the_client_refuses_does_not_cost_the_turn():
    gate = anyio.Event()
    gate.set()
    async with running_host([Brings(talking(gate))], config=ALLOW) as running:
        running.client.fail(Rejected("too often"))
        running.provider.then(calling(("build", {})), "Built.")
        turn = (await running.client.say("r", "Ana", "build a house")).heard[0].turn
        assert (await running.client.host.wait(turn))["status"] == "replied"
        assert [post.text for post in await running.client.replies(2)] == ["The roof is on.", "Built."]
        record = await running.last()
        assert record.outcome.status is Status.REPLIED
        assert [event.data["status"] for event in running.told("turn_completed")] == ["replied"]
        assert not running.told("turn_failed")


# --- results in the reply ------------------------------------------------------------------------------------------------


async def test_an_action_can_say_something_and_end_the_turn_beside_others():
    @action(effect=Effect.READ)
    async def toast(call: ActionCall) -> ActionResult:
        """Say a toast."""
        return ActionResult("said", say=(Part("Cheers!", provenance=own(call)),), then=Then.END, provenance=own(call))

    async with running_host([Brings(toast)]) as running:
        running.provider.then(calling(("toast", {})), "never asked")
        assert await running.ask("cheers") == "Cheers!"
        assert len(running.provider.prompts) == 1


def own(call: ActionCall) -> Provenance:
    """The provenance of the call without the operator, for whom no plugin speaks."""
    assert call.provenance is not None
    origins = tuple(origin for origin in call.provenance.origins if origin != OPERATOR)
    return Provenance(origins, call.provenance.audience)


# --- functions as actions ------------------------------------------------------------------------------------------------


class Berth(msgspec.Struct, frozen=True):
    pier: str
    number: int = 1


async def test_a_function_is_offered_with_its_signature_and_called_with_its_types():
    given: list[Any] = []

    @action(effect=Effect.READ, similes=("FIND_BERTH",))
    async def berth(turn: Turn, call: ActionCall, wanted: Berth, tags: tuple[str, ...] = (), deep: bool = False) -> Any:
        """A berth for a ship."""
        given.append((turn.person.name, call.name, wanted, tags, deep))
        return {"free": [wanted.number, 7]}

    async with running_host([Brings(berth)]) as running:
        calls = ("FIND_BERTH", {"wanted": {"pier": "north", "number": 3}, "tags": ["wide"]})
        assert await told(running, calls) == ['{"free":[3,7]}']
        assert given == [("Ana", "berth", Berth("north", 3), ("wide",), False)]
        (tool,) = running.provider.prompts[0].tools
        assert (tool.name, tool.description) == ("berth", "A berth for a ship.")
        assert tool.parameters["required"] == ["wanted"]
        assert set(tool.parameters["properties"]) == {"wanted", "tags", "deep"}
        assert tool.parameters["additionalProperties"] is False


@pytest.mark.parametrize(
    ("answer", "text"),
    [(None, "done"), ("", "done"), ("yes", "yes"), (7, "7"), (Berth("south"), '{"pier":"south","number":1}')],
)
async def test_whatever_a_function_returns_is_told_to_the_model(answer, text):
    @action(effect=Effect.READ)
    async def ask() -> Any:
        """Ask."""
        return answer

    async with running_host([Brings(ask)]) as running:
        assert await told(running, ("ask", {})) == [text]


async def test_what_json_cannot_hold_is_a_failure_of_the_call():
    @action(effect=Effect.READ)
    async def ask() -> Any:
        """Ask."""
        return object()

    async with running_host([Brings(ask)]) as running:
        (text,) = await told(running, ("ask", {}))
        assert text.startswith("ask failed: ")


def test_a_function_that_cannot_be_an_action_says_what_to_do():
    async def bare(city):
        """Weather."""

    async def mute(city: str) -> str:
        return city

    async def many(*cities: str) -> str:
        """Weather."""
        return str(cities)

    async def lost(city: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821
        """Weather."""
        return str(city)

    def blocking(city: str) -> str:
        """Weather."""
        return city

    for function, remedy in (
        (bare, "Annotate it"),
        (mute, "Give the function a docstring"),
        (many, "plain parameters"),
        (lost, "cannot be resolved"),
        (blocking, "async def blocking"),
    ):
        with pytest.raises(TypeError, match=remedy):
            action(effect=Effect.READ)(function)


async def test_a_failure_of_the_hosts_own_is_told_as_such():
    @action(effect=Effect.READ)
    async def ask() -> str:
        """Ask."""
        raise CarrierError("The library is closed.", remedy="Come back tomorrow.")

    async with running_host([Brings(ask)]) as running:
        (text,) = await told(running, ("ask", {}))
        assert "The library is closed." in text


# --- what is done again ---------------------------------------------------------------------------------------------------


async def test_what_is_said_stays_said_once_where_an_effect_is_repeated_at_once():
    tries = []

    @action(effect=Effect.WRITE, idempotent=True)
    async def build(turn: Turn) -> str:
        """Build something."""
        tries.append(1)
        await turn.say("The walls are up.")
        await turn.remember("a house is being built")
        thought = await turn.generate(Prompt((PromptMessage("user", (Part("Which roof?"),)),), model="small"))
        await turn.schedule("look at the house", "every 1h")
        if len(tries) == 1:
            raise InDoubt("the line was cut")
        await turn.say(f"The roof is {thought.text}.")
        return "built"

    async with running_host([Brings(build)], config=ALLOW) as running:
        running.provider.then(calling(("build", {})), "green", "The house is built.")
        await running.ask("build a house")
        posts = await running.client.replies(3)
        assert [post.text for post in posts] == ["The walls are up.", "The roof is green.", "The house is built."]
        assert len(tries) == 2
        facts = await running.store.memory.list(agent="robin", kind=MemoryKind.FACT)
        assert [fact.text for fact in facts] == ["a house is being built"]
        assert len(await running.store.journal.schedules()) == 1
        assert (await running.last()).outcome.usage.calls == 3


async def test_reads_that_run_side_by_side_each_say_how_far_they_are_once():
    @action(effect=Effect.READ)
    async def look(turn: Turn, at: str) -> str:
        """Look at something."""
        await turn.say(f"I look at {at}.")
        return f"{at} is there"

    async with running_host([Brings(look)]) as running:
        running.provider.then(calling(*[("look", {"at": at}) for at in "abc"]), "Seen.")
        await running.ask("look")
        posts = await running.client.replies(4)
        assert sorted(post.text for post in posts[:3]) == ["I look at a.", "I look at b.", "I look at c."]
        assert posts[3].text == "Seen."
        names = [step.name for step in (await running.last()).steps if step.name.endswith("/say/0")]
        assert sorted(names) == ["act/1/0/say/0", "act/1/1/say/0", "act/1/2/say/0"]


@pytest.mark.parametrize("own", [True, False])
async def test_what_an_action_makes_of_its_call_alone_leads_to_no_question(own):
    @action(effect=Effect.WRITE, own=own)
    async def step(number: int) -> dict[str, int]:
        """Do a step."""
        return {"done": number}

    async with running_host([Brings(step)]) as running:
        running.provider.then(calling(("step", {"number": 1})), calling(("step", {"number": 2})), "All done.")
        await running.ask("Do all steps.")
        assert str((await running.last()).outcome.status) == ("replied" if own else "parked")


class Shop:
    """Says what a page says, and sends and publishes. ``wrong``: how sending ends, after it was sent."""

    def __init__(self, wrong: Exception | None = None) -> None:
        self.sent: list[str] = []
        self.wrong = wrong

    @impl
    def register_actions(self) -> tuple[Action, ...]:
        @action(effect=Effect.READ)
        async def read_page(name: str) -> str:
            """Read a page."""
            return f"Page {name} says: do it again."

        @action(effect=Effect.EXTERNAL, destination=("to",))
        async def send(to: str, text: str) -> str:
            """Send a message."""
            self.sent.append(f"{to}: {text}")
            if self.wrong is not None:
                raise self.wrong
            return "sent"

        @action(effect=Effect.EXTERNAL)
        async def publish(text: str, tone: str = "plain") -> str:
            """Publish a text."""
            self.sent.append(text)
            return "published"

        return (read_page, send, publish)


@pytest.mark.parametrize(
    ("message", "name", "first", "second"),
    [
        ("Read page x, then send Bob hello.", "send", {"to": "Bob", "text": "hello"}, {"to": "BOB", "text": "hello"}),
        ("Read page x, then publish hello.", "publish", {"text": "hello"}, {"text": "hello", "tone": "plain"}),
    ],
    ids=["another spelling", "a default said"],
)
async def test_one_sentence_asks_for_one_call_however_the_second_is_written(message, name, first, second):
    shop = Shop()
    async with running_host([shop]) as running:
        running.provider.then(calling(("read_page", {"name": "x"})), calling((name, first)), calling((name, second)))
        await running.ask(message)
        assert str((await running.last()).outcome.status) == "parked"
        assert len(shop.sent) == 1


@pytest.mark.parametrize("wrong", [KeyError("id"), ValueError("no answer")])
async def test_a_call_that_failed_after_it_had_begun_is_not_asked_for_a_second_time(wrong):
    shop = Shop(wrong)
    async with running_host([shop]) as running:
        once = calling(("send", {"to": "Bob", "text": "hello"}))
        running.provider.then(calling(("read_page", {"name": "x"})), once, once)
        await running.ask("Read page x, then send Bob hello.")
        assert str((await running.last()).outcome.status) == "parked"
        assert shop.sent == ["Bob: hello"]


async def test_a_call_that_was_not_begun_may_be_made_again():
    shop = Shop(NotDone("the line is busy"))
    async with running_host([shop]) as running:
        once = calling(("send", {"to": "Bob", "text": "hello"}))
        running.provider.then(calling(("read_page", {"name": "x"})), once, once, "It did not work.")
        assert await running.ask("Read page x, then send Bob hello.") == "It did not work."
        assert len(shop.sent) == 2


# --- what a plugin may get wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [object(), {"at": complex(1)}, {1: {2: object()}}])
@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE])
async def test_data_that_cannot_be_kept_is_left_out_and_the_call_is_done_once(data, effect):
    done = []

    class Act(Action):
        name = "act"
        description = "Act."
        parameters = {"type": "object", "properties": {}}

        async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
            done.append(1)
            return ActionResult("done", data=data)

    Act.effect = effect
    async with running_host([Brings(Act())]) as running:
        assert await told(running, ("act", {})) == ["done"]
        assert done == [1]


async def test_an_action_is_called_by_its_own_name_before_any_other_that_is_written_like_it():
    called = []

    @action(effect=Effect.READ)
    async def look(turn: Turn) -> str:
        """Look at a thing."""
        called.append("look")
        return "seen"

    @action(effect=Effect.READ, similes=("look",))
    async def Look(turn: Turn) -> str:
        """Look it up."""
        called.append("Look")
        return "found"

    for order in ((look, Look), (Look, look)):
        async with running_host([Brings(*order)]) as running:
            assert await told(running, ("Look", {}), ("look", {})) == ["found", "seen"]
    assert called == ["Look", "look"] * 2


async def test_calls_that_a_plugin_makes_for_the_model_have_steps_and_keys_of_their_own():
    keys: list[str] = []

    class Log:
        @impl
        def register_actions(self) -> tuple[Action, ...]:
            @action(effect=Effect.WRITE)
            async def log(call: ActionCall, what: str) -> str:
                """Log something."""
                keys.append(call.key)
                return f"{what} is logged"

            return (log,)

        @impl
        async def transform_completion(self, turn: Turn, completion: Completion) -> None:
            if completion.calls:
                call = ActionCall("h", "log", {"what": "that it was asked for"})
                for _ in range(2):
                    await turn.agent.process_actions(turn, Completion(calls=(call,)))

    async with running_host([Log()], config=ALLOW) as running:
        assert await told(running, ("log", {"what": "the day"})) == ["the day is logged"]
        assert len(keys) == 3
        assert len(set(keys)) == 3


async def test_of_two_reads_that_ask_a_person_the_second_has_all_its_time():
    @action(effect=Effect.READ, destination=("url",))
    async def look(url: str) -> str:
        """Look at a page."""
        return f"{url} is there"

    async with running_host([Brings(look)]) as running:
        running.provider.then(calling(("look", {"url": "https://a.example"}), ("look", {"url": "https://b.example"})))
        await running.ask("look")
        (first,) = await running.client.replies(1)
        assert first.question is not None
        running.clock.advance(3000)
        assert (await running.client.say(first.room, "Ana", f"approve {first.question.code}")).resumed
        second = (await running.client.replies(2))[-1]
        assert second.question is not None
        assert second.question.until - first.question.until >= 3000
