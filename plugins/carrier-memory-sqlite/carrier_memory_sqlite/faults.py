"""What SQLite's errors mean to a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw

from carrier_core import CarrierError, ConfigError, Unavailable

_RESTORE = "carrierd cannot repair it: move it away and restore a backup (keep the -wal file with it, if there is one)."
_SAVE = (
    "Stop carrierd; `carrierd memory export` saves all that can be read. Then move the file away, with the -wal file if "
    "there is one, and import what was saved, or restore a backup."
)


def translate(error: apsw.Error, file: Path) -> CarrierError:
    """The error to raise instead: ConfigError if the file is unusable as it is, Unavailable for what may pass."""
    if isinstance(error, apsw.NotADBError):
        return ConfigError("This is not a SQLite database.", remedy=_RESTORE, file=str(file))
    if isinstance(error, apsw.CorruptError | apsw.FormatError):
        return ConfigError(f"The database is damaged ({error}).", remedy=_SAVE, file=str(file))
    if isinstance(error, apsw.FullError):
        return Unavailable(
            f"The disk is full, so {file} could not be written; nothing that was stored before is lost.",
            remedy="Make room on that file system; carrierd goes on by itself.",
        )
    if isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError | apsw.CantOpenError):
        return Unavailable(
            f"{file} cannot be opened for writing ({error}).",
            remedy="Make the state directory writable for the user that carrierd runs as, or choose another with --state.",
        )
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return Unavailable(
            f"Another program has locked {file}.",
            remedy="Close whatever else has it open for writing (a database browser, a backup).",
        )
    return Unavailable(
        f"{file} could not be used ({type(error).__name__}: {error}).",
        remedy="Look at the disk and at the system's log.",
    )


def spoiled(tables: Sequence[str], file: Path) -> ConfigError:
    """The error at the end of an archive from which something is missing."""
    return ConfigError(
        f"The database is damaged: {', '.join(tables)} could not be read to the end. All else is in the archive.",
        remedy="Import it into a new state directory, or restore a backup.",
        file=str(file),
    )
