"""The provider: what it is asked goes out in one of the two protocols, what comes back is read as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from carrier_core import Completion, Prompt, Provider
from carrier_core.providing import Answer, Patience
from carrier_provider_openai.faults import NoStream
from carrier_provider_openai.server import NAME, Server

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

DEFAULT_MODELS = {
    "large": "gpt-5.6-terra",
    "small": "gpt-5.6-luna",
    "reasoning": "gpt-5.6-sol",
    "vision": "gpt-5.6-terra",
}

Event = TypeVar("Event")


class OpenAIProvider(Provider):
    """The models of a server. ``api`` is chat, responses or auto: responses for OpenAI itself. ``images`` says whether
    pictures are shown to the models."""

    def __init__(
        self,
        server: Server,
        *,
        api: str = "auto",
        models: Mapping[str, str] | None = None,
        images: bool = True,
        free: bool = False,
    ) -> None:
        own = DEFAULT_MODELS if server.is_openai or server.name == NAME else {}
        self.name = server.name
        self.models = {**own, **(models or {})}
        self.billed_as = "openai" if server.is_openai else ""
        self.free = free
        self.api = ("responses" if server.is_openai else "chat") if api == "auto" else api
        self._server = server
        self._images = images

    def missing(self) -> str:
        """What the server lacks."""
        return self._server.missing()

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        """Ask the model and stream its text. Whatever keeps the answer from being complete is a ProviderError."""
        faults = self._server.faults(model)
        answer = Answer(emit)

        async def ask(client: AsyncOpenAI, patience: Patience) -> None:
            from carrier_provider_openai import chat, responses

            is_openai, images = self._server.is_openai, self._images
            if self.api == "responses":
                events = await responses.ask(client, prompt, model, is_openai=is_openai, images=images)
                await _listen(events, responses.Reading(answer, self.name, model).take, patience)
            else:
                chunks = await chat.ask(client, prompt, model, is_openai=is_openai, images=images)
                await _listen(chunks, chat.Reading(answer).take, patience)

        await self._server.call(faults, ask)
        return answer.completion(self.name, model, faults)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._server.close()


async def _listen(stream: AsyncStream[Event], take: Callable[[Event], None], patience: Patience) -> None:
    """Read a stream to its end."""
    heard = False
    async with stream:
        async for event in stream:
            heard = True
            patience.heard()
            take(event)
    if not heard:
        kind = stream.response.headers.get("content-type", "").partition(";")[0] or "nothing"
        raise NoStream(f"answered with {kind} instead of a stream of events")
