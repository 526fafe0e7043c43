"""The provider: it picks a rule, waits, fails or answers as the rule says, and hands the text out in pieces."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import msgspec

from carrier_core import (
    ActionCall,
    Completion,
    Finish,
    Part,
    Prompt,
    Provider,
    ProviderError,
    Usage,
)
from carrier_provider_scripted.obedience import Obedience
from carrier_provider_scripted.phrases import Groups, harvest
from carrier_provider_scripted.rules import Rules, Step
from carrier_provider_scripted.scene import Scene

NAME = "scripted"
CHARACTERS_PER_TOKEN = 4  # a rule of thumb for English; no tokenizer is at hand, and nothing is billed by it

_FINISH = {"stop": Finish.STOP, "length": Finish.LENGTH, "refused": Finish.REFUSED}


class ScriptedProvider(Provider):
    """A stand-in for a language model: the same prompt always gets the same completion.

    ``chunk`` is the size of a streamed piece in characters, ``latency`` the seconds before the first one. Without
    ``rules`` the built-in ones are read with the first prompt.
    """

    name = NAME
    last_resort = True
    free = True
    models = {"large": NAME, "small": NAME, "reasoning": NAME, "vision": NAME}

    def __init__(
        self,
        rules: Rules | None = None,
        obedience: Obedience | None = None,
        *,
        chunk: int = 24,
        latency: float = 0.0,
        pace: float = 0.0,
    ) -> None:
        self._rules = rules
        self._obedience = obedience
        self._chunk = chunk
        self._latency = latency
        self._pace = pace

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        """The completion that the rules give. Raises ProviderError where a rule says so, or where none applies."""
        if self._obedience is not None:
            calls = self._obedience.calls(prompt)
            if calls:
                return self._completion(prompt, model, "", calls, Finish.CALLS, None)
        if self._rules is None:
            self._rules = Rules()
        scene = Scene(prompt)
        found = self._rules.choose(scene)
        if found is None:
            if scene.results:  # the calls were all that the rule wanted
                return self._completion(prompt, model, scene.results[-1].text, (), Finish.STOP, None)
            raise ProviderError(
                f"No rule of {self._rules.file} answers this message.",
                reason="invalid",
                remedy="End the file with a rule that has no pattern, or leave out `standard = false`.",
            )
        return await self._play(scene, found[0], found[1], model, emit)

    async def _play(
        self, scene: Scene, step: Step, groups: Groups, model: str, emit: Callable[[str], None]
    ) -> Completion:
        latency = self._latency if step.latency is None else step.latency
        if latency:
            await anyio.sleep(latency)
        if step.failure is not None:
            raise ProviderError(
                f"{NAME}: {step.failure.message}",
                reason=step.failure.reason,
                retry_after=step.failure.retry_after,
                remedy="",
            )
        text = step.text.fill(scene, groups).strip()
        if text and step.introduction and scene.first:
            text = f"{text}\n\n{step.introduction.fill(scene, groups).strip()}"
        made = sum(len(message.calls) for message in scene.prompt.messages) if step.calls else 0
        calls = tuple(
            ActionCall(
                f"step{scene.steps + 1}-{made + number}",
                name.fill(scene, groups),
                {key: harvest(value, scene, groups) for key, value in arguments.items()},
            )
            for number, (name, arguments) in enumerate(step.calls, 1)
        )
        await self._stream(text, self._pace if step.pace is None else step.pace, emit)
        return self._completion(scene.prompt, model, text, calls, Finish.CALLS if calls else _FINISH[step.finish], step)

    async def _stream(self, text: str, pace: float, emit: Callable[[str], None]) -> None:
        for start in range(0, len(text), self._chunk):
            if pace and start:
                await anyio.sleep(pace)
            emit(text[start : start + self._chunk])

    def _completion(
        self,
        prompt: Prompt,
        model: str,
        text: str,
        calls: tuple[ActionCall, ...],
        finish: Finish,
        step: Step | None,
    ) -> Completion:
        counts = step.usage if step is not None else None
        usage = Usage(
            input=_read(prompt) if counts is None or counts.input is None else counts.input,
            output=_written(text, calls) if counts is None or counts.output is None else counts.output,
            cached=counts.cached if counts is not None else 0,
            calls=1,
        )
        return Completion((Part(text),) if text else (), calls, finish, usage, NAME, model)


def _read(prompt: Prompt) -> int:
    """About how many tokens a prompt has: its texts, and the names and descriptions of its tools."""
    characters = sum(len(part.text) for message in prompt.messages for part in message.parts)
    characters += sum(len(tool.name) + len(tool.description) for tool in prompt.tools)
    return _tokens(characters)


def _written(text: str, calls: tuple[ActionCall, ...]) -> int:
    """About how many tokens a completion has: its text, and its calls as JSON."""
    return _tokens(len(text) + sum(len(call.name) + len(msgspec.json.encode(call.arguments)) for call in calls))


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)
