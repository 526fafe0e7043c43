"""What the fault tests share: the backends on which each of them runs."""

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:  # the modules beside this file are imported as tests.faults.X, wherever pytest was started
    sys.path.insert(0, ROOT)

from tests.faults.daemon import Backend  # noqa: E402
from tests.faults.server import Server  # noqa: E402

POSTGRES = "carrier-memory-postgres"

HASTY = ("lease_seconds = 0.3", f"[plugin.{POSTGRES}]\nretry_seconds = 1.0")
"""How long others are waited for: on a database that several daemons use, one that died is only known by its silence."""


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests."""
    if POSTGRES not in [point.name for point in metadata.entry_points(group="carrier")]:
        pytest.skip(f"{POSTGRES} is not installed")
    server = Server()
    yield server
    server.end()


@pytest.fixture(params=os.environ.get("CARRIER_TEST_BACKENDS", "sqlite postgres").split())
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each store in turn, with nothing in it; ``CARRIER_TEST_BACKENDS=sqlite`` is that one alone."""
    if request.param == "sqlite":
        return Backend("sqlite", "carrier-memory-sqlite")
    return postgres_on(request.getfixturevalue("server"))


def postgres_on(server: Server) -> Backend:
    """A new database on a server."""
    return Backend("postgres", POSTGRES, {"DATABASE_URL": server.make(), "CARRIER_TEST_BUDGET": "2"}, *HASTY)
