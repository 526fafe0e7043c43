"""What Carrier adds to the SDKs of the model services, and how soon what arrives is shown, in each of the three protocols.

Everything goes over real sockets to one server, which is another process: its CPU time is not counted. In alternating rounds
the same request, of 34 messages and 8 tools, is made with the bare SDK and with Carrier's provider. OpenAI's SDK copies what it
is given bit by bit, unless that is in ``extra_body``, where the provider puts it: what is added is told above the cheaper of the
two. What a streamed chunk costs is the difference of a long answer and one of a single chunk. The least of the rounds counts.

Then whole turns in a host on SQLite, with a client that retracts drafts: the server writes into the first chunk when it was
sent (``CLOCK_MONOTONIC`` is the same in all processes of a machine), the client reads when it was shown. In between the
intent of the draft is committed. At last what it costs to hold a call to a budget, on SQLite too.
"""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from statistics import median
from typing import Any, NamedTuple

import anyio

from carrier_core.budgets import Budgets
from carrier_core.contract import impl
from carrier_core.daemon import spare_collector
from carrier_core.host import Host
from carrier_core.journal import Journal
from carrier_core.logs import configure
from carrier_core.messages import Entity, Inbound, Part, Receipt, ReplyPart, Room
from carrier_core.plugins import Plugins
from carrier_core.prompts import Prompt, PromptMessage, Tool, Usage
from carrier_core.sections import Budget
from carrier_core.settings import LogSettings, load
from carrier_core.things import Client, ClientHost
from tests.benchmarks.backends import Site, backend
from tests.benchmarks.gauges import waited
from tests.benchmarks.service import ANSWERS, STAMPED, server
from tests.benchmarks.talk import AGENT, HISTORY, Speech, config, running

SQLITE = "carrier-memory-sqlite"
ROUNDS = 20  # short ones: the least is that in which nobody else was in the way
CALLS, COPIED = 4, 1  # of a round: where the SDK does not copy the request, and where it does
CHUNKS = 200  # of the long answer, of which a round has one
TURNS = 30
UNCOUNTED = 5  # turns before these: the first ones import the SDK and connect
HELD = 25  # calls of a round that are held to a budget

Result = dict[str, dict[str, object]]
Emit = Callable[[str], None]
Call = Callable[[str, Emit], Awaitable[object]]
"""Asks a model, and emits the pieces of its answer."""


# --- the SDKs, bare and as Carrier uses them -----------------------------------------------------------------------------


def asked() -> Prompt:
    """What a conversation asks for whose history is full."""
    speech = Speech(5)
    said = [PromptMessage("system", (Part("You run a bar, and know everybody. " * 40, key="character", stable=True),))]
    roles = (*("user", "assistant") * HISTORY, "user")
    said += [PromptMessage(role, (Part(speech.line()),)) for role in roles]
    properties = {"city": {"type": "string", "description": "A city."}, "days": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["city"]}
    tools = [Tool(f"tool_{number}", "A tool that does something.", schema) for number in range(8)]
    return Prompt(tuple(said), tuple(tools), max_tokens=500)


def requests(prompt: Prompt) -> dict[str, dict[str, Any]]:
    """What each SDK is given for it, by protocol."""
    from carrier_provider_anthropic.request import Request

    said = [{"role": each.role, "content": each.text} for each in prompt.messages]
    told = [
        {"name": each.name, "description": each.description, "parameters": each.parameters} for each in prompt.tools
    ]
    return {
        "chat": {
            "messages": said,
            "tools": [{"type": "function", "function": each} for each in told],
            "max_tokens": prompt.max_tokens,
            "stream_options": {"include_usage": True},
        },
        "responses": {
            "input": [{"type": "message", **each} for each in said],
            "tools": [{"type": "function", **each, "strict": False} for each in told],
            "max_output_tokens": prompt.max_tokens,
            "store": False,
        },
        "messages": Request(prompt, STAMPED, max_tokens=500, sampled=True).parameters,  # with marks for the cache
    }


def lean(request: dict[str, Any]) -> dict[str, Any]:
    """The same for OpenAI's SDK, which does not copy it then."""
    copied = {key: request[key] for key in ("messages", "input", "tools") if key in request}
    rest = {key: value for key, value in request.items() if key not in copied}
    return {**rest, "extra_body": copied} | ({"messages": []} if "messages" in copied else {})


