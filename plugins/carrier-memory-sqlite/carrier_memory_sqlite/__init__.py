"""Journal and memory of Carrier in one SQLite database, with full-text recall."""

from __future__ import annotations

from carrier_core import Store, impl
from carrier_memory_sqlite.settings import Settings

__all__ = ["Settings", "register_stores"]


@impl
def register_stores(settings: Settings) -> Store:
    """The store ``sqlite``."""
    from carrier_memory_sqlite.store import SqliteStore  # apsw is loaded only where the store is used

    return SqliteStore(settings)
