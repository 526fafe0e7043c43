"""Stamping: what a plugin brings into a turn gets the plugin's and the hook's name, and no more trust than it may claim.

A plugin may label a part with origins of parts that the host showed it in this turn; the operator's origin only if
``[policy] trusted`` lists it. It can lower trust, never raise it. What it does not label comes from outside. What a model
makes has the provenance of its whole prompt, whatever the plugin says that asked it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from operator import is_

import msgspec

from carrier_core.contract import CORE, Impl
from carrier_core.messages import Memory, Part, Recalled, Reply
from carrier_core.prompts import ActionCall, ActionResult, Completion, Json, Prompt, PromptMessage, Source, State
from carrier_core.provenance import AGENT, OPERATOR, Audience, Provenance, derive, outside
from carrier_core.reception import clean_text

_SHORT = 4  # characters; a shorter value of an argument is looked for as a whole word, because it is part of many
_MOST = 100  # texts of an argument that are looked for; the turn's own provenance covers what else there is

_asked: ContextVar[Prompt | None] = ContextVar("asked", default=None)


class Stamp:
    """The stamps of one turn. ``audience`` is that of a text whose own is not known: whoever is in the turn's room."""

    def __init__(self, audience: Audience, trusted: Iterable[str]) -> None:
        self._audience = audience
        self._trusted = frozenset((CORE, *trusted))
        self._origins: set[str] = {AGENT}
        self._vouched: dict[int, Part] = {}
        self._made: dict[int, Part | ActionCall] = {}
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
        for provenance in {memory.provenance for memory in memories} - self._shown:
            self.show(provenance)

    def part(self, part: Part, plugin: str, hook: str) -> Part:
        """The part with a provenance that can be relied on; the same object if it has been through here before."""
        if id(part) in self._vouched:
            return part
        stamped = self._stamped(part, plugin, hook)
        self._vouched[id(stamped)] = stamped
        return stamped

    def _stamped(self, part: Part, plugin: str, hook: str) -> Part:
        text = clean_text(part.text)
        if text != part.text:
            part = msgspec.structs.replace(part, text=text)
        claimed = part.provenance
        if plugin == CORE and claimed is not None:
            return part
        if claimed is not None and claimed in self._shown and plugin in self._trusted and claimed.plugin:
            return part  # a line of the conversation as the host handed it out
        return msgspec.structs.replace(part, provenance=self._checked(claimed, plugin, hook))

    def _checked(self, claimed: Provenance | None, plugin: str, hook: str) -> Provenance:
        """What a plugin says of its text, as far as it may: seen origins, and outside, which nobody has to prove."""
        if claimed is None:
            return self.unlabelled(plugin, hook)
        trusted = plugin in self._trusted
        allowed: list[str] = []
        doubtful = False
        for origin in claimed.origins:
            if trusted if origin == OPERATOR else origin in self._origins:
                allowed.append(origin)
            elif origin.startswith(outside("")):
                allowed.append(origin)
                doubtful = doubtful or not trusted
            else:
                doubtful = True
        if doubtful or not allowed:
            allowed.append(outside(f"plugin/{plugin}"))
        audience = claimed.audience if trusted else claimed.audience & self._audience
        return Provenance(tuple(dict.fromkeys(allowed)), audience, plugin, hook)

    def unlabelled(self, plugin: str, hook: str) -> Provenance:
        """The provenance of what a plugin brought without saying whose it is."""
        found = self._outside.get((plugin, hook))
        if found is None:
            found = Provenance((outside(f"plugin/{plugin}"),), self._audience, plugin, hook)
            self._outside[plugin, hook] = found
        return found

    @contextmanager
    def asking(self, prompt: Prompt) -> Iterator[None]:
        """While it lasts, completions are made from this prompt, not from the turn's own: a hook asks a model."""
        token = _asked.set(prompt)
        try:
            yield
        finally:
            _asked.reset(token)

    def completion_of(self, prompt: Prompt | None, plugin: str, hook: str) -> Provenance:
        """The provenance of what a model made of a prompt: all of it, and the agent's."""
        inputs = [Provenance((AGENT,), self._audience)]
        for message in prompt.messages if prompt is not None else ():
            inputs += [part.provenance or self.unlabelled(plugin, hook) for part in message.parts]
            inputs += [call.provenance for call in message.calls if call.provenance is not None]
        inputs += [
            Provenance(tool.origins, self._audience) for tool in (prompt.tools if prompt else ()) if tool.origins
        ]
        return derive(inputs, plugin=plugin, hook=hook)

    def answer(self, impl: Impl, value: object) -> object:
        """Stamp whatever an implementation answered, before anybody else sees it."""
        plugin, hook = impl.plugin, impl.hook
        if isinstance(value, State):
            parts = tuple([self.part(part, plugin, hook) for part in value.parts])
            return value if _same(parts, value.parts) else State(parts)
        if isinstance(value, Prompt):
            return self._prompt(value, plugin, hook)
        if isinstance(value, Completion):
            return self._completion(value, plugin, hook)
        if isinstance(value, Reply):
            parts = tuple(self.part(part, plugin, hook) for part in value.parts)
            return value if _same(parts, value.parts) else msgspec.structs.replace(value, parts=parts)
        if isinstance(value, ActionResult):
            return self._result(value, plugin, hook)
        if isinstance(value, Memory):
            return self._memory(value, plugin, hook)
        if isinstance(value, tuple) and value and isinstance(value[0], Recalled):
            return self._recalled(value, plugin, hook)
        return value

    def _result(self, result: ActionResult, plugin: str, hook: str) -> ActionResult:
        said = tuple(self.part(part, plugin, hook) for part in result.say)
        provenance = result.provenance
        if provenance is not None and plugin != CORE:
            provenance = self._checked(provenance, plugin, hook)
        text = clean_text(result.text)
        if provenance is result.provenance and text == result.text and _same(said, result.say):
            return result
        return msgspec.structs.replace(result, text=text, say=said, provenance=provenance)

    def _memory(self, memory: Memory, plugin: str, hook: str) -> Memory:
        """What a memory says of its parts; its own provenance is the host's, which puts it back."""
        parts = tuple(part if part.provenance is None else self.part(part, plugin, hook) for part in memory.content)
        return memory if _same(parts, memory.content) else msgspec.structs.replace(memory, content=parts)

    def _recalled(self, found: tuple[Recalled, ...], plugin: str, hook: str) -> tuple[Recalled, ...]:
        """Memories, as the store has them; those of a plugin that is not trusted are what it says they are, checked."""
        if plugin not in self._trusted:
            found = tuple(self._doubted(recalled, plugin, hook) for recalled in found)
        self.show_memories(recalled.memory for recalled in found)
        return found

    def _doubted(self, recalled: Recalled, plugin: str, hook: str) -> Recalled:
        memory = self._memory(recalled.memory, plugin, hook)
        if memory.provenance not in self._shown:
            memory = msgspec.structs.replace(memory, provenance=self._checked(memory.provenance, plugin, hook))
        return msgspec.structs.replace(recalled, memory=memory)

    def _prompt(self, prompt: Prompt, plugin: str, hook: str) -> Prompt:
        if plugin == CORE:  # it is made of what was stamped before: no need to make it again
            parts = [part for message in prompt.messages for part in message.parts]
            if all(part.provenance is not None for part in parts):
                self._vouched.update([(id(part), part) for part in parts])
                return prompt
        messages = tuple([self._message(message, plugin, hook) for message in prompt.messages])
        return prompt if _same(messages, prompt.messages) else msgspec.structs.replace(prompt, messages=messages)

    def _message(self, message: PromptMessage, plugin: str, hook: str) -> PromptMessage:
        parts = tuple(self.part(part, plugin, hook) for part in message.parts)
        return message if _same(parts, message.parts) else msgspec.structs.replace(message, parts=parts)

    def _completion(self, completion: Completion, plugin: str, hook: str) -> Completion:
        """Whoever makes a completion gives it all of the prompt; whoever changes it adds what it brings itself."""
        makes = hook == "generate" or hook.endswith(".generate")
        again = not makes or plugin == CORE
        known = [id(each) in self._made and again for each in (*completion.parts, *completion.calls)]
        if all(known):
            return completion
        prompt = _asked.get() or self.prompt
        whole = self.completion_of(prompt, plugin, hook)
        self.show(whole)

        def of(claimed: Provenance | None) -> Provenance:
            if makes or (claimed is None and plugin in self._trusted):
                return whole
            return derive((whole, self._checked(claimed, plugin, hook)), plugin=plugin, hook=hook)

        kept = iter(known)
        parts = tuple(
            part
            if next(kept)
            else msgspec.structs.replace(part, text=clean_text(part.text), provenance=of(part.provenance))
            for part in completion.parts
        )
        calls = tuple(call if next(kept) else _call(call, of(None), prompt) for call in completion.calls)
        self._vouched.update((id(part), part) for part in parts)
        made: tuple[Part | ActionCall, ...] = (*parts, *calls)
        self._made.update((id(each), each) for each in made)
        return msgspec.structs.replace(completion, parts=parts, calls=calls)


