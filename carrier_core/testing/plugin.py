"""The pytest plugin of Carrier. It is imported in every pytest run of an environment, so it imports nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from carrier_core.testing.hosts import HostUnderTest

pytest.register_assert_rewrite("carrier_core.testing.suites")

_SCENARIOS = tuple(f".scenario.{suffix}" for suffix in ("toml", "yaml", "yml", "json"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what scenario files are played with. Without a configuration none is collected: a model may cost money."""
    told = "of *.scenario.toml and *.scenario.yaml files: "
    parser.addini("carrier_config", f"{told}Carrier's configuration, seen from the root; they are no tests without it")
    parser.addini("carrier_agents", f"{told}the agents, each with every model (else the scenario's own)", type="args")
    parser.addini("carrier_models", f"{told}the models, as provider/model (else the agent's own)", type="args")
    parser.addini("carrier_judge", f"{told}the model that judges, as provider/model (else that of the file)")
    parser.addini("carrier_effects", f"{told}whether actions may have effects outside", type="bool", default=False)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A scenario file is tests, one for each scenario, agent and model, where a configuration is named. One that is given by
    name says so where none is."""
    if not file_path.name.endswith(_SCENARIOS):
        return None
    if not parent.config.getini("carrier_config") and not parent.session.isinitpath(file_path):
        return None
    from carrier_core.testing.scenarios import ScenarioTests

    return ScenarioTests.from_parent(parent, path=file_path)


def pytest_configure(config: pytest.Config) -> None:
    """Choose asyncio, unless trio is there: then tests of other things may want to run on both, and it is theirs to say."""
    if find_spec("trio") is None:
        from carrier_core.testing import backend

        config.pluginmanager.register(backend, "carrier-asyncio")


@pytest.fixture
def make_host(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[HostUnderTest]]:
    """``async with make_host(plugins, ...) as running``: see :func:`carrier_core.testing.running_host`. The files of all
    hosts that a test makes are in one folder, so that the second finds what the first one stored."""
    from functools import partial

    from carrier_core.testing.hosts import running_host

    return partial(running_host, folder=tmp_path)


@pytest.fixture
async def carrier(
    make_host: Callable[..., AbstractAsyncContextManager[HostUnderTest]],
) -> AsyncIterator[HostUnderTest]:
    """A running host with nothing but the kit: an echo, a fake client and a store in memory."""
    async with make_host() as running:
        yield running
