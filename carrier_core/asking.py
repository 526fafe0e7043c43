"""Asking: how the models of a class are asked, one after another, until one of them answers.

A call is made for a prompt that fits its model, if there is room for it in all budgets, when the provider's rate limits let it
through. What may pass is tried again; then the next model is asked. All agents of a host ask in the same place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import anyio
import msgspec

from carrier_core.breaker import Quarantine
from carrier_core.drafts import drafting
from carrier_core.errors import CarrierError, InDoubt, NotDone, OverBudget, PluginError, ProviderError
from carrier_core.fitting import Fitted, ceiling, estimate, fit
from carrier_core.metering import Meter
from carrier_core.models import Choice, missing_of
from carrier_core.pacing import Pace
from carrier_core.prompts import Attempt, Completion, Effort, Finish, Prompt, PromptMessage
from carrier_core.provenance import OPERATOR
from carrier_core.things import Provider

if TYPE_CHECKING:
    from carrier_core.budgets import Refusal
    from carrier_core.host import Host
    from carrier_core.sections import Budget, HostLimits, ModelSettings
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
ANSWER = 8_192
"""Tokens that are kept free for an answer of which nobody says how long it may be, and that it may have under a budget; a
quarter of what the model takes, where that is less."""
SHORTER = 0.75
"""Of a prompt that turned out to be too long, so much is tried next."""
APPROVED = "approve"
"""The operator's answer that lets a call go beyond a budget."""
PATIENCE = 86_400.0
"""Seconds that such a call waits for the operator."""

_LETTERS = 3  # of a token, about


