"""Journal and memory of Carrier in a PostgreSQL database, for one daemon or several."""

from __future__ import annotations

from carrier_core import Store, impl
from carrier_memory_postgres.settings import Settings

__all__ = ["Settings", "register_stores"]


@impl
def register_stores(settings: Settings) -> Store | None:
    """The store ``postgres``, once it is known where the database is: the plugin may be enabled beside another store's, which
    is used until ``DATABASE_URL`` is set."""
    if settings.url is None:
        return None
    from carrier_memory_postgres.store import PostgresStore  # asyncpg is loaded only where the store is used

    return PostgresStore(settings)