def bare(create: Callable[..., Awaitable[Any]], request: dict[str, Any], said: Callable[[Any], str | None]) -> Call:
    """A call through an SDK; ``said`` is the text in an event."""

    async def call(model: str, emit: Emit) -> None:
        async with await create(**{**request, "model": model, "stream": True}) as stream:
            async for event in stream:
                piece = said(event)
                if piece:
                    emit(piece)

    return call


def _in_chunk(event: Any) -> str | None:
    return event.choices[0].delta.content if event.choices else None


def _in_response(event: Any) -> str | None:
    return event.delta if event.type == "response.output_text.delta" else None


def _in_message(event: Any) -> str | None:
    return event.delta.text if event.type == "content_block_delta" and event.delta.type == "text_delta" else None


@asynccontextmanager
async def ways(url: str) -> AsyncIterator[dict[str, dict[str, Call]]]:
    """By protocol: ``sdk``, ``lean`` where there is a cheaper way to use the SDK, and ``carrier``."""
    import anthropic
    import openai

    import carrier_provider_anthropic
    import carrier_provider_openai

    prompt = asked()
    asks = requests(prompt)
    own: dict[str, Any] = {}
    for api in ("chat", "responses"):
        settings = carrier_provider_openai.Settings(api_key="k", base_url=f"{url}/v1", api=api)
        (own[api],) = carrier_provider_openai.register_providers(settings)
    own["messages"] = carrier_provider_anthropic.register_providers(
        carrier_provider_anthropic.Settings(api_key="k", base_url=url)
    )
    gpt = openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)
    claude = anthropic.AsyncAnthropic(api_key="k", base_url=url, max_retries=0)
    found: dict[str, dict[str, Call]] = {
        "messages": {"sdk": bare(claude.messages.create, asks["messages"], _in_message)}
    }
    for name, create, said in (
        ("chat", gpt.chat.completions.create, _in_chunk),
        ("responses", gpt.responses.create, _in_response),
    ):
        found[name] = {"sdk": bare(create, asks[name], said), "lean": bare(create, lean(asks[name]), said)}
    for name, provider in own.items():
        found[name]["carrier"] = partial(provider.generate, prompt)
    try:
        yield {name: found[name] for name in ANSWERS}
    finally:
        for each in (*own.values(), gpt, claude):
            await each.close()


# --- CPU of a call and of a chunk ----------------------------------------------------------------------------------------


async def _cpu(call: Call, pieces: int, times: int) -> float:
    """CPU seconds of one call, after one that is not counted: what ran before it is what the processor's caches are full of."""
    await call("1", _ignore)
    began = time.process_time()
    for _ in range(times):
        heard: list[str] = []
        await call(str(pieces), heard.append)
        assert len(heard) == pieces
    return (time.process_time() - began) / times


def _ignore(piece: str) -> None:
    pass


class Cost(NamedTuple):
    """CPU milliseconds of a call and microseconds of a chunk, for each way to make it: the least of the rounds."""

    calls: dict[str, float]
    chunks: dict[str, float]


async def costs(found: dict[str, dict[str, Call]]) -> dict[str, Cost]:
    """By protocol. All take turns in each round: a processor changes its speed from one second to the next."""
    short = {(name, way): inf for name, calls in found.items() for way in calls}
    long = {key: inf for key in short if key[1] != "sdk" or (key[0], "lean") not in short}
    for _ in range(ROUNDS):
        for name, way in short:
            key, call = (name, way), found[name][way]
            short[key] = min(short[key], await _cpu(call, 1, CALLS if key in long else COPIED))
        for name, way in long:
            long[name, way] = min(long[name, way], await _cpu(found[name][way], CHUNKS, 1))
    return {
        name: Cost(
            {way: short[name, way] * 1e3 for way in calls},
            {way: (long[name, way] - short[name, way]) / (CHUNKS - 1) * 1e6 for way in calls if (name, way) in long},
        )
        for name, calls in found.items()
    }


async def alone(call: Call) -> float:
    """Milliseconds until the first chunk has come through the SDK alone, the median."""
    found: list[float] = []
    for _ in range(ROUNDS):
        heard: list[tuple[float, str]] = []
        await call(STAMPED, lambda piece, heard=heard: heard.append((time.monotonic(), piece)))
        found.append((heard[0][0] - float(heard[0][1])) * 1e3)
    return median(found)


