"""``carrierd memory``: list, recall and forget what agents remember."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, cast

from carrier_core.cli import place
from carrier_core.errors import CarrierError, single

if TYPE_CHECKING:
    from carrier_core.messages import Memory
    from carrier_core.prompts import Json


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    listing = actions.add_parser("list", help="the newest memories")
    recall = actions.add_parser("recall", help="what is remembered about something, in a room of the command line")
    recall.add_argument("text", help="what about")
    recall.add_argument("--room", default="main", help="the room in which it would be said (default: %(default)s)")
    listing.add_argument("--kind", default="", help="only this kind: message, fact...")
    forget = actions.add_parser(
        "forget", help="remove memories, so that nothing recalls them; the records of past turns stay"
    )
    forget.add_argument("ids", nargs="+", metavar="ID", help="the ids that `memory list` shows")
    for each in (listing, recall):
        each.add_argument("--agent", default="", help="only of this agent")
        each.add_argument("--limit", type=_count, default=20, help="how many at most (default: %(default)s)")
        place.add_json(each)
    for each in (listing, recall, forget):
        place.add_config(each)
        place.add_state(each)
    parser.set_defaults(act=act)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def act(args: argparse.Namespace) -> int:
    """List, recall or forget."""
    import anyio

    with single():
        if args.what == "forget":
            return _forgotten(anyio.run(_forget, args), len(set(args.ids)))
        memories = anyio.run(_fetch, args)
    if args.agent and not memories and args.agent not in (agents := place.read_config(args).settings.agents):
        raise CarrierError(f"There is no agent {args.agent}.", remedy=f"There are: {', '.join(agents)}.")
    if args.json:
        import msgspec

        print(json.dumps(msgspec.to_builtins(memories), ensure_ascii=False))
    else:
        from carrier_core.cli.text import table

        rows = [(each.id, str(each.kind), each.name, each.text[:100]) for each in memories]
        print("\n".join(table(rows, ("MEMORY", "KIND", "WHO", "TEXT"))))
    return 0


def _forgotten(count: int, asked: int) -> int:
    """Say how many were forgotten. CarrierError where some were not there."""
    print(f"{count} forgotten.")
    if count < asked:
        absent = f"{asked - count} of the {asked} memories" if asked > 1 else "The memory"
        raise CarrierError(f"{absent} cannot be found.", remedy="`carrierd memory list` shows their ids.")
    return 0


async def _fetch(args: argparse.Namespace) -> tuple[Memory, ...]:
    from carrier_core.messages import MemoryKind, Query, Room

    store = await place.open_store(args)
    try:
        if args.what == "list":
            kind = MemoryKind(args.kind) if args.kind else None
            if kind is MemoryKind.UNKNOWN:
                kinds = ", ".join(each for each in MemoryKind if each is not MemoryKind.UNKNOWN)
                error = CarrierError(f"There is no kind of memory {args.kind}.", remedy=f"There are: {kinds}.")
                error.exit_code = 64
                raise error
            return await store.memory.list(agent=args.agent, kind=kind, limit=args.limit)
        agent = args.agent or next(iter(place.read_config(args).settings.agents))
        room = Room.of("local", args.room)
        readers = await store.memory.readers(room)
        found = await store.memory.recall(Query(agent, args.text, readers, room=room.id, limit=args.limit))
        return tuple(each.memory for each in found)
    finally:
        await store.close()


async def _forget(args: argparse.Namespace) -> int:
    import anyio

    from carrier_core.control import connect
    from carrier_core.plugins import choose_store, load_plugins

    state = place.state_of(args)
    remote = await connect(state)
    if remote is not None:
        async with anyio.create_task_group() as group:
            group.start_soon(remote.read)
            count = await remote.request("forget", ids=cast("Json", args.ids))
            group.cancel_scope.cancel()
        return cast("int", count)
    config = place.read_config(args)
    store = choose_store(config, load_plugins(config))
    await store.open_read_only(state)  # Unavailable where there is none: it is not made for this
    await store.close()
    await store.open(state)
    try:
        return await store.memory.forget(tuple(args.ids))
    finally:
        await store.close()
