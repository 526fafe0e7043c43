"""The provider: one client of the SDK, one deadline, and no failure that does not say what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit
from weakref import WeakSet

import anyio

from carrier_core import Completion, Prompt, Provider
from carrier_provider_openai.answer import Answer
from carrier_provider_openai.faults import Faults

if TYPE_CHECKING:
    from openai import AsyncOpenAI

NAME = "openai"
KEY_VARIABLE = "OPENAI_API_KEY"
OPENAI_HOST = "api.openai.com"
NO_KEY = "none"  # the SDK insists on one; a server that needs none does not look at it

DEFAULT_MODELS = {
    "large": "gpt-5.6-terra",
    "small": "gpt-5.6-luna",
    "reasoning": "gpt-5.6-sol",
    "vision": "gpt-5.6-terra",
}


class OpenAIProvider(Provider):
    """OpenAI or a compatible server. ``timeout`` is in seconds for a whole answer, ``connect_timeout`` for connecting.

    The SDK's own retries are off: whether a call is made again is the host's decision.
    """

    name = NAME
    _open: ClassVar[WeakSet[OpenAIProvider]] = WeakSet()

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "",
        api: str = "auto",
        models: dict[str, str] | None = None,
        connect_timeout: float = 10.0,
        timeout: float = 240.0,
    ) -> None:
        self.models = DEFAULT_MODELS | (models or {})
        self._key = api_key
        self._base_url = base_url
        self._is_openai = not base_url or urlsplit(base_url).hostname == OPENAI_HOST
        self._responses = api == "responses" or (api == "auto" and self._is_openai)
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._client: AsyncOpenAI | None = None

    def missing(self) -> str:
        """What it lacks: a key, unless it is to talk with a server of one's own, which may need none."""
        if self._key or not self._is_openai:
            return ""
        return f"No key is set. Set {KEY_VARIABLE}, or OPENAI_BASE_URL for a server that needs none."

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        """Ask the model and stream its text. Whatever keeps the answer from being complete is a ProviderError."""
        faults = Faults(model=model, key=self._key, server=self._base_url, timeout=self._timeout)
        if self.missing():
            raise faults.without_key(self.missing())
        answer = Answer(emit)
        failed: Exception | None = None
        if self._client is None:
            await anyio.to_thread.run_sync(_import_sdk)  # more than a second, in which other rooms go on
        try:
            with anyio.fail_after(self._timeout):
                await self._ask(prompt, model, answer)
        except Exception as error:
            failed = error
        if failed is not None:
            # Raised outside the handler: the SDK's errors hold the request, and so the key, which no log may get.
            raise faults.of(failed)
        return answer.completion(NAME, model, faults)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        self._open.discard(self)
        if client is not None:
            await client.close()

    @classmethod
    async def close_all(cls) -> None:
        """Close every provider that has connections."""
        for provider in list(cls._open):
            await provider.close()

    async def _ask(self, prompt: Prompt, model: str, answer: Answer) -> None:
        if self._responses:
            from carrier_provider_openai import responses

            await responses.ask(self._connect(), prompt, model, answer)
        else:
            from carrier_provider_openai import chat

            await chat.ask(self._connect(), prompt, model, answer, is_openai=self._is_openai)

    def _connect(self) -> AsyncOpenAI:
        if self._client is None:
            import httpx2
            from openai import AsyncOpenAI

            _quieten()
            self._client = AsyncOpenAI(
                api_key=self._key or NO_KEY,
                base_url=self._base_url or f"https://{OPENAI_HOST}/v1",
                max_retries=0,
                timeout=httpx2.Timeout(self._timeout, connect=self._connect_timeout),
            )
            self._open.add(self)
        return self._client


def _import_sdk() -> None:
    import openai.resources.chat.completions
    import openai.resources.responses  # noqa: F401 - the client imports both when they are first used


def _quieten() -> None:
    """Keep URLs and headers out of the log, unless the operator has set a level for these loggers."""
    for name in ("httpx2", "httpcore2", "openai"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
