"""The control socket: a Unix socket, mode 0600, in the state directory, by which commands talk to a running daemon.

Lines of JSON. A request is ``{"id", "op", ...}``; its answer ``{"id", "result"}`` or ``{"id", "error"}``. A connection that
attaches as a client is also pushed what is to be shown: ``{"push": "send" | "draft", ...}``.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import anyio
import msgspec
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from carrier_core.clients import ClientView
from carrier_core.desk import Desk
from carrier_core.errors import CarrierError, ConfigError, NotDone, Unavailable
from carrier_core.host import Host
from carrier_core.messages import Inbound, Receipt, ReplyPart, Room
from carrier_core.plugins import CORE, Registered
from carrier_core.prompts import Json
from carrier_core.requests import OPERATIONS
from carrier_core.things import Accepted, Client

NAME = "control.sock"
_LONGEST = 64 * 1024 * 1024  # bytes of one line: a turn's record with all its parts, a batch of an archive

Request = dict[str, Json]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode


def path_of(state: Path) -> Path:
    """Where the socket of a state directory is."""
    return state / NAME


# --- the daemon's side -------------------------------------------------------------------------------------------------


class _Relay(Client):
    """A client in another process, as the host sees it: what it showed goes with it."""

    interactive = True
    idempotent = True

    def __init__(self, name: str, platform: str, retracts: bool, push: Callable[[Request], Awaitable[None]]) -> None:
        self.name, self.platform, self.retracts, self._push = name, platform, retracts, push

    async def run(self, host: object, started: Callable[[], None]) -> None:
        """It runs elsewhere."""

    async def send(self, part: ReplyPart) -> Receipt:
        """Push a part to the other process."""
        try:
            await self._push({"push": "send", "part": msgspec.to_builtins(part)})
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise NotDone("The chat was closed before the reply came.") from error
        return Receipt(part.key)

    async def draft(self, room: Room, turn: str, attempt: int, text: str) -> None:
        """Push a piece of a draft."""
        place = msgspec.to_builtins(room)
        await self._push({"push": "draft", "room": place, "turn": turn, "attempt": attempt, "text": text})


class Control:
    """Serves the socket of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def serve(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled. The umask sees to it that nobody ever sees the socket with wider permissions."""
        path = path_of(self._host.state)
        path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            listener = await anyio.create_unix_listener(_short(path), mode=0o600)
        finally:
            os.umask(mask)
        try:
            async with listener:
                task_status.started()
                await listener.serve(self._connection)
        finally:
            path.unlink(missing_ok=True)

    async def _connection(self, stream: SocketStream) -> None:
        connection = _Connection(self._host, stream)
        try:
            async with stream, anyio.create_task_group() as group:
                lines = BufferedByteReceiveStream(stream)
                while True:
                    line = await lines.receive_until(b"\n", _LONGEST)
                    group.start_soon(connection.answer, line)
        except* (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the other side is gone, which is how every connection ends
        except* anyio.DelimiterNotFound:
            self._host.log.warning("control_line_too_long")
        finally:
            connection.detach()


class _Connection:
    def __init__(self, host: Host, stream: SocketStream) -> None:
        self._host = host
        self._stream = stream
        self._lock = anyio.Lock()
        self._relay: _Relay | None = None
        self._rooms: set[tuple[str, str]] = set()

    async def _push(self, message: Request) -> None:
        await self._send(_encode(message))

    async def _send(self, line: bytes) -> None:
        async with self._lock:
            try:
                await self._stream.send(line + b"\n")
            except anyio.get_cancelled_exc_class():
                await anyio.aclose_forcefully(self._stream)  # half a line would garble all that follow
                raise

    async def answer(self, line: bytes) -> None:
        """Answer one request; nothing that it asks can end more than the request."""
        number: Json = None
        try:
            request = _decode(line)
            number = cast("Json", request.get("id"))
            answer = _encode({"id": number, "result": await self._operate(str(request.get("op")), request)})
        except CarrierError as error:
            answer = _encode({"id": number, "error": _fault(error.message, error.remedy, error.exit_code)})
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, RecursionError) as error:
            answer = _encode({"id": number, "error": _fault(f"The request is not valid: {error}.")})
        except Exception as error:
            self._host.log.exception("control_failed")
            answer = _encode({"id": number, "error": _fault(f"The daemon failed: {type(error).__name__}.")})
        try:
            await self._send(answer)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # whoever asked has left

    async def _operate(self, name: str, request: dict[str, object]) -> Json:
        if name in OPERATIONS:
            host = self._host
            return await OPERATIONS[name](Desk(host.store, tuple(host.agents), host=host, clock=host.clock), request)
        operation = getattr(self, f"_do_{name}", None)
        if operation is None:
            raise CarrierError(f"The daemon knows no operation {name}.", remedy="Restart the older one.")
        return cast("Json", await operation(request))

    def detach(self) -> None:
        """Forget the ways out that this connection was."""
        for key in self._rooms:
            entry = self._host.clients.relays.get(key)
            if entry is not None and entry.thing is self._relay:
                del self._host.clients.relays[key]

    async def _do_status(self, request: dict[str, object]) -> Json:
        return await self._host.status()

    async def _do_attach(self, request: dict[str, object]) -> Json:
        name, platform = str(request["client"]), str(request["platform"])
        self._relay = _Relay(name, platform, bool(request.get("retracts")), self._push)
        for room in cast("list[object]", request.get("rooms") or []):
            self._open(self._relay, str(room))
        return list(ClientView(self._host, self._relay).agents)

    async def _do_accept(self, request: dict[str, object]) -> Json:
        inbound = msgspec.convert(request["inbound"], Inbound)
        if self._relay is not None:
            self._open(self._relay, inbound.room.id)
        return cast("Json", msgspec.to_builtins(await self._host.accept(inbound)))

    def _open(self, relay: _Relay, room: str) -> None:
        """Make the other side the way out to a room."""
        key = (relay.name, room)
        self._host.clients.relays[key] = Registered(CORE, relay)
        if key not in self._rooms:
            self._rooms.add(key)
            self._host.outbox.wake()  # what waits for it can go out

    async def _do_wait(self, request: dict[str, object]) -> Json:
        return await self._host.wait(str(request["turn"]))

    async def _do_why(self, request: dict[str, object]) -> Json:
        return await self._host.why(str(request["turn"]))

    async def _do_reset(self, request: dict[str, object]) -> Json:
        return await self._host.reset(str(request["agent"]), str(request["room"]))

    async def _do_ask(self, request: dict[str, object]) -> Json:
        words = {key: str(request[key]) for key in ("agent", "room", "person", "text")}
        return await self._host.ask(**words)


def _fault(message: str, remedy: str = "", exit_code: int = 70) -> Request:
    return {"message": message, "remedy": remedy, "exit_code": exit_code}


# --- the command line's side ---------------------------------------------------------------------------------------------


class Gone(Unavailable):
    """The daemon has stopped, or its connection is lost: what was asked may have been done, or not."""


class Remote:
    """A running daemon, as its clients see a host: the same interface, over the socket."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._answers: dict[int, tuple[anyio.Event, list[Request]]] = {}
        self._count = 0
        self._lock = anyio.Lock()
        self._agents: tuple[str, ...] = ()
        self._client: Client | None = None
        self._gone = False

    @property
    def agents(self) -> tuple[str, ...]:
        """The names of the agents that the attached client speaks for."""
        return self._agents

    async def attach(self, client: Client, *, rooms: tuple[str, ...] = ()) -> None:
        """Make this client the way out to the rooms that it speaks in, and to those with these ids. Gone if the daemon is."""
        self._client = client
        words: Request = {"client": client.name, "platform": client.platform, "retracts": client.retracts}
        agents = await self.request("attach", **words, rooms=list(rooms))
        self._agents = tuple(cast("list[str]", agents))

    async def accept(self, inbound: Inbound) -> Accepted:
        """Hand over what came in."""
        return msgspec.convert(await self.request("accept", inbound=msgspec.to_builtins(inbound)), Accepted)

    async def wait(self, turn: str) -> dict[str, Json]:
        """Wait until a turn has ended."""
        return cast("dict[str, Json]", await self.request("wait", turn=turn))

    async def why(self, turn: str) -> dict[str, Json]:
        """Why an agent said what it said."""
        return cast("dict[str, Json]", await self.request("why", turn=turn))

    async def status(self) -> dict[str, Json]:
        """What the daemon is doing."""
        return cast("dict[str, Json]", await self.request("status"))

    async def reset(self, agent: str, room: str) -> int:
        """Forget the conversation of a room."""
        return cast("int", await self.request("reset", agent=agent, room=room))

    async def request(self, op: str, **values: Json) -> Json:
        """Ask the daemon for something. Gone if it is."""
        self._count += 1
        number = self._count
        event, answers = anyio.Event(), cast("list[Request]", [])
        self._answers[number] = (event, answers)
        if not self._gone:
            try:
                async with self._lock:
                    await self._stream.send(_encode({"id": number, "op": op, **values}) + b"\n")
                await event.wait()
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                self._gone = True
        del self._answers[number]
        if not answers:
            raise Gone("The daemon stopped before it answered.", remedy="Start it again: carrierd run.")
        answer = answers[0]
        if "error" in answer:
            raise _error(cast("Request", answer["error"]))
        return answer.get("result")

    async def read(self) -> None:
        """Take answers and what is pushed, until the daemon is gone."""
        lines = BufferedByteReceiveStream(self._stream)
        try:
            while True:
                message = cast("Request", _decode(await lines.receive_until(b"\n", _LONGEST)))
                if "push" in message:
                    await self._pushed(message)
                elif (waiting := self._answers.get(cast("int", message.get("id")))) is not None:
                    waiting[1].append(message)
                    waiting[0].set()
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # it is gone, which whoever waits is told below
        except (anyio.DelimiterNotFound, msgspec.MsgspecError) as error:
            raise Unavailable(
                f"The daemon's answer cannot be read: {error}.", remedy="Restart the older one."
            ) from error
        finally:
            self._gone = True
            for event, _ in self._answers.values():
                event.set()
            await anyio.aclose_forcefully(self._stream)

    async def _pushed(self, message: Request) -> None:
        if self._client is None:
            return
        if message["push"] == "send":
            await self._client.send(msgspec.convert(message["part"], ReplyPart))
        else:
            room = msgspec.convert(message["room"], Room)
            await self._client.draft(room, str(message["turn"]), cast("int", message["attempt"]), str(message["text"]))


def _error(fault: Request) -> CarrierError:
    code = cast("int", fault.get("exit_code"))
    kind: type[CarrierError] = {78: ConfigError, 69: Unavailable}.get(code, CarrierError)
    error = kind(str(fault["message"]), remedy=str(fault.get("remedy") or ""))
    error.exit_code = code
    return error


async def connect(state: Path) -> Remote | None:
    """A connection to the daemon that runs on this state directory; None if none does. Its ``read`` is to be started."""
    path = path_of(state)
    if not path.exists():
        return None
    try:
        return Remote(await anyio.connect_unix(_short(path)))
    except (ConnectionRefusedError, FileNotFoundError):
        return None  # left behind by a daemon that was killed
    except PermissionError as error:
        raise Unavailable(f"{path} belongs to another user.", remedy="Run the command as the daemon's user.") from error


def _short(path: Path) -> str:
    """A name for the socket that fits into the 108 bytes that Linux has for one, relative to the folder if it must be."""
    whole = str(path.absolute())
    limit = 107
    if len(os.fsencode(whole)) <= limit:
        return whole
    near = os.path.relpath(whole)
    if len(os.fsencode(near)) <= limit:
        return near
    raise ConfigError(
        f"The path of the control socket is longer than {limit} bytes: {whole}.",
        remedy="Choose a shorter state directory with --state.",
    )
