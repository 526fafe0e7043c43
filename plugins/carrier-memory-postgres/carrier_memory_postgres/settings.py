"""What an operator can set in ``[plugin.carrier-memory-postgres]``."""

from __future__ import annotations

from pydantic import Field, SecretStr

from carrier_core import PluginSettings, secret


class Settings(PluginSettings):
    """Where the database is, and how patient the store is with it."""

    url: SecretStr | None = secret("DATABASE_URL", description="postgresql://USER:PASSWORD@HOST:PORT/DATABASE.")
    read_url: SecretStr | None = Field(
        None, description="A replica that memories are recalled and listed from; they are read from `url` without it."
    )
    namespace: str = Field(
        "carrier", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="The schema in the database that the tables are in."
    )
    pool_size: int = Field(4, ge=1, le=100, description="Connections that read; one more writes.")
    connect_seconds: float = Field(10.0, gt=0, description="Seconds until a connection must stand.")
    retry_seconds: float = Field(
        5.0, ge=0, description="Seconds that a request is tried again while the server cannot be reached."
    )
    busy_seconds: float = Field(
        10.0, gt=0, description="Seconds that a write waits for what another session has locked."
    )
    statement_seconds: float = Field(
        60.0, gt=0, description="Seconds after which a server that does not answer counts as gone."
    )
    exact: int = Field(
        20_000, ge=0, description="Vectors of an embedder up to which all in scope are compared; with more, HNSW."
    )
