"""A server: how it is reached, how long it is waited for, and what its failures mean."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from carrier_core import ProviderError
from carrier_core.providing import Faults, Patience

if TYPE_CHECKING:
    from openai import AsyncOpenAI

NAME = "openai"
KEY_VARIABLE = "OPENAI_API_KEY"
SECTION = "plugin.carrier-provider-openai"

_OPENAI_HOST = "api.openai.com"
_NO_KEY = "none"  # the SDK insists on one; a server that needs none does not look at it
# The SDK's own bounds, but for the last: the usual 5 seconds would mean a new TLS handshake for most turns of a chat.
_CONNECTIONS, _IDLE, _IDLE_SECONDS = 1000, 100, 60.0

T = TypeVar("T")


class Server:
    """OpenAI, or another server called ``name``. Time-outs are in seconds: until a connection stands, until the first sign
    of an answer, in a pause of it, and for all of it.

    It has one client of the SDK, made with the first call. The SDK's own retries are off: whether a call is made again is
    the host's decision.
    """

    def __init__(
        self,
        name: str = NAME,
        *,
        base_url: str = "",
        key: str = "",
        connect: float = 10.0,
        first: float = 60.0,
        pause: float = 90.0,
        total: float = 240.0,
    ) -> None:
        self.name = name
        url = urlsplit(base_url)
        self.is_openai = not base_url or url.hostname == _OPENAI_HOST
        self._base_url = base_url or f"https://{_OPENAI_HOST}/v1"
        self._key = key.strip()
        self._secrets = (self._key, url.password or "", url.query)
        self._shown = base_url and f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
        self._section = SECTION if name == NAME else f"{SECTION}.servers.{name}"
        self._key_name = KEY_VARIABLE if name == NAME else f"`api_key` in [{self._section}]"
        self._connect = connect
        self._first, self._pause, self._total = first, pause, total
        self._client: AsyncOpenAI | None = None
        self._opening = anyio.Lock()

    def missing(self) -> str:
        """What it lacks: a key, unless it is a server of one's own, which may need none."""
        if not (self._key.isascii() and self._key.isprintable()):  # no header may hold it, and errors would show it
            return f"The key is none: it has characters that no key has. Correct {self._key_name}."
        if self._key or not self.is_openai:
            return ""
        own = ", or OPENAI_BASE_URL for a server that needs none" if self.name == NAME else ""
        return f"No key is set. Set {self._key_name}{own}."

    def faults(self, model: str) -> Faults:
        """What makes the errors of one call."""
        from carrier_provider_openai.faults import CODES

        address = "`base_url` (OPENAI_BASE_URL)" if self.name == NAME else "`base_url`"
        remedies = {
            "auth": f"Check {self._key_name}, and that the key may use this model.",
            "timeout": f"Raise the time-outs in [{self._section}], or choose a faster model.",
            "connection": f"Check the network, and {address} in [{self._section}].",
            "invalid": f"Check {address} and `models` in [{self._section}], and the models of the agent.",
        }
        return Faults(self.name, model, secrets=self._secrets, server=self._shown, remedies=remedies, codes=CODES)

    async def call(self, faults: Faults, ask: Callable[[AsyncOpenAI, Patience], Awaitable[T]]) -> T:
        """What ``ask`` returns, which is given the client. Whatever it raises becomes a ProviderError."""
        if missing := self.missing():
            raise faults.unready(missing)
        try:
            client = await self._connected()
            with Patience(first=self._first, pause=self._pause, total=self._total) as patience:
                return await ask(client, patience)
        except Exception as error:
            failed = error
        # Raised outside the handler: the SDK's errors hold the request, and so the key, which no log may get.
        raise self._fault(failed, faults)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        async with self._opening:  # a client that is being made is closed too
            client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _fault(self, error: Exception, faults: Faults) -> ProviderError:
        from carrier_provider_openai.faults import fault_of

        return fault_of(error, faults, self._section)

    async def _connected(self) -> AsyncOpenAI:
        if self._client is None:
            async with self._opening:
                if self._client is None:  # importing takes more than a second, in which other rooms go on
                    self._client = await anyio.to_thread.run_sync(self._open)
        return self._client

    def _open(self) -> AsyncOpenAI:
        import httpx2
        import openai
        import openai.resources.chat.completions
        import openai.resources.embeddings
        import openai.resources.responses

        _quieten()
        limits = httpx2.Limits(
            max_connections=_CONNECTIONS, max_keepalive_connections=_IDLE, keepalive_expiry=_IDLE_SECONDS
        )
        waiting = httpx2.Timeout(None, connect=self._connect)  # for all but connecting there is Patience
        return openai.AsyncOpenAI(
            api_key=self._key or _NO_KEY,
            base_url=self._base_url,
            max_retries=0,
            timeout=waiting,
            http_client=openai.DefaultAsyncHttpxClient(timeout=waiting, limits=limits),
        )


def _quieten() -> None:
    """Keep URLs and headers out of the log, unless the operator has set a level for these loggers."""
    for name in ("httpx2", "httpcore2", "openai"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
