"""The provider: one client of the SDK, the patience of one call, and no failure that does not say what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from carrier_core import Completion, Prompt, Provider, ProviderError
from carrier_core.providing import Access, Answer, Connection, Faults, Patience, quieten, read_out
from carrier_provider_anthropic.faults import CODES, REMEDIES, fault_of
from carrier_provider_anthropic.models import DEFAULT_MODELS
from carrier_provider_anthropic.request import Request
from carrier_provider_anthropic.stream import Reader
from carrier_provider_anthropic.thinking import Thoughts

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

NAME = "anthropic"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
HOST = "api.anthropic.com"
NO_KEY = "none"  # the SDK would look for one elsewhere; a server that needs none does not look at it


class AnthropicProvider(Provider):
    """Anthropic, or a server that speaks its Messages API.

    ``max_tokens`` limits answers to prompts that set no limit. Times are in seconds: for connecting, for the first sign of an
    answer, for a pause in it, and for all of it. The SDK's own retries are off: whether a call is made again is the host's
    decision.
    """

    name = NAME

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "",
        models: dict[str, str] | None = None,
        max_tokens: int = 16_000,
        connect_timeout: float = 10.0,
        first_timeout: float = 60.0,
        pause_timeout: float = 60.0,
        timeout: float = 240.0,
    ) -> None:
        self.models = DEFAULT_MODELS | (models or {})
        address = base_url.rstrip("/").removesuffix("/v1")  # the SDK adds it
        self._access = Access(address, api_key, home=HOST, key_name=KEY_VARIABLE, address_name="ANTHROPIC_BASE_URL")
        self.billed_as = NAME if self._access.host == HOST else ""
        self._max_tokens = max_tokens
        self._connect_timeout = connect_timeout
        self._times = {"first": first_timeout, "pause": pause_timeout, "total": timeout}
        self._connection = Connection(self._open)

    def missing(self) -> str:
        """What it lacks: a key, unless it is to talk with a server of one's own, which may need none."""
        return self._access.missing()

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        """Ask the model and stream its text. Whatever keeps the answer from being complete is a ProviderError."""
        access = self._access
        faults = Faults(NAME, model, secrets=access.secrets, server=access.shown, remedies=REMEDIES, codes=CODES)
        if missing := self.missing():
            raise faults.unready(missing)
        answer = Answer(emit)
        fault: ProviderError | None = None
        try:
            client = await self._connection.open()
            request = Request(prompt, model, max_tokens=self._max_tokens, sampled=not access.is_home)
            await self._ask(client, request, answer, faults)
        except Exception as error:
            fault = fault_of(error, faults)
        if fault is not None:
            # Raised outside the handler: the SDK's errors hold the request, and so the key, which no log may get.
            raise fault
        return answer.completion(NAME, model, faults)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._connection.close()

    async def _ask(self, client: AsyncAnthropic, request: Request, answer: Answer, faults: Faults) -> None:
        from anthropic import AsyncStream

        reader = Reader(answer, request.tools, faults)
        with Patience(**self._times) as patience:
            stream = await client.messages.create(**request.parameters, stream=True)
            async with stream:
                events = AsyncStream.raw_events(stream.response)
                event = None
                async for event in events:
                    patience.heard()
                    if event.data:
                        reader.read(event.data)
                    if reader.ended:
                        break
                if reader.ended:
                    await read_out(events)
                elif event is None:
                    raise faults.no_stream(stream.response.headers.get("content-type"))
        content = reader.thoughts()
        if content:
            answer.carry = Thoughts(request.model, request.prefix(), content).carry(NAME)

    def _open(self) -> AsyncAnthropic:
        import anthropic
        import anthropic.resources.messages
        import httpx2

        quieten("httpx2", "httpcore2", "anthropic")
        limits = httpx2.Limits(
            max_connections=Connection.most,
            max_keepalive_connections=Connection.most_idle,
            keepalive_expiry=Connection.idle,
        )
        waiting = httpx2.Timeout(None, connect=self._connect_timeout)  # for all but connecting there is Patience
        return anthropic.AsyncAnthropic(
            api_key=self._access.key or NO_KEY,
            base_url=self._access.address or f"https://{HOST}",
            max_retries=0,
            timeout=waiting,
            http_client=anthropic.DefaultAsyncHttpxClient(timeout=waiting, limits=limits),
        )
