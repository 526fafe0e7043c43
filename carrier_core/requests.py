"""Requests: what the control socket can be asked beside talking, most of which changes something. Each is an operation of the desk.

The command line calls the same operations on a store of its own where no daemon runs, so that both do the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import msgspec

from carrier_core.archivefile import entries
from carrier_core.desk import Desk
from carrier_core.messages import Memory, MemoryKind
from carrier_core.prompts import Json

Values = Mapping[str, object]
"""What came with a request. A value that is missing or of the wrong type is a KeyError, TypeError or ValueError."""

_BOOKED = ("when", "text", "agent", "room", "person", "by", "zone", "missed")


async def _retry(desk: Desk, values: Values) -> Json:
    return await desk.retry(str(values["key"]))


async def _discard(desk: Desk, values: Values) -> Json:
    return await desk.discard(str(values["key"]))


async def _answer(desk: Desk, values: Values) -> Json:
    return await desk.answer(str(values["turn"]), str(values["value"]))


async def _decide(desk: Desk, values: Values) -> Json:
    return await desk.decide(str(values["key"]), str(values["value"]), str(values.get("reason") or ""))


async def _schedule(desk: Desk, values: Values) -> Json:
    given = {name: str(values[name]) for name in _BOOKED if name in values}
    return await desk.add(given.pop("when"), given.pop("text"), **given)


async def _cancel(desk: Desk, values: Values) -> Json:
    return await desk.cancel(str(values["key"]))


async def _import(desk: Desk, values: Values) -> Json:
    lines = msgspec.convert(values["lines"], tuple[str, ...])
    return await desk.restore(entries(lines, msgspec.convert(values["first"], int)))


async def _imported(desk: Desk, values: Values) -> Json:
    await desk.resume()
    return None


async def _memories(desk: Desk, values: Values) -> Json:
    kind = str(values.get("kind") or "")
    memories = await desk.store.memory.list(
        agent=str(values.get("agent") or ""),
        room=str(values.get("room") or ""),
        kind=MemoryKind(kind) if kind else None,
        limit=int(str(values.get("limit") or 50)),
    )
    return cast("Json", msgspec.to_builtins(memories))


async def _recollect(desk: Desk, values: Values) -> Json:
    memories = await desk.store.memory.get(msgspec.convert(values["ids"], tuple[str, ...]))
    return cast("Json", msgspec.to_builtins(memories))


async def _remember(desk: Desk, values: Values) -> Json:
    await desk.remember(msgspec.convert(values["memories"], tuple[Memory, ...]))
    return None


async def _place(desk: Desk, values: Values) -> Json:
    return cast("Json", msgspec.to_builtins(await desk.place(str(values["room"]))))


async def _rooms(desk: Desk, values: Values) -> Json:
    return cast("Json", msgspec.to_builtins(await desk.store.memory.rooms()))


async def _forget(desk: Desk, values: Values) -> Json:
    return await desk.forget(msgspec.convert(values["ids"], tuple[str, ...]))


async def _forget_person(desk: Desk, values: Values) -> Json:
    return cast("Json", await desk.forget_person(str(values["entity"])))


OPERATIONS: dict[str, Callable[[Desk, Values], Awaitable[Json]]] = {
    "retry": _retry,
    "discard": _discard,
    "answer": _answer,
    "decide": _decide,
    "schedule": _schedule,
    "cancel": _cancel,
    "import": _import,
    "imported": _imported,
    "memories": _memories,
    "recollect": _recollect,
    "remember": _remember,
    "place": _place,
    "rooms": _rooms,
    "forget": _forget,
    "forget_person": _forget_person,
}
"""By the name that a request has as its ``op``."""
