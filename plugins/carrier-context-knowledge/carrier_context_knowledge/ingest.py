"""``carrierd ingest``: let an agent know documents, list them, forget them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from carrier_context_knowledge.files import File, content_of, found, source_of
from carrier_context_knowledge.formats import SUFFIXES, Unreadable
from carrier_context_knowledge.library import Entry, Label, Library, Taken, entry_of
from carrier_context_knowledge.reader import Refusal
from carrier_context_knowledge.reading import Reading
from carrier_core import EVERYONE, Audience, CarrierError, Command, MemoryKind

if TYPE_CHECKING:
    from carrier_context_knowledge.settings import Settings
    from carrier_core import Json, Memories

USAGE, DATA, NO_INPUT = 64, 65, 66
"""Exit codes, of sysexits(3): EX_USAGE, EX_DATAERR, EX_NOINPUT."""
_ALL = 1_000_000  # documents
_NAME = 160  # characters
_TOLD = 20  # rooms


class Ingest(Command):
    """See ``help``."""

    name = "ingest"
    help = "let an agent know documents: Markdown, plain text, HTML, PDF"

    def __init__(self, settings: Settings) -> None:
        self._bounds = settings.bounds

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "paths",
            nargs="*",
            metavar="PATH",
            help=f"files, and folders with all that is in them ({', '.join(SUFFIXES)})",
        )
        parser.add_argument("--agent", default="", help="who is to know them (default: the first of the configuration)")
        parser.add_argument("--name", default="", help="what one document is called instead of its file's name")
        parser.add_argument("--room", default="", help="only for those who are in this room; everyone may know it else")
        parser.add_argument(
            "--trusted",
            action="store_true",
            help="its text counts as your own words, where [policy] trusted lists carrier-context-knowledge; "
            "else it comes from outside: the policy asks before what it may have led to",
        )
        parser.add_argument("--replace", action="store_true", help="read again what has not changed, too")
        parser.add_argument("--list", action="store_true", help="list the documents that are known")
        parser.add_argument(
            "--forget",
            action="append",
            metavar="SOURCE",
            default=[],
            help="forget a document, by its path, its name or its id, or those of a folder",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: argparse.Namespace) -> int:
        """Take in, list or forget."""
        import anyio

        if sum(map(bool, (args.paths, args.list, args.forget))) != 1:
            raise _usage("Say which documents: either PATH, or --list, or --forget SOURCE.")
        if args.name and (len(args.paths) != 1 or Path(args.paths[0]).is_dir()):
            raise _usage("--name is for one file.", "Leave it out, or take in one file at a time.")
        if args.list:
            return anyio.run(_list, args)
        if args.forget:
            return anyio.run(_forget, args)
        return anyio.run(self._take, args)

    async def _take(self, args: argparse.Namespace) -> int:
        from carrier_core import open_memories

        files = list(found(args.paths))
        report = Report(as_json=args.json)
        if not any(file.refusal is None for file in files):
            report.refused(files)
            return report.end()
        async with open_memories(args, change=True) as memories, Reading(self._bounds) as reading:
            desk = Intake(Library(memories, memories.agent(args.agent)), reading, replace=args.replace)
            audience = Audience((await _room(memories, args.room),)) if args.room else EVERYONE
            report.agent = memories.agent(args.agent)
            for file in files:
                if file.refusal is not None:
                    report.refused([file])
                    continue
                label = Label(source_of(file.path), named(args.name or file.path.name), args.trusted, audience)
                report.add(file, await desk.take(file.path, label))
        return report.end()


async def _room(memories: Memories, name: str) -> str:
    """The id of a room that there is. CarrierError (64) where nobody has been in such a room: nobody would see the document."""
    room = await memories.room(name)
    there = await memories.rooms()
    if room.id in {each.id for each in there}:
        return room.id
    names = sorted({shown(each.name or each.id) for each in there})
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    remedy = (
        f"There are: {', '.join(names[:_TOLD])}{more}." if names else "A room is there once somebody has spoken in it."
    )
    raise _usage(f"There is no room {shown(name)}.", remedy)


class Became(NamedTuple):
    """What became of a file: it is known now, in some way, or was refused; ``missing`` where it could not even be opened."""

    taken: Taken | None = None
    entry: Entry | None = None
    refusal: Refusal | None = None
    missing: bool = False


class Intake:
    """Takes files in, one after another."""

    def __init__(self, library: Library, reading: Reading, *, replace: bool = False) -> None:
        self._library = library
        self._reading = reading
        self._replace = replace

    async def take(self, path: Path, label: Label) -> Became:
        """A file, unless it is known already as it is."""
        import anyio

        bounds = self._reading.bounds
        try:
            content = await anyio.to_thread.run_sync(content_of, path, bounds.size)
        except Unreadable as error:
            return Became(refusal=Refusal(error.reason, error.remedy), missing=isinstance(error.__cause__, OSError))
        digest = blake2b(content, digest_size=32).hexdigest()
        known = None if self._replace else await self._library.has(label, digest)
        if known is not None:
            return Became(Taken.UNCHANGED, known)
        text = await self._reading.read(content, path.suffix)
        if isinstance(text, Refusal):
            return Became(refusal=text)
        return Became(*await self._library.take(label, text, digest=digest, size=len(content)))


class Report:
    """What is told while documents are taken in, or at the end, as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self.agent = ""
        self._as_json = as_json
        self._documents: list[Json] = []
        self._refused: list[Json] = []
        self._passed_over: list[Json] = []
        self._code = 0

    def add(self, file: File, became: Became) -> None:
        """A file that was looked into."""
        if became.refusal is not None or became.entry is None:
            self.refused([file._replace(refusal=became.refusal, missing=became.missing)])
            return
        entry = became.entry
        told = _told(entry)
        told["state"] = str(became.taken)
        self._documents.append(told)
        if not self._as_json:
            pieces = f"{entry.fragments} fragment{'s' if entry.fragments != 1 else ''}"
            print(shown(f"{file.path}: {became.taken}, {pieces}."), flush=True)

    def refused(self, files: list[File]) -> None:
        """Files that are not taken in. Those of other kinds that only lie in a folder with others are no failure."""
        for file in files:
            refusal = file.refusal
            if refusal is None:
                continue
            if not file.asked and not file.missing and file.path.suffix.lower() not in SUFFIXES:
                self._passed_over.append(shown(str(file.path)))
                continue
            code = NO_INPUT if file.missing else DATA
            self._code = DATA if DATA in (code, self._code) else code
            self._refused.append({"path": shown(str(file.path)), "reason": refusal.reason, "remedy": refusal.remedy})
            if not self._as_json:
                said = f"carrierd: {file.path}: {refusal.reason} {refusal.remedy}".rstrip()
                print(shown(said), file=sys.stderr, flush=True)

    def end(self) -> int:
        """Say what is left to say; the exit code."""
        if not self._documents and not self._code:
            self._code = NO_INPUT
            if not self._as_json:
                print("carrierd: There is no document there.", file=sys.stderr)
        if self._as_json:
            told: dict[str, Json] = {
                "v": 1,
                "agent": self.agent,
                "documents": self._documents,
                "refused": self._refused,
                "passed_over": self._passed_over,
            }
            print(json.dumps(told, ensure_ascii=False))
        elif self._passed_over:
            count = len(self._passed_over)
            print(f"{count} file{'s' if count != 1 else ''} of other kinds passed over.")
        return self._code