# --- the first chunk on its way to a client ------------------------------------------------------------------------------

_CONFIG = """
[agents]
chat = {{ character = "{agent}", models.large = "compatible/{model}" }}
responses = {{ character = "{agent}", models.large = "openai/{model}" }}
messages = {{ character = "{agent}", models.large = "anthropic/{model}" }}
[plugins]
enabled = [
    "carrier-provider-openai", "carrier-provider-anthropic", "{store}", "carrier-context-standard",
    "carrier-actions-standard",
]
[policy]
trusted = ["carrier-context-standard"]
[plugin.carrier-provider-openai]
base_url = "{url}/v1"
api = "responses"
servers.compatible = {{ base_url = "{url}/v1", api = "chat" }}
[plugin.carrier-provider-anthropic]
base_url = "{url}"
"""


class Screen(Client):
    """Shows drafts. ``delays`` are the milliseconds from the arrival of a turn's first chunk until it was to be shown."""

    name = platform = "screen"
    retracts = True
    idempotent = True

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.up = anyio.Event()
        self._turn = ""

    async def run(self, host: ClientHost, started: Callable[[], None]) -> None:
        """Nothing has to be connected."""
        started()
        self.up.set()
        await anyio.sleep_forever()

    async def send(self, part: ReplyPart) -> Receipt:
        """Nothing has to be sent."""
        return Receipt(part.key, at=time.time())

    async def draft(self, room: Room, turn: str, attempt: int, text: str) -> None:
        """Read the time in the first piece."""
        now = time.monotonic()
        if turn != self._turn:
            self._turn = turn
            self.delays.append((now - float(text)) * 1e3)


