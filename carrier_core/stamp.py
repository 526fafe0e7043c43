"""Stamping: what a plugin brings into a turn gets the plugin's and the hook's name, and no more trust than it may claim.

A plugin may label a part with origins of parts that the host showed it in this turn; the operator's origin only if
``[policy] trusted`` lists it. It can lower trust, never raise it. What it does not label comes from outside.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from carrier_core.dispatch import Impl
from carrier_core.messages import Memory, Part, Recalled, Reply
from carrier_core.plugins import CORE
from carrier_core.prompts import ActionCall, ActionResult, Completion, Prompt, PromptMessage, Source, State
from carrier_core.provenance import AGENT, OPERATOR, Audience, Provenance, derive, outside

_SHORTEST = 3  # characters of an argument's value that say where it comes from; shorter ones are everywhere


class Stamp:
    """The stamps of one turn. ``audience`` is that of a text whose own is not known: whoever is in the turn's room."""

    def __init__(self, audience: Audience, trusted: Iterable[str]) -> None:
        self._audience = audience
        self._trusted = frozenset((CORE, *trusted))
        self._origins: set[str] = {AGENT}
        self._vouched: dict[int, Part] = {}
        self._shown: set[Provenance] = set()
        self._outside: dict[tuple[str, str], Provenance] = {}
        self.prompt: Prompt | None = None

    def show(self, provenance: Provenance) -> None:
        """Note that parts of this provenance were handed out, so that their origins may be claimed."""
        if provenance not in self._shown:
            self._shown.add(provenance)
            self._origins.update(provenance.origins)

    def show_memories(self, memories: Iterable[Memory]) -> None:
        """Note that these memories were handed out."""
        for memory in memories:
            self.show(memory.provenance)

    def part(self, part: Part, plugin: str, hook: str) -> Part:
        """The part with a provenance that can be relied on; the same object if it has been through here before."""
        if id(part) in self._vouched:
            return part
        stamped = self._stamped(part, plugin, hook)
        self._vouched[id(stamped)] = stamped
        return stamped

    def _stamped(self, part: Part, plugin: str, hook: str) -> Part:
        claimed = part.provenance
        if plugin == CORE and claimed is not None:
            return part
        if claimed is None:
            return msgspec.structs.replace(part, provenance=self.unlabelled(plugin, hook))
        if claimed in self._shown and plugin in self._trusted and claimed.plugin:
            return part  # a line of the conversation as the host handed it out
        trusted = plugin in self._trusted
        known = tuple(o for o in claimed.origins if (o in self._origins and o != OPERATOR) or (o == OPERATOR and trusted))
        origins = known if known == claimed.origins and known else (*known, outside(f"plugin/{plugin}"))
        audience = claimed.audience if trusted else claimed.audience & self._audience
        return msgspec.structs.replace(part, provenance=Provenance(origins, audience, plugin, hook))

    def unlabelled(self, plugin: str, hook: str) -> Provenance:
        """The provenance of what a plugin brought without saying whose it is."""
        found = self._outside.get((plugin, hook))
        if found is None:
            found = Provenance((outside(f"plugin/{plugin}"),), self._audience, plugin, hook)
            self._outside[plugin, hook] = found
        return found

    def completion_of(self, prompt: Prompt | None, plugin: str, hook: str) -> Provenance:
        """The provenance of what a model made of a prompt: all of it, and the agent's."""
        inputs = [part.provenance for part in prompt.parts if part.provenance is not None] if prompt else []
        return derive((*inputs, Provenance((AGENT,), self._audience)), plugin=plugin, hook=hook)

    def answer(self, impl: Impl, value: object) -> object:
        """Stamp whatever an implementation answered, before anybody else sees it."""
        plugin, hook = impl.plugin, impl.hook
        if isinstance(value, State):
            parts = tuple(self.part(part, plugin, hook) for part in value.parts)
            return value if _same(parts, value.parts) else State(parts)
        if isinstance(value, Prompt):
            return self._prompt(value, plugin, hook)
        if isinstance(value, Completion):
            return self._completion(value, plugin, hook)
        if isinstance(value, Reply):
            parts = tuple(self.part(part, plugin, hook) for part in value.parts)
            return value if _same(parts, value.parts) else msgspec.structs.replace(value, parts=parts)
        if isinstance(value, ActionResult):
            said = tuple(self.part(part, plugin, hook) for part in value.say)
            return value if _same(said, value.say) else msgspec.structs.replace(value, say=said)
        if isinstance(value, tuple) and value and isinstance(value[0], Recalled):
            self.show_memories(found.memory for found in value)
        return value

    def _prompt(self, prompt: Prompt, plugin: str, hook: str) -> Prompt:
        messages = tuple(self._message(message, plugin, hook) for message in prompt.messages)
        return prompt if _same(messages, prompt.messages) else msgspec.structs.replace(prompt, messages=messages)

    def _message(self, message: PromptMessage, plugin: str, hook: str) -> PromptMessage:
        parts = tuple(self.part(part, plugin, hook) for part in message.parts)
        return message if _same(parts, message.parts) else msgspec.structs.replace(message, parts=parts)

    def _completion(self, completion: Completion, plugin: str, hook: str) -> Completion:
        if not completion.parts and not completion.calls:
            return completion
        if all(id(part) in self._vouched for part in completion.parts) and all(c.provenance for c in completion.calls):
            return completion
        whole = self.completion_of(self.prompt, plugin, hook)
        parts = tuple(
            part if id(part) in self._vouched else msgspec.structs.replace(part, provenance=whole)
            for part in completion.parts
        )
        for part in parts:
            self._vouched[id(part)] = part
        self.show(whole)
        calls = tuple(self._call(call, whole) for call in completion.calls)
        return msgspec.structs.replace(completion, parts=parts, calls=calls)

    def _call(self, call: ActionCall, whole: Provenance) -> ActionCall:
        sources = []
        for argument, value in call.arguments.items():
            if isinstance(value, str) and len(value) >= _SHORTEST and self.prompt is not None:
                found = [part for part in self.prompt.parts if value in part.text and part.provenance is not None]
                if found:
                    names = tuple(dict.fromkeys(part.memory or part.key for part in found))
                    origin = derive([part.provenance for part in found if part.provenance is not None])
                    sources.append(Source(argument, names, origin))
        return msgspec.structs.replace(call, provenance=whole, sources=tuple(sources))


def _same(new: tuple[object, ...], old: tuple[object, ...]) -> bool:
    return len(new) == len(old) and all(a is b for a, b in zip(new, old, strict=True))
