"""The values between a message and its reply: state, prompt, completion, action calls, verdicts."""

from __future__ import annotations

from typing import Self, TypeVar

import msgspec

from carrier_core.messages import Json as Json
from carrier_core.messages import OpenEnum, Part, text_of
from carrier_core.provenance import OPERATOR, Provenance

T = TypeVar("T", bound=msgspec.Struct)


# --- state, prompt, completion -----------------------------------------------------------------------------------------


class State(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What context contributed to one round, in order."""

    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, **texts: str) -> Self:
        """A state from texts by key: ``State.of(weather="It rains.")``."""
        return cls(tuple(Part(text, key=key) for key, text in texts.items()))

    def select(self, key: str) -> tuple[Part, ...]:
        """The parts with this key, in order."""
        return tuple(part for part in self.parts if part.key == key)

    def text(self, key: str) -> str:
        """The parts with this key as one text, a line for each; empty when there is none."""
        return text_of(self.select(key))

    def within(self, size: int | None) -> Self:
        """The first parts, as many as have so many characters together; the last of them is cut, and says so."""
        if size is None or sum([len(part.text) for part in self.parts]) <= size:
            return self
        kept: list[Part] = []
        for part in self.parts:
            if len(part.text) > size:
                text = f"{part.text[:size].rstrip()} […]" if size else ""
                return type(self)((*kept, *([msgspec.structs.replace(part, text=text)] if text else [])))
            size -= len(part.text)
            kept.append(part)
        return type(self)(tuple(kept))


class Tool(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An action as a model sees it. ``parameters`` is a JSON schema of type object. ``origins`` are those of its name, description
    and schema, where they are not the plugin's own: whatever a model makes of the prompt has them too."""

    name: str
    description: str
    parameters: dict[str, Json]
    origins: tuple[str, ...] = ()


class Carry(msgspec.Struct, frozen=True, gc=False):
    """What a provider wants back with the next prompt (reasoning, a response id). No other provider is given it."""

    provider: str
    data: Json


class Source(msgspec.Struct, frozen=True, gc=False):
    """The parts of the prompt (by their ``key`` or memory id) that contain the value of one argument, and their provenance."""

    argument: str
    parts: tuple[str, ...]
    provenance: Provenance


class ActionCall(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A call that a model asks for. ``provenance`` is that of the completion; ``sources`` say where values come from.

    ``key`` is the idempotency key that the host gives it before it is performed, the same at every attempt.
    """

    id: str
    name: str
    arguments: dict[str, Json]
    provenance: Provenance | None = None
    sources: tuple[Source, ...] = ()
    key: str = ""

    @property
    def own(self) -> Provenance | None:
        """The provenance of what is made of this call and of nothing else, for a result: that of whatever led to it. The operator, for
        whom a plugin may not speak, is left out."""
        if self.provenance is None:
            return None
        origins = tuple(origin for origin in self.provenance.origins if origin != OPERATOR)
        return Provenance(origins, self.provenance.audience)

    def read(self, kind: type[T]) -> T:
        """The arguments as the struct that the action declares. msgspec.ValidationError if they do not fit it, which the host
        has made sure of before it performs a call."""
        return msgspec.convert(self.arguments, kind)


class PromptMessage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One message of a prompt. ``role`` is system, user, assistant or tool; ``call`` the id of the call that a tool message
    answers, and ``failed`` whether that went wrong; ``calls`` what an assistant message asked for."""

    role: str
    parts: tuple[Part, ...] = ()
    calls: tuple[ActionCall, ...] = ()
    call: str = ""
    carry: Carry | None = None
    failed: bool = False

    @property
    def text(self) -> str:
        """All parts as one text."""
        return text_of(self.parts)


class Effort(OpenEnum):
    """How much a model is to think before it answers, where it can be told."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"


class Prompt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a model is asked. ``model`` is a class (small, large, reasoning, vision), mapped to models per agent.

    ``max_tokens`` limits the completion. ``temperature`` and ``effort`` are passed on as they are, where the model has them;
    what is None here, the agent's settings for the class decide. With a ``schema``, a JSON schema of type object, the
    answer's text is JSON that keeps to it.
    """

    messages: tuple[PromptMessage, ...]
    tools: tuple[Tool, ...] = ()
    model: str = "large"
    max_tokens: int | None = None
    temperature: float | None = None
    effort: Effort | None = None
    schema: dict[str, Json] | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts of all messages."""
        return tuple(part for message in self.messages for part in message.parts)

    def select(self, key: str) -> tuple[Part, ...]:
        """The parts with this key, in order."""
        return tuple(part for message in self.messages for part in message.parts if part.key == key)


class Composed(msgspec.Struct, frozen=True, gc=False):
    """What the step ``compose`` makes: the state of a round and the prompt that came of it."""

    state: State
    prompt: Prompt


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Tokens of one or several model calls: of the ``input``, ``cached`` were read from the provider's cache and ``stored``
    were written to it. ``cost`` is in billionths of a US dollar."""

    input: int = 0
    output: int = 0
    cached: int = 0
    calls: int = 0
    stored: int = 0
    cost: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.calls + other.calls,
            self.stored + other.stored,
            self.cost + other.cost,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.input - other.input,
            self.output - other.output,
            self.cached - other.cached,
            self.calls - other.calls,
            self.stored - other.stored,
            self.cost - other.cost,
        )


class Finish(OpenEnum):
    """Why a completion ended: by itself, to call tools, at the token limit, or refused by the provider."""

    STOP = "stop"
    CALLS = "calls"
    LENGTH = "length"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A model call that gave no completion: whom it was made to, why it failed (the reason of a ProviderError), what was
    said of it, and how long it took. A model that was passed over was asked in no time."""

    provider: str
    model: str
    reason: str
    message: str = ""
    seconds: float = 0.0


class Completion(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a model answered. Its provenance is derived from its whole prompt by the host.

    The host adds which ``attempts`` failed before, and in ``notes`` what it did to the prompt for this model.
    """

    parts: tuple[Part, ...] = ()
    calls: tuple[ActionCall, ...] = ()
    finish: Finish = Finish.STOP
    usage: Usage = Usage()
    provider: str = ""
    model: str = ""
    carry: Carry | None = None
    attempts: tuple[Attempt, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All parts as one text."""
        return text_of(self.parts)


# --- acting and judging ------------------------------------------------------------------------------------------------


class Effect(OpenEnum):
    """What an action does to the world."""

    READ = "read"
    WRITE = "write"
    EXTERNAL = "external"
    SPEND = "spend"
    UNKNOWN = "unknown"


class Then(OpenEnum):
    """Who goes on after an action: the model, with the result, or nobody: the turn ends with what was said."""

    MODEL = "model"
    END = "end"
    UNKNOWN = "unknown"


class ActionResult(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What came of an action call. ``text`` is for the model; ``say`` is added to the reply; ``silent`` ends the turn
    without any reply. ``begun``, that it may have had an effect, is filled in by the host."""

    text: str = ""
    ok: bool = True
    data: Json = None
    say: tuple[Part, ...] = ()
    then: Then = Then.MODEL
    silent: bool = False
    call: str = ""
    name: str = ""
    provenance: Provenance | None = None
    begun: bool = False


class Ruling(OpenEnum):
    """What ``authorize`` says of a call; the strictest of all answers counts."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"
    UNKNOWN = "unknown"


class Authorization(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A ruling and its reason. Of one that asks, ``approver`` is who may approve: ``person``, the one spoken with, or ``admin``,
    ``owner``, ``operator``; whoever stands above may, too."""

    ruling: Ruling
    reason: str = ""
    approver: str = "person"


class Verdict(OpenEnum):
    """What an evaluator says of a draft."""

    PASS = "pass"
    REVISE = "revise"
    BLOCK = "block"
    FOLLOW_UP = "follow_up"
    UNKNOWN = "unknown"


class Evaluation(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A verdict on a draft. ``feedback`` goes to the model with ``revise`` and is the follow-up's instruction. ``plugin``, whose it is,
    is filled in by the host."""

    verdict: Verdict
    feedback: str = ""
    evaluator: str = ""
    plugin: str = ""


class Judged(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """All verdicts of a round."""

    evaluations: tuple[Evaluation, ...] = ()


class Decision(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Whether to answer, and why."""

    answer: bool
    reason: str = ""


class Draft(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the agent is about to say after a round: its parts, and the calls and results that led there."""

    parts: tuple[Part, ...] = ()
    calls: tuple[ActionCall, ...] = ()
    results: tuple[ActionResult, ...] = ()
    round: int = 1

    @property
    def text(self) -> str:
        """All parts as one text."""
        return text_of(self.parts)
