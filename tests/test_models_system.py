"""Model services and a whole daemon: long conversations with tools through an independent server, and deaths in mid-stream."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from anyio.from_thread import start_blocking_portal

from carrier_core.testing import running_aimock, wire
from tests.faults.checker import Fault
from tests.faults.daemon import Backend, Daemon
from tests.faults.recorder import Manners, Recorder, token_of

KEY = "sk-test-0123456789"
SQLITE = Backend("sqlite", "carrier-memory-sqlite")


class Service(NamedTuple):
    """A model service as Carrier is told of it: ``base`` follows the address of its server, ``path`` is where it is asked.

    ``stream`` is an answer that is made of pieces of text; it waits at a gate among them.
    """

    plugin: str
    variable: str  # of the environment, for the key
    model: str
    base: str
    path: str
    settings: dict[str, str]
    stream: Callable[..., wire.Respond]

    def section(self, url: str) -> dict[str, dict[str, str]]:
        """The section of its plugin, for a server at this address."""
        return {self.plugin: {"base_url": f"{url}{self.base}", **self.settings}}


def chat(*pieces: str | wire.Gate) -> wire.Respond:
    """A stream of Chat Completions."""

    def chunk(delta: dict, finish: str | None = None) -> dict:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    deltas = [chunk({"content": piece}) if isinstance(piece, str) else piece for piece in pieces]
    return wire.events(*deltas, chunk({}, "stop"), "[DONE]")


def responses(*pieces: str | wire.Gate) -> wire.Respond:
    """A stream of Responses."""
    content = [
        {"type": "output_text", "text": "".join(piece for piece in pieces if isinstance(piece, str)), "annotations": []}
    ]
    message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": content}
    whole = {"id": "r", "object": "response", "created_at": 1, "model": "m", "tools": [], "parallel_tool_calls": True}
    whole |= {"tool_choice": "auto", "usage": None}
    place = {"item_id": "m", "output_index": 0, "content_index": 0, "logprobs": []}
    deltas = [
        {"type": "response.output_text.delta", **place, "delta": piece} if isinstance(piece, str) else piece
        for piece in pieces
    ]
    begun = {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}
    ended = {"type": "response.completed", "response": {**whole, "status": "completed", "output": [message]}}
    return wire.events(begun, *deltas, {"type": "response.output_item.done", "output_index": 0, "item": message}, ended)


def messages(*pieces: str | wire.Gate) -> wire.Respond:
    """A stream of Messages."""

    def delta(piece: str) -> dict:
        return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}

    empty = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
    empty |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 1}}
    return wire.events(
        {"type": "message_start", "message": empty},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(delta(piece) if isinstance(piece, str) else piece for piece in pieces),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
        named="type",
    )


OPENAI, ANTHROPIC = "carrier-provider-openai", "carrier-provider-anthropic"
CHAT = Service(OPENAI, "OPENAI_API_KEY", "openai/gpt-test", "/v1", "/v1/chat/completions", {"api": "chat"}, chat)
RESPONSES = CHAT._replace(path="/v1/responses", settings={"api": "responses"}, stream=responses)
MESSAGES = Service(ANTHROPIC, "ANTHROPIC_API_KEY", "anthropic/claude-test", "", "/v1/messages", {}, messages)

each_service = pytest.mark.parametrize("service", [CHAT, RESPONSES, MESSAGES], ids=["chat", "responses", "messages"])


# --- twenty turns with tools, two agents, one independent server --------------------------------------------------------

TURNS = 20
TOOLS = textwrap.dedent(
    '''
    """What a harbour master looks up. Each look is written down."""

    from pathlib import Path

    from carrier_core import Action, ActionResult, Effect, impl

    DAY = {"type": "object", "properties": {"day": {"type": "integer"}}, "required": ["day"]}


    class Look(Action):
        parameters = DAY
        effect = Effect.WRITE

        def __init__(self, name, answer):
            self.name, self.description, self.answer = name, f"Look up the {name} of a day.", answer

        async def perform(self, turn, call):
            with Path("looks.log").open("a") as log:
                print(turn.agent.name, self.name, call.arguments["day"], file=log)
            return ActionResult(self.answer.format(day=call.arguments["day"]), provenance=call.own)


    @impl
    def register_actions():
        return [Look("tide", "high water at {day:02}:14"), Look("wind", "wind force {day}")]
    '''
)


def looks_of(day: int) -> list[list[str]]:
    """The tools that are called on a day, by round: none, one, two at once, one after the other."""
    return [[], [["tide"]], [["tide", "wind"]], [["tide"], ["wind"]]][day % 4]


def found(tool: str, day: int) -> str:
    """What a tool finds, as a model is told it."""
    return f"high water at {day:02}:14" if tool == "tide" else f"wind force {day}"


def event_of(agent: str, day: int) -> str:
    """The message that asks an agent about a day."""
    return f"{agent}1-{day}"


def answer(agent: str, day: int) -> str:
    """What an agent's model says of a day, once it knows all that it asked for."""
    return f"{event_of(agent, day)}, come in [1/1]"


