"""The runner: scenarios are planned as a matrix with agents and models, and each is played on a stage of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec

from carrier_core.errors import CarrierError, ConfigError, single
from carrier_core.messages import make_id
from carrier_core.outcomes import Status
from carrier_core.prompts import Usage
from carrier_core.scenarios.exchange import Exchange
from carrier_core.scenarios.expectations import Check, checks_of
from carrier_core.scenarios.file import Person, Room, Said, Scenario, ScenarioFile
from carrier_core.scenarios.judge import Judge, Line
from carrier_core.scenarios.stage import Stage, staged
from carrier_core.settings import Config


class Case(NamedTuple):
    """A scenario with one agent and one model, for the ``run``-th time. ``model`` is empty for the agent's own."""

    file: ScenarioFile
    number: int
    agent: str
    model: str
    run: int = 1

    @property
    def scenario(self) -> Scenario:
        """The scenario."""
        return self.file.scenarios[self.number]

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.file.line("scenarios", self.number)

    @property
    def id(self) -> str:
        """What tells it apart: agent, model and, from the second one, the run."""
        parts = (self.agent, self.model.replace("/", ":"), str(self.run) if self.run > 1 else "")
        return "-".join(part for part in parts if part)


class Way(NamedTuple):
    """How cases are played. ``judge`` is the judge's model, else that of the file; ``score`` has it score every answer;
    ``effects`` lets actions have effects outside; ``keep`` is the folder in which the stores are kept."""

    judge: str = ""
    score: bool = False
    effects: bool = False
    keep: Path | None = None


class Tried(msgspec.Struct, frozen=True):
    """A message of a scenario, what came of it, and how that compares. ``score`` is None where nobody gave one."""

    line: int
    person: str
    room: str
    say: str
    exchange: Exchange
    checks: tuple[Check, ...] = ()
    score: int | None = None
    opinion: str = ""

    @property
    def ok(self) -> bool:
        """Whether all expectations are met."""
        return all(check.ok for check in self.checks)


class Result(msgspec.Struct, frozen=True):
    """How a case went. ``error`` is why it could not be played to its end; ``state`` where its store is kept, if it is."""

    scenario: str
    file: str
    line: int
    agent: str
    model: str
    run: int = 1
    tried: tuple[Tried, ...] = ()
    error: str = ""
    state: str = ""
    judging: Usage = Usage()

    @property
    def ok(self) -> bool:
        """Whether it went as expected."""
        return not self.error and all(tried.ok for tried in self.tried)

    @property
    def usage(self) -> Usage:
        """What all its turns used."""
        return sum((tried.exchange.usage for tried in self.tried), Usage())


# --- the plan ------------------------------------------------------------------------------------------------------------


def plan(
    config: Config,
    files: Iterable[ScenarioFile],
    *,
    agents: Sequence[str] = (),
    models: Sequence[str] = (),
    runs: int = 1,
) -> tuple[Case, ...]:
    """Every scenario with every agent and model, in the order of the files.

    Without ``agents`` it is the first of the configuration. A scenario that names an agent is that one's alone: it is left out
    where ``agents`` names only others. CarrierError for an agent that there is not, ConfigError where a scenario names one.
    """
    there = tuple(config.settings.agents)
    for agent in agents:
        if agent not in there:
            raise CarrierError(f"There is no agent {agent}.", remedy=f"There are: {', '.join(there)}.")
    cases = []
    for file in files:
        for number, scenario in enumerate(file.scenarios):
            if scenario.agent is not None and scenario.agent not in there:
                where = ("scenarios", number, "agent")
                raise file.fault(where, f"There is no agent {scenario.agent}.", f"There are: {', '.join(there)}.")
            wanted = agents or (scenario.agent or there[0],)
            playing = [agent for agent in dict.fromkeys(wanted) if scenario.agent in (None, agent)]
            cases += [
                Case(file, number, agent, model, run)
                for agent in playing
                for model in dict.fromkeys(models or ("",))
                for run in range(1, runs + 1)
            ]
    return tuple(cases)


def check_judged(cases: Iterable[Case], way: Way) -> None:
    """ConfigError, on the line of the question, where a judge is asked and none is named."""
    for case in cases:
        if way.judge or case.file.judge.model:
            continue
        for at, said in enumerate(case.scenario.messages):
            if said.expect is not None and said.expect.judge:
                where = ("scenarios", case.number, "messages", at, "expect", "judge")
                remedy = 'Write `judge = { model = "provider/model" }` at the top of the file, or give --judge.'
                raise case.file.fault(where, "No judge is named that could answer this question.", remedy)


