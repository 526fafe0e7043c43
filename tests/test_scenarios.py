"""Scenarios: their files, every expectation, the matrix, what actions may do, the judge, figures, and scenarios as tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from carrier_core import (
    ActionCall,
    ActionResult,
    CarrierError,
    Completion,
    ConfigError,
    Finish,
    Part,
    Usage,
)
from carrier_core.outcomes import Outcome, Status, StepRecord, TurnRecord
from carrier_core.records import encode
from carrier_core.scenarios.comparison import compare
from carrier_core.scenarios.exchange import Call, Exchange, exchange_of
from carrier_core.scenarios.expectations import checks_of, within
from carrier_core.scenarios.file import RUBRIC, Content, Expected, ExpectedCall, Said, Scenario, ScenarioFile
from carrier_core.scenarios.metrics import FIGURES, Conversation, Metrics, mean, of_exchanges, of_result, read, write
from carrier_core.scenarios.runner import Case, Result, Way, check_judged, plan, play, play_all
from carrier_core.scenarios.telling import failure_of, json_of, row_of
from carrier_core.settings import load
from carrier_core.testing import InMemoryStore

pytestmark = pytest.mark.anyio

CONFIG = """
[agents.robin]
[agents.wren]
character = "robin"
[plugins]
enabled = ["carrier-memory-sqlite", "carrier-provider-scripted", "carrier-context-standard"]
[plugin.carrier-provider-scripted]
rules = "rules.toml"
[models."echo/dear"]
input = 1000.0
output = 5000.0
[policy]
allow = ["post"]
"""

RULES = """
version = 1
standard = false

[[rules]]
contains = "weather"
  [[rules.steps]]
  calls = [{ name = "get_weather", arguments = { city = "Porto", days = 2 } }]
  [[rules.steps]]
  text = "In Porto: {{ result }}"

[[rules]]
contains = "post"
  [[rules.steps]]
  calls = [{ name = "post", arguments = { text = "hello" } }]
  [[rules.steps]]
  text = "It came to this: {{ result }}"

[[rules]]
contains = "broken"
failure = { reason = "invalid", message = "The model is out of order." }

[[rules]]
text = "{{ person }} said {{ message }}"
usage = { input = 100, output = 10 }
"""

DEEDS = """
from carrier_core import Action, ActionResult, Block, Drop, Effect, impl


class Weather(Action):
    name = "get_weather"
    description = "The weather."
    parameters = {"type": "object"}
    effect = Effect.READ

    async def perform(self, turn, call):
        return ActionResult("18 degrees")


class Post(Weather):
    name = "post"
    effect = Effect.EXTERNAL

    async def perform(self, turn, call):
        return ActionResult("posted")


@impl
def register_actions():
    return [Weather(), Post()]


@impl
async def receive(inbound):
    return Drop("spam") if "lottery" in inbound.message.text else None


@impl
async def transform_reply(turn, reply):
    return Block("it names a secret") if "swordfish" in reply.text else None
"""

JUDGES = """
import json
from carrier_core import Completion, Part, Provider, ProviderError, Usage, impl


class Judge(Provider):
    '''Says yes to an answer that names Porto, and has a score for it; model `words` without JSON, `mute` nothing of use.'''

    name = "judge"
    models = {"large": "json"}
    last_resort = True
    busy = False

    async def generate(self, prompt, model, emit):
        asked = prompt.messages[-1].text
        answer = json.loads(asked[asked.index("{"):])
        good = "Porto" in answer["answer"]
        lines = len(answer["conversation"])
        usage = Usage(7, 3)
        if model.startswith("busy") and not self.busy:
            self.busy = True
            raise ProviderError("Not now.", reason="rate_limit", retry_after=0.001)
        if model == "away":
            raise ProviderError("The judge is on holiday.", reason="auth")
        if "Question" in asked:
            word = "yes" if good else "no"
            told = {"reason": f"{lines} lines", "verdict": word}
        else:
            word = "5" if good else "2"
            told = {"reason": f"{lines} lines", "score": int(word)}
        floating = json.dumps(told | {"score": float(told.get("score", 0))})
        text = {"json": json.dumps(told), "floating": floating, "words": f"{word.upper()}, I say.", "mute": "Hmm."}.get(model, word)
        return Completion((Part(text),), usage=usage, provider="judge", model=model)


@impl
def register_providers():
    return Judge()
"""

ECHO = """
from carrier_core import impl
from carrier_core.testing import EchoProvider


@impl
def register_providers():
    provider = EchoProvider(lambda prompt: " / ".join(m.text for m in prompt.messages if m.role == "user"))
    provider.free = False
    return provider
"""

STORE = """
from carrier_core import impl
from carrier_core.testing import InMemoryStore



@impl
def register_stores():
    return InMemoryStore.own
"""


PLAIN = Way()


class Project:
    """A folder with a configuration, rules, plugins of single files, and scenarios."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "config" / "characters").mkdir(parents=True)
        (folder / "config" / "plugins").mkdir()
        (folder / "config" / "characters" / "robin.toml").write_text('name = "Robin"\n')
        (folder / "config" / "rules.toml").write_text(RULES)
        self.plugin("deeds", DEEDS)
        self.configure(CONFIG)

    def configure(self, text: str) -> None:
        path = self.folder / "config" / "carrier.toml"
        path.write_text(text)
        self.config = load(path, {}, self.folder)

    def plugin(self, name: str, source: str) -> None:
        (self.folder / "config" / "plugins" / f"{name}.py").write_text(source)

    def file(self, text: str, name: str = "some.scenario.toml") -> ScenarioFile:
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return ScenarioFile(path)

    async def played(self, text: str, *, way: Way = PLAIN, **plan_with: object) -> tuple[Result, ...]:
        """Every case of a file, played."""
        file = self.file(text)
        assert file.faults == ()
        cases = plan(self.config, (file,), **plan_with)
        check_judged(cases, way)
        return await play_all(self.config, cases, way)

    async def said(self, text: str, expect: str = "", *, way: Way = PLAIN) -> Result:
        """What comes of one message."""
        expected = f"expect = {{ {expect} }}" if expect else ""
        scenario = f"""
            version = 1
            [[scenarios]]
            name = "one"
            [[scenarios.messages]]
            say = {json.dumps(text)}
            {expected}
            """
        [result] = await self.played(scenario, way=way)
        return result


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# --- files ---------------------------------------------------------------------------------------------------------------

