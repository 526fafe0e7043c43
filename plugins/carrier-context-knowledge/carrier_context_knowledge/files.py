"""Files: what lies under the paths that somebody names, and what of it is a document."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from carrier_context_knowledge.formats import SUFFIXES, Unreadable
from carrier_context_knowledge.reader import Refusal

MISSING = "There is no such file."
_OTHER = f"Files of this kind are not read; those that are end in {', '.join(SUFFIXES)}."


class File(NamedTuple):
    """A file that may be a document. ``refusal`` is why it cannot be one; it is ``missing`` where there is none, or it may not be
    read. ``asked`` says that it was named itself, rather than found in a folder."""

    path: Path
    asked: bool = True
    refusal: Refusal | None = None
    missing: bool = False


def found(paths: list[str]) -> Iterator[File]:
    """Every file under the paths once, in an order that is the same every time. A folder that is linked into itself is entered
    once; what is hidden in a folder is passed over."""
    seen: set[tuple[int, int]] = set()
    for name in paths:
        yield from _under(Path(name), seen, asked=True)


def _under(path: Path, seen: set[tuple[int, int]], *, asked: bool) -> Iterator[File]:
    try:
        status = path.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        if not stat.S_ISDIR(status.st_mode):
            yield _file(path, status, asked)
            return
        children = sorted(path.iterdir())
    except (OSError, ValueError) as error:
        yield _missing(path, error, asked)
        return
    for child in children:
        if not child.name.startswith("."):
            yield from _under(child, seen, asked=False)


def _file(path: Path, status: os.stat_result, asked: bool) -> File:
    suffix = path.suffix.lower()
    if not stat.S_ISREG(status.st_mode):
        return File(path, asked, Refusal("It is no file, but a device, a pipe or a socket."))
    if suffix not in SUFFIXES and (suffix or not asked):
        return File(path, asked, Refusal(_OTHER, "Save it as one of these."))
    return File(path, asked)


def _missing(path: Path, error: OSError | ValueError, asked: bool) -> File:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        refusal = Refusal(MISSING, "Check the path.")
    elif isinstance(error, PermissionError):
        refusal = Refusal("This user may not read it.", "Change its permissions, or run the command as its owner.")
    else:
        refusal = Refusal(f"It cannot be opened: {getattr(error, 'strerror', None) or error}.", "Check the path.")
    return File(path, asked, refusal, missing=True)


def content_of(path: Path, most: int) -> bytes:
    """The bytes of a file. Unreadable if there are more than so many, or it cannot be read."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - a descriptor
            content = file.read(most + 1)
    except OSError as error:
        refusal = _missing(path, error, asked=True).refusal
        assert refusal is not None
        raise Unreadable(refusal.reason, refusal.remedy) from error
    if len(content) > most:
        raise Unreadable(f"It is larger than {most} bytes.", "Split it, or raise `size` of the plugin.")
    return content


def source_of(path: Path) -> str:
    """What a file is known by from one time to the next: where it is, without links on the way."""
    return os.fsencode(os.path.realpath(path)).decode("utf-8", "backslashreplace")
