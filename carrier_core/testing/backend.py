"""Async tests run on asyncio, where the host runs too."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The only backend."""
    return "asyncio"
