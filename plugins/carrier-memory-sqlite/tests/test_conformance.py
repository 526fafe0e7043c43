"""What every store keeps, kept by this one, on a real file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from carrier_core import Store
from carrier_core.testing import StoreConformance
from carrier_memory_sqlite.store import SqliteStore


class TestSqlite(StoreConformance):
    @pytest.fixture
    def make_store(self) -> Callable[[], Store]:
        return SqliteStore