WHOLE = """\
version = 1

[judge]
model = "judge/json"

[[scenarios]]
name = "first"
agent = "robin"
people = { Ana = {}, Helper = { bot = true } }
rooms = { square = { kind = "group" } }

[[scenarios.messages]]
say = "Hello."
person = "Helper"
mention = true

[scenarios.messages.expect]
status = "replied"
contains = "hello"
not_contains = ["sorry", "cannot"]
matches = 'h.llo'
not_matches = ['^no\\b']
min_characters = 1
max_characters = 100
calls = ["look", { name = "post", arguments = { text = "x" }, matches = { to = "an?a" }, ok = true }]
not_calls = "delete"
max_input_tokens = 1000
max_output_tokens = 100
max_usd = 0.01
max_rounds = 2
judge = "Is it polite?"
"""


def test_toml_yaml_and_json_say_the_same(project):
    import tomllib

    import yaml

    data = tomllib.loads(WHOLE)
    toml = project.file(WHOLE)
    as_yaml = project.file(yaml.safe_dump(data, sort_keys=False), "some.scenario.yaml")
    as_json = project.file(json.dumps(data), "some.scenario.json")
    assert (toml.faults, as_yaml.faults, as_json.faults) == ((), (), ())
    assert toml.scenarios == as_yaml.scenarios == as_json.scenarios
    [scenario] = toml.scenarios
    [said] = scenario.messages
    assert (scenario.person(said), scenario.room(said), toml.judge.model) == ("Helper", "square", "judge/json")
    assert said.expect.contains == ("hello",)
    assert [call.name for call in said.expect.calls] == ["look", "post"]
    assert (toml.line("scenarios", 0), toml.line("scenarios", 0, "messages", 0)) == (6, 12)


@pytest.mark.parametrize(
    ("line", "instead", "at", "said"),
    [
        ("version = 1", "", 1, "It states no version; version 1 is understood. Write `version = 1`"),
        ("version = 1", "version = 2", 1, "Its version is 2; version 1 is understood."),
        ("version = 1", "version = true", 1, "Its version is True"),
        ('name = "first"', "", 6, "The key `name` is missing in [scenarios.0]. Add it."),
        ('name = "first"', 'name = "first"\nagnt = "a"', 8, "There is no key `agnt`"),
        ('person = "Helper"', 'person = "Helpr"', 14, "lists no person 'Helpr'. Did you mean `Helper`?"),
        ('person = "Helper"', 'room = "squire"', 14, "lists no room 'squire'. Did you mean `square`?"),
        ('kind = "group"', 'kind = "crowd"', 10, 'must be "dm", "group"'),
        ('status = "replied"', 'status = "replid"', 18, 'must be "replied", "silent"'),
        ('status = "replied"', 'status = "silent"', 17, "`contains` wants words"),
        ("'h.llo'", "'h('", 21, "'h(' is no regular expression: missing )"),
        ("'h.llo'", "'h{99999999999}'", 21, "is no regular expression: the repetition number is too large"),
        ("'h.llo'", "'[[h]'", 21, "is no regular expression: Possible nested set"),
        ('to = "an?a"', 'to = "*"', 25, "is no regular expression"),
        ("min_characters = 1", "min_characters = -1", 23, "must be at least 0, not -1"),
        ("max_rounds = 2", "max_rounds = 0", 30, "must be more than 0"),
        ("max_rounds = 2", "max_rounds = true", 30, "must be a whole number"),
        ("max_rounds = 2", "max_tokens = 2", 30, "There is no key `max_tokens`"),
        ('calls = ["look",', 'calls = ["look", 3,', 25, "Entry 2 of `calls`"),
        ('name = "post", arg', "arg", 25, "The key `name` is missing"),
        ('model = "judge/json"', 'model = "a b"', 4, 'a model is written "provider/model"'),
        ('say = "Hello."', 'say = ""', 13, "must be text that is not empty"),
        ("[[scenarios.messages]]", "[[scenarios.messags]]", 12, "There is no key `messags`"),
        ("max_rounds = 2", "max_rounds = ", 30, "This is not TOML"),
    ],
)
def test_a_fault_is_told_with_its_line_and_a_remedy(project, line, instead, at, said):
    assert line in WHOLE
    file = project.file(WHOLE.replace(line, instead, 1))
    assert file.scenarios == ()
    found = [fault for fault in file.faults if said in str(fault)]
    assert [(fault.file, fault.line) for fault in found] == [(str(file.path), at)], [*map(str, file.faults)]
    assert found[0].remedy


def test_all_faults_of_a_file_are_told_in_order(project):
    file = project.file(WHOLE.replace("max_rounds", "max_round").replace("mention", "mentions"))
    assert [fault.line for fault in file.faults] == [15, 30]


