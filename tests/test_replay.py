"""``carrierd turns replay``: a past turn's models are asked again as they were, and the difference is shown."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from msgspec import Raw
from msgspec.structs import replace

from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    CarrierError,
    Completion,
    Decision,
    Effect,
    Finish,
    InboundKind,
    Part,
    Prompt,
    PromptMessage,
    Turn,
    TurnRecord,
    Usage,
    impl,
)
from carrier_core.cli import main
from carrier_core.replay import script_of
from carrier_core.testing import EchoProvider, HostUnderTest, Lives, cassette, running_host, wire

CONFIG = """\
[agents.robin]
models.large = { use = ["parrot/grey", "parrot/green"], max_tokens = 77, temperature = 0.5 }
character = "bot"
[plugins]
enabled = ["carrier-context-standard", "carrier-memory-sqlite"]
[models."parrot/grey"]
input = 1.0
output = 2.0
[limits]
model_attempts = 1
"""

PARROT = '''
"""A provider that looks around before it says something, and writes down what it is asked."""

from pathlib import Path

import msgspec

from carrier_core import (
    Action, ActionCall, ActionResult, Carry, Client, Completion, Effect, Finish, Part, Provider, ProviderError, Usage, impl,
)

HERE = Path(__file__).parent


def note(name, line):
    with (HERE / name).open("ab") as file:
        file.write(line + b"\\n")


class Parrot(Provider):
    def __init__(self, name, **models):
        self.name, self.models = name, models

    def missing(self):
        return "It has no cage. Buy one." if self.name == "wild" else ""

    async def generate(self, prompt, model, emit):
        note("asked", msgspec.json.encode([model, prompt]))
        emit("Let ")
        last = prompt.messages[-1]
        if model == "ill":
            raise ProviderError("The parrot is ill.", reason="overloaded", remedy="Wait.")
        if model == "mute":
            return None
        if last.role != "tool":
            calls = (ActionCall("call-1", "look", {"at": "the sea" if model == "green" else "the sky"}),)
            usage, carry = Usage(100, 10, calls=1), Carry("parrot", {"thought": model})
            finish = Finish.LENGTH if model == "breathless" else Finish.CALLS
            return Completion((Part("Let me look.\\nWait."),), calls, finish, usage, self.name, model, carry)
        text = f"{model} saw it.\\nIt was {last.text}."
        return Completion((Part(text),), (), Finish.STOP, Usage(120, 20, calls=1), self.name, model)


class Look(Action):
    name, description, effect = "look", "Look at something.", Effect.READ
    parameters = {"type": "object", "properties": {"at": {"type": "string"}}}

    async def perform(self, turn, call):
        note("performed", call.arguments["at"].encode())
        return ActionResult("blue")


class Perch(Client):
    name = platform = "perch"

    async def run(self, host, started):
        note("client", b"ran")
        started()

    async def send(self, part):
        raise AssertionError


@impl
def register_providers():
    return [Parrot("parrot", large="grey", small="green"), Parrot("wild", large="red")]


@impl
def register_actions():
    return Look()


@impl
def register_clients():
    return Perch()


@impl
async def start_host():
    note("life", b"start")


@impl
async def stop_host():
    note("life", b"stop")
'''

OTHER = """
from carrier_core import impl