class NoRoom(Exception):
    """A budget has no room for a call."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Asking:
    """The models of a host, as all its agents ask them. ``sleep`` waits between two attempts, so many seconds."""

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
        self._paces: dict[str, Pace] = {}
        self._context: dict[
            tuple[str, str], int
        ] = {}  # tokens of prompts that models may take, where they refused longer ones
        self.limit(limits)

    def limit(self, limits: HostLimits) -> None:
        """Keep to these rate limits from now on, and find out again what models take: somebody may have set that right."""
        self._context.clear()
        for name in {*self._paces, *limits.providers}:
            given = limits.providers.get(name)
            self.pace(name).limit(*((given.requests, given.tokens, given.at_once) if given is not None else ()))

    async def ask(self, turn: Turn, prompt: Prompt) -> Completion:
        """The completion of the first model of the prompt's class that gives one; it names the attempts that failed before.

        Where none does, raises what went wrong with the first, which is the one that was wanted, and says it of the others.
        OverBudget where a budget has no room, and its ``then`` does not help.
        """
        waived: tuple[Budget, ...] = ()
        notes: tuple[str, ...] = ()
        while True:
            try:
                return _noted(await self._ask(turn, prompt, waived), *notes)
            except NoRoom as full:
                refusal = full.refusal
            if refusal.budget.then == "ask" and turn.can_park:
                await self._approval(turn, refusal)
                waived += refusal.budgets
            elif refusal.budget.then == "cheaper" and prompt.model != "small":
                prompt = msgspec.structs.replace(prompt, model="small")
                notes = (f"The class small was asked. {refusal.message}",)
            else:
                raise OverBudget(refusal.message, say=refusal.budget.say)

    async def _approval(self, turn: Turn, refusal: Refusal) -> None:
        """Have the operator agree that a call goes beyond the budgets. The turn parks until then."""
        until = self._host.clock() + PATIENCE
        answer = await turn.park(refusal.message, until=until, say=refusal.budget.say)
        if answer.person != OPERATOR or answer.value != APPROVED:
            did_not = "answer" if answer.expired else "agree"
            raise OverBudget(f"{refusal.message} The operator did not {did_not}.", say="")

    async def _ask(self, turn: Turn, prompt: Prompt, waived: Collection[Budget]) -> Completion:
        models = turn.agent.models
        prompt = with_settings(prompt, models.settings(prompt.model))
        failed: list[Attempt] = []
        first: CarrierError | None = None
        chain = models.chain(prompt.model)
        last = _last(chain)
        for choice in chain:
            try:
                completion = await self._insist(turn, choice, prompt, waived, failed, is_last=choice is last)
            except (ProviderError, PluginError) as error:
                first = first or error
                if _reason(error) in BEYOND:
                    raise
            else:
                return msgspec.structs.replace(completion, attempts=tuple(failed)) if failed else completion
        assert first is not None
        raise _together(first, failed)

    async def _insist(
        self,
        turn: Turn,
        choice: Choice,
        prompt: Prompt,
        waived: Collection[Budget],
        failed: list[Attempt],
        *,
        is_last: bool,
    ) -> Completion:
        """Ask one model, again if that may help and there is time."""
        key = (choice.provider.name, choice.model)
        most = self._host.config.settings.limits.model_attempts
        number = 1
        while True:
            started, context = perf_counter(), self._context.get(key)
            try:
                self._pass_over(choice, is_last=is_last)
                try:
                    return await self._call(turn, choice, prompt, waived)
                except BaseException:  # where it ended before the provider was asked, its trial is still to come
                    self._health.breaker(choice.provider.name, "").released()
                    raise
            except (ProviderError, PluginError) as error:
                seconds = round(perf_counter() - started, 3)
                failed.append(Attempt(*key, _reason(error), error.message, seconds))
                pause = None
                if number < most:
                    pause = _pause(error, number, turn.seed, is_last=is_last)
                    if self._context.get(key) != context:
                        pause = 0.0  # the prompt will be shorter
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

    # --- one call ---

    async def _call(self, turn: Turn, choice: Choice, prompt: Prompt, waived: Collection[Budget]) -> Completion:
        """Ask a model once: what fits, within the budgets, when it may be asked."""
        host, name = self._host, choice.provider.name
        call = host.spending.open(
            agent=turn.agent.name,
            turn=turn.id,
            person=turn.person.id,
            room=turn.room.id,
            provider=name,
            model=choice.model,
            price=await host.prices.price(choice.provider, choice.model),
        )
        pace = self.pace(name)
        counts = call.is_bounded or pace.counts_tokens
        fitted = await self.fitted(choice, for_provider(prompt, name), counts=counts)
        prompt = fitted.prompt
        if call.is_bounded and prompt.max_tokens is None:
            context = await host.prices.context(choice.provider, choice.model)
            prompt = msgspec.structs.replace(prompt, max_tokens=_room(context))
        room = prompt.max_tokens or ANSWER
        started = perf_counter()
        most = ceiling(prompt) if call.is_bounded else 0
        refusal = await call.hold(fitted.tokens, room, most_in=most, waived=waived)
        if refusal is not None:
            raise NoRoom(refusal)
        held_up = perf_counter() - started
        turn.attempt += 1
        begun, received, meter = False, 0, Meter()

        def emit(piece: str) -> None:
            nonlocal received
            received += len(piece)
            show(piece)

        try:
            async with drafting(turn) as show, pace.turn(turn.room.id, fitted.tokens + room) as slot:
                begun = True
                with meter:
                    completion = await self._answer(turn, choice, prompt, emit)
                said = completion.usage.input + completion.usage.output
                if said:
                    slot.used(said)
                usage = call.settle(completion.usage, 0 if said else fitted.tokens or estimate(prompt))
        except BaseException as error:
            tokens = fitted.tokens or estimate(prompt)
            if begun:
                call.fail(error, -(-received // _LETTERS), tokens, meter.usage)
            else:
                call.drop()
            if isinstance(error, ProviderError):
                self._learn(choice, tokens, error)
            raise
        waits = ((held_up, "other calls to leave room in a budget"), (slot.waited, f"the rate limits of {name}"))
        waited = [f"It waited {seconds:.0f} s for {what}." for seconds, what in waits if seconds >= 1]
        return _noted(msgspec.structs.replace(completion, usage=usage), *fitted.notes, *waited)

    async def fitted(self, choice: Choice, prompt: Prompt, *, counts: bool = True) -> Fitted:
        """The prompt as the model takes it. ProviderError if it cannot be made short enough. Where nobody knows how much the
        model takes, and nothing ``counts`` its tokens, they are told as 0."""
        known = self._context.get((choice.provider.name, choice.model))
        context = await self._host.prices.context(choice.provider, choice.model)
        if context is not None:
            context -= prompt.max_tokens or _room(context)
        rooms = [room for room in (known, context) if room is not None]
        return fit(prompt, min(rooms)) if rooms else Fitted(prompt, (), estimate(prompt) if counts else 0)

    async def _answer(self, turn: Turn, choice: Choice, prompt: Prompt, emit: Callable[[str], None]) -> Completion:
        """The provider's own answer; what it says of the provider's health is noted."""
        breaker = self._health.breaker(choice.provider.name, "")
        try:
            caller = turn.table.method(choice.entry, Provider.generate)
            completion: Completion | None = await turn.hooks.call(caller, prompt, choice.model, emit)
            completion = whole(completion, prompt, choice)
        except NotDone as error:  # its plugin is quarantined
            raise ProviderError(error.message, reason="resting") from error
        except InDoubt as error:  # it did not come to an end
            raise ProviderError(error.message, reason="timeout") from error
        except ProviderError as error:
            if error.reason not in SICK:
                breaker.succeeded()
            elif breaker.failed(error):
                self._host.log.error("provider_passed_over", provider=choice.provider.name, error=error.message)
            raise
        breaker.succeeded()
        return completion

    def pace(self, provider: str) -> Pace:
        """The rate limits of a provider."""
        found = self._paces.get(provider)
        if found is None:
            clock = self._host.quarantine.clock
            found = self._paces[provider] = Pace(clock=clock, sleep=lambda seconds: self.sleep(seconds))
        return found

    def _learn(self, choice: Choice, tokens: int, error: ProviderError) -> None:
        """What a failure says about the calls to come."""
        name = choice.provider.name
        if error.reason == "rate_limit" and error.retry_after:
            self.pace(name).rest(min(error.retry_after, LONGEST))
        if error.reason == "length":
            known, shorter = self._context.get((name, choice.model)), int(tokens * SHORTER)
            self._context[name, choice.model] = shorter if known is None else min(known, shorter)

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


def whole(completion: Completion | None, prompt: Prompt, choice: Choice) -> Completion:
    """Nothing is no answer, unless the model has just got the results of what it called: then it may have no more to say."""
    who = f"{choice.provider.name}, model {choice.model},"
    if completion is None:
        raise ProviderError(f"{who} returned nothing.", reason="unreadable")
    if completion.calls or completion.text.strip():
        return completion
    if completion.finish is Finish.REFUSED:
        raise ProviderError(f"{who} refused to answer.", reason="refused", remedy="Say it in another way.")
    if prompt.messages and prompt.messages[-1].role != "tool":
        raise ProviderError(f"{who} answered with nothing.", reason="incomplete", remedy="Choose another model.")
    return completion


def _room(context: int | None) -> int:
    """Tokens for an answer of which nobody says how long it may be, from a model that takes so many with the prompt."""
    return ANSWER if context is None else min(ANSWER, context // 4)


def _noted(completion: Completion, *notes: str) -> Completion:
    return msgspec.structs.replace(completion, notes=(*notes, *completion.notes)) if notes else completion


def with_settings(prompt: Prompt, settings: ModelSettings | None) -> Prompt:
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


def for_provider(prompt: Prompt, provider: str) -> Prompt:
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


def _last(chain: Sequence[Choice]) -> Choice:
    """The last model of a chain that can be asked: behind it there is nobody."""
    if len(chain) == 1:
        return chain[0]
    return next((choice for choice in reversed(chain) if not missing_of(choice.entry)), chain[-1])


def _reason(error: CarrierError) -> str:
    return error.reason if isinstance(error, ProviderError) else "plugin"


def _pause(error: CarrierError, number: int, seed: int, *, is_last: bool) -> float | None:
    """Seconds until the model is asked again; None if it is not, because that would not help or there is no time.

    Of the doubled time a part is drawn, other for every turn, so that many turns that failed together do not come back
    together (the "equal jitter" of Brooker, Exponential Backoff And Jitter, 2015); so it is beyond the time that a provider
    asks for.
    """
    if not isinstance(error, ProviderError) or error.reason not in AGAIN:
        return None
    longest = min(LONGEST, FIRST * 2 ** (number - 1))
    drawn = (seed >> 5 * number) % 1000 / 1000
    pause = longest / 2 + longest / 2 * drawn
    if error.retry_after is not None:
        if error.retry_after > LONGEST and not is_last:
            return None
        pause = max(pause, error.retry_after + FIRST * drawn)
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