class Plugin:
    """Brings the client."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    @impl
    def register_clients(self) -> Client:
        """The one."""
        return self._screen


class First(NamedTuple):
    """Milliseconds of each turn from the arrival of the first chunk to the client, those of committing the draft's intent, and
    those of the whole turn in which other processes had the processor of the event loop."""

    delays: list[float]
    commits: list[float]
    waits: list[float]


async def drafts(site: Site, url: str) -> dict[str, First]:
    """Turns in each protocol by turns, one after another."""
    config(site.folder, SQLITE, {})  # for its characters
    path = site.folder / "drafts.toml"
    path.write_text(_CONFIG.format(agent=AGENT, model=STAMPED, store=SQLITE, url=url))
    loaded = load(path, {}, site.folder)
    screen = Screen()
    plugins = Plugins(loaded, extra={"screen": Plugin(screen)})
    plugins.find()
    plugins.load()
    plugins.take_secrets()
    assert not plugins.faults, plugins.faults
    found = {agent: First([], [], []) for agent in ANSWERS}
    async with Host(loaded, site.state, plugins=plugins).running() as host:
        await screen.up.wait()
        commits = _timed(host.store.journal)
        speech = Speech(1)
        gc.collect()
        spare_collector()
        try:
            for number in range(UNCOUNTED + TURNS):
                for agent, first in found.items():
                    before = waited()
                    await _turn(host, agent, number, speech.line())
                    (delay,), (commit,) = screen.delays, commits  # a turn shows a draft, and has said so in the store
                    screen.delays.clear()
                    commits.clear()
                    if number >= UNCOUNTED:
                        first.delays.append(delay)
                        first.commits.append(commit)
                        first.waits.append((waited() - before) * 1e3)
        finally:
            gc.unfreeze()
    return found


async def _turn(host: Host, agent: str, number: int, line: str) -> None:
    room, person = Room.of("screen", agent), Entity.of("screen", "ana", name="Ana")
    event, at = f"{agent}/{number}", time.time()
    said = Inbound.say(room, person, line, event=event, at=at, client="screen", agent=agent)
    result = await host.wait((await host.accept(said)).heard[0].turn)
    assert result["status"] == "replied", result


def _timed(journal: Journal) -> list[float]:
    """The milliseconds that each beginning of an effect takes from now on: in these turns that is the showing of a draft."""
    found: list[float] = []
    begin = journal.begin_step

    async def timed(*args: Any) -> Any:
        began = time.perf_counter()
        try:
            return await begin(*args)
        finally:
            found.append((time.perf_counter() - began) * 1e3)

    journal.begin_step = timed
    return found


# --- budgets -------------------------------------------------------------------------------------------------------------


async def budgeted(site: Site) -> dict[str, float]:
    """CPU milliseconds of holding and settling a call, in all threads: without a budget and with one."""
    least = {"no": inf, "one": inf}
    async with running(site, SQLITE) as host:
        for _ in range(ROUNDS):
            for name, given in (("no", []), ("one", [Budget(tokens=10**12)])):
                spent = await _held(Budgets(host.store.journal, given))
                least[name] = min(least[name], spent * 1e3)
    return least


async def _held(budgets: Budgets) -> float:
    """CPU seconds of each of many calls, one after another."""
    async with anyio.create_task_group() as group:
        group.start_soon(budgets.run)
        began = time.process_time()
        for number in range(HELD):
            turn = f"t{number}"
            call = budgets.open(agent=AGENT, turn=turn, person="ana", room="r", provider="p", model="m", price=None)
            assert await call.hold(900, 500) is None
            call.settle(Usage(900, 30))
        await budgets.flush()
        spent = time.process_time() - began
        group.cancel_scope.cancel()
    return spent / HELD


# --- the table -----------------------------------------------------------------------------------------------------------


def entry(value: float, unit: str, **more: object) -> dict[str, object]:
    """A line of the table."""
    return {"value": round(value, 3), "unit": unit, "samples": ROUNDS, **more}


def overhead(name: str, calls: dict[str, float], chunks: dict[str, float]) -> Result:
    """The lines on what Carrier adds."""
    words, base = "ms CPU a call with an answer of one chunk, the bare SDK", "sdk"
    above = ""
    if "lean" in calls:
        base, above = "lean", ", above the SDK that does not copy the request"
        words += f"; {calls[base]:.3f} where it does not copy the request"
    call, piece = calls["carrier"] - calls[base], chunks["carrier"] - chunks[base]
    results = {
        "call_sdk_ms": entry(calls["sdk"], words),
        "call_carrier_ms": entry(calls["carrier"], "ms CPU a call, Carrier's provider"),
        "call_added_ms": entry(call, f"ms CPU a call{above}", goal="<= 0.5"),
        "chunk_sdk_us": entry(chunks[base], f"us CPU a streamed chunk, the bare SDK; answers of {CHUNKS}"),
        "chunk_added_us": entry(piece, "us CPU a streamed chunk", goal="<= 50"),
    }
    return {f"providers_{name}_{key}": value for key, value in results.items()}


def shown(name: str, first: First, sdk: float) -> Result:
    """The line on the first chunk."""
    delays = sorted(first.delays)
    words = (
        f"ms wall from the arrival of the first chunk to Client.draft, median; least {delays[0]:.1f}, p95 "
        f"{delays[TURNS * 95 // 100]:.1f}. The commit of the draft's intent takes {median(first.commits):.1f} of it, the SDK "
        f"alone {sdk:.1f}; in all of a turn others had the event loop's processor for {median(first.waits):.1f}"
    )
    return {f"providers_{name}_first_draft_ms": entry(median(delays), words, goal="<= 5", samples=TURNS)}


def bounded(held: dict[str, float]) -> Result:
    """The lines on budgets."""
    one = "ms CPU a call, counted and under one budget; what is held for it is committed before"
    return {
        "providers_call_no_budget_ms": entry(held["no"], "ms CPU a call, counted without a budget"),
        "providers_call_one_budget_ms": entry(held["one"], one),
    }


async def run(url: str, site: Site, other: Site) -> Result:
    """Measure against one server, with two databases."""
    results: Result = {}
    sdk: dict[str, float] = {}
    async with ways(url) as found:
        for name, cost in (await costs(found)).items():
            results |= overhead(name, *cost)
            sdk[name] = await alone(found[name].get("lean", found[name]["sdk"]))
    for name, first in (await drafts(site, url)).items():
        results |= shown(name, first, sdk[name])
    return results | bounded(await budgeted(other))


def measure() -> Result:
    """Measure all three protocols."""
    configure(LogSettings(), least="warning")
    with server() as url, backend("sqlite") as sqlite, sqlite.site() as site, sqlite.site() as other:
        return anyio.run(run, url, site, other)
