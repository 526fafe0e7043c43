"""``carrierd scenario``: what run, measure and compare print, their exit codes, and what they say to wrong usage."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from carrier_core.cli import COMMANDS, main
from carrier_core.scenarios.metrics import Conversation, Metrics, write

CONFIG = """\
[agents.robin]
[agents.wren]
character = "robin"
[plugins]
enabled = ["carrier-memory-sqlite", "carrier-provider-scripted"]
[plugin.carrier-provider-scripted]
rules = "rules.toml"
[policy]
allow = ["post"]
[log]
level = "info"
"""

RULES = """\
version = 1
standard = false
[[rules]]
contains = '"answer"'
text = '{"reason": "It is what it is.", "score": 4, "verdict": "yes"}'
usage = { input = 5, output = 2 }
[[rules]]
contains = "post"
  [[rules.steps]]
  calls = [{ name = "post" }]
  [[rules.steps]]
  text = "done"
[[rules]]
contains = "broken"
failure = { reason = "invalid", message = "The model is out of order." }
[[rules]]
text = "You said {{ message }}"
"""

POST = """\
from carrier_core import Action, ActionResult, Effect, impl
class Post(Action):
    name = "post"
    description = "Post it."
    parameters = {"type": "object"}
    effect = Effect.EXTERNAL
    async def perform(self, turn, call):
        return ActionResult("posted")
@impl
def register_actions():
    return Post()
"""

GOOD = """\
version = 1
[[scenarios]]
name = "good"
messages = [{ say = "hello", expect = { contains = "hello", not_calls = "*" } }]
"""

BAD = """\
version: 1
scenarios:
- name: bad
  messages:
  - say: "hello \\e[31m"
    expect: {contains: Porto}
