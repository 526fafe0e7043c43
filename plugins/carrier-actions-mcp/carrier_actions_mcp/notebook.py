"""What is kept of a server in the state folder: the tools that it listed last, and those whose descriptions are accepted.

With it a daemon starts without starting any server, and notices when a server says something else than before. Two files for
each server: the daemon writes what was listed, and whoever accepts it writes the marks. A third says why it cannot be started,
for as long as it cannot.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from carrier_actions_mcp.listed import Listing

if TYPE_CHECKING:
    from carrier_actions_mcp.settings import ServerSettings

FOLDER = "mcp"
"""In the state folder."""

T = TypeVar("T", bound=msgspec.Struct)


class _Page(msgspec.Struct, frozen=True):
    server: str
    listing: Listing
    v: int = 1


class _Marks(msgspec.Struct, frozen=True):
    server: str
    marks: dict[str, str]
    v: int = 1
    reviewed: tuple[str, ...] = ()


class _Failure(msgspec.Struct, frozen=True):
    server: str
    why: str
    v: int = 1


class Notebook:
    """The notes about one server. Those that were made while it was configured in another way count for nothing."""

    def __init__(self, state: Path, name: str, settings: ServerSettings) -> None:
        self.folder = state / FOLDER
        self._listing = self.folder / f"{name}.json"
        self._accepted = self.folder / f"{name}.accepted.json"
        self._failure = self.folder / f"{name}.failed.json"
        self._server = _identity(settings)

    def listing(self) -> Listing | None:
        """What it listed last; None if that is not known."""
        page = _read(self._listing, _Page)
        return page.listing if page is not None and page.server == self._server else None

    def keep(self, listing: Listing) -> None:
        """Write down what it listed. The first listing of all is taken as accepted: there is nothing to compare it with."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if listing != self.listing():
            _write(self._listing, _Page(self._server, listing))
        marks = _read(self._accepted, _Marks)
        if not self._accepted.exists() or (marks is not None and marks.server != self._server):
            self.accept({tool.name: tool.mark for tool in listing.tools})
        self._failure.unlink(missing_ok=True)

    def fail(self, why: str) -> None:
        """Write down why it could not be started, as the end of a sentence. It holds until it lists its tools."""
        if why != self.failure():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(self._failure, _Failure(self._server, why))

    def failure(self) -> str:
        """Why it could not be started the last time; empty if it could, or if that is not known."""
        noted = _read(self._failure, _Failure)
        return noted.why if noted is not None and noted.server == self._server else ""

    def accepted(self) -> dict[str, str]:
        """The marks of the tools as they were accepted, by name. A file that cannot be read accepts nothing."""
        marks = _read(self._accepted, _Marks)
        return marks.marks if marks is not None and marks.server == self._server else {}

    def reviewed(self) -> frozenset[str]:
        """The tools that a person has accepted, as opposed to those that were there first."""
        marks = _read(self._accepted, _Marks)
        return frozenset(marks.reviewed if marks is not None and marks.server == self._server else ())

    def accept(self, marks: dict[str, str], reviewed: frozenset[str] = frozenset()) -> None:
        """Write down which tools are accepted, and which of them by a person."""
        _write(self._accepted, _Marks(self._server, marks, reviewed=tuple(sorted(reviewed))))


def _identity(settings: ServerSettings) -> str:
    """What makes it this server: how it is started or where it is. Not its keys."""
    told = [settings.command, *settings.args, settings.cwd, settings.url]
    return blake2b(msgspec.json.encode(told), digest_size=16).hexdigest()


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(path: Path, value: msgspec.Struct) -> None:
    """Whole or not at all, whatever dies."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=1))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
