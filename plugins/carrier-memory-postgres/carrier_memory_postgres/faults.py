"""What the errors of PostgreSQL and of the network mean to a person. No password gets into any of them."""

from __future__ import annotations

import ssl
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg  # type: ignore[import-untyped]

from carrier_core import CarrierError, ConfigError, Unavailable

VARIABLE = "DATABASE_URL"
"""Where an operator says where the database is."""

_FORM = "Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for an @ in the password."

GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.DatabaseDroppedError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""Errors that may say nothing about the request: see :func:`is_gone`."""

_HOPELESS = ("22", "23", "42")  # classes of errors that come again whenever the same is asked

AGAIN = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.UniqueViolationError,
    asyncpg.CheckViolationError,
    asyncpg.UndefinedTableError,
)
"""Errors of a request that was in another session's way: another daemon was quicker, or dropped a partition."""


def is_gone(error: BaseException) -> bool:
    """Whether the connection is gone, so that another one may do what this one could not."""
    return isinstance(error, GONE) and not isinstance(error, ValueError)  # asyncpg's word for a value that does not fit


def address(url: str) -> str:
    """Server and database of a URL in words, without user and password."""
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        host = parts.hostname or asked.get("host", ["localhost"])[0]
        port = parts.port or int(asked.get("port", ["5432"])[0])
    except ValueError:
        return "the database"
    name = unquote(parts.path.lstrip("/")) or asked.get("dbname", [unquote(parts.username or "")])[0]
    return f"the database {name or 'of this user'} at {host}" + ("" if host.startswith("/") else f":{port}")


def require_url(url: str, variable: str = VARIABLE) -> str:
    """The URL. ConfigError if there is none, or if it is none of PostgreSQL."""
    if not url:
        raise ConfigError(f"{variable} is not set, so it is not known where the database is.", remedy=_FORM)
    try:
        parts = urlsplit(url)
        well_formed = parts.scheme in ("postgresql", "postgres") and (parts.port or 1) > 0
    except ValueError:
        well_formed = False
    if not well_formed:
        raise ConfigError(f"{variable} is no URL of a PostgreSQL database.", remedy=_FORM)
    return url


def translate(error: BaseException, url: str, variable: str = VARIABLE) -> CarrierError:
    """The error to raise instead: ConfigError if somebody has to change something, Unavailable for what may pass."""
    where = address(url)
    if isinstance(error, CarrierError):
        return error
    found = _of_access(error, where, variable) or _of_server(error, where)
    if found is not None:
        return found
    if is_gone(error):
        return Unavailable(
            f"The connection to {where} was lost ({_name(error)}).",
            remedy="Look at the server and its log; carrierd connects again by itself.",
        )
    code = getattr(error, "sqlstate", "") or ""
    if code.startswith(_HOPELESS):
        said = f": {error}" if code.startswith("42") else ""  # which names columns, no values
        return CarrierError(
            f"{where[0].upper()}{where[1:]} refused a statement ({_name(error)}, {code}{said}).",
            remedy="This is a fault of carrier-memory-postgres, or of what it was given to store.",
        )
    return Unavailable(
        f"{where[0].upper()}{where[1:]} could not do what was asked ({_name(error)}{', ' + code if code else ''}).",
        remedy="Look at the log of the server.",
    )


def _of_access(error: BaseException, where: str, variable: str) -> CarrierError | None:
    """What keeps this user from this database."""
    if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
        return ConfigError(
            f"{where[0].upper()}{where[1:]} refuses the user or the password of {variable}.",
            remedy=f"Correct them in {variable} (a special character in a password is written as %40, say).",
        )
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return ConfigError(
            f"There is no such database: {where}.", remedy=f"Create it (createdb), or correct {variable}."
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return ConfigError(
            f"The user of {variable} may not do what is needed in {where}.",
            remedy="Let it create a schema there (GRANT CREATE ON DATABASE), or make it the owner of the database.",
        )
    if isinstance(error, asyncpg.exceptions.ClientConfigurationError | ssl.SSLError):
        return ConfigError(
            f"{variable} has parameters that cannot be used.", remedy="Look at sslmode and what else follows the ?."
        )
    return None


def _of_server(error: BaseException, where: str) -> CarrierError | None:
    """What the server, or the way to it, lacks."""
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return Unavailable(
            f"{where[0].upper()}{where[1:]} has no connection left.",
            remedy="Raise max_connections there, or lower `pool_size` in [plugin.carrier-memory-postgres].",
        )
    if isinstance(error, asyncpg.CannotConnectNowError):
        return Unavailable(f"{where[0].upper()}{where[1:]} is starting or stopping.", remedy="Wait a moment.")
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return Unavailable(
            f"{where[0].upper()}{where[1:]} takes no writes: it is a replica, or was set to read only.",
            remedy=f"Let {VARIABLE} name the primary server.",
        )
    if isinstance(error, asyncpg.DiskFullError):
        return Unavailable(
            f"The disk of {where} is full; nothing that was stored before is lost.",
            remedy="Make room there; carrierd goes on by itself.",
        )
    if isinstance(error, asyncpg.LockNotAvailableError):
        return Unavailable(
            f"Another session of {where} holds a lock for too long.",
            remedy="Look for it in pg_stat_activity; carrierd goes on when it ends.",
        )
    if isinstance(error, TimeoutError):
        return Unavailable(
            f"{where[0].upper()}{where[1:]} does not answer.", remedy="Look at the server and at the network."
        )
    if isinstance(error, OSError):
        return Unavailable(
            f"{where[0].upper()}{where[1:]} cannot be reached ({_name(error)}).",
            remedy=f"Start the server, or correct {VARIABLE}.",
        )
    return None


def _name(error: BaseException) -> str:
    """The sort of an error; what it says may hold a value."""
    text = type(error).__name__.removesuffix("Error")
    return " ".join("".join([f" {sign.lower()}" if sign.isupper() else sign for sign in text]).split())