"""

Carrierd = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and scenarios, in which commands run."""
    for name in [name for name in os.environ if name.startswith("CARRIER_") or name.endswith(("_API_KEY", "_TOKEN"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setitem(COMMANDS, "scenario", "play conversations, measure the answers, compare two runs")
    config = tmp_path / "config"
    (config / "characters").mkdir(parents=True)
    (config / "plugins").mkdir()
    (config / "carrier.toml").write_text(CONFIG)
    (config / "rules.toml").write_text(RULES)
    (config / "plugins" / "deeds.py").write_text(POST)
    (config / "characters" / "robin.toml").write_text('name = "Robin"\n')
    (tmp_path / "good.scenario.toml").write_text(GOOD)
    (tmp_path / "bad.scenario.yaml").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    logging.root.handlers.clear()


@pytest.fixture
def carrierd(capsys: pytest.CaptureFixture[str]) -> Carrierd:
    """Runs a command; returns its exit code and what it printed."""

    def carrierd(*args: str) -> tuple[int, str, str]:
        code = main(args)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return carrierd


# --- run -----------------------------------------------------------------------------------------------------------------


def test_what_goes_as_expected_is_0(carrierd: Carrierd, folder: Path) -> None:
    code, out, err = carrierd("scenario", "run", "good.scenario.toml")
    assert (code, err) == (0, "")
    assert re.search(r"^passed  good +robin +scripted/scripted +3/3 ", out, re.MULTILINE)
    assert out.endswith("\n1 of 1 passed.\n")
    assert not (folder / "state").exists(), "what the daemon keeps is left alone"


def test_what_does_not_is_1_and_says_why(carrierd: Carrierd) -> None:
    code, out, err = carrierd("scenario", "run", "good.scenario.toml", "bad.scenario.yaml")
    assert (code, err) == (1, "")
    assert out.endswith("1 of 2 passed.\n")
    assert "bad, agent robin, model scripted/scripted (bad.scenario.yaml:3)" in out
    assert "contains: wanted Porto" in out
    assert re.search(r"turn \w{32}: replied, 1 round", out)
    assert "\x1b" not in out, "what people and models wrote does not control the terminal"


def test_a_matrix_of_agents_and_models(carrierd: Carrierd) -> None:
    args = ("--agent", "robin", "--agent", "wren", "--model", "scripted/a", "--model", "scripted/b", "--jobs", "2")
    code, out, _ = carrierd("scenario", "run", "good.scenario.toml", *args, "--repeat", "2")
    assert code == 0
    assert re.findall(r"^passed  good +(\w+) +scripted/(\w)", out, re.MULTILINE) == [
        (agent, model) for agent in ("robin", "wren") for model in "ab" for _ in range(2)
    ]


def test_json_tells_everything(carrierd: Carrierd) -> None:
    code, out, err = carrierd("scenario", "run", "bad.scenario.yaml", "--json")
    assert (code, err) == (1, "")
    told = json.loads(out)
    assert (told["v"], told["passed"], len(told["results"])) == (1, 0, 1)
    [answer] = told["results"][0]["answers"]
    assert [check["name"] for check in answer["checks"] if not check["ok"]] == ["contains"]


def test_effects_have_to_be_asked_for(carrierd: Carrierd, folder: Path) -> None:
    (folder / "post.scenario.toml").write_text(GOOD.replace("hello", "post", 1).replace("contains", "equals").replace(
        '"hello", not_calls = "*"', '"done", calls = { name = "post", ok = true }'))  # fmt: skip
    code, out, _ = carrierd("scenario", "run", "post.scenario.toml")
    assert (code, "scenarios have none without --effects" in out) == (1, True)
    assert carrierd("scenario", "run", "post.scenario.toml", "--effects")[0] == 0


def test_a_store_that_is_kept_answers_why(carrierd: Carrierd, folder: Path) -> None:
    _, out, _ = carrierd("scenario", "run", "bad.scenario.yaml", "--keep", "kept")
    [(turn, state)] = re.findall(r"more: carrierd why (\w+) --state (\S+)", out)
    code, said, _ = carrierd("why", turn, "--state", state)
    assert (code, f"turn {turn}" in said) == (0, True)
    assert carrierd("scenario", "run", "bad.scenario.yaml", "--keep", "kept")[0] == 64


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "required: WHAT"),
        (["play"], "invalid choice: 'play'"),
        (["run"], "required: FILE"),
        (["run", "good.scenario.toml", "--agent", "finch"], "There is no agent finch. There are: robin, wren."),
        (["run", "good.scenario.toml", "--model", "none/x"], "There is no provider none, of the model none/x. There are: scr"),
        (["run", "good.scenario.toml", "--judge", "none"], "There is no provider none, of the model none."),
        (["run", "good.scenario.toml", "--score"], "--score needs a judge. Give --judge provider/model."),
        (["run", "good.scenario.toml", "--repeat", "0"], "must be at least 1"),
        (["measure", "--agent", "finch"], "There is no agent finch."),
        (["measure", "--last", "0"], "must be at least 1"),
        (["compare", "a"], "required: B"),
    ],
)  # fmt: skip
def test_wrong_usage_is_64(carrierd: Carrierd, args: list[str], said: str) -> None:
    code, out, err = carrierd("scenario", *args)
    assert (code, out) == (64, "")
    assert said in err


@pytest.mark.parametrize("name", ["config", "nowhere/figures.json"])
def test_where_figures_cannot_be_written_nothing_is_played(carrierd: Carrierd, folder: Path, name: str) -> None:
    for what in (("run", "good.scenario.toml", "--keep", "kept"), ("measure",)):
        code, out, err = carrierd("scenario", *what, "--metrics", name)
        assert (code, out) == (64, "")
        assert f"The figures cannot be written to {name}." in err
    assert not (folder / "kept").exists()


def test_scenarios_of_other_agents_only_are_nothing_to_play(carrierd: Carrierd, folder: Path) -> None:
    (folder / "wren.scenario.toml").write_text(GOOD.replace('"good"', '"good"\nagent = "wren"'))
    code, _, err = carrierd("scenario", "run", "wren.scenario.toml", "--agent", "robin")
    assert (code, "There is nothing to play." in err) == (64, True)


def test_all_faults_of_all_files_are_78(carrierd: Carrierd, folder: Path) -> None:
    (folder / "one.scenario.toml").write_text(GOOD.replace("say", "says"))
    (folder / "two.scenario.toml").write_text(GOOD.replace("1", "7", 1))
    code, out, err = carrierd(
        "scenario", "run", "one.scenario.toml", "two.scenario.toml", "good.scenario.toml", "none.toml"
    )
    assert (code, out) == (78, "")
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "one.scenario.toml:4", "one.scenario.toml:4", "two.scenario.toml:1", "none.toml",
    ]  # fmt: skip