def script(agent: str, model: str) -> Iterator[dict]:
    """What the independent server is to say as a model: each answer needs what the tool before it really found."""
    for day in range(TURNS, 0, -1):  # the last day first: a question is recalled beside those that come after it
        said = {"model": model, "userMessage": f"{event_of(agent, day)}?"}
        last = {"hasToolResult": False}
        for tools in looks_of(day):
            calls = [{"name": tool, "arguments": json.dumps({"day": day})} for tool in tools]
            yield {"match": said | last, "response": {"toolCalls": calls}}
            last = {"toolResultContains": found(tools[-1], day)}
        yield {"match": said | last, "response": {"content": answer(agent, day)}}


def converse(recorder: Recorder, daemon: Daemon, agents: Iterable[str]) -> None:
    """Ask each agent twenty questions, one after the other, all agents at once."""
    for day in range(1, TURNS + 1):
        events = {agent: event_of(agent, day) for agent in agents}
        for agent, event in events.items():
            recorder.say(agent, event, f"May we come in on {event}?", agent=agent)
        asked = set(events.values())
        recorder.wait(lambda world, asked=asked: asked <= world.answered, 30, "no answer", daemon.dead)


@pytest.mark.parametrize("first", [CHAT, RESPONSES], ids=["chat", "responses"])
def test_two_agents_on_two_services_hold_twenty_turns_with_tools(tmp_path, first):
    services = {"robin": first, "wren": MESSAGES}
    models = {agent: service.model.partition("/")[2] for agent, service in services.items()}
    agents = f'models.large = "{first.model}"\n[agents.wren]\ncharacter = "robin"\nmodels.large = "{MESSAGES.model}"\n'
    fixtures = [fixture for agent, model in models.items() for fixture in script(agent, model)]
    keys = {service.variable: KEY for service in services.values()}
    with running_aimock({"fixtures": fixtures}, key=KEY) as server, Recorder() as recorder:
        plugins = {name: section for each in services.values() for name, section in each.section(server.url).items()}
        with Daemon(tmp_path, SQLITE, recorder, agent=agents, plugins=plugins, **keys) as daemon:
            (tmp_path / "plugins" / "looks.py").write_text(TOOLS)
            daemon.start()
            converse(recorder, daemon, models)
            faults = daemon.finish()
            turns = sorted(daemon.kept().turns, key=lambda turn: turn.started)
        journal = server.journal()

    assert not faults, told(faults)
    days = range(1, TURNS + 1)
    for agent, model in models.items():
        assert [post.text for post in recorder.posts() if post.room == agent] == [answer(agent, day) for day in days]
        asked = [entry for entry in journal if entry["body"]["model"] == model]
        assert [entry["response"]["status"] for entry in asked] == [200] * sum(len(looks_of(day)) + 1 for day in days)
        assert {entry["path"] for entry in asked} == {services[agent].path}
        assert all(entry["body"]["stream"] for entry in asked)
        assert all(answer(agent, day) in json.dumps(asked[-1]["body"]) for day in days[-10:-1])
        rounds = [turn.outcome.usage.calls for turn in turns if turn.agent == agent]
        assert rounds == [len(looks_of(day)) + 1 for day in days]
    looked = (tmp_path / "looks.log").read_text().splitlines()
    for agent in models:
        wanted = [f"{agent} {tool} {day}" for day in days for tools in looks_of(day) for tool in tools]
        assert sorted(line for line in looked if line.startswith(agent)) == sorted(wanted)


