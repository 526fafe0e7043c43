"""The provider: what it is asked goes out in one of the two protocols, what comes back is read as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from carrier_core import Completion, Prompt, Provider
from carrier_core.providing import Answer, Faults, Patience, read_out
from carrier_provider_openai.server import NAME, Server

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk

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
        self.billed_as = server.billed_as
        self.free = free
        self.api = ("responses" if server.is_openai else "chat") if api == "auto" else api
        self._server = server
        self._server.prepare = self._prepare
        self._images = images
        self._wanted: dict[str, str] = {}

    def missing(self) -> str:
        """What the server lacks."""
        return self._server.missing()

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        """Ask the model and stream its text. Whatever keeps the answer from being complete is a ProviderError."""
        faults = self._server.faults(model)
        answer = Answer(emit)

        async def ask(client: AsyncOpenAI, patience: Patience) -> None:
            from carrier_provider_openai import chat, responses

            if self.api == "responses":
                is_openai, images = self._server.is_openai, self._images
                events = await responses.ask(client, prompt, model, is_openai=is_openai, images=images)
                await self._listen(events, responses.Reading(answer, self.name, model).take, patience, faults)
            else:
                chunks = await self._chat(client, prompt, model)
                await self._listen(chunks, chat.Reading(answer, self.name, model).take, patience, faults)

        await self._server.call(faults, ask)
        return answer.completion(self.name, model, faults)

    def _prepare(self, client: AsyncOpenAI) -> None:
        from carrier_provider_openai import chat, responses

        (responses if self.api == "responses" else chat).prepare(client)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._server.close()

    async def _chat(self, client: AsyncOpenAI, prompt: Prompt, model: str) -> AsyncStream[ChatCompletionChunk]:
        """Ask; once more where the server refuses to do without thoughts that are not there."""
        import openai

        from carrier_provider_openai import chat
        from carrier_provider_openai.open_thoughts import wanted_by

        async def ask(wanted: str) -> AsyncStream[ChatCompletionChunk]:
            is_openai, images = self._server.is_openai, self._images
            return await chat.ask(client, prompt, model, is_openai=is_openai, images=images, wanted=wanted)

        known = self._wanted.get(model, "")
        try:
            return await ask(known)
        except openai.BadRequestError as error:
            wanted = "" if known else wanted_by(str(error))
            if not wanted:
                raise
        stream = await ask(wanted)
        self._wanted[model] = wanted
        return stream

    async def _listen(
        self, stream: AsyncStream[Event], take: Callable[[Event], bool], patience: Patience, faults: Faults
    ) -> None:
        """Read a stream until ``take`` says that the answer is complete, or to its end."""
        heard = complete = False
        async with stream:
            events = aiter(stream)
            async for event in events:
                heard = True
                patience.heard()
                complete = take(event)
                if complete:
                    break
            if complete:
                await read_out(events)
        if not heard:
            raise self._server.no_stream(stream.response.headers.get("content-type"), faults)
