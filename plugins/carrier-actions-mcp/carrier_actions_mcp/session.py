"""One life of the connection to a server: it is made and ended in one task of its own, and any task can call through it."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from carrier_actions_mcp.listed import MOST_TOOLS, Listing, judged
from carrier_actions_mcp.mask import Mask
from carrier_actions_mcp.meter import Meter, Reading, Writing
from carrier_actions_mcp.schemas import clean
from carrier_actions_mcp.sieve import Sieve
from carrier_actions_mcp.web import GONE, LOST, NOT_SENT, Web
from carrier_core import CarrierError, Json

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

ANSWER_SECONDS: Final = 15.0
"""That a running server has to list its tools again, before it is taken to hang."""

_SDK_LOGGERS = (
    "mcp",
    "client",
)  # they write a traceback for each message that makes no sense: a server could fill the disk
_MOST_PAGES = 50  # of a list of tools
_LONGEST = 500  # characters of what a server says of an error
_SENTENCE = 160  # characters of why a session failed


class Transport(Protocol):
    """A way to a server. ``status`` is how its last connection ended, in words, where more is known than that it did."""

    status: str

    def connect(
        self, meter: Meter, over: Callable[[str], None]
    ) -> AbstractAsyncContextManager[tuple[Reading, Writing]]:
        """Connect for as long as the block."""


class Lost(CarrierError):
    """A request was sent and its answer did not come: nobody can tell what became of it."""


class Unsent(CarrierError):
    """A request was not sent, or turned away unread."""


class Refused(CarrierError):
    """The server answered that it does not do it."""


class Session:
    """``ready`` is set when it can be called, or never will; ``over`` once it cannot any more, for the reason in ``why`` (the end
    of a sentence), and ``done`` when nothing of it is left. ``learn`` is called with what the server lists, at the start and
    whenever that may have changed; calls wait for the first time. Nothing that the server says is told without ``mask``."""

    def __init__(
        self,
        transport: Transport,
        *,
        start_seconds: float,
        learn: Callable[[Listing], Awaitable[None]],
        mask: Mask,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.ready = anyio.Event()
        self.over = anyio.Event()
        self.done = anyio.Event()
        self.why = ""
        self.started = False
        self._transport = transport
        self._start_seconds = start_seconds
        self._learn = learn
        self._mask = mask
        self._sieve = Sieve()
        self._sleep = sleep
        self._look = anyio.Event()
        self._client: Client | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be called, or will be."""
        return not self.over.is_set()

    def end(self, why: str) -> None:
        """Let it be over."""
        if not self.over.is_set():
            self.why = why
            self.over.set()

    def abandon(self) -> None:
        """Let it be over without ever having run."""
        self.end("is being stopped")
        self.ready.set()
        self.done.set()

    def look(self) -> None:
        """Have it list the tools again: they may have changed, or the server may hang."""
        self._look.set()

    async def run(self) -> None:
        """Its whole life. What goes wrong is in ``why``; nothing is raised but a cancellation."""
        try:
            # The import takes more than a second of CPU; in a thread the others go on meanwhile.
            await anyio.to_thread.run_sync(import_module, "mcp.client.client")
            for name in _SDK_LOGGERS:
                logging.getLogger(name).setLevel(logging.CRITICAL)
            with anyio.CancelScope(deadline=anyio.current_time() + self._start_seconds) as starting:
                await self._live(starting)
            if starting.cancelled_caught:
                self.end(f"was not ready within {self._start_seconds:g} s")
        except Exception as error:  # a group of them, mostly
            self.end(reason(error, self._mask))
        finally:
            self._client = None
            self.end("ended")
            if self.why == "ended":
                self.why = self._transport.status or "ended"
            self.ready.set()
            self.done.set()

    async def _live(self, starting: anyio.CancelScope) -> None:
        from mcp.client.client import Client
        from mcp_types import Implementation, ServerNotification, ToolListChangedNotification

        async def hear(message: ServerNotification | Exception) -> None:
            if isinstance(message, ToolListChangedNotification):
                self.look()

        client = Client(
            self._connect(),
            cache=None,
            message_handler=hear,
            client_info=Implementation(name="carrier", version="0.1.0"),
        )
        async with client:
            await self._learn(await self._listing(client))
            starting.deadline = math.inf
            if self.over.is_set():
                return
            self._client = client
            self.started = True
            self.ready.set()
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, client)
                group.start_soon(self._subscribe, client)
                await self.over.wait()
                self._client = None
                group.cancel_scope.cancel()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[tuple[Reading, Writing]]:
        async with self._transport.connect(Meter(self.end), self.end) as (reading, writing):
            reading.see, writing.see = self._sieve.received, self._sieve.sent
            yield reading, writing

    async def _listing(self, client: Client) -> Listing:
        found: list[Json] = []
        read: set[str] = set()
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            self._sieve.entries = []
            page = await client.list_tools(cursor=cursor)
            found += self._sieve.entries
            read |= {tool.name for tool in page.tools}
            cursor = page.next_cursor
            if cursor is None or len(found) > MOST_TOOLS:
                break
        return judged((self._masked(each) for each in found), read)

    def _masked(self, entry: Json) -> Json:
        """An entry of the list without keys. Its name is what the tool is called by, so that stays."""
        masked = self._mask.told(entry)
        return {**masked, "name": entry.get("name")} if isinstance(entry, dict) and isinstance(masked, dict) else masked

    async def _watch(self, client: Client) -> None:
        """List the tools whenever there is a reason to, with a pause after each time: a server may tell of changes all day."""
        while True:
            await self._look.wait()
            self._look = anyio.Event()
            try:
                with anyio.fail_after(ANSWER_SECONDS):
                    listing = await self._listing(client)
            except TimeoutError:
                self.end("does not answer any more")
                return
            except Exception as error:
                self.end(reason(error, self._mask))
                return
            await self._learn(listing)
            await self._sleep(1.0)

    async def _subscribe(self, client: Client) -> None:
        """From 2026 on, servers tell of changes only who asks for that."""
        with suppress(Exception):  # it does not do it (older ones cannot), or is gone, which shows elsewhere
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self.look()

    async def call(self, tool: str, arguments: dict[str, Json], seconds: float) -> CallToolResult:
        """What a tool returned. Lost, Unsent or Refused where it did not."""
        from mcp import MCPError
        from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult, InputRequiredResult
        from pydantic import TypeAdapter, ValidationError

        client = self._client
        if client is None:
            raise Unsent(f"it {self.why or 'is not connected'}")
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=arguments))
        wanted: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)
        try:
            # Not `client.call_tool`: that checks the result with the server's own regular expressions, and loses it.
            with anyio.fail_after(seconds):
                result = await client.session.send_request(request, wanted)
        except TimeoutError:
            self.look()
            raise Lost(f"it did not answer within {seconds:g} s") from None
        except MCPError as error:
            raise self._meaning(error.code, self._mask(clean(error.message))[:_LONGEST]) from error
        except ValidationError as error:
            raise Lost("it answered with something that is no result of a tool") from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise Lost("the connection broke") from error
        if not isinstance(result, CallToolResult):
            raise Refused("it wants to be told more by a person, which is not possible here")
        return result

    def _meaning(self, code: int, said: str) -> CarrierError:
        """What an error means for the call. Some codes are the SDK's own, where the answer did not come whole."""
        from mcp_types import CONNECTION_CLOSED, PARSE_ERROR

        if code == PARSE_ERROR and isinstance(self._transport, Web):  # in the SDK's words, which are many
            return Lost("its answer cannot be read" if self.alive else f"it {self.why}")
        if code == GONE:
            self.end("does not know the session any more")
        if code in (NOT_SENT, GONE):
            return Unsent(said)
        if not self.alive:
            return Lost(f"it {self.why}")
        if code == LOST or (code == CONNECTION_CLOSED and isinstance(self._transport, Web)):
            return Lost(said)
        return Refused(f"it said: {said.rstrip('.')}")


def reason(error: BaseException, mask: Mask) -> str:
    """Why a session ended, as the end of a sentence, which is a short one whatever the SDK writes."""
    from mcp import MCPError
    from mcp_types import PARSE_ERROR
    from pydantic import ValidationError

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, FileNotFoundError):
        return f"cannot be started: there is no {error.filename}"
    if isinstance(error, OSError):
        return f"cannot be started: {error.strerror or error}"
    if isinstance(error, ValidationError) or (isinstance(error, MCPError) and error.code == PARSE_ERROR):
        return "failed: it answered with something that is not of the protocol"
    if isinstance(error, MCPError):
        return f"failed: {_sentence(error.message, mask)}"
    said = _sentence(str(error), mask)
    return f"failed with {type(error).__name__}{f': {said}' if said else ''}"


def _sentence(text: str, mask: Mask) -> str:
    """The first line, and not all of that if it is long, without keys."""
    line = mask(clean(text)).strip().partition("\n")[0].strip().rstrip(".")
    return line if len(line) <= _SENTENCE else f"{line[: _SENTENCE - 1]}…"
