"""The schema's versions: numbered files in ``migrations/``, run by one process at a time."""

from __future__ import annotations

from importlib.resources import files

import asyncpg  # type: ignore[import-untyped]

from carrier_core import ConfigError, Unavailable
from carrier_memory_postgres.connections import Link, Speaker, Unhurried, lock_key
from carrier_memory_postgres.faults import address
from carrier_memory_postgres.queries import queries

OLDEST = 140_000
"""The oldest PostgreSQL that this is written for, as the server counts its versions."""
LONG = 3_600.0
"""Seconds that a statement of a migration may take, and that another process is waited for which is at it."""

_SQL = queries("schema")


def migrations() -> dict[int, str]:
    """The SQL of every version, by its number."""
    folder = files(__package__) / "migrations"
    found = ((entry.name, entry.read_text("utf-8")) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {int(name.split("_")[0]): sql for name, sql in sorted(found)}


async def version(link: Speaker, namespace: str, url: str, newest: int) -> int:
    """The schema's version in the database, 0 if there is none. ConfigError if it is newer than ``newest``."""
    there = await link.fetch(_SQL["is_there"], namespace)
    found = int((await link.fetch(_SQL["version"]))[0][0] or 0) if there[0][0] else 0
    if found > newest:
        raise ConfigError(
            f"The schema {namespace} in {address(url)} has version {found}, and this release of carrier-memory-postgres "
            f"knows up to {newest}.",
            remedy="Install the release that wrote it, or a newer one.",
        )
    return found


async def migrate(link: Link, namespace: str, url: str, steps: dict[int, str] | None = None) -> int:
    """Bring the schema up to date; returns its version. All of it is one transaction, so a failure changes nothing."""
    steps = steps or migrations()
    await _check_server(link, url)
    if await version(link, namespace, url, max(steps)) == max(steps):
        return max(steps)
    await link.execute("BEGIN")
    try:
        await _run(Unhurried(link, LONG), namespace, url, steps)
        await link.execute("COMMIT")
    except BaseException:
        if not link.is_closed():
            await link.execute("ROLLBACK")
        raise
    return max(steps)


async def _run(link: Speaker, namespace: str, url: str, steps: dict[int, str]) -> None:
    """Run what is missing, in a transaction, once no other process is at it."""
    await link.execute("SET LOCAL lock_timeout = 0; SET LOCAL enable_seqscan = on")  # it reads whole tables
    await link.fetch(_SQL["lock"], lock_key("schema", namespace))
    at = await version(link, namespace, url, max(steps))
    if not at:
        if not (await link.fetch(_SQL["has_namespace"], namespace))[0][0]:  # an administrator may have made it
            await link.execute(f'CREATE SCHEMA "{namespace}"')
        await link.execute(_SQL["make_versions"])
        await _add_vectors(link, url)
    for number in sorted(steps):
        if number > at:
            await link.execute(steps[number])
            await link.fetch(_SQL["set_version"], number)


async def require_current(link: Link, namespace: str, url: str) -> None:
    """Unavailable if there is no schema, or an older one than the code's, for a reader, who cannot change it."""
    newest = max(migrations())
    found = await version(link, namespace, url, newest)
    if found == 0:
        raise Unavailable(f"There is no schema {namespace} in {address(url)}.", remedy="Start carrierd with it first.")
    if found < newest:
        raise Unavailable(
            f"The schema {namespace} in {address(url)} has version {found}; version {newest} is needed.",
            remedy="Start carrierd once: it brings the schema up to date.",
        )


async def namespace_of_vectors(link: Speaker) -> str:
    """The schema that the type ``vector`` is in; empty if the extension is not there."""
    rows = await link.fetch(_SQL["vectors"])
    return str(rows[0][0]) if rows else ""


async def _check_server(link: Link, url: str) -> None:
    number = int((await link.fetch(_SQL["server"]))[0][0])
    if number < OLDEST:
        raise ConfigError(
            f"{address(url)} is of PostgreSQL {number // 10_000}, and {OLDEST // 10_000} is the oldest that will do.",
            remedy="Upgrade the server.",
        )


async def _add_vectors(link: Speaker, url: str) -> None:
    """Add the extension, if it is not there. It is used for vectors only, but which one there is has to be known then."""
    if await namespace_of_vectors(link):
        return
    remedy = "Let a superuser run CREATE EXTENSION vector in this database once"
    try:
        await link.execute("CREATE EXTENSION vector SCHEMA public")
    except asyncpg.InsufficientPrivilegeError:
        raise ConfigError(f"The extension pgvector is not set up in {address(url)}.", remedy=f"{remedy}.") from None
    except asyncpg.PostgresError as error:
        if error.sqlstate not in ("58P01", "0A000", "42704"):
            raise
        raise ConfigError(
            f"The server of {address(url)} does not have the extension pgvector.",
            remedy=f"Install it there (the package postgresql-NN-pgvector on Debian). {remedy}, if need be.",
        ) from None
