"""A server that is reached over HTTP: the SDK's transport, over a connection that bounds what comes in and tells failures apart.

For the SDK, a connection that cannot be made ends the whole session, and an answer with a status of 500 is like any other error.
Here each becomes the error of its own request, with a code that says whether the request can have been carried out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import anyio

from carrier_actions_mcp.meter import LONGEST_MESSAGE, Meter, Reading, Writing

if TYPE_CHECKING:
    import httpx2

NOT_SENT: Final = 31_001
"""The request did not reach the server, or was refused before it was looked at. Codes of ours, which no server uses by chance."""

GONE: Final = 31_002
"""The server does not know the session any more: a new one has to be made."""

LOST: Final = 31_003
"""Nobody can tell what became of the request."""

CONNECT_SECONDS: Final = 10.0
"""Until a connection must stand."""

COURTESY: Final = 2.0
"""Seconds that a server has to be told that a session is over."""

_LONGEST_ERROR = 65_536  # bytes
_MOST_STREAMS = 100  # times in one session that the server's own stream is opened, which servers can close at once


class Web:
    """A server at ``url``, whose calls may take so many ``seconds``."""

    def __init__(self, url: str, headers: Mapping[str, str], seconds: float) -> None:
        self.status = ""
        self._seconds = seconds
        self._url = url
        self._headers = headers

    @asynccontextmanager
    async def connect(self, meter: Meter, over: Callable[[str], None]) -> AsyncIterator[tuple[Reading, Writing]]:
        """Hand out the streams of messages. Nothing is sent before they are used."""
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        guard = _guard(meter)
        # Somebody else's compression could make megabytes of a few bytes.
        headers = {**self._headers, "Accept-Encoding": "identity"}
        # A call has its own deadline, which is to come first; nothing stays open for ever after it.
        timeout = httpx2.Timeout(self._seconds + COURTESY, connect=CONNECT_SECONDS)
        async with httpx2.AsyncClient(transport=guard, headers=headers, timeout=timeout) as client:
            transport = streamable_http_client(self._url, http_client=client, max_sse_event_size=LONGEST_MESSAGE)
            async with transport as (reading, writing):
                yield Reading(reading, meter), Writing(writing, meter)


def _guard(meter: Meter) -> httpx2.AsyncBaseTransport:
    import httpx2

    never_sent = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    )

    class Guard(httpx2.AsyncBaseTransport):
        """A connection that makes answers of failures, so that each is the failure of one request."""

        def __init__(self) -> None:
            self._inner = httpx2.AsyncHTTPTransport()
            self._streams = 0

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.method == "GET":
                self._streams += 1
                if self._streams > _MOST_STREAMS:
                    return httpx2.Response(405)
            if request.method == "DELETE":  # the session's end, of which the server is told out of courtesy
                with suppress(httpx2.TransportError), anyio.move_on_after(COURTESY):
                    await (await self._inner.handle_async_request(request)).aclose()
                return httpx2.Response(200)
            if request.method == "GET" or request.headers.get("mcp-method") == "subscriptions/listen":
                request.extensions["timeout"]["read"] = None  # here the server speaks when it has something to say
            try:
                response = await self._inner.handle_async_request(request)
            except never_sent as error:
                return told(NOT_SENT, f"it cannot be reached: {error}")
            except httpx2.TransportError as error:
                return told(LOST, f"the connection broke: {str(error) or type(error).__name__}")
            if request.method == "POST" and response.status_code >= 400:
                return await judged(request, response)
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                await response.aclose()
                return told(LOST, "it compresses its answers, though it was told not to")
            stream = response.stream
            assert isinstance(stream, httpx2.AsyncByteStream)
            one = not response.headers.get("content-type", "").lower().startswith("text/event-stream")
            response.stream = Bounded(stream, one=one)
            return response

        async def aclose(self) -> None:
            await self._inner.aclose()

    class Bounded(httpx2.AsyncByteStream):
        """The body of an answer, as far as it is read. ``one`` says that all of it is one message."""

        def __init__(self, inner: httpx2.AsyncByteStream, *, one: bool) -> None:
            self._inner = inner
            self._one = one

        async def __aiter__(self) -> AsyncIterator[bytes]:
            count = 0
            try:
                async for chunk in self._inner:
                    count += len(chunk)
                    if self._one and count > LONGEST_MESSAGE:
                        meter.overlong()
                    if meter.received(len(chunk)):
                        raise httpx2.StreamError("The server sends too much.")
                    yield chunk
            except httpx2.TransportError as error:  # of this kind the SDK takes it for the failure of one request
                raise httpx2.StreamError(str(error) or type(error).__name__) from error

        async def aclose(self) -> None:
            with anyio.CancelScope(shield=True):
                await self._inner.aclose()

    def told(code: int, message: str) -> httpx2.Response:
        error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
        return httpx2.Response(503, json=error)

    async def judged(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        """What stands for an answer that is none: the server's own error as it is, else what its status means."""
        try:
            body = await _beginning(response)
        finally:
            await response.aclose()
        status = response.status_code
        error = body.get("error") if isinstance(body, dict) else None
        said = error.get("message") if isinstance(error, dict) else None
        # The protocol has 404 for it; the reference servers answer with 400, and say so.
        unknown = status == 404 or (status == 400 and isinstance(said, str) and "session" in said.lower())
        if unknown and "mcp-session-id" in request.headers:
            return told(GONE, "it does not know the session any more")
        if isinstance(error, dict) and isinstance(said, str) and isinstance(error.get("code"), int):
            return told(error["code"], said)
        if status >= 500 or status == 408:
            return told(LOST, f"it answers with the status {status}")
        return told(NOT_SENT, f"it refuses requests with the status {status}")

    return Guard()


async def _beginning(response: httpx2.Response) -> object:
    """What an error says, where that is JSON and no longer than an error needs to be."""
    import httpx2

    read = b""
    try:
        async for chunk in response.aiter_raw():
            read += chunk
            if len(read) > _LONGEST_ERROR:
                return None
        return json.loads(read)
    except (httpx2.TransportError, ValueError):
        return None