def test_a_name_is_given_once_and_a_list_is_not_empty(project):
    twice = project.file('version = 1\nscenarios = [\n{name="a", messages=[{say="x"}]},\n{name="a", messages=[]}]\n')
    assert [str(fault).partition(": ")[2] for fault in twice.faults] == [
        "`messages` in [scenarios.1]: it must not be empty. Correct it."
    ]
    again = '[[scenarios]]\nname = "a"\nmessages = [{ say = "x" }]\n'
    [fault] = project.file(f"version = 1\n{again}{again}").faults
    assert (fault.line, "Two scenarios are called 'a'" in fault.message) == (6, True)


def test_yaml_that_has_more_than_tables_lists_and_values_gives_faults_too(tmp_path):
    path = tmp_path / "odd.scenario.yaml"
    path.write_text("version: 1\nscenarios:\n- name: a\n  people: !!pairs [2027-01-31: { 2027-01-31: 1 }]\n")
    assert {fault.line for fault in ScenarioFile(path).faults} == {3, 4}


def test_a_file_that_is_not_there_is_a_fault(tmp_path):
    [fault] = ScenarioFile(tmp_path / "none.scenario.toml").faults
    assert "cannot be read" in fault.message


# --- expectations ----------------------------------------------------------------------------------------------------------

ANSWER = Exchange(
    turn="t",
    status="replied",
    reply="Hello Ana, it rains.",
    calls=(Call("get_weather", {"city": "Porto", "where": {"lat": 41, "lon": -8}, "days": [1, 2]}, True, "rain"),),
    rounds=2,
    models=("p/m",),
    usage=Usage(100, 20, cost=2_000_000),
)


@pytest.mark.parametrize(
    ("met", "missed"),
    [
        ({"status": "replied"}, {"status": "silent"}),
        ({"equals": " Hello Ana, it rains.\n"}, {"equals": "hello ana, it rains."}),
        ({"contains": ["hello", "RAINS"]}, {"contains": ["hello", "snows"]}),
        ({"not_contains": "snow"}, {"not_contains": "ana"}),
        ({"matches": r"^hello \w+,"}, {"matches": r"^it"}),
        ({"matches": r"(?-i:Hello)"}, {"matches": r"(?-i:hello)"}),
        ({"not_matches": r"\d"}, {"not_matches": r"r\w+s"}),
        ({"min_characters": 20}, {"min_characters": 21}),
        ({"max_characters": 20}, {"max_characters": 19}),
        ({"max_input_tokens": 100}, {"max_input_tokens": 99}),
        ({"max_output_tokens": 20}, {"max_output_tokens": 19}),
        ({"max_usd": 0.002}, {"max_usd": 0.0019}),
        ({"max_rounds": 2}, {"max_rounds": 1}),
        ({"calls": "get_weather"}, {"calls": "post"}),
        ({"calls": {"name": "get_weather", "arguments": {"city": "Porto"}}}, {"calls": {"name": "get_weather", "arguments": {"city": "Faro"}}}),
        ({"calls": {"name": "get_weather", "arguments": {"where": {"lat": 41}}}}, {"calls": {"name": "get_weather", "arguments": {"where": {"alt": 0}}}}),
        ({"calls": {"name": "get_weather", "arguments": {"days": [1, 2]}}}, {"calls": {"name": "get_weather", "arguments": {"days": [1]}}}),
        ({"calls": {"name": "get_weather", "matches": {"city": "^port"}}}, {"calls": {"name": "get_weather", "matches": {"city": "^ort"}}}),
        ({"calls": {"name": "get_weather", "matches": {"where": '"lon":-8'}}}, {"calls": {"name": "get_weather", "matches": {"street": "."}}}),
        ({"calls": {"name": "get_weather", "ok": True}}, {"calls": {"name": "get_weather", "ok": False}}),
        ({"not_calls": ["post"]}, {"not_calls": ["post", "get_weather"]}),
        ({"not_calls": "post"}, {"not_calls": "*"}),
    ],
)  # fmt: skip
def test_an_expectation_is_met_or_not(met, missed):
    def checks(expected):
        return checks_of(Expected.model_validate_json(json.dumps(expected)), ANSWER)

    assert [check for check in checks(met) if not check.ok] == []
    [check] = [check for check in checks(missed) if not check.ok]
    assert check.name == next(iter(missed))
    assert check.wanted
    assert check.came


def test_what_costs_nobody_knows_what_is_not_known_to_be_cheap():
    unknown = msgspec.structs.replace(ANSWER, usage=Usage(100, 20), priced=False)
    [check] = [check for check in checks_of(Expected(max_usd=100.0), unknown) if check.name == "max_usd"]
    assert (check.ok, check.came) == (False, "nobody knows the price of the model")


def test_of_a_message_without_expectations_only_a_failed_turn_is_wrong():
    assert checks_of(None, ANSWER) == ()
    assert checks_of(None, Exchange(status="silent")) == ()
    [check] = checks_of(None, Exchange(status="failed"))
    assert not check.ok


def test_an_answer_is_expected_where_nothing_else_is_said():
    assert [check.ok for check in checks_of(Expected(), Exchange(status="failed"))] == [False]


@pytest.mark.parametrize(
    ("wanted", "given", "is_in"),
    [
        ({}, {"a": 1}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {}, False),
        ({"a": None}, {"a": None}, True),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        ([1], 1, False),
        ({"a": {}}, {"a": 1}, False),
    ],
)
def test_arguments_are_compared_as_far_as_they_are_named(wanted, given, is_in):
    assert within(wanted, given) is is_in


# --- what the record of a turn says ------------------------------------------------------------------------------------------


