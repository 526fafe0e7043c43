"""Replay: the model calls of a past turn made again, for comparison. Nothing is performed, stored or sent.

Every round is asked with the prompt that was recorded for it, so that what differs in one does not spread to the next. What
is asked is the model that the configuration names today, first in its chain and once, or the one that the operator names.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from difflib import unified_diff
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, cast

import anyio
from msgspec.structs import replace

from carrier_core import specs
from carrier_core.asking import for_provider, whole, with_settings
from carrier_core.contract import Caller
from carrier_core.dispatch import Hooks
from carrier_core.errors import CarrierError, PluginError, ProviderError
from carrier_core.journal import Journal
from carrier_core.ledger import composed_of, digests_of, outlined
from carrier_core.models import Choice, Models, missing_of
from carrier_core.outcomes import Composition, Outline, TurnRecord
from carrier_core.plugins import things_named
from carrier_core.prompts import Completion, Json, Prompt, Usage
from carrier_core.recording import completions_of
from carrier_core.records import decode
from carrier_core.things import Provider

if TYPE_CHECKING:
    from carrier_core.host import Host


class Asked(NamedTuple):
    """A round of a past turn: the prompt, what came of it, and after how many milliseconds."""

    number: int
    prompt: Prompt
    completion: Completion
    duration_ms: float


class Script(NamedTuple):
    """The rounds of a past turn whose prompts are kept, and why other calls of it cannot be made again."""

    rounds: tuple[Asked, ...]
    left: tuple[str, ...] = ()


class Replayed(NamedTuple):
    """A round that was asked again: what came of it this time, or what went wrong. ``is_priced`` says that the cost is known."""

    asked: Asked
    completion: Completion | None
    duration_ms: float
    error: CarrierError | None = None
    is_priced: bool = False

    @property
    def is_same(self) -> bool:
        """Whether it says, calls and ends as it did."""
        now, then = self.completion, self.asked.completion
        return now is not None and _lines(now) == _lines(then) and now.finish is then.finish


# --- what was asked ------------------------------------------------------------------------------------------------------


async def script_of(journal: Journal, record: TurnRecord) -> Script:
    """The model calls of a turn, with their prompts. CarrierError where there were none, or nothing of them is kept."""
    values = {step.name: decode(step.value, object) for step in record.steps if bytes(step.value) != b"null"}
    took = {step.name: step.duration_ms for step in record.steps}
    said = completions_of(values.items())
    rounds, left = [], []
    for number, completion in said.items():
        kept = values.get(f"compose/{number}")
        if not isinstance(kept, Composition | Outline):
            left.append(f"generate/{number}: {_NOT_KEPT}")
            continue
        try:
            prompt = await _prompt(journal, record, kept, said)
        except LookupError as error:
            left.append(f"generate/{number}: {_GONE.format(error.args[0])}")
        else:
            rounds.append(Asked(number, prompt, completion, took[f"generate/{number}"]))
    left += [
        f"{name}: {_OF_A_PLUGIN}" for name in values if isinstance(values[name], Completion) and name.count("/") > 1
    ]
    if not rounds:
        why = " ".join(left) or (_GONE.format("what it asked") if record.outcome.usage.calls else "it asked no model.")
        raise CarrierError(
            f"The turn {record.id} cannot be replayed: {why}", remedy=f"What is left: carrierd why {record.id[:12]}."
        )
    return Script(tuple(rounds), tuple(left))


_NOT_KEPT = (
    "its prompt was not kept (older releases did not; of a turn that was stopped while it waited, or that a crash cut off at "
    "its end, there is none)."
)
_GONE = "{} is gone, removed by a rule of retention or because a person was forgotten."
_OF_A_PLUGIN = "a plugin asked this, and its prompt is not kept."


async def _prompt(
    journal: Journal, record: TurnRecord, kept: Composition | Outline, said: dict[int, Completion]
) -> Prompt:
    """The prompt of a round, which a turn that has not ended keeps in another form. LookupError names what of it is gone."""
    digests = record.parts if isinstance(kept, Outline) else digests_of(kept)
    parts = {found.digest: found.part for found in await journal.parts(digests)}
    if isinstance(kept, Outline):
        return outlined(kept, [parts[digest] for digest in digests if digest in parts], said)
    try:
        return composed_of(kept, parts).prompt
    except KeyError as error:
        raise LookupError(f"a part of its prompt ({error.args[0]})") from error


# --- asking again --------------------------------------------------------------------------------------------------------


class Replay:
    """Asks again what a turn asked. ``host`` is one that does not run: it has the plugins and the configuration.

    ``model`` is ``provider/model``, or ``provider`` for its own choice; without it, what the agent's configuration names.
    """

    def __init__(self, host: Host, agent: str, script: Script, model: str = "") -> None:
        self._host = host
        self._hooks = Hooks(budgets=host.budgets)
        self._models = None
        if agent in host.config.settings.agents:
            self._models = Models(host.config, agent, host.plugins.all(Provider))
        elif not model:
            raise CarrierError(
                f"There is no agent {agent} in the configuration any more.",
                remedy="Name a model: --model provider/model.",
            )
        self._rounds = [(asked, self._choose(asked.prompt.model, model)) for asked in script.rounds]

    def _choose(self, model_class: str, name: str) -> Choice:
        """Whom to ask. CarrierError if there is no such provider."""
        if not name:
            assert self._models is not None
            return self._models.chain(model_class)[0]
        provider, _, model = name.partition("/")
        entry = self._host.plugins.things[Provider].get(provider)
        if entry is None or not isinstance(entry.thing, Provider):
            there = things_named(self._host.plugins.all(Provider))
            raise CarrierError(f"There is no provider {provider}.", remedy=f"There are: {there}.")
        own = entry.thing.models.get(model_class) or entry.thing.models.get("large", "")
        return Choice(entry, entry.thing, model or own)

    async def run(self) -> AsyncIterator[Replayed]:
        """Ask round after round; one that fails does not keep back the next."""
        for asked, choice in self._rounds:
            yield await self._ask(asked, choice)

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        """The plugins that are asked are started, and no other, for as long as the block."""
        plugins = {choice.entry.plugin for _, choice in self._rounds}
        stop: Caller[..., None] = self._host.table.caller(specs.stop_host)
        try:
            await self._start(plugins)
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._hooks.unwind(stop, [*plugins], self._host)

    async def _start(self, plugins: Collection[str]) -> None:
        table = self._host.table
        start: Caller[..., None] = table.caller(specs.start_host)
        stop: Caller[..., None] = table.caller(specs.stop_host)
        for impl in start.impls:
            if impl.plugin in plugins:
                settings = self._host.plugins.found[impl.plugin].settings
                failures = await self._hooks.ordered(start.only(impl), stop, lambda plugin: False, self._host, settings)
                for failure in failures:
                    raise PluginError(f"{impl.plugin} did not start: {failure.message}.", plugin=impl.plugin)

    async def _ask(self, asked: Asked, choice: Choice) -> Replayed:
        settings = self._models.settings(asked.prompt.model) if self._models is not None else None
        prompt = for_provider(with_settings(asked.prompt, settings), choice.provider.name)
        started = perf_counter()
        try:
            if missing := missing_of(choice.entry):
                raise ProviderError(missing, reason="auth")
            fitted = await self._host.asking.fitted(choice, prompt)
            method = self._host.table.method(choice.entry, Provider.generate)
            started = perf_counter()
            answer: Completion | None = await self._hooks.call(method, fitted.prompt, choice.model, _unseen)
            took = _since(started)
            completion = whole(answer, fitted.prompt, choice)
        except CarrierError as error:
            return Replayed(asked, None, _since(started), error)
        price = await self._host.prices.price(choice.provider, choice.model)
        usage = replace(completion.usage, calls=max(1, completion.usage.calls))
        return Replayed(
            asked,
            replace(
                completion,
                usage=usage if price is None else replace(usage, cost=price.cost(usage)),
                provider=choice.provider.name,
                model=completion.model or choice.model,
                notes=(*fitted.notes, *completion.notes),
            ),
            took,
            is_priced=price is not None,
        )


def _unseen(text: str) -> None:
    """Where drafts go that nobody is shown."""


def _since(started: float) -> float:
    return round((perf_counter() - started) * 1000, 3)


# --- what differs, as JSON -----------------------------------------------------------------------------------------------


def compared(replayed: Replayed) -> dict[str, Json]:
    """One round as ``carrierd turns replay --json`` prints it."""
    asked, now, error = replayed.asked, replayed.completion, replayed.error
    reason = error.reason if isinstance(error, ProviderError) else "plugin"
    return {
        "round": asked.number,
        "same": replayed.is_same,
        "recorded": _told(asked.completion, asked.duration_ms, is_priced=bool(asked.completion.usage.cost)),
        "replayed": None if now is None else _told(now, replayed.duration_ms, is_priced=replayed.is_priced),
        "error": None if error is None else {"reason": reason, "message": str(error)},
        "diff": [] if now is None else _diff(asked.completion, now),
    }


def total(rounds: list[Replayed]) -> dict[str, Json]:
    """What asking again has used, as far as the answers tell: calls that ``failed`` may have cost something too. The cost is
    None where that of a model is not known."""
    answered = [each for each in rounds if each.completion is not None]
    usage = sum((each.completion.usage for each in answered if each.completion is not None), Usage())
    return _used(usage, is_priced=all(each.is_priced for each in answered)) | {
        "calls": len(rounds),
        "failed": len(rounds) - len(answered),
    }


def _told(completion: Completion, duration_ms: float, *, is_priced: bool) -> dict[str, Json]:
    return {
        "provider": completion.provider,
        "model": completion.model,
        "text": completion.text,
        "calls": [{"name": call.name, "arguments": call.arguments} for call in completion.calls],
        "finish": str(completion.finish),
        "usage": _used(completion.usage, is_priced=is_priced),
        "notes": [*completion.notes],
        "duration_ms": duration_ms,
    }


def _used(usage: Usage, *, is_priced: bool) -> dict[str, Json]:
    """Tokens, and the cost in billionths of a US dollar; None where that is not known."""
    names = ("input", "output", "cached", "stored")
    tokens = {name: cast("Json", getattr(usage, name)) for name in names}
    return tokens | {"cost": usage.cost if is_priced else None}


def _diff(then: Completion, now: Completion) -> list[Json]:
    return [*unified_diff(_lines(then), _lines(now), "recorded", "now", lineterm="")]


def _lines(completion: Completion) -> list[str]:
    """Text and calls, line by line. The ids of calls are left out: they are other ones each time."""
    shown = completion.text.splitlines()
    for call in completion.calls:
        arguments = json.dumps(call.arguments, ensure_ascii=False, indent=2, sort_keys=True)
        shown += f"calls {call.name} {arguments}".splitlines()
    return shown