def test_faults_of_the_configuration_and_unanswered_questions_are_78(carrierd: Carrierd, folder: Path) -> None:
    (folder / "judged.scenario.toml").write_text(GOOD.replace('contains = "hello"', 'judge = "Kind?"'))
    code, _, err = carrierd("scenario", "run", "judged.scenario.toml")
    assert (code, "judged.scenario.toml:4: No judge is named" in err) == (78, True)
    assert carrierd("scenario", "run", "judged.scenario.toml", "--judge", "scripted")[0] == 0
    (folder / "config" / "carrier.toml").write_text(f"{CONFIG}[limits]\nroom = 1\n")
    assert carrierd("scenario", "run", "good.scenario.toml")[0] == 78


# --- figures ---------------------------------------------------------------------------------------------------------------


def test_figures_of_a_run_are_written_and_compared(carrierd: Carrierd, folder: Path) -> None:
    [head, one] = GOOD.split("\n", 1)
    text = "\n".join([head, *[one.replace("good", f"good {number}") for number in range(6)]])
    (folder / "six.scenario.toml").write_text(text)
    run = ("scenario", "run", "six.scenario.toml", "--judge", "scripted", "--score", "--metrics")
    assert carrierd(*run, "a.json")[0] == 0
    (folder / "config" / "rules.toml").write_text(RULES.replace("You said {{ message }}", "No.").replace("4,", "1,"))
    assert carrierd(*run, "b.json")[0] == 1
    code, out, err = carrierd("scenario", "compare", "a.json", "b.json")
    assert (code, err) == (0, "")
    assert re.search(r"^met +1 +0.6667 +-0.3333 +18/18 +worse \(chance 3.1%\)$", out, re.MULTILINE)
    assert re.search(r"^score +4 +1 +-3 +6/6 +worse", out, re.MULTILINE)
    assert re.search(r"^replied +1 +1 +\+0 +6/6 +the same$", out, re.MULTILINE)
    assert out.endswith("\n6 and 6 conversations, 6 of them common.\n")


def test_a_comparison_as_json(carrierd: Carrierd, folder: Path) -> None:
    write(folder / "a.json", Metrics((Conversation("a", "robin", sums={"met": (1.0, 2)}),)))
    write(folder / "b.json", Metrics((Conversation("b", "robin", sums={"met": (2.0, 2)}),)))
    told = json.loads(carrierd("scenario", "compare", "a.json", "b.json", "--json")[1])
    assert told["differences"][0] | {"chance": 0} == {
        "figure": "met", "first": 0.5, "second": 1.0, "samples": [2, 2], "verdict": "too few to tell", "chance": 0,
    }  # fmt: skip
    assert told["notes"]


def test_what_is_no_file_of_figures_is_78(carrierd: Carrierd, folder: Path) -> None:
    (folder / "a.json").write_text("{}")
    code, _, err = carrierd("scenario", "compare", "a.json", "a.json")
    assert (code, "a.json: These are no metrics" in err) == (78, True)
    assert carrierd("scenario", "compare", "none.json", "a.json")[0] == 78


def test_stored_turns_are_measured(carrierd: Carrierd, folder: Path) -> None:
    for text in ("hello", "hello", "something broken"):
        carrierd("chat", "-m", text)
    carrierd("chat", "-m", "hello", "--agent", "wren")
    code, out, err = carrierd("scenario", "measure", "--agent", "robin", "--json", "--metrics", "m.json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["conversations"] == 1
    assert told["figures"]["replied"] == {"value": pytest.approx(2 / 3), "samples": 3}
    assert told["figures"]["failed"] == {"value": pytest.approx(1 / 3), "samples": 3}
    assert told["figures"]["repeated"] == {"value": 0.5, "samples": 2}
    assert "score" not in told["figures"]
    assert json.loads((folder / "m.json").read_text())["conversations"][0]["agent"] == "robin"
    code, out, _ = carrierd("scenario", "measure", "--last", "1")
    assert re.search(r"^replied +1 +1 +share of turns", out, re.MULTILINE)


def test_a_judge_scores_stored_replies(carrierd: Carrierd) -> None:
    for text in ("hello", "something broken"):
        carrierd("chat", "-m", text)
    code, out, err = carrierd("scenario", "measure", "--judge", "scripted", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["figures"]["score"] == {"value": 4.0, "samples": 1}


def test_without_a_store_or_turns_there_is_nothing_to_measure(carrierd: Carrierd) -> None:
    assert carrierd("scenario", "measure")[0] == 69
