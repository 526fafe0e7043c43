"""The schema's versions: numbered files in ``migrations/``, each run in one transaction."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import apsw

from carrier_core import ConfigError, Unavailable

APPLICATION = 0x43_41_52_52  # "CARR": SQLite's mark for whose database a file is


def migrations() -> dict[int, str]:
    """The SQL of every version, by its number."""
    folder = files(__package__) / "migrations"
    found = ((entry.name, entry.read_text("utf-8")) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {int(name.split("_")[0]): sql for name, sql in sorted(found)}


def version(connection: apsw.Connection, file: Path, newest: int) -> int:
    """The schema's version in the file, 0 if it is new. ConfigError if it is somebody else's or newer than ``newest``."""
    found = int(connection.pragma("user_version"))
    owner = int(connection.pragma("application_id"))
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if owner != APPLICATION and (owner or found or tables):
        raise ConfigError(
            "This is a database of another program.",
            remedy="Choose another state directory with --state, or move the file away.",
            file=str(file),
        )
    if found > newest:
        raise ConfigError(
            f"The database has schema version {found}, and this release of carrier-memory-sqlite knows up to {newest}.",
            remedy="Install the release that wrote it, or a newer one.",
            file=str(file),
        )
    return found


def migrate(connection: apsw.Connection, file: Path, steps: dict[int, str]) -> int:
    """Bring the schema up to date; returns its version. A step that fails changes nothing."""
    at = version(connection, file, max(steps))
    for number in sorted(steps):
        if number > at:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute(steps[number]).fetchall()
                connection.pragma("application_id", APPLICATION)
                connection.pragma("user_version", number)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            at = number
    return at


def require_current(connection: apsw.Connection, file: Path) -> int:
    """The schema's version, for a reader, who cannot change it. Unavailable if it is older than the code."""
    newest = max(migrations())
    found = version(connection, file, newest)
    if found < newest:
        raise Unavailable(
            f"{file} has schema version {found}; version {newest} is needed.",
            remedy="Start carrierd once with this state directory: it brings the database up to date.",
        )
    return found
