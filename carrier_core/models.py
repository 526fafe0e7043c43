"""Models: what a class of model stands for, and how its models are asked, one after another, until one of them answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import anyio
import msgspec

from carrier_core.breaker import Quarantine
from carrier_core.discovery import Registered
from carrier_core.drafts import drafting
from carrier_core.errors import CarrierError, ConfigError, PluginError, ProviderError
from carrier_core.plugins import things_named
from carrier_core.prompts import Attempt, Completion, Effort, Finish, Prompt, PromptMessage
from carrier_core.things import Provider

if TYPE_CHECKING:
    from carrier_core.host import Host
    from carrier_core.sections import AgentSettings, ModelSettings
    from carrier_core.settings import Config
    from carrier_core.turn import Turn

AGAIN = frozenset(("rate_limit", "overloaded", "server", "connection", "timeout", "incomplete", "unreadable"))
"""Reasons for which the same model is asked once more: it may answer the next time."""
BEYOND = frozenset(("refused",))
"""Reasons for which no other model is asked: what one refuses to say is not got out of another."""
SICK = frozenset(("overloaded", "server", "connection", "timeout"))
"""Reasons that count against a provider: after several of these soon after each other it is passed over for a while."""
FIRST, LONGEST = 0.5, 20.0
"""Seconds before a model is asked again: the first time, doubled each time, and at most. A provider that asks for more time is
not waited for where another model is left to ask."""

_NO_PROVIDER = "Enable a plugin that brings a model provider in [plugins]."


# --- which models ------------------------------------------------------------------------------------------------------


class Choice(NamedTuple):
    """A model that can be asked, and the registration of the provider that has it."""

    entry: Registered
    provider: Provider
    model: str


class Models:
    """What the classes of model stand for, for one agent."""

    def __init__(self, config: Config, agent: str, providers: tuple[Registered, ...]) -> None:
        self._config = config
        self._agent = agent
        self._settings: AgentSettings = config.settings.agents[agent]
        self._entries = {entry.thing.name: entry for entry in providers if isinstance(entry.thing, Provider)}
        self._chains: dict[str, tuple[Choice, ...]] = {}

    def settings(self, model_class: str) -> ModelSettings | None:
        """What the operator says about a class; where that is nothing, about ``large``."""
        models = self._settings.models
        return next((models[key] for key in (model_class, "large") if key in models), None)

    def chain(self, model_class: str) -> tuple[Choice, ...]:
        """The models of a class, in the order in which they are asked. ConfigError if there is none.

        Without a word in the configuration it is that of the first provider that has what it needs, a last resort last.
        """
        found = self._chains.get(model_class)
        if found is None:
            settings = self.settings(model_class)
            found = self._chains[model_class] = (
                (self._default(model_class),)
                if settings is None
                else tuple(self._named(name, model_class) for name in settings.use)
            )
        return found

    def _named(self, name: str, model_class: str) -> Choice:
        provider, _, model = name.partition("/")
        entry = self._entries.get(provider)
        if entry is None:
            key = model_class if model_class in self._settings.models else "large"
            there = things_named(tuple(self._entries.values()))
            raise self._config.fault(
                ("agents", self._agent, "models", key), f"There is no provider {provider}.", f"There are: {there}."
            )
        return _choice(entry, model, model_class)

    def _default(self, model_class: str) -> Choice:
        choices = [_choice(entry, "", model_class) for entry in self._entries.values()]
        missing = [missing_of(choice.entry) for choice in choices]
        ready = [choice for choice, lacking in zip(choices, missing, strict=True) if not lacking]
        if not ready:
            hints = " ".join(missing)
            raise ConfigError(f"No model provider is ready for the agent {self._agent}.", remedy=hints or _NO_PROVIDER)
        return min(ready, key=lambda choice: choice.provider.last_resort)


def missing_of(entry: Registered) -> str:
    """What keeps a provider from working, as a sentence; empty when it is ready."""
    provider = entry.thing
    assert isinstance(provider, Provider)
    try:
        return provider.missing()
    except Exception as error:
        return f"{entry.plugin} failed in {provider.name}.missing ({type(error).__name__}: {error})."


def _choice(entry: Registered, model: str, model_class: str) -> Choice:
    provider = entry.thing
    assert isinstance(provider, Provider)
    own = provider.models.get(model_class) or provider.models.get("large", "")
    return Choice(entry, provider, model or own)


# --- asking them ---------------------------------------------------------------------------------------------------------


class Asking:
    """How models are asked, for all agents of a host. ``sleep`` waits between two attempts, so many seconds."""

    def __init__(self, host: Host, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
        limits = host.config.settings.limits
        self._host = host
        self.sleep = sleep
        self._health = Quarantine(
            host.quarantine.clock,
            failures=limits.breaker_failures,
            window=limits.breaker_window,
            cooldown=limits.breaker_cooldown,
            excused=(),
        )

    async def ask(self, turn: Turn, prompt: Prompt) -> Completion:
        """The completion of the first model of the prompt's class that gives one; it names the attempts that failed before.

        Where none does, raises what went wrong with the first, which is the one that was wanted, and says it of the others.
        """
        models = turn.agent.models
        prompt = _with_settings(prompt, models.settings(prompt.model))
        failed: list[Attempt] = []
        first: CarrierError | None = None
        chain = models.chain(prompt.model)
        for choice in chain:
            try:
                completion = await self._insist(turn, choice, prompt, failed, is_last=choice is chain[-1])
            except (ProviderError, PluginError) as error:
                first = first or error
                if _reason(error) in BEYOND:
                    raise
            else:
                return msgspec.structs.replace(completion, attempts=tuple(failed)) if failed else completion
        assert first is not None
        raise _together(first, failed)

    async def _insist(
        self, turn: Turn, choice: Choice, prompt: Prompt, failed: list[Attempt], *, is_last: bool
    ) -> Completion:
        """Ask one model, again if that may help and there is time."""
        most = self._host.config.settings.limits.model_attempts
        number = 1
        while True:
            started = perf_counter()
            try:
                self._pass_over(choice, is_last=is_last)
                return await self._call(turn, choice, prompt)
            except (ProviderError, PluginError) as error:
                seconds = round(perf_counter() - started, 3)
                failed.append(Attempt(choice.provider.name, choice.model, _reason(error), error.message, seconds))
                pause = _pause(error, number, turn.seed, is_last=is_last) if number < most else None
                self._tell(turn, choice, error, pause)
                if pause is None:
                    raise
            await self.sleep(pause)
            number += 1

    def _pass_over(self, choice: Choice, *, is_last: bool) -> None:
        """Raise why a model is not asked at all. The last one always is, unless it cannot be: there is nobody else."""
        if missing := missing_of(choice.entry):
            raise ProviderError(missing, reason="auth")
        if not is_last and not self._health.breaker(choice.provider.name, "").allows():
            why = f"{choice.provider.name} is left alone for a while, because it kept failing."
            raise ProviderError(why, reason="resting")

    async def _call(self, turn: Turn, choice: Choice, prompt: Prompt) -> Completion:
        breaker = self._health.breaker(choice.provider.name, "")
        turn.attempt += 1
        try:
            async with drafting(turn) as emit:
                completion: Completion | None = await turn.hooks.call(
                    turn.table.method(choice.entry, Provider.generate),
                    _for_provider(prompt, choice.provider.name),
                    choice.model,
                    emit,
                )
            _refuse_empty(completion, prompt, choice)
        except ProviderError as error:
            if error.reason not in SICK:
                breaker.succeeded()
            elif breaker.failed(error):
                self._host.log.error("provider_passed_over", provider=choice.provider.name, error=error.message)
            raise
        except BaseException:
            breaker.released()
            raise
        breaker.succeeded()
        assert completion is not None
        return completion

    def _tell(self, turn: Turn, choice: Choice, error: CarrierError, pause: float | None) -> None:
        self._host.log.warning(
            "model_failed",
            provider=choice.provider.name,
            model=choice.model,
            reason=_reason(error),
            error=str(error),
            again_in=pause,
            turn=turn.id,
        )


def _refuse_empty(completion: Completion | None, prompt: Prompt, choice: Choice) -> None:
    """Nothing is no answer, unless the model has just got the results of what it called: then it may have no more to say."""
    who = f"{choice.provider.name}, model {choice.model},"
    if completion is None:
        raise ProviderError(f"{who} returned nothing.", reason="unreadable")
    if completion.calls or completion.text.strip():
        return
    if completion.finish is Finish.REFUSED:
        raise ProviderError(f"{who} refused to answer.", reason="refused", remedy="Say it in another way.")
    if prompt.messages and prompt.messages[-1].role != "tool":
        raise ProviderError(f"{who} answered with nothing.", reason="incomplete", remedy="Choose another model.")


def _with_settings(prompt: Prompt, settings: ModelSettings | None) -> Prompt:
    """What the prompt leaves open, as the operator wants it for the class."""
    if settings is None:
        return prompt
    open_ones: dict[str, object] = {
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "effort": None if settings.effort is None else Effort(settings.effort),
    }
    chosen = {key: value for key, value in open_ones.items() if value is not None and getattr(prompt, key) is None}
    return msgspec.structs.replace(prompt, **chosen) if chosen else prompt


def _for_provider(prompt: Prompt, provider: str) -> Prompt:
    """The prompt without what another provider wants carried."""
    if all(message.carry is None or message.carry.provider == provider for message in prompt.messages):
        return prompt
    messages = tuple(
        message
        if message.carry is None or message.carry.provider == provider
        else PromptMessage(message.role, message.parts, message.calls, message.call, failed=message.failed)
        for message in prompt.messages
    )
    return msgspec.structs.replace(prompt, messages=messages)


def _reason(error: CarrierError) -> str:
    return error.reason if isinstance(error, ProviderError) else "plugin"


def _pause(error: CarrierError, number: int, seed: int, *, is_last: bool) -> float | None:
    """Seconds until the model is asked again; None if it is not, because that would not help or there is no time.

    Of the doubled time a part is drawn, other for every turn, so that many turns that failed together do not come back
    together (the "equal jitter" of Brooker, Exponential Backoff And Jitter, 2015).
    """
    if not isinstance(error, ProviderError) or error.reason not in AGAIN:
        return None
    longest = min(LONGEST, FIRST * 2 ** (number - 1))
    drawn = (seed >> 5 * number) % 1000 / 1000
    pause = longest / 2 + longest / 2 * drawn
    if error.retry_after is not None:
        if error.retry_after > LONGEST and not is_last:
            return None
        pause = max(pause, error.retry_after)
    left = anyio.current_effective_deadline() - anyio.current_time()
    return pause if pause < left else None


def _together(first: CarrierError, failed: list[Attempt]) -> CarrierError:
    """One error for a whole chain."""
    last = {f"{attempt.provider}/{attempt.model}": attempt.reason for attempt in failed}
    others = "; ".join(f"{model}: {reason}" for model, reason in [*last.items()][1:])
    if not others:
        return first
    message = f"{first.message} No other model could answer either ({others})."
    return ProviderError(message, reason=_reason(first), remedy=first.remedy)