def test_an_exchange_is_read_from_the_record():
    def step(name, value):
        return StepRecord(name, 0.0, 1.0, msgspec.Raw(encode(value)))

    asked = Completion(
        (), (ActionCall("1", "LOOK", {"a": 1}), ActionCall("2", "post", {})), Finish.CALLS, provider="p", model="m"
    )
    record = TurnRecord(
        "t", "robin", "room", "ana", "local", (1,), 0.0, Outcome(Status.FAILED, reason="it broke", usage=Usage(3, calls=3)),
        duration_ms=1500.0,
        steps=(
            StepRecord("compose/1", 0.0, 1.0),
            step("generate/1", asked),
            step("generate/1/plugin/hook", Completion((Part("to a hook"),), provider="p", model="small")),
            step("act/1/0", ActionResult("seen", name="look", call="1")),
            step("generate/2", Completion((Part("No."),), finish=Finish.REFUSED, provider="q", model="n")),
        ),
    )  # fmt: skip
    exchange = exchange_of(record)
    assert exchange.calls == (Call("look", {"a": 1}, True, "seen"), Call("post", {}))
    assert (exchange.rounds, exchange.models, exchange.refused, exchange.seconds) == (2, ("p/m", "q/n"), True, 1.5)
    told = "\n".join(exchange.why())
    for known in ("turn t: failed (it broke), 2 rounds", "p/m, q/n", 'called look({"a":1}): ok: seen', "post(): not"):
        assert known in told


# --- playing -----------------------------------------------------------------------------------------------------------------


async def test_a_conversation_is_played_on_an_empty_store(project):
    text = """
        version = 1
        [[scenarios]]
        name = "who"
        messages = [{ say = "hello", person = "Ana", expect = { equals = "Ana said hello" } }]
        [[scenarios]]
        name = "who else"
        [[scenarios.messages]]
        say = "once"
        [[scenarios.messages]]
        say = "more"
        expect = { contains = "friend said more", max_input_tokens = 100, max_output_tokens = 10 }
        """
    results = await project.played(text)
    assert [result.ok for result in results] == [True, True]
    turns = {tried.exchange.turn for result in results for tried in result.tried}
    assert len(turns) == 2, "the first turn of the first room is the same in both stores"
    assert not (project.folder / "state").exists()


async def test_a_failure_says_what_was_wanted_what_came_and_how_it_came_about(project):
    result = await project.said("the weather?", 'contains = "Faro", not_calls = "get_weather"')
    assert not result.ok
    told = "\n".join(failure_of(result))
    [tried] = result.tried
    for known in (
        f"one, agent robin, model scripted/scripted ({project.folder / 'some.scenario.toml'}:3)",
        "message 1 (line 5), friend in main: the weather?",
        "contains: wanted Faro",
        "came In Porto: 18 degrees",
        'came get_weather({"city":"Porto","days":2}), carried out',
        f"turn {tried.exchange.turn}: replied, 2 rounds",
        'called get_weather({"city":"Porto","days":2}): ok: 18 degrees',
    ):
        assert known in told, told
    assert row_of(result)[0] == "FAILED"


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("hello", 'status = "replied"'),
        ("a broken one", 'status = "failed", contains = "went wrong"'),
        ("say swordfish", 'status = "blocked"'),
        ("a lottery", 'status = "dropped"'),
    ],
)
async def test_how_a_turn_ends_can_be_expected(project, text, expect):
    assert (await project.said(text, expect)).ok
    other = "replied" if "replied" not in expect else "silent"
    assert not (await project.said(text, f'status = "{other}"')).ok


async def test_in_a_group_the_agent_answers_when_it_is_mentioned(project):
    text = """
        version = 1
        [[scenarios]]
        name = "square"
        rooms = { square = { kind = "group" }, desk = {} }
        people = { Ana = {}, Bot = { bot = true } }
        messages = [
          { say = "Nice here.", expect = { status = "silent" } },
          { say = "And you?", mention = true, expect = { equals = "Ana said And you?" } },
          { say = "Nice here.", room = "desk", expect = { contains = "Nice" } },
          { say = "Robin, hello.", person = "Bot", expect = { status = "silent" } },
        ]
        """
    [result] = await project.played(text)
    assert result.ok, [*failure_of(result)]


async def test_a_failed_turn_fails_a_scenario_that_expects_nothing_of_it(project):
    result = await project.said("a broken one")
    assert not result.ok
    assert "The model is out of order." in "\n".join(failure_of(result))


async def test_what_was_said_before_is_known(project):
    project.configure(CONFIG.replace("robin]\n", "robin]\nmodels = { large = 'echo/all' }\n", 1))
    project.plugin("echo", ECHO)
    text = 'version = 1\n[[scenarios]]\nname = "a"\nmessages = [{say="one"}, {say="two", expect={contains="one /"}}]'
    [result] = await project.played(text)
    assert result.ok, [*failure_of(result)]
    assert result.tried[0].exchange.models == ("echo/all",)


# --- effects -----------------------------------------------------------------------------------------------------------------


async def test_actions_that_read_are_performed(project):
    assert (await project.said("weather", 'calls = { name = "get_weather", ok = true }, contains = "18"')).ok


@pytest.mark.parametrize("plugins", ["", 'plugins = ["deeds", "carrier-provider-scripted"]'])
async def test_effects_outside_are_refused_unless_they_are_asked_for(project, plugins):
    project.configure(CONFIG.replace("[agents.robin]", f"[agents.robin]\n{plugins}"))
    refused = await project.said("post it", 'calls = { name = "post", ok = false }, contains = "without --effects"')
    assert refused.ok, [*failure_of(refused)]
    done = await project.said("post it", 'calls = { name = "post", ok = true }', way=Way(effects=True))
    assert done.ok, [*failure_of(done)]


async def test_with_effects_the_policy_still_counts(project):
    project.configure(CONFIG.replace('["post"]', "[]"))
    result = await project.said("post it", 'status = "parked"', way=Way(effects=True))
    assert result.ok, [*failure_of(result)]


