"""Whose words they are: what an action may say of the origin of its results and of what it stores."""

from __future__ import annotations

from collections.abc import Iterable

from carrier_core import (
    OPERATOR,
    ActionCall,
    ActionResult,
    Json,
    Part,
    PartKind,
    Provenance,
    Then,
    Turn,
    derive,
    outside,
)


def claimed(provenance: Provenance | None) -> Provenance | None:
    """The same without the operator, for whom a plugin may not speak. Nothing gains trust by losing its most trusted origin:
    a model's text keeps the agent's, and those of everyone whose words were in the prompt."""
    if provenance is None or OPERATOR not in provenance.origins:
        return provenance
    return Provenance(tuple(origin for origin in provenance.origins if origin != OPERATOR), provenance.audience)


def told(
    call: ActionCall,
    text: str,
    *,
    also: Iterable[Provenance] = (),
    ok: bool = True,
    data: Json = None,
    say: tuple[Part, ...] = (),
    then: Then = Then.MODEL,
    silent: bool = False,
) -> ActionResult:
    """A result whose text is made of the call, and of what comes from elsewhere ``also``. One of unknown origin stays unlabelled."""
    provenance = call.provenance
    if provenance is not None and also:
        provenance = derive((provenance, *also))
    return ActionResult(text, ok, data, say, then, silent, provenance=claimed(provenance))


def refused(call: ActionCall, problem: str, origins: tuple[str, ...] = ()) -> ActionResult:
    """What went wrong, for the model. ``origins`` are those of what it repeats besides the call."""
    return told(call, problem, also=(Provenance(origins),) if origins else (), ok=False)


def whose(turn: Turn, call: ActionCall, *arguments: str) -> Provenance:
    """Whose words a text that is made of these arguments is.

    What a model writes is of everyone whose words were in its prompt. Only where the host found each argument, as it is, in
    what the person has just said here (not in what they quote), the text is of those in whose parts it was found.
    """
    written = call.provenance or Provenance((outside(f"action/{call.name}"),), turn.spoken.audience)
    own = [part.text for part in turn.message.content if part.kind is PartKind.TEXT]
    found: list[Provenance] = []
    for argument in arguments:
        texts = _texts(call.arguments.get(argument))
        sources = [source for source in call.sources if source.argument == argument]
        if not texts and not sources:
            continue  # left out
        if not texts or not sources or any(turn.memory_id not in source.parts for source in sources):
            return claimed(written) or written
        if not all(any(text in said for said in own) for text in texts):
            return claimed(written) or written
        found += [source.provenance for source in sources]
    origin = derive(found) if found else written
    return claimed(origin) or origin


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text.strip() for text in values if isinstance(text, str) and text.strip()]
