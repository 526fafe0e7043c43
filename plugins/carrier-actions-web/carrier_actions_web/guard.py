"""The guarded transport: whatever an HTTP client does, no connection is opened to an address that the rules do not admit.

The check sits where the socket is opened. A name is resolved there, once; all of its addresses are checked; and the connection
goes to one of the addresses that were checked, so that a name that resolves differently the next time gains nothing. What the
TLS handshake and the ``Host`` header say stays the name.

Importing this module imports the HTTP client, which takes a while: see :mod:`carrier_actions_web.web`.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import anyio
import httpcore2
import httpx2

from carrier_actions_web.rules import Rules
from carrier_core import Rejected

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, which may be an address itself. OSError where it has none."""

SocketOptions = Iterable[httpcore2.SOCKET_OPTION] | None

_MOST_TRIED = 4  # addresses of one host: some have dozens, and each may take a while to fail


async def resolve(host: str, port: int) -> list[str]:
    """What this machine's resolver says, in its order of preference."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections for a pool, to checked addresses only. ``dial`` is what opens them; it is only ever given addresses."""

    def __init__(
        self, rules: Rules, *, lookup: Resolve = resolve, dial: httpcore2.AsyncNetworkBackend | None = None
    ) -> None:
        self._rules = rules
        self._lookup = lookup
        self._dial = dial or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore2
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first address that answers. ``timeout`` is for all of it, the looking up included."""
        end = None if timeout is None else monotonic() + timeout
        addresses = self._rules.checked(host, port, await self._found(host, port, timeout))[:_MOST_TRIED]
        failure: Exception | None = None
        for number, address in enumerate(addresses):
            share = None if end is None else max(0.0, end - monotonic()) / (len(addresses) - number)
            try:
                return await self._dial.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def _found(self, host: str, port: int, within: float | None) -> Sequence[str]:
        try:
            with anyio.fail_after(within):
                return await self._lookup(host, port)
        except TimeoutError:
            raise httpcore2.ConnectTimeout(f"{host} was not looked up in time") from None
        except (OSError, UnicodeError):
            raise httpcore2.ConnectError(f"there is no host {host}") from None

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore2
        socket_options: SocketOptions = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Never: a socket of this machine is no address of the public internet."""
        raise Rejected("A socket of this machine cannot be reached.")

    async def sleep(self, seconds: float) -> None:
        """Wait, as a pool does between attempts."""
        await anyio.sleep(seconds)


class GuardedTransport(httpx2.AsyncBaseTransport):
    """A transport for ``httpx2.AsyncClient`` behind the guard. It knows no proxy, and reads no environment.

    ``most`` is how many bytes of a body come over the wire at most, whatever they unpack to: beyond them it ends with a
    ReadError. ``tls`` is the context for ``https``, one of its own without it.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        most: int,
        tls: ssl.SSLContext | None = None,
        lookup: Resolve = resolve,
        dial: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._most = most
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, network_backend=GuardedBackend(rules, lookup=lookup, dial=dial)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; errors are those of httpx2, or Rejected where the guard refused."""
        url = request.url
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        with _errors():
            response = await self._pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        assert isinstance(response.stream, AsyncIterable)
        body = _Body(response.stream, self._most)
        return httpx2.Response(response.status, headers=response.headers, stream=body, extensions=response.extensions)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    """What comes over the wire, counted."""

    def __init__(self, stream: AsyncIterable[bytes], most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        count = 0
        with _errors():
            async for piece in self._stream:
                count += len(piece)
                if count > self._most:
                    raise httpx2.ReadError(f"more than {self._most:,} bytes came over the wire")
                yield piece

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


_ERRORS: dict[type[Exception], type[httpx2.TransportError]] = {
    # The more special ones first.
    httpcore2.ConnectTimeout: httpx2.ConnectTimeout,
    httpcore2.ReadTimeout: httpx2.ReadTimeout,
    httpcore2.WriteTimeout: httpx2.WriteTimeout,
    httpcore2.PoolTimeout: httpx2.PoolTimeout,
    httpcore2.TimeoutException: httpx2.TimeoutException,
    httpcore2.ConnectError: httpx2.ConnectError,
    httpcore2.ReadError: httpx2.ReadError,
    httpcore2.WriteError: httpx2.WriteError,
    httpcore2.NetworkError: httpx2.NetworkError,
    httpcore2.UnsupportedProtocol: httpx2.UnsupportedProtocol,
    httpcore2.LocalProtocolError: httpx2.LocalProtocolError,
    httpcore2.RemoteProtocolError: httpx2.RemoteProtocolError,
    httpcore2.ProtocolError: httpx2.ProtocolError,
}


@contextmanager
def _errors() -> Iterator[None]:
    """The pool's errors as those of the client above it, as its own transport has them."""
    try:
        yield
    except tuple(_ERRORS) as error:
        kind = next(theirs for ours, theirs in _ERRORS.items() if isinstance(error, ours))
        raise kind(str(error)) from error