def told(faults: Iterable[Fault]) -> str:
    """Faults as a message."""
    return "\n".join(f"{kind}: {text}" for kind, text in faults)


# --- killed in the middle of a stream -------------------------------------------------------------------------------------


class Model:
    """A model behind a raw server, in a thread of its own, since the test itself waits for processes.

    It answers a message with its token, in two pieces. While it ``stops`` it begins another answer, and falls silent at the
    ``gate`` after the first piece.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.stops = True
        self.gate = wire.Gate()
        self.server: wire.Server

    async def respond(self, exchange: wire.Exchange) -> None:
        """Answer one request."""
        token = tokens(exchange.body)[-1]
        pieces = (f"Wait for {token}, ", self.gate) if self.stops else (f"re {token} ", "[1/1]")
        await self.service.stream(*pieces)(exchange)

    @contextmanager
    def running(self) -> Iterator[Model]:
        """Serve for as long as the block."""
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(wire.serve(self.respond)) as server:
            self.server = server
            yield self


def tokens(body: dict) -> list[str]:
    """The events that a request is about, in order."""
    return [token for line in body.get("messages", body.get("input")) if (token := token_of(json.dumps(line)))]


@contextmanager
def story(folder: Path, service: Service, **manners: float) -> Iterator[tuple[Recorder, Model, Daemon]]:
    """A platform, a model and a daemon between them. No plugin but the model's takes part in the turns."""
    agent = f'plugins = ["carrier-context-standard", "{service.plugin}"]\nmodels.large = "{service.model}"'
    with Recorder(Manners(seed=1, **manners)) as recorder, Model(service).running() as model:
        plugins = service.section(model.server.url)
        with Daemon(folder, SQLITE, recorder, agent=agent, plugins=plugins, **{service.variable: KEY}) as daemon:
            yield recorder, model, daemon


@each_service
def test_a_daemon_that_is_killed_in_mid_stream_gives_one_reply_per_message(tmp_path, service):
    rooms = range(1, 6)
    with story(tmp_path, service, repeats=0.2, overlap=1) as (recorder, model, daemon):
        for number in (1, 2):
            for room in rooms:
                recorder.say(f"r{room}", f"m{room}-{number}", f"plain, says m{room}-{number}")
        for kill in (1, 2):
            daemon.start()
            begun = kill * len(rooms)
            recorder.wait(lambda world, begun=begun: model.gate.count == begun, 30, "no stream begins", daemon.dead)
            daemon.kill()
        assert not recorder.posts()
        model.stops = False
        faults = daemon.finish()
        assert not faults, told(faults)
        for room in rooms:
            shown = [post.text for post in recorder.posts() if post.room == f"r{room}"]
            assert shown == [f"re m{room}-1 [1/1]", f"re m{room}-2 [1/1]"]
        assert len(model.server.requests) == 4 * len(rooms)


@each_service
def test_a_draft_that_was_shown_is_replaced_by_the_recorded_reply_after_a_kill(tmp_path, service):
    with story(tmp_path, service, retracts=True) as (recorder, model, daemon):
        daemon.start()
        recorder.say("r1", "m1-1", "plain, says m1-1")
        recorder.wait(lambda world: world.drafts, 30, "no draft is shown", daemon.dead)
        assert list(recorder.world.drafts.values()) == ["Wait for m1-1, "]
        daemon.kill()
        model.stops = False
        faults = daemon.finish()
        assert not faults, told(faults)
        [turn] = daemon.kept().turns
        [post] = recorder.posts()
        drafted = [entry.text for entry in recorder.world.history if entry.what == "drafted"]
        assert (post.text, post.draft) == ("re m1-1 [1/1]", turn.id)
        assert turn.outcome.reply.text == post.text
        assert recorder.world.drafts == {}
        assert drafted[:2] == ["Wait for m1-1, ", "re m1-1 "]
