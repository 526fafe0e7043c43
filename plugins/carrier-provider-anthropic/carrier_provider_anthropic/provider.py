"""The provider: one client of the SDK, the patience of one call, and no failure that does not say what to do about it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from carrier_core import Completion, Prompt, Provider, ProviderError
from carrier_core.providing import Answer, Faults, Patience
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

LAST_BYTES = 0.2  # seconds that the end of a stream is waited for when its answer is complete


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
        self._key = api_key.strip()
        self._server = base_url.rstrip("/").removesuffix("/v1")  # the SDK adds it
        self._is_anthropic = not base_url or urlsplit(base_url).hostname == HOST
        self.billed_as = NAME if self._is_anthropic else ""
        self._max_tokens = max_tokens
        self._connect_timeout = connect_timeout
        self._times = {"first": first_timeout, "pause": pause_timeout, "total": timeout}
        self._client: AsyncAnthropic | None = None

    def missing(self) -> str:
        """What it lacks: a key, unless it is to talk with a server of one's own, which may need none."""
        if self._key or not self._is_anthropic:
            return ""
        return f"No key is set. Set {KEY_VARIABLE}, or ANTHROPIC_BASE_URL for a server that needs none."

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        """Ask the model and stream its text. Whatever keeps the answer from being complete is a ProviderError."""
        faults = Faults(NAME, model, secrets=(self._key,), server=self._server, remedies=REMEDIES, codes=CODES)
        if missing := self.missing():
            raise faults.unready(missing)
        if self._client is None:
            await anyio.to_thread.run_sync(_import_sdk)  # most of a second, in which other rooms go on
        answer = Answer(emit)
        fault: ProviderError | None = None
        try:
            request = Request(prompt, model, max_tokens=self._max_tokens, sampled=not self._is_anthropic)
            await self._ask(request, answer, faults)
        except Exception as error:
            fault = fault_of(error, faults)
        if fault is not None:
            # Raised outside the handler: the SDK's errors hold the request, and so the key, which no log may get.
            raise fault
        return answer.completion(NAME, model, faults)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _ask(self, request: Request, answer: Answer, faults: Faults) -> None:
        from anthropic import AsyncStream

        reader = Reader(answer, request.tools, faults)
        with Patience(**self._times) as patience:
            stream = await self._connect().messages.create(**request.parameters, stream=True)
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
                    await _read_out(events)
                elif event is None:
                    raise _no_stream(stream.response.headers.get("content-type", ""), faults)
        content = reader.thoughts()
        if content:
            answer.carry = Thoughts(request.model, request.prefix(), content).carry(NAME)

    def _connect(self) -> AsyncAnthropic:
        if self._client is None:
            import httpx2
            from anthropic import AsyncAnthropic

            _quieten()
            self._client = AsyncAnthropic(
                api_key=self._key or NO_KEY,
                base_url=self._server or f"https://{HOST}",
                max_retries=0,
                timeout=httpx2.Timeout(None, connect=self._connect_timeout),
            )
        return self._client


async def _read_out(events: AsyncIterator[object]) -> None:
    """Read a stream to its end, which leaves the connection open for the next call. The answer is complete: whatever happens
    to the stream now is no failure."""
    with anyio.move_on_after(LAST_BYTES):
        try:
            async for _ in events:
                pass
        except Exception:
            return


def _no_stream(content_type: str, faults: Faults) -> ProviderError:
    """There was not one event in what came back, with a status of success."""
    kind = content_type.partition(";")[0] or "nothing"
    what = f"answered with {kind} instead of a stream of events"
    return faults.error("unreadable", what, remedy=REMEDIES["connection"])


def _import_sdk() -> None:
    import anthropic.resources.messages  # noqa: F401 - the client imports it when it is first used


def _quieten() -> None:
    """Keep URLs and headers out of the log, unless the operator has set a level for these loggers."""
    for name in ("httpx2", "httpcore2", "anthropic"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