# --- the store -----------------------------------------------------------------------------------------------------------------


async def test_stores_are_kept_where_that_is_wanted(project):
    result = await project.said("hello", 'contains = "Faro"', way=Way(keep=project.folder / "kept"))
    assert Path(result.state).is_dir()
    assert f"carrierd why {result.tried[0].exchange.turn[:12]} --state {result.state}" in "\n".join(failure_of(result))
    with pytest.raises(ConfigError, match="is not empty"):
        await project.said("hello", way=Way(keep=project.folder / "kept"))


@pytest.fixture
def own_store(project, monkeypatch) -> InMemoryStore:
    """A store that every host in this process has, as one in a database elsewhere is."""
    store = InMemoryStore()
    store.name = "own"
    monkeypatch.setattr(InMemoryStore, "own", store, raising=False)
    project.plugin("elsewhere", STORE)
    return store


async def test_a_shared_store_is_not_touched(project, own_store):
    own_store.exclusive = False
    project.configure(CONFIG + '[memory]\nstore = "own"\n')
    assert (await project.said("hello", 'contains = "hello"')).ok
    assert await own_store.journal.turns() == ()
    project.configure(CONFIG.replace('"carrier-memory-sqlite", ', "") + '[memory]\nstore = "own"\n')
    with pytest.raises(ConfigError, match="The store own is shared") as raised:
        await project.said("hello")
    assert raised.value.line


async def test_a_store_that_is_elsewhere_and_not_empty_is_refused(project, own_store):
    project.configure(CONFIG.replace('"carrier-memory-sqlite", ', ""))
    assert (await project.said("hello", 'contains = "hello"')).ok
    with pytest.raises(ConfigError, match="The store own is not empty"):
        await project.said("hello")


# --- the matrix ------------------------------------------------------------------------------------------------------------------

TWO = """
version = 1
[[scenarios]]
name = "any"
messages = [{ say = "hello", expect = { contains = "hello" } }]
[[scenarios]]
name = "of wren"
agent = "wren"
messages = [{ say = "hello", expect = { contains = "hello" } }]
"""


def cases(project: Project, **given: object) -> list[tuple[str, str, str, int]]:
    found = plan(project.config, (project.file(TWO),), **given)
    return [(case.scenario.name, case.agent, case.model, case.run) for case in found]


def test_the_plan_is_a_matrix(project):
    assert cases(project) == [("any", "robin", "", 1), ("of wren", "wren", "", 1)]
    assert cases(project, agents=("wren",)) == [("any", "wren", "", 1), ("of wren", "wren", "", 1)]
    assert cases(project, agents=("robin",)) == [("any", "robin", "", 1)]
    both = cases(project, agents=("robin", "wren"), models=("a/b", "c/d"), runs=2)
    assert len(both) == 2 * 2 * 2 + 2 * 2
    assert both[:3] == [("any", "robin", "a/b", 1), ("any", "robin", "a/b", 2), ("any", "robin", "c/d", 1)]


def test_cases_have_names_of_their_own(project):
    found = plan(project.config, (project.file(TWO),), agents=("robin", "wren"), models=("a/b", "c/d"), runs=2)
    assert [case.id for case in found[:3]] == ["robin-a:b", "robin-a:b-2", "robin-c:d"]
    assert len({(case.number, case.id) for case in found}) == len(found)


def test_who_is_named_twice_plays_once(project):
    found = cases(project, agents=("robin", "robin"), models=("a/b", "c/d", "a/b"))
    assert found == [("any", "robin", "a/b", 1), ("any", "robin", "c/d", 1)]


async def test_every_case_has_a_store_of_its_own_that_is_kept(project):
    """Also where the name of a model ends as the number of a run does."""
    found = plan(project.config, (project.file(TWO),), models=("scripted/a", "scripted/a-2"), runs=2)
    results = await play_all(
        project.config, [case for case in found if case.number == 0], Way(keep=project.folder / "k")
    )
    assert [result.error for result in results] == [""] * 4
    assert len({result.state for result in results}) == 4


def test_an_agent_that_there_is_not_is_told(project):
    with pytest.raises(CarrierError, match=r"no agent finch\. There are: robin, wren"):
        cases(project, agents=("finch",))
    with pytest.raises(ConfigError, match="no agent finch") as raised:
        plan(project.config, (project.file(TWO.replace('agent = "wren"', 'agent = "finch"')),))
    assert raised.value.line == 8


async def test_every_model_of_the_matrix_is_asked(project):
    project.configure(
        CONFIG.replace("robin]\n", "robin]\nmodels = { large = { use = ['scripted/a'], max_tokens = 9 } }\n", 1)
    )
    results = await project.played(TWO, agents=("robin",), models=("scripted/x", "scripted/z", ""))
    assert [result.tried[0].exchange.models for result in results] == [
        ("scripted/x",),
        ("scripted/z",),
        ("scripted/a",),
    ]
    assert [row_of(result)[3] for result in results] == ["scripted/x", "scripted/z", "scripted/a"]


async def test_another_model_is_asked_as_the_agents_own_would_be(project):
    project.plugin(
        "echo",
        ECHO.replace('" / ".join(m.text for m in prompt.messages if m.role == "user")', "str(prompt.max_tokens)"),
    )
    project.configure(
        CONFIG.replace("robin]\n", "robin]\nmodels = { large = { use = ['echo/a'], max_tokens = 9 } }\n", 1)
    )
    [result] = await project.played(TWO.replace('"hello" }', '"9" }', 1), agents=("robin",), models=("echo/b",))
    assert result.ok, [*failure_of(result)]


