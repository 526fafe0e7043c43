"""What the commands of plugins reach: the memories of the store that they were pointed at, with a daemon and without."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from carrier_core.cli import main

CONFIG = """\
[agents.robin]
models = { large = "scripted/rules" }
character = "bot"
[agents.wren]
character = "bot"
[plugins]
enabled = ["carrier-memory-sqlite", "carrier-provider-scripted"]
[log]
level = "info"
format = "json"
"""
COMMAND = '''\
"""A command that keeps notes."""
import anyio, json
from carrier_core import Audience, Command, Memory, MemoryKind, Part, Provenance, impl, make_id, open_memories, outside

class Note(Command):
    name = "note"
    help = "keep a note"
    def configure(self, parser):
        parser.add_argument("--say", default="")
        parser.add_argument("--agent", default="")
        parser.add_argument("--room", default="")
        parser.add_argument("--drop", default="")
        parser.add_argument("--read-only", action="store_true")
    def run(self, args):
        return anyio.run(self.noted, args)
    async def noted(self, args):
        changes = bool(args.say or args.drop) and not args.read_only
        async with open_memories(args, change=changes) as memories:
            agent = memories.agent(args.agent)
            audience = Audience(((await memories.room(args.room)).id,)) if args.room else Audience()
            key = make_id("note", agent, args.say)
            note = Memory(key, agent, "", MemoryKind.FACT, (Part(args.say),), 5.0, Provenance((outside("note"),), audience),
                          data={"v": [1]})
            if args.say or args.drop:
                await memories.change(put=(note,) if args.say else (), forget=(args.drop,) if args.drop else ())
            listed = await memories.list(agent=args.agent, kind=MemoryKind.FACT)
            got = await memories.get((key, "0" * 32))
            print(json.dumps({
                "agents": memories.agents, "listed": [[m.agent, m.text, m.data] for m in listed], "got": len(got),
                "ids": [m.id for m in listed], "rooms": [m.provenance.audience.rooms for m in listed],
            }))

@impl
def register_commands():
    return Note()
'''

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, in which commands run; nothing of the machine's own takes part."""
    for name in [name for name in os.environ if name.startswith("CARRIER_") or name.endswith(("_API_KEY", "_TOKEN"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    (tmp_path / "config" / "characters").mkdir(parents=True)
    (tmp_path / "config" / "plugins").mkdir()
    (tmp_path / "config" / "carrier.toml").write_text(CONFIG)
    (tmp_path / "config" / "characters" / "bot.toml").write_text('name = "Bot"\n')
    (tmp_path / "config" / "plugins" / "noting.py").write_text(COMMAND)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def carrierd(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; returns its exit code and what it printed."""

    def carrierd(*args: str) -> tuple[int, str, str]:
        code = main(args)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return carrierd


@pytest.fixture
def noted(carrierd: Run) -> Callable[..., Any]:
    """Runs the command of the plugin, which succeeds; what it printed."""

    def noted(*args: str) -> Any:
        code, out, err = carrierd("note", *args)
        assert (code, err) == (0, "")
        return json.loads(out)

    return noted


@contextmanager
def daemon() -> Iterator[None]:
    """A daemon on the state directory, for as long as the block."""
    command = [sys.executable, "-c", "import sys; from carrier_core.cli import main; sys.exit(main(['run']))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            assert any('"ready"' in line for line in process.stdout)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
    assert process.returncode == 0


def kept(noted: Callable[..., Any]) -> None:
    assert noted("--say", "Tea.")["listed"] == [["robin", "Tea.", {"v": [1]}]]
    told = noted("--say", "Soup.", "--agent", "wren", "--room", "staff")
    assert (told["agents"], told["listed"], told["got"]) == (["robin", "wren"], [["wren", "Soup.", {"v": [1]}]], 1)
    assert [len(rooms) for rooms in told["rooms"]] == [1]
    assert noted("--say", "Tea.")["listed"].count(["robin", "Tea.", {"v": [1]}]) == 1
    assert {text for _, text, _ in noted()["listed"]} == {"Tea.", "Soup."}
    assert noted("--drop", told["ids"][0])["listed"] == [["robin", "Tea.", {"v": [1]}]]


def test_without_a_daemon_they_are_kept_in_the_store(noted: Callable[..., Any], carrierd: Run) -> None:
    kept(noted)

    assert "Tea." in carrierd("memory", "list")[1]


def test_through_a_daemon_they_are_kept_too_and_recalled_at_once(noted: Callable[..., Any], carrierd: Run) -> None:
    with daemon():
        kept(noted)
        assert "Tea." in carrierd("memory", "recall", "Which tea?")[1]


def test_another_state_directory_can_be_meant(noted: Callable[..., Any], carrierd: Run, folder: Path) -> None:
    noted("--say", "Tea.", "--state", str(folder / "other"))

    assert sorted(path.name for path in folder.iterdir()) == ["config", "other"]


def test_a_store_that_is_not_there_is_not_made_for_reading(carrierd: Run, folder: Path) -> None:
    code, out, err = carrierd("note")

    assert (code, out) == (69, "")
    assert "There is no database" in err
    assert not (folder / "state").exists()


def test_what_is_opened_for_reading_is_not_changed(noted: Callable[..., Any], carrierd: Run) -> None:
    noted("--say", "Tea.")

    code, _, err = carrierd("note", "--say", "Soup.", "--read-only")

    assert code == 70
    assert "opened for reading" in err
    assert len(noted()["listed"]) == 1


def test_an_unknown_agent_is_told(carrierd: Run) -> None:
    code, _, err = carrierd("note", "--say", "x", "--agent", "nobody")

    assert (code, err) == (64, "carrierd: There is no agent nobody. There are: robin, wren.\n")
