"""A server: how it is reached, how long it is waited for, and what its failures mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from carrier_core import ProviderError
from carrier_core.providing import Access, Connection, Faults, Patience, quieten

if TYPE_CHECKING:
    from openai import AsyncOpenAI

NAME = "openai"
KEY_VARIABLE = "OPENAI_API_KEY"
SECTION = "plugin.carrier-provider-openai"

_OPENAI_HOST = "api.openai.com"
_NO_KEY = "none"  # the SDK insists on one; a server that needs none does not look at it

T = TypeVar("T")


class Server:
    """OpenAI, or another server called ``name``. Time-outs are in seconds: until a connection stands, until the first sign
    of an answer, in a pause of it, and for all of it.

    It has one client of the SDK, made with the first call and then given to ``prepare``, both in a thread. The SDK's own
    retries are off: whether a call is made again is the host's decision.
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
        self._section = SECTION if name == NAME else f"{SECTION}.servers.{name}"
        self._address_name = "`base_url` (OPENAI_BASE_URL)" if name == NAME else "`base_url`"
        self._access = Access(
            base_url,
            key,
            home=_OPENAI_HOST,
            key_name=KEY_VARIABLE if name == NAME else f"`api_key` in [{self._section}]",
            address_name="OPENAI_BASE_URL" if name == NAME else "",
        )
        self.is_openai = self._access.is_home
        self.billed_as = NAME if self._access.host == _OPENAI_HOST else ""  # its regions may have other prices
        self._connect = connect
        self._first, self._pause, self._total = first, pause, total
        self._connection = Connection(self._open)
        self.prepare: Callable[[AsyncOpenAI], None] | None = None

    def missing(self) -> str:
        """What it lacks: a key, unless it is a server of one's own, which may need none."""
        return self._access.missing()

    def faults(self, model: str) -> Faults:
        """What makes the errors of one call."""
        from carrier_provider_openai.faults import CODES

        address, access = self._address_name, self._access
        remedies = {
            "auth": f"Check {access.key_name}, and that the key may use this model.",
            "timeout": f"Raise the time-outs in [{self._section}], or choose a faster model.",
            "connection": f"Check the network, and {address} in [{self._section}].",
            "invalid": f"Check {address} and `models` in [{self._section}], and the models of the agent.",
        }
        return Faults(self.name, model, secrets=access.secrets, server=access.shown, remedies=remedies, codes=CODES)

    def no_stream(self, content_type: str | None, faults: Faults) -> ProviderError:
        """What came back is no stream of events: most likely the address is a wrong one."""
        remedy = f"Check {self._address_name} in [{self._section}]: it ends in `/v1` with most servers."
        return faults.no_stream(content_type, remedy=remedy)

    async def call(self, faults: Faults, ask: Callable[[AsyncOpenAI, Patience], Awaitable[T]]) -> T:
        """What ``ask`` returns, which is given the client. Whatever it raises becomes a ProviderError."""
        if missing := self.missing():
            raise faults.unready(missing)
        try:
            client = await self._connection.open()
            with Patience(first=self._first, pause=self._pause, total=self._total) as patience:
                return await ask(client, patience)
        except Exception as error:
            failed = error
        # Raised outside the handler: the SDK's errors hold the request, and so the key, which no log may get.
        raise self._fault(failed, faults)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._connection.close()

    def _fault(self, error: Exception, faults: Faults) -> ProviderError:
        from carrier_provider_openai.faults import fault_of

        return fault_of(error, faults, self._section)

    def _open(self) -> AsyncOpenAI:
        import httpx2
        import openai

        quieten("httpx2", "httpcore2", "openai")
        limits = httpx2.Limits(
            max_connections=Connection.most,
            max_keepalive_connections=Connection.most_idle,
            keepalive_expiry=Connection.idle,
        )
        waiting = httpx2.Timeout(None, connect=self._connect)  # for all but connecting there is Patience
        client = openai.AsyncOpenAI(
            api_key=self._access.key or _NO_KEY,
            base_url=self._access.address or f"https://{_OPENAI_HOST}/v1",
            max_retries=0,
            timeout=waiting,
            http_client=openai.DefaultAsyncHttpxClient(timeout=waiting, limits=limits),
        )
        if self.prepare is not None:
            self.prepare(client)
        return client