async def test_results_are_in_the_order_of_the_plan_however_many_run_at_a_time(project):
    found = plan(project.config, (project.file(TWO),), agents=("robin", "wren"), runs=2)
    told = []
    results = await play_all(project.config, found, Way(), at_once=3, told=told.append)
    assert [(result.scenario, result.agent, result.run) for result in results] == [
        (case.scenario.name, case.agent, case.run) for case in found
    ]
    assert sorted(map(id, told)) == sorted(map(id, results))


async def test_a_fault_of_the_configuration_is_raised_not_counted(project):
    [case] = plan(project.config, (project.file(TWO),), agents=("robin",))
    (project.folder / "config" / "characters" / "robin.toml").write_text("name = ")
    with pytest.raises(ConfigError, match="robin"):
        await play(project.config, case, Way())


async def test_what_keeps_a_scenario_from_going_on_fails_it(project):
    project.plugin(
        "lost",
        "from carrier_core import CarrierError, impl\n@impl\nasync def start_host(host):\n"
        "    async def accept(inbound):\n        raise CarrierError('The line is dead.')\n    host.accept = accept\n",
    )
    result = await project.said("hello")
    assert (result.ok, result.error, result.tried) == (False, "The line is dead.", ())
    assert "it went no further: The line is dead." in "\n".join(failure_of(result))


# --- the judge --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["judge", "judge/json", "judge/words", "judge/busy"])
async def test_a_judge_answers_a_question(project, model):
    project.plugin("judges", JUDGES)
    asked = 'judge = ["Does it name a town?"]'
    assert (await project.said("weather", asked, way=Way(judge=model))).ok
    missed = await project.said("hello", asked, way=Way(judge=model))
    [check] = [check for check in missed.tried[0].checks if not check.ok]
    assert (check.name, check.wanted, check.came[:2]) == ("judge", "Does it name a town?", "no")
    assert missed.judging == Usage(7, 3, calls=1)


async def test_the_judge_of_the_file_is_asked_and_told_the_conversation(project):
    project.plugin("judges", JUDGES)
    text = """
        version = 1
        judge = { model = "judge" }
        [[scenarios]]
        name = "long"
        messages = [
          { say = "hello" },
          { say = "elsewhere", room = "other" },
          { say = "weather", expect = { judge = "A town?" } },
        ]
        """
    [result] = await project.played(text)
    assert result.tried[2].checks[-1].came == "yes: 3 lines"


@pytest.mark.parametrize(
    ("model", "said"), [("judge/mute", "said neither yes nor no: 'Hmm.'"), ("judge/away", "on holiday")]
)
async def test_a_judge_that_does_not_answer_fails_the_expectation(project, model, said):
    project.plugin("judges", JUDGES)
    result = await project.said("weather", 'judge = "A town?"', way=Way(judge=model, score=True))
    check = result.tried[0].checks[-1]
    assert (check.ok, check.came.startswith("no verdict: "), said in check.came) == (False, True, True)
    assert result.tried[0].score is None
    assert "no score: " in result.tried[0].opinion


async def test_an_answer_without_words_of_the_agent_is_not_judged(project):
    project.plugin("judges", JUDGES)
    result = await project.said("a broken one", 'status = "failed", judge = "Sorry?"', way=Way(judge="judge"))
    assert result.tried[0].checks[-1].came == "no words of the agent to judge"
    assert result.judging.calls == 0


def test_a_question_without_a_judge_is_a_fault_on_its_line(project):
    text = TWO.replace('contains = "hello" }', 'contains = "hello",\njudge = "Kind?" }', 1).replace("\njudge", " judge")
    found = plan(project.config, (project.file(text),))
    with pytest.raises(ConfigError, match="No judge is named") as raised:
        check_judged(found, Way())
    assert raised.value.line == 5
    check_judged(found, Way(judge="judge"))


async def test_a_judge_gives_scores(project):
    project.plugin("judges", JUDGES)
    for model in ("judge", "judge/words", "judge/floating"):
        way = Way(judge=model, score=True)
        assert [(await project.said(text, way=way)).tried[0].score for text in ("weather", "hello")] == [5, 2]
    assert (await project.said("a broken one", way=way)).tried[0].score is None


# --- figures ------------------------------------------------------------------------------------------------------------------------


def exchanges() -> list[Exchange]:
    return [
        msgspec.structs.replace(ANSWER, usage=Usage(100, 20, calls=2, cost=2_000_000), seconds=1.0),
        msgspec.structs.replace(ANSWER, reply="hello  ANA, it rains.", usage=Usage(50, 10, calls=1), priced=False),
        Exchange("t", "failed", "x", "Sorry.", notice=True, usage=Usage(30, calls=1), refused=True),
        Exchange("t", "silent", "nothing to say", usage=Usage(20, 0, calls=1)),
        Exchange("t", "silent", "not addressed"),
        Exchange(),
    ]


def test_every_figure_by_rule_is_what_it_is_said_to_be():
    sums = of_exchanges(exchanges())
    assert {name: mean(found) for name, found in sums.items()} == {
        "replied": 2 / 4,
        "failed": 1 / 4,
        "blocked": 0.0,
        "empty": 1 / 4,
        "refused": 1 / 4,
        "repeated": 1 / 2,
        "calls_done": 1.0,
        "rounds": 1.0,
        "characters": 20.5,
        "input_tokens": 50.0,
        "output_tokens": 7.5,
        "usd": pytest.approx(0.002 / 3),
        "seconds": 0.25,
    }


