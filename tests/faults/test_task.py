"""A task agent that is killed (SIGKILL) at every step of a task of five actions completes it, with each action run once.

``CARRIER_TEST_SWEEP=1`` also kills a new agent at each place alone, which takes some minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import postgres_on
from tests.faults.daemon import Backend

HERE = Path(__file__).parent
SWEEPS = "CARRIER_TEST_SWEEP" in os.environ
LINES = ["alpha", "beta", "gamma", "delta", "omega"]
EMBEDDED = Backend("sqlite", "carrier-memory-sqlite")
REPORT = "All five lines are written."
PLANNED = [
    "Writing alpha.",
    "Writing beta.",
    "Done: alpha and beta (1 of 3).",
    "Writing gamma.",
    "Writing delta.",
    "Writing omega.",
    "Done: gamma (3 of 3).",
    "Done: delta and omega (3 of 3).",
    REPORT,
]
"""What the room is told where the agent keeps a plan, and revises it."""


class Errand:
    """A task agent, and what became of its world over all its lives."""

    def __init__(self, folder: Path, backend: Backend, *, keys: bool, planned: bool) -> None:
        self.folder = folder
        self.backend = backend
        self.planned = planned
        self.world = folder / "world.jsonl"
        (folder / "plugins").mkdir(parents=True)
        (folder / "characters").mkdir()
        (folder / "characters" / "robin.toml").write_text('name = "Robin"\n')
        shutil.copy(HERE / "errands" / "errand.py", folder / "plugins")
        shutil.copy(HERE / "errands" / ("planned.toml" if planned else "rules.toml"), folder / "rules.toml")
        plugins = [backend.plugin, "carrier-provider-scripted", "carrier-context-standard"]
        plugins += ["carrier-actions-standard"] if planned else []
        (folder / "carrier.toml").write_text(f"""\
[agents.robin]
kind = "task"

[agents.robin.limits]
activations = 40

[plugins]
enabled = {json.dumps(plugins)}
required = ["errand"]

[policy]
allow = ["write", "plan"]

[plugin.errand]
world = "{self.world}"
keys = {str(keys).lower()}
finish = {str(not planned).lower()}

[plugin.carrier-provider-scripted]
rules = "rules.toml"

[limits]
{backend.limits}

[log]
format = "json"

{backend.sections}
""")

    def live(self, place: str = "") -> None:
        """Let it live, and die at each place or at this one, until it has ended by itself."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CARRIER_")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, str(HERE / "nursery.py"), "run"]
        command += ["--config", str(self.folder / "carrier.toml"), "--state", str(self.folder / "state")]
        with (self.folder / "log").open("ab") as log:
            run = subprocess.run(
                command,
                cwd=self.folder,
                env=environment | self.backend.environment | {"CARRIER_TEST_PLACE": place},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=300,
                check=False,
            )
        tail = (self.folder / "log").read_text()[-3000:]
        assert run.returncode == 0, f"it ended with {run.returncode}\n{tail}"

    def entries(self, what: str) -> list[dict]:
        """What happened of one sort, in order."""
        found = [json.loads(line) for line in self.world.read_text().splitlines()]
        return [entry for entry in found if entry["what"] == what]

    def check(self) -> None:
        """Each action ran once and in order, each post arrived once, and no model was asked again for what was recorded."""
        assert [entry["line"] for entry in self.entries("line")] == LINES
        posts = [entry["text"] for entry in self.entries("post")]
        assert posts == (PLANNED if self.planned else [*[f"Writing {line}." for line in LINES], REPORT])
        ends = {(entry["status"], entry["reason"], entry["reply"]["text"]) for entry in self.entries("ended")}
        assert ends == {("replied", "the task is done", REPORT)}
        recorded: set[str] = set()
        for line in self.world.read_text().splitlines():
            entry = json.loads(line)
            if entry["what"] == "recorded":
                recorded |= {*entry["steps"]}
            assert entry["what"] != "asked" or entry["step"] not in recorded, f"{entry['step']} was asked for again"


@pytest.fixture
def make(tmp_path):
    """Makes errands, each in a folder of its own."""
    made = []

    def new(backend: Backend = EMBEDDED, *, keys: bool = True, planned: bool = False) -> Errand:
        made.append(Errand(tmp_path / str(len(made)), backend, keys=keys, planned=planned))
        return made[-1]

    return new


def test_a_task_agent_that_is_killed_at_every_step_runs_each_action_once(make):
    errand = make()
    errand.live()
    errand.check()
    died = [entry["place"] for entry in errand.entries("died")]
    print(f"\n{len(died)} kills, {len(errand.entries('asked'))} model calls")
    for step in range(1, 6):
        assert {f"begin_step act/{step}/0 before", f"begin_step act/{step}/0 after"} <= {*died}
        assert {f"write {LINES[step - 1]} before", f"write {LINES[step - 1]} after"} <= {*died}
    for step in range(1, 7):
        assert {f"generate/{step} before", f"generate/{step} after"} <= {*died}
    assert {f"{name} {when}" for name in ("claim_room", "activate") for when in ("before", "after")} <= {*died}


@pytest.mark.parametrize("place", ["none", ""] if SWEEPS else ["none"])
def test_a_task_agent_with_a_plan_tells_of_each_step_once(make, place):
    errand = make(planned=True)
    errand.live(place)
    errand.check()
    print(f"\n{len(errand.entries('died'))} kills with a plan")


if SWEEPS:

    def test_a_task_agent_that_is_killed_at_every_step_on_a_server_runs_each_action_once(make, server):
        backend = postgres_on(server)  # where an effect is judged only when nobody else can be at it any more
        backend.limits += "\n[limits.budgets]\nperform = 1\n"
        errand = make(backend)
        errand.live()
        errand.check()
        print(f"\n{len(errand.entries('died'))} kills on a server")

    def test_a_task_agent_that_is_killed_once_anywhere_runs_each_action_once(make):
        census = make()
        census.live("none")
        census.check()
        places = list(dict.fromkeys(entry["place"] for entry in census.entries("passed")))
        for place in places:
            errand = make(keys=False)
            errand.live(place)
            errand.check()
            assert [entry["place"] for entry in errand.entries("died")] == [place]
        print(f"\n{len(places)} places")
