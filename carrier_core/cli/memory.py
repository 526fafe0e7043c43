"""``carrierd memory``: list, recall, forget, export and import what agents remember."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from carrier_core.cli import desk, place
from carrier_core.errors import CarrierError, single

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carrier_core.messages import Entity, Memory
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
    forget.add_argument("ids", nargs="*", metavar="ID", help="the ids that `memory list` shows")
    forget.add_argument(
        "--person",
        dest="who",
        metavar="PERSON",
        default="",
        help="instead of memories a person, by id or name: all that they said, and whatever names them, everywhere",
    )
    forget.add_argument("--yes", action="store_true", help="do not ask before a person is forgotten")
    exporting = actions.add_parser("export", help="write everything that is kept, as JSON Lines")
    exporting.add_argument(
        "file", nargs="?", default="-", help="a file that is not there yet (default: standard output)"
    )
    exporting.add_argument("--agent", default="", help="only what concerns this agent")
    importing = actions.add_parser("import", help="take in what `memory export` wrote; what is there already stays")
    importing.add_argument("file", nargs="?", default="-", help="the file (default: standard input)")
    for each in (listing, recall):
        each.add_argument("--agent", default="", help="only of this agent")
        each.add_argument("--limit", type=place.count, default=20, help="how many at most (default: %(default)s)")
        place.add_json(each)
    place.add_json(forget)
    place.add_json(importing)
    for each in (listing, recall, forget, exporting, importing):
        place.add_config(each)
        place.add_state(each)
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """List, recall, forget, export or import."""
    with single():
        return {"forget": _forget, "export": _export, "import": _import}.get(args.what, _show)(args)


def _known(args: argparse.Namespace) -> None:
    """CarrierError where the configuration has no such agent."""
    agents = place.read_config(args).settings.agents
    if args.agent and args.agent not in agents:
        raise CarrierError(f"There is no agent {args.agent}.", remedy=f"There are: {', '.join(agents)}.")


def _usage(message: str, remedy: str = "") -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 64
    return error


# --- list, recall --------------------------------------------------------------------------------------------------------


def _show(args: argparse.Namespace) -> int:
    import anyio

    memories = anyio.run(_fetch, args)
    if not memories:
        _known(args)
    if args.json:
        import msgspec

        print(json.dumps(msgspec.to_builtins(memories), ensure_ascii=False))
    else:
        from carrier_core.cli.text import table

        rows = [(each.id, str(each.kind), each.name, each.text[:100]) for each in memories]
        print("\n".join(table(rows, ("MEMORY", "KIND", "WHO", "TEXT"))))
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


# --- forget ---------------------------------------------------------------------------------------------------------------


def _forget(args: argparse.Namespace) -> int:
    import anyio

    if args.who:
        if args.ids:
            raise _usage("Either memories or a person.", "Leave out the ids, or --person.")
        return _forget_person(args)
    if not args.ids:
        raise _usage("the following arguments are required: ID, or --person PERSON.")
    asked, count = len(set(args.ids)), anyio.run(_forgotten, args)
    print(json.dumps({"v": 1, "forgotten": count}) if args.json else f"{count} forgotten.")
    if count < asked:
        absent = f"{asked - count} of the {asked} memories" if asked > 1 else "The memory"
        raise CarrierError(f"{absent} cannot be found.", remedy="`carrierd memory list` shows their ids.")
    return 0


async def _forgotten(args: argparse.Namespace) -> int:
    async with desk.changing(args) as ask:
        return cast("int", await ask("forget", ids=cast("Json", args.ids)))


def _forget_person(args: argparse.Namespace) -> int:
    import anyio

    from carrier_core.cli.text import table, visible

    person = anyio.run(_person, args)
    who = visible(f"{person.name} ({person.platform}, {person.id})")
    if not args.yes:
        _confirm(f"Forget {who}, and all that they said, for good?")
    counts = anyio.run(_person_forgotten, args, person.id)
    if args.json:
        print(json.dumps({"v": 1, "person": person.id, "removed": counts}, ensure_ascii=False))
    else:
        rows = [(name, str(count)) for name, count in counts.items()]
        print("\n".join((f"{who} is forgotten.", *table(rows, ("REMOVED OR EMPTIED", "ROWS")))))
    return 0


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise _usage("Nobody can be asked here whether that is meant.", "Say so with --yes.")
    print(f"{question} Write yes: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise CarrierError("Nothing was forgotten.")


async def _person(args: argparse.Namespace) -> Entity:
    async with desk.reading(args) as reader:
        return await reader.person(args.who)


async def _person_forgotten(args: argparse.Namespace, entity: str) -> dict[str, int]:
    async with desk.changing(args) as ask:
        return cast("dict[str, int]", await ask("forget_person", entity=entity))


# --- export, import ---------------------------------------------------------------------------------------------------------


def _export(args: argparse.Namespace) -> int:
    import anyio

    _known(args)
    with _made(args.file) as file:
        anyio.run(_written, args, file)
    return 0


@contextmanager
def _made(name: str) -> Iterator[BinaryIO]:
    """Standard output, or a new file, which only this user may read, and which is there when all of it is."""
    if name == "-":
        yield sys.stdout.buffer
        return
    path = Path(name)
    part = path.with_name(f"{path.name}.part")
    if os.path.lexists(path):
        error = CarrierError(f"{path} exists already.", remedy="Choose another name, or remove it.")
        error.exit_code = 73  # EX_CANTCREAT
        raise error
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


async def _written(args: argparse.Namespace, file: BinaryIO) -> None:
    from carrier_core.archivefile import written

    async with desk.reading(args) as reader:
        async for piece in written(reader.store, args.agent):
            file.write(piece)


def _import(args: argparse.Namespace) -> int:
    import anyio

    if args.file == "-":
        new, read = anyio.run(_taken, args, sys.stdin.buffer)
    else:
        with Path(args.file).open("rb") as file:
            new, read = anyio.run(_taken, args, file)
    print(json.dumps({"v": 1, "read": read, "new": new}) if args.json else f"{read} entries read, {new} of them new.")
    return 0


async def _taken(args: argparse.Namespace, file: BinaryIO) -> tuple[int, int]:
    """How many entries were new, and how many were read."""
    from carrier_core.archivefile import read

    batches = read(file)
    head = next(batches, None)  # before a store is made for it: it may be no archive
    new = done = 0
    async with desk.changing(args, create=True) as ask:
        try:
            for batch in chain([head] if head else [], batches):
                new += cast("int", await ask("import", lines=list(batch.lines), first=batch.first))
                done += len(batch.lines)
        except CarrierError as error:
            if done:
                error.remedy += f" The {done} entries before it were taken in; import it again when it is mended."
            raise
        await ask("imported")
    return new, done