async def test_the_figures_of_scenarios_count_expectations(project):
    project.plugin("judges", JUDGES)
    result = await project.said(
        "weather", 'contains = ["Porto", "Faro"], calls = ["get_weather", "post"]', way=Way(judge="judge", score=True)
    )
    found = of_result(result)
    assert found.name == "some.scenario.toml: one"
    assert {name: found.sums[name] for name in ("passed", "met", "called", "score")} == {
        "passed": (0.0, 1),
        "met": (3.0, 5),
        "called": (1.0, 2),
        "score": (5.0, 1),
    }
    assert {*found.sums} <= {*FIGURES}


def test_figures_are_written_and_read(tmp_path):
    metrics = Metrics((Conversation("a", "robin", sums={"met": (1.0, 2)}),), 5.0, "p/m", "r")
    write(tmp_path / "m.json", metrics)
    assert read(tmp_path / "m.json") == metrics


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"conversations": [], "v": 2}', '{"conversations": [{}]}'])
def test_what_holds_no_figures_is_told(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ConfigError, match=r"These are no metrics: .*Name a file that --metrics has written"):
        read(tmp_path / "m.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.json")


# --- comparing ----------------------------------------------------------------------------------------------------------------------


def run_of(*values: float, figure: str = "met", prefix: str = "", **more: str) -> Metrics:
    """A run with one conversation, of four samples, for each value."""
    told = tuple(Conversation(f"{prefix}{n}", "robin", sums={figure: (4 * v, 4)}) for n, v in enumerate(values))
    return Metrics(told, **more)


def verdict(first: Metrics, second: Metrics) -> str:
    [difference] = compare(first, second).differences
    return difference.verdict


def test_a_difference_is_told_with_its_samples_and_its_chance():
    comparison = compare(run_of(*[0.25] * 8), run_of(*[0.75] * 8))
    [difference] = comparison.differences
    assert (difference.figure, difference.first, difference.second, difference.samples) == ("met", 0.25, 0.75, (32, 32))
    assert (difference.change, difference.verdict) == (0.5, "better")
    assert difference.chance == 2 / 2**8, (
        "all eight one way or all the other, of all ways in which eight can be swapped"
    )
    assert (comparison.paired, comparison.conversations, comparison.notes) == (8, (8, 8), ())


def test_more_is_not_better_of_everything():
    low, high = [0.25] * 8, [0.75] * 8
    assert verdict(run_of(*high), run_of(*low)) == "worse"
    assert verdict(run_of(*low, figure="failed"), run_of(*high, figure="failed")) == "worse"
    assert verdict(run_of(*low, figure="characters"), run_of(*high, figure="characters")) == "differs"


def test_what_may_be_chance_is_noise():
    assert verdict(run_of(1, 0, 1, 0, 1, 0, 1), run_of(1, 1, 1, 0, 1, 1, 0)) == "within noise"
    assert verdict(run_of(*[0.5] * 8), run_of(*[0.5] * 8)) == "the same"
    assert verdict(run_of(*[0] * 5), run_of(*[1] * 5)) == "too few to tell"
    assert verdict(run_of(*[0] * 6), run_of(*[1] * 6)) == "better"


def test_many_conversations_are_shuffled_the_same_way_every_time():
    first, second = run_of(*[n % 2 for n in range(40)]), run_of(*[n % 3 > 0 for n in range(40)])
    chances = {compare(first, second).differences[0].chance for _ in range(3)}
    assert len(chances) == 1
    assert 0.05 < chances.pop() < 1
    assert verdict(run_of(*[0.2] * 40), run_of(*[0.3] * 40)) == "better"


def test_other_conversations_are_compared_as_two_groups():
    comparison = compare(run_of(*[0.25] * 8), run_of(*[0.75] * 9, prefix="other "))
    assert comparison.paired == 0
    assert comparison.differences[0].verdict == "better"
    assert "do not have the same conversations" in comparison.notes[0]
    assert verdict(run_of(0, 0, 0), run_of(1, 1, 1, prefix="o")) == "too few to tell"
    assert verdict(run_of(0, 1, 0, 1), run_of(1, 0, 1, 1, prefix="o")) == "within noise"


def test_two_models_and_two_agents_are_paired_by_scenario():
    def run(agent, model):
        return Metrics(tuple(Conversation(f"{n}", agent, model, sums={"met": (1.0, 2)}) for n in range(7)))

    assert compare(run("robin", "a/b"), run("robin", "c/d")).paired == 7
    assert compare(run("robin", "a/b"), run("wren", "a/b")).paired == 7


def test_scores_of_two_judges_or_rubrics_do_not_compare():
    first = run_of(*[3] * 6, figure="score", judge="a/b", rubric="r")
    assert compare(first, first).notes == ()
    assert "two judges" in compare(first, run_of(*[3] * 6, figure="score", judge="c/d", rubric="r")).notes[0]
    assert "two rubrics" in compare(first, run_of(*[3] * 6, figure="score", judge="a/b", rubric="s")).notes[0]


# --- as tests of pytest ---------------------------------------------------------------------------------------------------------------


def pytest_of(
    project: Project, *args: str, ini: str | None = "carrier_config = config/carrier.toml"
) -> tuple[int, str]:
    """What pytest says in the folder of a project."""
    if ini is not None:
        (project.folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(project.folder), *args]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "CARRIER_"))}
    done = subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, check=False, env={**environment, "A_KEY": "kept"}
    )
    return done.returncode, done.stdout + done.stderr


