"""Naming: which room, person or row an operator means by a name, an id or the beginning of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar, cast

from carrier_core.clients import LOCAL
from carrier_core.errors import CarrierError
from carrier_core.messages import Entity, OpenEnum, Room, World
from carrier_core.reception import clean_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from carrier_core.archive import Entry
    from carrier_core.memory import Store

T = TypeVar("T")

_SHOWN = 5  # of those that fit a name


async def room_named(store: Store, name: str, *, or_new: bool = False) -> Room:
    """The room with this name or id: one of the command line before those of platforms. CarrierError if there is none, or
    several; with ``or_new`` one of the command line is meant where there is none.
    """
    own = Room.of(LOCAL, clean_name(name))
    for key in (own.id, name):
        if (known := await store.memory.room(key)) is not None:
            return known
    fits = [room for room in await store.memory.rooms() if name in (room.name, room.native)]
    if not fits and or_new and own.name:
        return own
    return only(fits, f"room {name}", "Give its name or its id.", _room)


async def person_named(store: Store, name: str) -> Entity:
    """The person with this id, a beginning of it, or this name. CarrierError if nobody or several are called so."""
    known = name.removeprefix("person:")
    fits = [entity async for entity in people(store) if is_named(entity, name) or entity.id.startswith(known or "-")]
    exact = [entity for entity in fits if entity.id == known]
    return only(exact or fits, f"person {name}", "`carrierd memory list --json` shows ids, as `entity`.", called)


def is_named(entity: Entity, name: str) -> bool:
    """Whether a person is called so, on their platform or by people; case does not matter."""
    folded = name.casefold()
    return bool(name) and folded in (entity.name.casefold(), entity.username.casefold(), entity.native.casefold())


def called(entity: Entity) -> str:
    """A person, so that they cannot be taken for another."""
    return f"{entity.name} ({entity.platform}, {entity.id})"


def _room(room: Room) -> str:
    return f"{room.name} ({room.platform}, {room.id})"


async def people(store: Store) -> AsyncIterator[Entity]:
    """All that are known: they stand at the beginning of an archive, after worlds and rooms."""
    async with aclosing(cast("AsyncGenerator[tuple[Entry, ...], None]", store.export())) as batches:
        async for batch in batches:
            for entry in batch:
                if isinstance(entry, Entity):
                    yield entry
            if not isinstance(batch[-1], World | Room | Entity):
                return


def only(fits: Sequence[T], what: str, remedy: str, show: Callable[[T], str]) -> T:
    """The only one. CarrierError if there is none (70), or if several fit (64)."""
    if not fits:
        raise CarrierError(f"There is no {what}.", remedy=remedy)
    if len(fits) > 1:
        raise several(what, [show(each) for each in fits])
    return fits[0]


def several(what: str, shown: Sequence[str]) -> CarrierError:
    """That a name fits several."""
    more = ", ..." if len(shown) > _SHOWN else ""
    return wrong(f"There is more than one {what}: {', '.join(shown[:_SHOWN])}{more}.", "Say which, by the id.")


def member(kind: type[OpenEnum], name: str, what: str) -> OpenEnum:
    """The member of an enumeration that an operator named. CarrierError (64) that lists them, if there is none."""
    if kind(name) is not kind("unknown"):
        return kind(name)
    there = ", ".join(each for each in kind if each is not kind("unknown"))
    raise wrong(f"There is no {what} {name}.", f"There are: {there}.")


def wrong(message: str, remedy: str) -> CarrierError:
    """What was asked cannot be understood."""
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 64  # EX_USAGE
    return error
