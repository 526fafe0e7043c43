"""Scenario files as tests of pytest: one for each scenario, agent and model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from carrier_core import CarrierError
from carrier_core.cli.text import visible
from carrier_core.plugins import load_plugins
from carrier_core.scenarios.file import ScenarioFile
from carrier_core.scenarios.runner import Case, Result, Way, check_judged, plan, play
from carrier_core.scenarios.stage import check_models
from carrier_core.scenarios.telling import failure_of
from carrier_core.settings import Config, load

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr, TracebackStyle

_CONFIG = pytest.StashKey[Config]()


class NotAsExpected(Exception):
    """A scenario did not go as it should."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.scenario)
        self.result = result


class ScenarioTests(pytest.File):
    """The scenarios of a file."""

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each scenario, agent and model; whatever is wrong with the file is an error of its collection."""
        file = ScenarioFile(self.path)
        if file.faults:
            raise self.CollectError("\n".join(visible(str(fault)) for fault in file.faults))
        way = Way(judge=self.config.getini("carrier_judge"), effects=self.config.getini("carrier_effects"))
        models = tuple(self.config.getini("carrier_models"))
        try:
            config = _configuration(self.config)
            cases = plan(config, (file,), agents=self.config.getini("carrier_agents"), models=models)
            check_judged(cases, way)
            judge = way.judge or file.judge.model
            with _kept_environment():
                check_models(load_plugins(config), (*models, *([judge] if judge else ())))
        except CarrierError as error:
            raise self.CollectError(visible(str(error))) from None
        for case in cases:
            test = ScenarioTest.from_parent(self, name=f"{case.scenario.name}[{case.id}]")
            test.case, test.way = case, way
            yield test


class ScenarioTest(pytest.Item):
    """A scenario with one agent and one model."""

    case: Case
    way: Way

    def runtest(self) -> None:
        """Play it. What it used goes into JUnit's XML."""
        config = self.config.stash[_CONFIG]
        with _kept_environment():
            result = anyio.run(play, config, self.case, self.way)
        usage = result.usage
        self.user_properties += [("input_tokens", usage.input), ("output_tokens", usage.output)]
        if not result.ok:
            raise NotAsExpected(result)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        """What was expected and what came, instead of a traceback."""
        if isinstance(excinfo.value, NotAsExpected):
            return "\n".join(visible(line) for line in failure_of(excinfo.value.result))
        if isinstance(excinfo.value, CarrierError):
            return visible(str(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str], int, str]:
        """Where it is written."""
        return self.path, self.case.line - 1, self.name


def _configuration(config: pytest.Config) -> Config:
    """The configuration that pytest's settings name, read once: before a plugin takes its secrets out of the environment."""
    found = config.stash.get(_CONFIG, None)
    if found is None:
        named = config.getini("carrier_config")
        if not named:
            raise CarrierError(
                "It is not said with which configuration scenarios are played.",
                remedy='Write `carrier_config = "config/carrier.toml"` into the settings of pytest.',
            )
        found = config.stash[_CONFIG] = load(config.rootpath / named, os.environ, config.rootpath)
    return found


@contextmanager
def _kept_environment() -> Iterator[None]:
    """The environment afterwards as it was: other tests of the same run may need the secrets that plugins take out of it."""
    before: Mapping[str, str] = dict(os.environ)
    try:
        yield
    finally:
        os.environ.update(before)