def _call(call: ActionCall, provenance: Provenance, prompt: Prompt | None) -> ActionCall:
    sources = []
    call = msgspec.structs.replace(call, id=clean_text(call.id), name=clean_text(call.name))
    if not _is_valid(call.arguments):
        arguments = {clean_text(name): _valid(value) for name, value in call.arguments.items()}
        call = msgspec.structs.replace(call, arguments=arguments)
    texts = [(part, part.text.casefold(), part.provenance) for part in (prompt.parts if prompt is not None else ())]
    for argument, value in call.arguments.items():
        wanted = [_finder(text) for text in islice(dict.fromkeys(_texts(value)), _MOST)]
        found = [
            (part.memory or part.key or "text", origin)
            for part, text, origin in texts
            if origin is not None and any(finds(text) for finds in wanted)
        ]
        if found:
            names = tuple(dict.fromkeys(name for name, _ in found))
            sources.append(Source(argument, names, derive(origin for _, origin in found)))
    return msgspec.structs.replace(call, provenance=provenance, sources=tuple(sources))


def _is_valid(value: Json) -> bool:
    """Whether all texts in a value are valid; however deep they lie, because a model may nest as it likes."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            left += each
        elif isinstance(each, str) and clean_text(each) != each:
            return False
    return True


def _valid(value: Json) -> Json:
    """The value with valid text only, however deep it lies."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_valid(each) for each in value]
    if isinstance(value, dict):
        return {clean_text(key): _valid(each) for key, each in value.items()}
    return value


def _texts(value: Json) -> Iterator[str]:
    """What is to be found in the prompt of an argument: its texts and numbers, however deep they lie."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += each.values()
        elif isinstance(each, list):
            left += each
        elif isinstance(each, str) and each.strip():
            yield each.strip().casefold()
        elif isinstance(each, (int, float)) and not isinstance(each, bool):
            yield str(int(each)) if isinstance(each, float) and each.is_integer() else str(each)


def _finder(wanted: str) -> Callable[[str], bool]:
    if len(wanted) < _SHORT or wanted.replace(".", "").isdecimal():
        word = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)")
        return lambda text: word.search(text) is not None
    return lambda text: wanted in text


def _same(new: tuple[object, ...], old: tuple[object, ...]) -> bool:
    """Whether nothing was changed; a list, which could still be changed later, is not the same as a tuple."""
    return type(old) is tuple and len(new) == len(old) and all(map(is_, new, old))
