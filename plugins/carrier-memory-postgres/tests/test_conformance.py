"""What every store keeps, kept by this one, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from carrier_core import Store
from carrier_core.testing import StoreConformance


class TestPostgres(StoreConformance):
    exclusive = False

    @pytest.fixture
    def make_store(self, make_store: Callable[[], Store]) -> Callable[[], Store]:
        return make_store

    @pytest.fixture
    async def store(self, make_store: Callable[[], Store], folder: Path) -> AsyncIterator[Store]:
        store = make_store()
        await store.open(folder)
        yield store
        await store.close()