# --- playing ---------------------------------------------------------------------------------------------------------------


async def play_all(
    config: Config, cases: Sequence[Case], way: Way, *, at_once: int = 1, told: Callable[[Result], None] | None = None
) -> tuple[Result, ...]:
    """Play cases, so many ``at_once``; their results in the order of the cases. ``told`` hears of each when it has ended."""
    results: dict[int, Result] = {}
    limiter = anyio.CapacityLimiter(at_once)

    async def one(position: int, case: Case) -> None:
        async with limiter:
            results[position] = await play(config, case, way)
        if told is not None:
            told(results[position])

    with single():
        async with anyio.create_task_group() as group:
            for position, case in enumerate(cases):
                group.start_soon(partial(one, position, case))
    return tuple(results[position] for position in range(len(cases)))


async def play(config: Config, case: Case, way: Way) -> Result:
    """Play one case. What keeps it from going on is its ``error``; a fault of the configuration is raised."""
    scenario = case.scenario
    result = Result(scenario.name, str(case.file.path), case.line, case.agent, case.model, case.run)
    folder = None
    if way.keep is not None:
        folder = way.keep / make_id(str(case.file.path), scenario.name, case.agent, case.model, str(case.run))[:12]
        result = msgspec.structs.replace(result, state=str(folder))
    tried: list[Tried] = []
    judging = Usage()
    error = ""
    try:
        async with staged(config, case.agent, model=case.model, effects=way.effects, folder=folder) as stage:
            named = way.judge or case.file.judge.model
            judge = Judge(stage.host, named, case.file.judge.rubric) if named else None
            for at, said in enumerate(scenario.messages):
                line = case.file.line("scenarios", case.number, "messages", at)
                tried.append(await _try(stage, scenario, said, line, tried, judge, score=way.score))
            judging = judge.usage if judge is not None else judging
    except ConfigError:
        raise
    except CarrierError as raised:
        error = str(raised)
    return msgspec.structs.replace(result, tried=tuple(tried), error=error, judging=judging)


async def _try(
    stage: Stage,
    scenario: Scenario,
    said: Said,
    line: int,
    before: Sequence[Tried],
    judge: Judge | None,
    *,
    score: bool,
) -> Tried:
    person, room = scenario.person(said), scenario.room(said)
    bot, kind = scenario.people.get(person, Person()).bot, scenario.rooms.get(room, Room()).kind
    exchange = await stage.say(said.say, person=person, room=room, bot=bot, kind=kind, mention=said.mention)
    tried = Tried(line, person, room, said.say, exchange, checks_of(said.expect, exchange))
    questions = said.expect.judge if said.expect is not None else ()
    if judge is None or not exchange.reply or exchange.notice:
        nothing = tuple(Check("judge", False, question, "no words of the agent to judge") for question in questions)
        return msgspec.structs.replace(tried, checks=(*tried.checks, *nothing))
    heard = _heard([each for each in before if each.room == room], stage.agent)
    conversation = (*heard, (person, said.say))
    judged = [await _judged(judge, question, conversation, exchange.reply) for question in questions]
    tried = msgspec.structs.replace(tried, checks=(*tried.checks, *judged))
    if score and exchange.status == Status.REPLIED:
        tried = await _scored(tried, judge, conversation)
    return tried


def _heard(before: Sequence[Tried], agent: str) -> tuple[Line, ...]:
    lines = [line for each in before for line in ((each.person, each.say), (agent, each.exchange.reply)) if line[1]]
    return tuple(lines)


async def _judged(judge: Judge, question: str, conversation: Sequence[Line], reply: str) -> Check:
    try:
        holds, reason = await judge.says(question, conversation, reply)
    except CarrierError as error:
        return Check("judge", False, question, f"no verdict: {error}")
    return Check("judge", holds, question, f"{'yes' if holds else 'no'}: {reason}")


async def _scored(tried: Tried, judge: Judge, conversation: Sequence[Line]) -> Tried:
    """What was tried with the judge's score of the reply; without one where it gave none."""
    try:
        score, opinion = await judge.score(conversation, tried.exchange.reply)
    except CarrierError as error:
        return msgspec.structs.replace(tried, opinion=f"no score: {error}")
    return msgspec.structs.replace(tried, score=score, opinion=opinion)
