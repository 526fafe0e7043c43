"""The outside world of a daemon that is to be killed: a client, a model and an action that ask the recorder.

Everything goes over one connection, written in one piece by the thread that says it, so that what the recorder has read of a
dead process is what that process did, in its order.
"""

import itertools
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import anyio

from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Client,
    Completion,
    Effect,
    Entity,
    Finish,
    Inbound,
    InboundKind,
    InDoubt,
    NotDone,
    NotSent,
    Part,
    PluginSettings,
    Provider,
    ProviderError,
    Receipt,
    Rejected,
    Room,
    Sent,
    Step,
    Turn,
    Unknown,
    Usage,
    impl,
    make_id,
)

PLATFORM = "harbour"

_here: ContextVar[tuple[str, str]] = ContextVar("here", default=("", ""))
"""The turn and the step that a call belongs to."""


class Settings(PluginSettings):
    """``port`` is the recorder's; the rest is what client and action declare."""

    port: int
    idempotent: bool = True
    retracts: bool = False
    ship_idempotent: bool = True
    ship_finds: bool = True


class Wire:
    """The connection to the recorder. ``passing`` is told of each effect, before and after it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.passing: Callable[[str, str], None] = lambda name, when: None
        self._socket: socket.socket | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[anyio.Event, list[dict]]] = {}

    def tell(self, **line: object) -> None:
        """Say something and return once the kernel has it, which then survives this process."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=10)
            self._socket.sendall(_line({"op": "hello", "pid": os.getpid()}))
        self._socket.sendall(_line(line))

    async def ask(self, **line: object) -> dict:
        """Say something and wait for the answer. ConnectionError if the recorder is gone before it came."""
        number = next(self._numbers)
        event, box = self._waiting[number] = (anyio.Event(), [])
        try:
            self.tell(id=number, **line)
            await event.wait()
        finally:
            self._waiting.pop(number, None)
        if not box:
            raise ConnectionError("the recorder is gone")
        return box[0]

    @asynccontextmanager
    async def effect(self, name: str) -> AsyncIterator[None]:
        """Around an effect: where the process may die before and after it."""
        self.passing(name, "before")
        yield
        self.passing(name, "after")

    async def pushed(self) -> AsyncIterator[dict]:
        """What the recorder says by itself; answers go to whoever asked. ConnectionError when it hangs up."""
        buffer = b""
        try:
            self.tell(op="listen")
            while True:
                assert self._socket is not None
                await anyio.wait_readable(self._socket)
                read = self._socket.recv(1 << 20)
                if not read:
                    raise ConnectionError("the recorder hung up")
                *lines, buffer = (buffer + read).split(b"\n")
                for line in lines:
                    said = json.loads(line)
                    if "push" in said:
                        yield said
                    elif said["id"] in self._waiting:
                        event, box = self._waiting[said["id"]]
                        box.append(said)
                        event.set()
        finally:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            for event, _ in self._waiting.values():
                event.set()


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def room_of(native: str) -> Room:
    """A room of the harbour."""
    return Room.of(PLATFORM, native)


def message_id(event: str) -> str:
    """The id of the message of an event."""
    return make_id(PLATFORM, "", "message", event)


class HarbourClient(Client):
    """A platform that delivers at least once."""

    name = "harbour"
    platform = PLATFORM

    def __init__(self, wire: Wire, settings: Settings) -> None:
        self.wire = wire
        self.idempotent = settings.idempotent
        self.retracts = settings.retracts
        self._drafts: dict[str, tuple[int, str]] = {}  # by turn: the attempt, and what is shown of it

    async def run(self, host, started):
        started()
        async with anyio.create_task_group() as group:
            async for said in self.wire.pushed():
                group.start_soon(self._take, host, said)

    async def _take(self, host, said):
        event = said["event"]
        sender = Entity.of(PLATFORM, said["person"])
        agent = said.get("agent", "")
        inbound = Inbound.say(room_of(said["room"]), sender, said["text"], event=event, at=said["at"], agent=agent)
        if said.get("kind", "message") != "message":
            kind = InboundKind(said["kind"])
            inbound = Inbound(
                event, inbound.room, inbound.message, kind, target=said.get("target", ""), value=said.get("value", "")
            )
        try:
            accepted = await host.accept(inbound)
        except Exception as error:
            self.wire.tell(op="refused", event=event, error=f"{type(error).__name__}: {error}")
            return
        heard = [[taken.agent, taken.seq, taken.turn, taken.is_new] for taken in accepted.heard]
        self.wire.tell(op="accepted", event=event, heard=heard, reason=accepted.reason)

    def split(self, reply):
        return tuple((part,) for part in reply.parts)

    async def send(self, part):
        async with self.wire.effect("send"):
            answer = await self.wire.ask(
                op="post",
                key=part.key,
                turn=part.turn,
                room=part.room.native,
                number=part.number,
                text=part.text,
                notice=part.notice,
                reply_to=part.reply_to,
                draft=part.draft,
            )
            _raise(answer)
        return Receipt(part.key, answer["native"], answer["at"])

    async def draft(self, room, turn, attempt, text):
        last, shown = self._drafts.get(turn, (0, ""))
        whole = text if attempt > last else shown + text
        self._drafts[turn] = (attempt, whole)
        self.wire.tell(op="draft", turn=turn, room=room.native, text=whole)

    async def find(self, part):
        answer = await self.wire.ask(op="seek", what="post", key=part.key)
        if not answer["known"]:
            return Unknown()
        return Sent(Receipt(part.key, answer["native"], answer["at"])) if answer["native"] else NotSent()


