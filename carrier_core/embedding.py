"""Embedding: memories get their vectors in the background, and what is recalled for gets its own."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import anyio

from carrier_core.contract import Caller, Contract
from carrier_core.dispatch import Hooks
from carrier_core.errors import CarrierError, PluginError, ProviderError
from carrier_core.fitting import ceiling_of_text, estimate_text
from carrier_core.kept import Kept
from carrier_core.messages import InboundKind
from carrier_core.metering import Meter
from carrier_core.prompts import Usage
from carrier_core.things import Embedder

if TYPE_CHECKING:
    from carrier_core.host import Host
    from carrier_core.outcomes import Event
    from carrier_core.plugins import Registered

BATCH = 64
"""Memories that are embedded in one call."""
LETTERS = 6_000
"""Characters of a text that are embedded: services refuse more than some 8,000 tokens."""
PLAIN = "Good morning."
"""What any embedder takes: tells one that refuses a text from one that refuses everything."""
QUESTION = 1.0
"""Seconds for embedding what is recalled for: half of what context has, so that it goes on without a vector."""
SOON, LATE = 1.0, 300.0
"""Seconds after a failure before the next attempt: the first, and at most."""

KNOWN = 512
"""Texts whose vectors are kept, by the hash of the text: what was just asked becomes a memory right after."""

_REFUSALS = ("invalid", "refused")
_ENDED = ("turn_completed", "turn_failed")

Vector = tuple[float, ...]


class Embedding:
    """The embedder of a host, at work for the store. Like the store, it is the host's, whichever plugins an agent has.

    Nothing is queued here: the store is asked which memories have no vector yet, so a restart loses none. An embedder
    that fails is asked again later, with fewer texts; a single text that it will not take is left without a vector.
    """

    def __init__(self, host: Host, entry: Registered) -> None:
        embedder = entry.thing
        assert isinstance(embedder, Embedder)
        self.model = f"{embedder.name}/{embedder.dimension}"
        self._dimension = embedder.dimension
        self._key = f"embedder {embedder.name}"
        provider, _, model = embedder.name.partition("/")
        self._service = _Service(provider, model or provider, embedder.billed_as, embedder.free)
        self._host = host
        self._caller: Caller[..., tuple[Vector, ...]] = host.table.method(entry, Embedder.embed)
        caller = self._caller
        brief = Contract(caller.verb, min(QUESTION, caller.budget), effects=False)
        self._asking: Caller[..., tuple[Vector, ...]] = Caller(caller.hook, brief, caller.accepts, caller.impls)
        self._known: Kept[bytes, array[float]] = Kept(KNOWN)
        self._more = anyio.Event()
        self._scope = anyio.CancelScope()
        self._size = BATCH
        host.events.listen(self._heard)

    async def of(self, hooks: Hooks, text: str) -> Vector:
        """The vector of a text that memories are recalled for; empty where there is none, which is reported."""
        if not text.strip():
            return ()
        try:
            with anyio.fail_after(1.5 * QUESTION):  # with the wait for rate limits: the turn goes on without
                return (await self._ask(hooks, self._asking, (text,)))[0]
        except (CarrierError, TimeoutError) as error:
            self._failed(error)
            return ()

    async def run(self) -> None:
        """Give memories their vectors until stopped. No failure ends it."""
        with self._scope:
            delay = SOON
            while True:
                self._more = anyio.Event()
                try:
                    went_on = await self._batch()
                except Exception as error:  # the store's and the embedder's alike: there is always a next time
                    self._failed(error)
                    await anyio.sleep(max(delay, getattr(error, "retry_after", None) or 0.0))
                    delay = min(2 * delay, LATE)
                    continue
                delay = SOON
                self._host.degraded.pop(self._key, None)
                if not went_on:
                    await self._more.wait()

    def stop(self) -> None:
        """End it: the plugins are about to stop."""
        self._scope.cancel()

    def _heard(self, event: Event) -> None:
        if event.name in _ENDED or event.data.get("kind") == InboundKind.EDIT:
            self._more.set()

    async def _batch(self) -> bool:
        """Embed what has no vector, as much as goes at once; returns whether there was anything."""
        memory = self._host.store.memory
        waiting = await memory.unembedded(self.model, limit=self._size)
        if not waiting:
            return False
        texts = [(each.id, each.text[:LETTERS]) for each in waiting]
        told = [(key, text) for key, text in texts if text.strip()]
        made: Sequence[Vector] = ()
        try:
            if told:
                made = await self._ask(self._host.hooks, self._caller, tuple(text for _, text in told))
        except CarrierError as error:
            self._size = max(1, self._size // 2)
            if len(told) > 1 or not _lasting(error):
                raise
            await self._embed(self._host.hooks, self._caller, (PLAIN,))  # raises if it is not the text
            made = ((),)
            self._left_out(told[0][0], error)
        vectors = dict(zip((key for key, _ in told), made, strict=True))
        await memory.embed(self.model, tuple((key, vectors.get(key, ())) for key, _ in texts))
        self._size = min(BATCH, 2 * self._size)
        return True

    async def _ask(
        self, hooks: Hooks, caller: Caller[..., tuple[Vector, ...]], texts: tuple[str, ...]
    ) -> tuple[Vector, ...]:
        """The vectors of texts; those that are known are not asked for again, nor is one text twice."""
        shown = [text[:LETTERS] for text in texts]
        keys = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in shown]
        found = {key: known for key in keys if (known := self._known.get(key)) is not None}
        new = {key: text for key, text in zip(keys, shown, strict=True) if key not in found}
        if new:
            made = await self._embed(hooks, caller, tuple(new.values()))
            for key, vector in zip(new, made, strict=True):
                found[key] = self._known[key] = array("d", vector)
        return tuple(tuple(found[key]) for key in keys)

    async def _embed(
        self, hooks: Hooks, caller: Caller[..., tuple[Vector, ...]], texts: tuple[str, ...]
    ) -> tuple[Vector, ...]:
        """Vectors from the embedder, when it may be asked; what it uses is counted. CarrierError if a budget has no room."""
        host, service = self._host, self._service
        tokens = sum(map(estimate_text, texts))
        call = host.spending.open(
            agent="",
            turn="",
            person="",
            room="",
            provider=service.name,
            model=service.model,
            price=await host.prices.price(service, service.model),
        )
        refusal = await call.hold(tokens, 0, most_in=sum(map(ceiling_of_text, texts)))
        if refusal is not None:
            raise CarrierError(refusal.message)
        begun, meter = False, Meter()
        try:
            async with host.asking.pace(service.name).turn("", tokens):
                begun = True
                with meter:
                    made = await hooks.call(caller, texts)
        except BaseException as error:
            if begun:
                call.fail(error, 0, tokens, meter.usage)
            else:
                call.drop()
            raise
        call.settle(meter.usage or Usage())
        if made is None or len(made) != len(texts) or not all(_fits(vector, self._dimension) for vector in made):
            plugin = caller.impls[0].plugin
            problem = f"{plugin} did not return a vector of {self._dimension} numbers for each of {len(texts)} texts."
            raise PluginError(problem, plugin=plugin, hook=caller.hook)
        return made

    def _failed(self, error: Exception) -> None:
        """What the embedder itself raised was told by its dispatch; here is what it means."""
        why = error.message if isinstance(error, CarrierError) else f"{type(error).__name__}: {error}"
        self._host.degraded[self._key] = why
        self._host.log.warning("embedding_failed", model=self.model, error=why)

    def _left_out(self, memory: str, error: CarrierError) -> None:
        self._host.log.warning("memory_not_embedded", model=self.model, memory=memory, error=error.message)


class _Service(NamedTuple):
    """The model that an embedder's name says."""

    name: str
    model: str
    billed_as: str
    free: bool


def _lasting(error: CarrierError) -> bool:
    """Whether it will be the same tomorrow."""
    return isinstance(error, PluginError) or (isinstance(error, ProviderError) and error.reason in _REFUSALS)


def _fits(vector: Vector, dimension: int) -> bool:
    try:
        return len(list(map(isfinite, vector))) == dimension
    except TypeError:
        return False  # not numbers
