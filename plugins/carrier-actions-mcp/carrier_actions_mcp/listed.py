"""Tools as servers list them: judged, brought into our own form, and marked, so that a change is noticed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from carrier_actions_mcp.schemas import Unfit, clean, normal
from carrier_core import Effect, Json

if TYPE_CHECKING:
    from carrier_actions_mcp.settings import ServerSettings

EVERY: Final = "*"
"""In `effects` of the settings: every tool that is not named there."""

MOST_TOOLS: Final = 200
"""Of one server; what it lists beyond them is left out."""

LONGEST_NAME: Final = 200
"""Characters of a tool's name as its server has it."""

LONGEST_DESCRIPTION: Final = 4_096
"""Characters of a description; the rest is cut."""


class Listed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool. ``parameters`` and ``output`` are in the form that :func:`~carrier_actions_mcp.schemas.normal` makes; what the
    server says that it does is None where it says nothing. ``mark`` is a hash of all that the server says of it."""

    name: str
    description: str
    parameters: dict[str, Json]
    mark: str
    output: dict[str, Json] | None = None
    read_only: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


class Listing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a server listed: its tools, in its order, and by name why others cannot be used, as the end of a sentence."""

    tools: tuple[Listed, ...] = ()
    unfit: dict[str, str] = {}


def judged(entries: Iterable[Json], read: Collection[str] | None = None) -> Listing:
    """The tools that can be used, and why the others cannot, of the entries as the server sent them: each is judged for itself.
    The first of two of one name counts. ``read`` are the names of those that the SDK takes; None if it was not asked."""
    fit: dict[str, Listed] = {}
    unfit: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        if len(fit) + len(unfit) >= MOST_TOOLS:
            unfit["..."] = f"come after the first {MOST_TOOLS}"
            break
        told = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(told, str):
            unfit[f"#{number}"] = "has no name" if isinstance(entry, dict) else "is no description of a tool"
            continue
        name = clean(told)
        short = name[:LONGEST_NAME]
        if not name or name != short or name in fit:
            unfit[short] = "is listed twice" if name in fit else "has an impossible name"
            continue
        try:
            made = _listed(name, entry)
            if read is not None and told not in read:
                raise Unfit("is not described as the protocol has it")
            fit[name] = made
        except Unfit as reason:
            unfit[name] = str(reason)
        except (ValueError, RecursionError):  # a number of thousands of digits, say
            unfit[name] = "cannot be written down"
    return Listing(tuple(fit.values()), unfit)


def _listed(name: str, entry: dict[str, Json]) -> Listed:
    if _table(entry, "execution").get("taskSupport") == "required":
        raise Unfit("can only be run as a task of the protocol, which is not done here")
    if entry.get("inputSchema") is None:
        raise Unfit("has no schema")
    declared = _table(entry, "inputSchema")
    try:
        parameters = normal(declared)
    except Unfit as reason:
        raise Unfit(f"has a schema that {reason}") from None
    hints = _table(entry, "annotations")
    told = clean(_text(entry, "description") or _text(entry, "title") or _text(hints, "title")).strip()
    return Listed(
        name,
        told if len(told) <= LONGEST_DESCRIPTION else f"{told[: LONGEST_DESCRIPTION - 1]}…",
        parameters,
        mark_of(entry),
        _output(entry),
        _hint(hints, "readOnlyHint"),
        _hint(hints, "idempotentHint"),
        _hint(hints, "openWorldHint"),
    )


def _table(entry: dict[str, Json], key: str) -> dict[str, Json]:
    """What stands there, empty if nothing does."""
    value = entry.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit(f"has something else than an object as its {key}")
    return value


def _text(entry: dict[str, Json], key: str) -> str:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise Unfit(f"has something else than a text as its {key}")
    return value or ""


def _hint(hints: dict[str, Json], key: str) -> bool | None:
    """What is neither true nor false says nothing: of that the worst is thought."""
    value = hints.get(key)
    return value if isinstance(value, bool) else None


def _output(entry: dict[str, Json]) -> dict[str, Json] | None:
    """The schema of what it returns, where it declares one that can be used: nothing depends on it but a check."""
    declared = entry.get("outputSchema")
    if not isinstance(declared, dict):
        return None
    try:
        return normal(declared)
    except Unfit:
        return None


def mark_of(entry: dict[str, Json]) -> str:
    """A hash of what a server says of a tool: its name, title, description, schemas and hints."""
    fields = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
    said = {field: entry[field] for field in fields if entry.get(field) is not None}
    return blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()


def effect_of(tool: Listed, settings: ServerSettings) -> Effect:
    """What a tool does to the world: what the operator says, or the server, if it is trusted.

    What nobody says is the worst, as in the protocol: that it changes something, in a world without bounds. So all tools of a
    server that is not trusted are external, until the operator says otherwise.
    """
    told = settings.effects.get(tool.name) or settings.effects.get(EVERY)
    if told is not None:
        return Effect(told)
    if not settings.trusted or tool.open_world is not False:
        return Effect.EXTERNAL
    return Effect.READ if tool.read_only else Effect.WRITE


def is_idempotent(tool: Listed, settings: ServerSettings) -> bool:
    """Whether a call of which nobody knows what became may be made again."""
    return bool(settings.trusted and tool.idempotent)


def is_offered(tool: Listed, settings: ServerSettings) -> bool:
    """Whether the operator wants it."""
    return tool.name not in settings.except_ and (not settings.only or tool.name in settings.only)


def strangers(listing: Listing, settings: ServerSettings) -> set[str]:
    """The tools that the operator names and the server does not have: misspelt, or gone."""
    named = {*settings.effects, *settings.only, *settings.except_} - {EVERY}
    return named - {tool.name for tool in listing.tools} - {*listing.unfit}