# --- list, forget -----------------------------------------------------------------------------------------------------


async def _list(args: argparse.Namespace) -> int:
    from carrier_core import open_memories

    async with open_memories(args) as memories:
        known = await _known(memories, memories.agent(args.agent) if args.agent else "")
        names = {room.id: room.name for room in await memories.rooms()} if any(each.rooms for each in known) else {}
    if args.json:
        documents: list[Json] = [
            _told(each.entry) | {"id": each.id, "agent": each.agent, "at": each.at, "rooms": list(_names(each, names))}
            for each in known
        ]
        print(json.dumps({"v": 1, "documents": documents}, ensure_ascii=False))
        return 0
    if not known:
        print("No document is known.")
        return 0
    rows = [
        ("DOCUMENT", "AGENT", "NAME", "FRAGMENTS", "ROOM", "SINCE", "SOURCE"),
        *[_row(each, names) for each in known],
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


async def _forget(args: argparse.Namespace) -> int:
    from carrier_core import open_memories

    gone: list[Json] = []
    async with open_memories(args, change=True) as memories:
        known = await _known(memories, memories.agent(args.agent) if args.agent else "")
        chosen = {each.id: each for source in args.forget for each in _meant(known, source)}
        for each in chosen.values():
            await Library(memories, each.agent).forget(each.entry.source)
            gone.append(_told(each.entry) | {"id": each.id, "agent": each.agent})
            if not args.json:
                print(shown(f"{each.entry.name} is forgotten ({each.agent}, {each.entry.source})."))
    if args.json:
        print(json.dumps({"v": 1, "forgotten": gone}, ensure_ascii=False))
    return 0


class Known(NamedTuple):
    """A document that an agent knows. ``rooms`` are the ids of those whose readers alone may know it; empty: everyone may."""

    id: str
    agent: str
    at: float
    entry: Entry
    rooms: tuple[str, ...] = ()


async def _known(memories: Memories, agent: str) -> list[Known]:
    """By agent and source."""
    listed = await memories.list(agent=agent, kind=MemoryKind.DOCUMENT, limit=_ALL)
    entries = [(memory, entry_of(memory)) for memory in listed]
    known = [
        Known(memory.id, memory.agent, memory.at, entry, tuple(memory.provenance.audience.rooms))
        for memory, entry in entries
        if entry is not None
    ]
    return sorted(known, key=lambda each: (each.agent, each.entry.source))


def _meant(known: list[Known], source: str) -> list[Known]:
    """The documents that somebody means by a path, a name or an id. CarrierError if there is none, or if several are called so."""
    path = source_of(Path(source))
    for fits in (
        [each for each in known if each.entry.source == path],
        [each for each in known if each.entry.source.startswith(f"{path.rstrip('/')}/")],
        [each for each in known if each.id == source or (len(source) >= 6 and each.id.startswith(source))],
    ):
        if fits:
            return fits
    named = [each for each in known if each.entry.name == source]
    if len({each.entry.source for each in named}) > 1:
        shown_ids = ", ".join(f"{each.id[:12]} ({each.entry.source})" for each in named[:5])
        raise _usage(f"Several documents are called {source}: {shown_ids}.", "Say which, by its path or id.")
    if not named:
        raise CarrierError(f"There is no document {source}.", remedy="`carrierd ingest --list` shows what there is.")
    return named


def _told(entry: Entry) -> dict[str, Json]:
    """A document as JSON, with whether all of it is there."""
    told: dict[str, Json] = msgspec.to_builtins(entry)
    whole: dict[str, Json] = {"title": "", "pages": 0, "complete": bool(entry.mark)}
    return whole | {key: value for key, value in told.items() if key != "mark"}


def _names(known: Known, names: dict[str, str]) -> tuple[str, ...]:
    """What the rooms are called that a document is for; one that is gone, by its id."""
    return tuple(names.get(room) or room for room in known.rooms)


def _row(known: Known, names: dict[str, str]) -> tuple[str, ...]:
    entry = known.entry
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(known.at))
    count = str(entry.fragments) if entry.mark else "incomplete"
    rooms = ", ".join(_names(known, names)) or "everyone"
    cells = (known.id[:12], known.agent, entry.name, count, rooms, when, entry.source)
    return tuple(shown(cell) for cell in cells)


def shown(text: str) -> str:
    """The text in one line of valid text, without what would control a terminal."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)


def named(name: str) -> str:
    """What a document is called: one line."""
    return shown(name)[:_NAME] or "document"


def _usage(message: str, remedy: str = "") -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = USAGE
    return error