def _raise(answer: dict) -> None:
    """What the world answered, as the errors of an effect."""
    if "rate" in answer:
        raise NotDone("The harbour is busy (429).", retry_after=answer["rate"])
    if "rejected" in answer:
        raise Rejected(answer["rejected"])
    if answer.get("cut"):
        raise InDoubt("The connection was cut before the harbour answered.")


class HarbourModel(Provider):
    """A model whose answers the recorder gives."""

    name = "harbourmodel"
    models = {"large": "pilot"}

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def generate(self, prompt, model, emit):
        turn, step = _here.get()
        asked = [position for position, each in enumerate(prompt.messages) if each.role == "user"]
        since = prompt.messages[asked[-1] :]
        results = [message.text for message in since if message.role == "tool"]
        async with self.wire.effect("generate"):
            answer = await self.wire.ask(op="ask", turn=turn, step=step, text=since[0].text, results=results)
            if answer.get("poison"):
                os.kill(os.getpid(), signal.SIGKILL)
            if "error" in answer:
                raise ProviderError(answer["error"], reason="refused")
        calls = tuple(
            ActionCall(f"call-{number}", call["name"], call["arguments"]) for number, call in enumerate(answer["calls"])
        )
        return Completion(
            tuple(Part(text) for text in answer["parts"]),
            calls,
            Finish.CALLS if calls else Finish.STOP,
            Usage(10, 5, calls=1),
            self.name,
            model,
        )


class Ship(Action):
    """Something that must not happen twice."""

    name = "ship"
    description = "Send a cargo on its way."
    parameters = {"type": "object", "properties": {"cargo": {"type": "string"}}, "required": ["cargo"]}
    effect = Effect.EXTERNAL

    def __init__(self, wire: Wire, settings: Settings) -> None:
        self.wire = wire
        self.idempotent = settings.ship_idempotent
        self.finds = settings.ship_finds

    async def perform(self, turn, call):
        async with self.wire.effect("perform"):
            answer = await self.wire.ask(
                op="perform", turn=turn.id, step=_here.get()[1], key=call.key, cargo=call.arguments["cargo"]
            )
            _raise(answer)
        return ActionResult(f"shipped as {answer['native']}")

    async def find(self, turn, call):
        if not self.finds:
            return Unknown()
        answer = await self.wire.ask(op="seek", what="ship", key=call.key)
        if not answer["known"]:
            return Unknown()
        return ActionResult(f"shipped as {answer['native']}") if answer["native"] else NotSent()


class Ask(Action):
    """A question to the person: the turn waits for the answer. It does nothing before, so that it may begin again."""

    name = "ask"
    idempotent = True
    description = "Ask the person which berth."
    parameters = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
    effect = Effect.WRITE

    async def perform(self, turn, call):
        answer = await turn.park("which berth", until=turn.now + 3600, say=call.arguments["question"])
        return ActionResult("nobody answered" if answer.expired else f"berth {answer.value or answer.text}")


class Remind(Action):
    """A reminder in this room, at the same time however often it is asked for."""

    name = "remind"
    description = "Remind the person."
    parameters = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "after": {"type": "number"}},
        "required": ["text", "after"],
    }
    effect = Effect.WRITE
    idempotent = True

    async def perform(self, turn, call):
        at = datetime.fromtimestamp(turn.started + call.arguments["after"], UTC)
        await turn.schedule(call.arguments["text"], f"at {at.isoformat()}")
        return ActionResult("it is set")


_things: dict[str, object] = {}


def _wire(settings: Settings) -> Wire:
    wire = _things.get("wire")
    if not isinstance(wire, Wire):
        wire = _things["wire"] = Wire(settings.port)
    return wire


@impl
def register_clients(settings):
    return HarbourClient(_wire(settings), settings)


@impl
def register_providers(settings):
    return HarbourModel(_wire(settings))


@impl
def register_actions(settings):
    return [Ship(_wire(settings), settings), Ask(), Remind()]


@impl
async def around_step(turn: Turn, step: Step, call):
    token = _here.set((turn.id, step.name))
    try:
        return await call()
    finally:
        _here.reset(token)