@impl
async def start_host():
    raise AssertionError("nobody is to start this")
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and the parrot, in which commands run."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("USER", "ana")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for made in ("characters", "plugins"):
        (tmp_path / "config" / made).mkdir(parents=True)
    (tmp_path / "config" / "carrier.toml").write_text(CONFIG)
    (tmp_path / "config" / "characters" / "bot.toml").write_text('name = "Bot"\n')
    (tmp_path / "config" / "plugins" / "parrot.py").write_text(PARROT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def carrierd(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command; returns its exit code and what it printed."""

    def carrierd(*args: str) -> tuple[int, str, str]:
        code = main(args)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    yield carrierd
    structlog.reset_defaults()
    logging.root.handlers.clear()


@pytest.fixture
def told(carrierd: Run) -> Callable[..., Any]:
    """Runs a command that succeeds, with ``--json``; what it printed."""

    def told(*args: str) -> Any:
        code, out, err = carrierd(*args, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return told


@pytest.fixture
def turn(carrierd: Run) -> str:
    """The id of a turn in which the parrot looked and then answered."""
    code, out, _ = carrierd("chat", "-m", "what do you see?", "--json")
    assert code == 0
    return json.loads(out)["turn"]


def notes(folder: Path, name: str) -> list[str]:
    """What the parrot wrote down."""
    path = folder / "config" / "plugins" / name
    return path.read_text().splitlines() if path.exists() else []


def changed(folder: Path, text: str, by: str) -> None:
    path = folder / "config" / "carrier.toml"
    assert text in path.read_text()
    path.write_text(path.read_text().replace(text, by))


@contextmanager
def daemon() -> Iterator[None]:
    """A daemon on the state directory, for as long as the block."""
    command = [sys.executable, "-c", "import sys; from carrier_core.cli import main; sys.exit(main(['run']))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("ready" in line for line in process.stdout)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
    assert process.returncode == 0


# --- the same again ------------------------------------------------------------------------------------------------------


def test_every_round_is_asked_again_exactly_as_it_was(folder: Path, turn: str, told: Callable[..., Any]) -> None:
    replayed = told("turns", "replay", turn[:9])
    asked = notes(folder, "asked")
    assert len(asked) == 4
    assert asked[2:] == asked[:2]
    model, prompt = json.loads(asked[3])
    assert (model, prompt["max_tokens"], prompt["temperature"], prompt["tools"][0]["name"]) == ("grey", 77, 0.5, "look")
    assert prompt["messages"][-2]["carry"] == {"provider": "parrot", "data": {"thought": "grey"}}
    assert [(each["round"], each["same"], each["diff"], each["error"]) for each in replayed["rounds"]] == [
        (1, True, [], None),
        (2, True, [], None),
    ]
    first = replayed["rounds"][0]["replayed"]
    assert first.pop("duration_ms") > 0
    assert first == {
        "provider": "parrot",
        "model": "grey",
        "text": "Let me look.\nWait.",
        "calls": [{"name": "look", "arguments": {"at": "the sky"}}],
        "finish": "calls",
        "usage": {"input": 100, "output": 10, "cached": 0, "stored": 0, "cost": 120_000},
        "notes": [],
    }
    assert {**replayed, "rounds": []} == {
        "v": 1,
        "turn": turn,
        "agent": "robin",
        "rounds": [],
        "left": [],
        "used": {"input": 220, "output": 30, "cached": 0, "stored": 0, "cost": 280_000, "calls": 2, "failed": 0},
    }


@pytest.mark.usefixtures("turn")
def test_nothing_is_performed_or_stored_or_started_beside_the_provider(
    folder: Path, told: Callable[..., Any], carrierd: Run
) -> None:
    (folder / "config" / "plugins" / "other.py").write_text(OTHER)
    before = {name: notes(folder, name) for name in ("performed", "client")}
    assert before["performed"] == ["the sky"]
    lives, kept = len(notes(folder, "life")), carrierd("memory", "export")
    told("turns", "replay", "last", "--model", "parrot/green")
    assert {name: notes(folder, name) for name in before} == before
    assert notes(folder, "life")[lives:] == ["start", "stop"]
    assert carrierd("memory", "export") == kept


def test_it_works_beside_a_daemon(folder: Path, turn: str, told: Callable[..., Any]) -> None:
    with daemon():
        assert [each["same"] for each in told("turns", "replay", turn)["rounds"]] == [True, True]
        assert told("turns")[0]["turn"] == turn


def test_what_was_said_before_is_in_the_prompt_again(folder: Path, turn: str, told: Callable[..., Any]) -> None:
    told("chat", "-m", "and now?")
    changed(folder, "[limits]", "[agents.robin.memory]\nresults = 1\n[limits]")
    assert [each["same"] for each in told("turns", "replay", "last")["rounds"]] == [True, True]
    asked = notes(folder, "asked")
    assert "what do you see?" in asked[2]
    assert asked[4:] == asked[2:4]


# --- what differs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["parrot/green", "parrot/green/2"])
def test_another_model_is_compared(folder: Path, turn: str, told: Callable[..., Any], model: str) -> None:
    first, second = told("turns", "replay", turn, "--model", model)["rounds"]
    name = model.partition("/")[2]
    assert [json.loads(each)[0] for each in notes(folder, "asked")[2:]] == [name, name]
    assert (first["recorded"]["model"], first["replayed"]["model"]) == ("grey", name)
    assert (first["same"], second["same"]) == (name != "green", False)
    assert [line for line in first["diff"] if line[0] in "-+"] == (
        ["--- recorded", "+++ now", '-  "at": "the sky"', '+  "at": "the sea"'] if name == "green" else []
    )
    assert second["diff"][3:] == ["-grey saw it.", f"+{name} saw it.", " It was blue."]
    assert second["replayed"]["usage"]["cost"] is None
    # With the recorded answer of the round before, and not with its own.
    assert "the sky" in notes(folder, "asked")[3]
    assert "the sea" not in notes(folder, "asked")[3]


def test_a_person_is_shown_what_differs_and_what_it_cost(turn: str, carrierd: Run) -> None:
    code, out, err = carrierd("turns", "replay", turn)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["ROUND", "1", "RECORDED", "NOW"]
    assert lines[1:4] == [
        ["model", "parrot/grey", "parrot/grey"],
        ["finish", "calls", "calls"],
        ["tokens", *"100 in, 10 out 100 in, 10 out".split()],
    ]
    assert lines[4][-1] == "$0.00012"
    assert "  It says and calls the same." in out
    assert out.endswith("\n2 calls, 220 in, 30 out, cost: $0.00028\n")
    _, out, _ = carrierd("turns", "replay", turn, "--model", "parrot/green")
    assert '\n  -  "at": "the sky"\n  +  "at": "the sea"\n' in out
    assert out.endswith("\n2 calls, 220 in, 30 out, cost: not known\n")


def test_another_end_is_a_difference_too(turn: str, carrierd: Run, told: Callable[..., Any]) -> None:
    first = told("turns", "replay", turn, "--model", "parrot/breathless")["rounds"][0]
    assert (first["same"], first["diff"], first["replayed"]["finish"]) == (False, [], "length")
    _, out, _ = carrierd("turns", "replay", turn, "--model", "parrot/breathless")
    assert "  It says and calls the same, but ends otherwise.\n" in out


def test_a_provider_without_a_model_has_its_own_choice_for_the_class(
    folder: Path, turn: str, told: Callable[..., Any]
) -> None:
    told("turns", "replay", turn, "--model", "parrot")
    assert [json.loads(each)[0] for each in notes(folder, "asked")[2:]] == ["grey", "grey"]


def test_the_configuration_of_today_says_who_is_asked_and_how(
    folder: Path, turn: str, told: Callable[..., Any]
) -> None:
    changed(
        folder, '"parrot/grey", "parrot/green"], max_tokens = 77', '"parrot/green", "parrot/grey"], max_tokens = 66'
    )
    told("turns", "replay", turn)
    asked = [json.loads(each) for each in notes(folder, "asked")[2:]]
    assert [(model, prompt["max_tokens"]) for model, prompt in asked] == [("green", 66), ("green", 66)]


def test_a_prompt_that_is_too_long_for_the_model_is_cut_and_that_is_told(
    folder: Path, turn: str, carrierd: Run, told: Callable[..., Any]
) -> None:
    told("chat", "-m", "a long story " * 500)
    told("chat", "-m", "and now?")
    changed(folder, "[limits]", '[models."parrot/small"]\ncontext = 2000\n[limits]')
    _, out, _ = carrierd("turns", "replay", "last", "--model", "parrot/small")
    assert out.count("\n  now: ") >= 2
    assert "left out" in out
    assert "a long story" in notes(folder, "asked")[-3]
    assert "a long story" not in notes(folder, "asked")[-1]


def test_an_agent_that_is_gone_is_asked_of_a_model_that_is_named(
    folder: Path, turn: str, told: Callable[..., Any], carrierd: Run
) -> None:
    changed(folder, "[agents.robin]", "[agents.wren]")
    code, out, err = carrierd("turns", "replay", turn)
    assert (code, out) == (70, "")
    assert "There is no agent robin in the configuration any more. Name a model" in err
    assert [each["same"] for each in told("turns", "replay", turn, "--model", "parrot/grey")["rounds"]] == [True, True]
    assert "max_tokens" not in json.loads(notes(folder, "asked")[-1])[1]


# --- what goes wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "reason", "message"),
    [
        ("parrot/ill", "overloaded", "The parrot is ill. Wait."),
        ("parrot/mute", "unreadable", "parrot, model mute, returned nothing."),
        ("wild/red", "auth", "It has no cage. Buy one."),
    ],
)
def test_a_call_that_fails_is_told_and_the_next_one_made(
    folder: Path, turn: str, carrierd: Run, model: str, reason: str, message: str
) -> None:
    code, out, err = carrierd("turns", "replay", turn, "--model", model, "--json")
    assert (code, err) == (70, "")
    rounds = json.loads(out)["rounds"]
    assert [(each["replayed"], each["same"], each["error"]) for each in rounds] == [
        (None, False, {"reason": reason, "message": message})
    ] * 2
    assert len(notes(folder, "asked")) == (2 if reason == "auth" else 4)
    code, out, err = carrierd("turns", "replay", turn, "--model", model)
    assert (code, err) == (70, "")
    assert f"  It failed ({reason}): {message}\n" in out
    assert "2 calls (2 failed, which may have cost something too), 0 in, 0 out" in out


def test_a_plugin_that_does_not_start_is_told(folder: Path, turn: str, carrierd: Run) -> None:
    path = folder / "config" / "plugins" / "parrot.py"
    path.write_text(path.read_text().replace('note("life", b"start")', 'raise OSError("no perch")'))
    code, out, err = carrierd("turns", "replay", turn)
    assert (code, out, err) == (70, "", "carrierd: parrot did not start: OSError: no perch.\n")
    assert len(notes(folder, "asked")) == 2


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["replay"], 64, "Say what to replay: the id of a turn."),
        (["--model", "parrot/grey"], 64, "These arguments do not go together."),
        (["replay", "last", "--dead"], 64, "These arguments do not go together."),
        (["retry", "last", "--model", "parrot"], 64, "These arguments do not go together."),
        (["replay", "nowhere"], 70, "There is no turn nowhere"),
        (["replay", "last", "--model", "owl/snowy"], 70, "There is no provider owl. There are: parrot, wild."),
    ],
)
@pytest.mark.usefixtures("turn")
def test_wrong_usage_is_told(folder: Path, carrierd: Run, args: list[str], code: int, said: str) -> None:
    given, out, err = carrierd("turns", *args)
    assert (given, out) == (code, "")
    assert said in err
    assert len(notes(folder, "asked")) == 2


def test_without_a_store_there_is_nothing_to_replay(folder: Path, carrierd: Run) -> None:
    code, out, err = carrierd("turns", "replay", "last")
    assert (code, out) == (69, "")
    assert "There is no database" in err
    assert not (folder / "state").exists()


def test_help_says_that_it_costs_money(carrierd: Run) -> None:
    _, out, _ = carrierd("turns", "--help")
    assert "It costs what such calls cost, and no budget holds it back" in " ".join(out.split())


# --- against a cassette --------------------------------------------------------------------------------------------------


def piece(delta: dict[str, object], finish: str | None = None, **more: object) -> dict[str, object]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}


CALL = {"index": 0, "id": "call-9", "function": {"name": "look", "arguments": '{"at": "the moon"}'}}
USED = {"prompt_tokens": 50, "completion_tokens": 5, "total_tokens": 55}
SERVICE = wire.script(
    wire.events(piece({"tool_calls": [CALL]}), piece({}, "tool_calls", usage=USED), "[DONE]"),
    wire.events(piece({"content": "It is "}), piece({"content": "blue."}), piece({}, "stop", usage=USED), "[DONE]"),
)


def test_a_turn_over_a_real_sdk_is_replayed_from_a_cassette(
    folder: Path, carrierd: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(folder, "carrier-context-standard", "carrier-provider-openai")  # and so no time of day in the prompt
    changed(folder, '["parrot/grey", "parrot/green"]', '["openai/m"]')
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    tape = folder / "turn.json"

    async def through(*args: str, upstream: str = "") -> tuple[int, str, str]:
        async with cassette(tape, upstream=upstream) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
            return await anyio.to_thread.run_sync(carrierd, *args)

    async def record() -> tuple[int, str, str]:
        async with wire.serve(SERVICE) as service:
            return await through("chat", "-m", "what is there?", "--json", upstream=service.url)

    code, out, _ = asyncio.run(record())
    assert (code, json.loads(out)["reply"]["text"]) == (0, "It is blue.")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    code, out, err = asyncio.run(through("turns", "replay", "last", "--json"))
    assert (code, err) == (0, "")
    first, second = json.loads(out)["rounds"]
    assert (first["same"], second["same"]) == (True, True)
    assert first["replayed"]["calls"] == [{"name": "look", "arguments": {"at": "the moon"}}]
    assert second["replayed"]["usage"]["input"] == 50
    assert "sk-0123456789" not in tape.read_text()


# --- what is kept of a turn ----------------------------------------------------------------------------------------------

pytest_anyio = pytest.mark.anyio


class Wait(Action):
    name, description, effect = "wait", "Wait for somebody.", Effect.READ
    parameters = {"type": "object", "properties": {}}

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        answer = await turn.park("which?", until=turn.now + 60, say="Which?")
        return ActionResult(answer.text)


class Waiting:
    @impl
    def register_actions(self) -> Action:
        return Wait()


def waits() -> Completion:
    return Completion((), (ActionCall("call-1", "wait", {}),), Finish.CALLS, Usage(9, 1), "echo", "echo")


async def script(running: HostUnderTest, record: TurnRecord | None = None):
    return await script_of(running.store.journal, record or await running.last())


@pytest_anyio
async def test_the_prompts_of_a_turn_that_has_not_ended_are_known_too() -> None:
    provider = EchoProvider()
    async with running_host([Waiting], provider=provider) as running:
        provider.then(waits())
        await running.client.say("main", "Ana", "go on")
        await running.client.replies(1)
        [asked] = (await script(running)).rounds
    assert asked.prompt == provider.prompts[0]
    assert asked.completion.calls[0].name == "wait"


@pytest_anyio
async def test_the_prompts_of_an_ended_turn_are_those_that_were_asked() -> None:
    provider = EchoProvider()
    async with running_host([Waiting], provider=provider) as running:
        await running.ask("one")
        provider.then(Completion((Part("Hm."),), (ActionCall("a", "nothing", {}),), Finish.CALLS))
        await running.ask("two")
        rounds = (await script(running)).rounds
        kept = {step.name: bytes(step.value) for step in (await running.last()).steps}
    assert [each.number for each in rounds] == [1, 2]
    assert [each.prompt for each in rounds] == provider.prompts[1:]
    assert all(each.prompt.tools for each in rounds)
    assert b'"said":1' in kept["compose/2"]  # what it said is in the record once
    assert b"Hm." not in kept["compose/2"]


@pytest_anyio
async def test_the_prompts_of_a_turn_that_another_process_ended_are_kept() -> None:
    lives = Lives(Waiting, config='[plugins]\nenabled = ["carrier-context-standard"]')
    async with lives.host():
        await lives.client.ask("main", "Ana", "good morning")
        lives.provider.then(waits())
        turn = (await lives.client.say("main", "Ana", "go on")).heard[0].turn
        await lives.client.replies(2)
    async with lives.host() as running:
        chosen = lives.client.message("main", "Ana", "this one")
        await lives.client.hand_over(replace(chosen, kind=InboundKind.CHOICE, target=turn))
        await lives.client.replies(3)
        await running.host.rooms.idle()
        rounds = (await script(running)).rounds
    assert [each.prompt for each in rounds] == lives.provider.prompts[1:]
    assert len(rounds) == 2


@pytest_anyio
async def test_a_turn_that_was_stopped_while_it_waited_is_told() -> None:
    provider = EchoProvider()
    async with running_host([Waiting], provider=provider) as running:
        provider.then(waits())
        turn = (await running.client.say("main", "Ana", "go on")).heard[0].turn
        await running.client.replies(1)
        await running.client.stop("main", "Ana", turn=turn)
        await running.host.rooms.idle()
        assert (await running.last()).outcome.status == "stopped"
        with pytest.raises(CarrierError, match=r"generate/1: its prompt was not kept \(.*stopped while it waited"):
            await script(running)


@pytest_anyio
async def test_a_turn_that_asked_no_model_is_told() -> None:
    class Deaf:
        @impl(tryfirst=True)
        async def decide(self, turn: Turn) -> Decision:
            return Decision(False, "no")

    async with running_host([Deaf]) as running:
        await running.client.say("main", "Ana", "hello")
        await running.host.rooms.idle()
        with pytest.raises(CarrierError, match=r"cannot be replayed: it asked no model\. What is left: carrierd why"):
            await script(running)


@pytest_anyio
async def test_what_a_plugin_asked_is_named_and_left_out() -> None:
    class Curious:
        @impl(tryfirst=True)
        async def decide(self, turn: Turn) -> None:
            await turn.generate(Prompt((PromptMessage("user", (Part("Is it for me?"),)),), model="small"))

    async with running_host([Curious]) as running:
        await running.ask("hello")
        found = await script(running)
    assert len(found.rounds) == 1
    assert found.left == ("decide/curious/decide/0: a plugin asked this, and its prompt is not kept.",)


@pytest_anyio
async def test_parts_that_were_removed_are_told_before_anything_is_asked() -> None:
    async with running_host(config='[plugins]\nenabled = ["carrier-context-standard"]') as running:
        bea = (await running.client.say("main", "Bea", "I like tea")).heard[0].turn
        await running.host.wait(bea)
        await running.ask("what did she say?")
        person = (await running.store.journal.turn(bea)).person
        whole = await running.last()
        await running.store.forget_person(person)
        emptied = await running.last()
        assert emptied.id == whole.id
        for record, gone in (
            (emptied, "what it asked"),
            (whole, r"generate/1: \d of the \d parts of the turn's prompts"),
        ):
            with pytest.raises(CarrierError, match=f"{gone} is gone, removed by a rule of retention or because"):
                await script(running, record)


@pytest_anyio
async def test_a_turn_of_an_older_release_is_told() -> None:
    async with running_host() as running:
        await running.ask("hello")
        record = await running.last()
        steps = tuple(replace(each, value=Raw(b"null")) if "compose" in each.name else each for each in record.steps)
        with pytest.raises(CarrierError, match=r"generate/1: its prompt was not kept \(older releases did not"):
            await script(running, replace(record, steps=steps))