def test_pytest_plays_the_matrix(project):
    project.file(TWO, "two.scenario.toml")
    project.file(
        "version: 1\nscenarios:\n- name: sad\n  messages:\n  - {say: hi, expect: {contains: Faro}}\n", "b.scenario.yaml"
    )
    (project.folder / "carrier.yaml").write_text("not: a scenario\n")
    ini = "carrier_config = config/carrier.toml\ncarrier_agents = robin wren\ncarrier_models = scripted/x scripted/y"
    code, said = pytest_of(project, "-v", "--junitxml", "junit.xml", ini=ini)
    assert code == 1
    assert re.search(r"4 failed, 6 passed", said), said
    assert "two.scenario.toml::any[robin-scripted:x] PASSED" in said
    assert "b.scenario.yaml::sad[wren-scripted:y] FAILED" in said
    assert re.search(r"contains: wanted Faro\n +came friend said hi\n", said)
    assert "Traceback" not in said
    assert '<property name="output_tokens" value="10"' in (project.folder / "junit.xml").read_text()


def test_pytest_collects_nothing_where_no_configuration_is_named(project):
    project.file(TWO, "two.scenario.toml")
    code, said = pytest_of(project, ini=None)
    assert (code, "no tests ran" in said) == (5, True)
    code, said = pytest_of(project, "two.scenario.toml", ini=None)
    assert code == 2
    assert "Write `carrier_config = " in said


@pytest.mark.parametrize(
    ("ini", "text", "told"),
    [
        ("", TWO.replace("version = 1", ""), ":1: It states no version"),
        ("carrier_agents = finch", TWO, "There is no agent finch."),
        ("carrier_models = none/x", TWO, "There is no provider none, of the model none/x."),
        ("", TWO.replace("contains", "judge", 1), ":5: No judge is named"),
        ("carrier_judge = none/x", TWO.replace("contains", "judge", 1), "There is no provider none"),
    ],
)
def test_pytest_tells_what_is_wrong_with_a_file(project, ini, text, told):
    project.file(text, "two.scenario.toml")
    code, said = pytest_of(project, ini=f"carrier_config = config/carrier.toml\n{ini}")
    assert code == 2
    assert told in said
    assert "Traceback" not in said


def test_pytest_leaves_the_environment_to_other_tests(project):
    project.plugin(
        "secretive",
        "from pydantic import SecretStr\nfrom carrier_core import PluginSettings, impl, secret\n"
        "class Settings(PluginSettings):\n    key: SecretStr | None = secret('A_KEY')\n"
        "@impl\ndef register_actions(): return []\n",
    )
    project.file(TWO, "two.scenario.toml")
    (project.folder / "test_z.py").write_text("import os\ndef test_key(): assert os.environ['A_KEY'] == 'kept'\n")
    code, said = pytest_of(project)
    assert (code, "3 passed" in said) == (0, True), said


# --- what others read ---------------------------------------------------------------------------------------------------------------


def test_a_case_knows_where_it_is_written(project):
    [first, second] = plan(project.config, (project.file(TWO),))
    assert isinstance(first, Case)
    assert (first.line, second.line) == (3, 6)


async def test_the_json_of_a_result_is_whole(project):
    result = await project.said("weather", 'calls = "get_weather"')
    told = json.loads(json.dumps(json_of(result)))
    [answer] = told["answers"]
    assert (told["ok"], answer["ok"], answer["status"], answer["usd"]) == (True, True, "replied", 0.0)
    assert answer["calls"][0]["arguments"] == {"city": "Porto", "days": 2}
    assert [check["name"] for check in answer["checks"]] == ["status", "calls"]


async def test_what_a_model_costs_is_told_where_somebody_knows(project):
    project.plugin("echo", ECHO)
    text = TWO.replace('contains = "hello"', "max_usd = 0.01", 1)
    models = ("echo/secret", "echo/dear", "scripted")
    results = await project.played(text, agents=("robin",), models=models)
    unknown, dear, free = [json_of(result)["answers"][0]["usd"] for result in results]
    assert (unknown, dear > 0.01, free) == (None, True, 0.0)
    assert [result.ok for result in results] == [False, False, True]
    assert [row_of(result)[6][:4] for result in results] == ["?", row_of(results[1])[6][:4], "0.00"]


# --- the documentation ----------------------------------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[1] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def keys_of(head: str) -> list[str]:
    """The first column of the table with this head."""
    table = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `([\w.]+)` \|", table, flags=re.MULTILINE)


def test_every_key_is_documented():
    assert keys_of("Key of `expect`") == [*Expected.model_fields]
    assert keys_of("Key of a call") == [*ExpectedCall.model_fields]
    assert sorted(keys_of("Key of a message")) == sorted(Said.model_fields)
    assert keys_of("Key of a scenario") == [*Scenario.model_fields]
    assert {key.split(".")[0] for key in keys_of("Key of the file")} == {*Content.model_fields}


def test_every_figure_is_documented_with_its_definition():
    table = PAGE.partition("| Figure |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \| (.+) \|$", table, flags=re.MULTILINE) == [
        (name, figure.meaning) for name, figure in FIGURES.items()
    ]
    assert RUBRIC in PAGE


async def test_every_key_of_the_json_is_documented(project):
    told = json_of(await project.said("weather", 'calls = "get_weather"'))
    [answer] = told["answers"]
    shown = {*told, *answer, *answer["usage"], *answer["calls"][0], *answer["checks"][0]}
    assert {key for key in shown if f"`{key}`" not in PAGE} == set()


async def test_the_example_passes(project):
    """With the built-in rules of the scripted provider, which remember what they are told."""
    project.configure(CONFIG.replace('rules = "rules.toml"', ""))
    [example] = re.findall(r"<!-- run: scenario -->\n```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    results = await project.played(example)
    assert [result.ok for result in results] == [True, True], [*failure_of(results[0]), *failure_of(results[1])]


def test_the_settings_of_pytest_are_documented():
    from carrier_core.testing import plugin

    class Parser:
        def addini(self, name, *given, **more):
            names.append(name)

    names: list[str] = []
    plugin.pytest_addoption(Parser())
    assert keys_of("Setting") == names
