"""The whole system as an operator runs it: the shipped configuration, real processes, a store on disk."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CARRIERD = str(Path(sys.executable).with_name("carrierd"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the shipped configuration in an empty folder."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    """The environment of a person who has no key."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CARRIER_", "OPENAI_"))}
    return kept | {"USER": "ana"} | more


def carrierd(project: Path, *args: str, stdin: str | bytes = "", code: int = 0) -> str:
    """Run a command; its standard output."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    state = [] if args[0] in ("check", "--version") else ["--state", str(project / "state")]
    run = subprocess.run(
        [CARRIERD, *args, *state],
        cwd=project,
        env=environment(),
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == code, run.stderr.decode()
    assert b"Traceback" not in run.stderr
    return run.stdout.decode()


def say(project: Path, text: str, room: str = "r1", *more: str) -> dict:
    """One message to tifa; the JSON of the answer."""
    return json.loads(carrierd(project, "chat", "--agent", "tifa", "--room", room, "--json", "-m", text, *more))


@contextmanager
def daemon(project: Path, code: int = 0) -> Iterator[tuple[subprocess.Popen, Callable[[], None]]]:
    """The daemon once it is ready, and how to wait until it says so again; ended by SIGTERM."""
    (project / "n").mkdir(exist_ok=True)
    address = str(project / "n" / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(30)
        with (project / "log").open("wb") as log:
            process = subprocess.Popen(
                [CARRIERD, "run", "--state", str(project / "state")],
                cwd=project,
                env=environment(NOTIFY_SOCKET=address),
                stdin=subprocess.DEVNULL,
                stderr=log,
            )

        def ready() -> None:
            while b"READY=1" not in listener.recv(4096):
                pass

        try:
            ready()
            yield process, ready
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(30)
            Path(address).unlink(missing_ok=True)
    assert process.returncode == code


FACTS = [
    ("My name is Ana and I live in Porto.", "Where do I live?", "Porto"),
    ("My sister is called Clara and she paints boats.", "What is my sister called?", "Clara"),
    ("I am allergic to walnuts.", "What am I allergic to?", "walnuts"),
    ("My favourite colour is teal.", "What is my favourite colour?", "teal"),
    ("I work as a bridge engineer.", "What do I do for work?", "bridge engineer"),
    ("My birthday is on the third of May.", "When is my birthday?", "third of May"),
]


def test_what_a_person_told_is_recalled_after_sixty_messages_in_a_new_process(project):
    told = [say(project, fact) for fact, _, _ in FACTS[:1]]
    assert {"turn", "agent", "room", "reply", "usage", "duration_ms"} <= told[0].keys()
    others = [fact for fact, _, _ in FACTS[1:]]
    chatter = [f"Let us talk about topic {number}, the sea and old ships" for number in range(60)]
    lines = "\n".join([*others, *chatter]) + "\n"
    carrierd(project, "chat", "--agent", "tifa", "--room", "r1", stdin=lines)
    for _, question, answer in FACTS:
        assert answer in say(project, question)["reply"]["text"]
    assert "Porto" not in say(project, "Where do I live?", "r2", "--person", "bo")["reply"]["text"]
    assert "Porto" not in say(project, "Where does Ana live?", "r3", "--person", "bo")["reply"]["text"]
    assert "Porto" in say(project, "Where do I live?", "r4")["reply"]["text"]  # which is theirs alone as well
    say(project, "Hello.", "r5", "--person", "bo")
    assert "Porto" not in say(project, "Where do I live?", "r5")["reply"]["text"]  # where Bo reads it


def test_why_lists_what_ran_what_was_shown_and_which_memories_were_used(project):
    (project / "config" / "plugins" / "weather.py").write_text(
        "from carrier_core import State, impl\n\n\n@impl\nasync def provide_state(turn):\n"
        '    return State.of(weather="It rains.")\n'
    )
    say(project, "My name is Ana and I live in Porto.")
    carrierd(project, "chat", "--room", "r1", "--agent", "tifa", stdin="".join(f"topic {n}\n" for n in range(40)))
    turn = say(project, "Where do I live?")
    why = json.loads(carrierd(project, "why", turn["turn"], "--json"))
    assert why["v"] == 1
    hooks = {(ran["hook"], ran["plugin"]) for ran in why["ran"]}
    assert {("decide", "carrier"), ("provide_state", "weather"), ("assemble_prompt", "carrier")} <= hooks
    assert {"carrier-context-standard", "carrier-provider-scripted"} <= {ran["plugin"] for ran in why["ran"]}
    assert all(ran["duration_ms"] >= 0 and ran["result"] for ran in why["ran"])
    assert "My name is Ana and I live in Porto." in [memory["text"] for memory in why["memories"]]
    origins = {part["text"]: part["provenance"]["origins"] for part in why["parts"]}
    character = next(part for part in why["parts"] if part["key"] == "character")
    assert character["provenance"]["origins"] == ["operator"]
    assert origins["It rains."] == ["outside:plugin/weather"]
    assert origins["Where do I live?"] == [f"person:{why['person']}"]
    assert origins["My name is Ana and I live in Porto."] == [f"person:{why['person']}"]
    assert turn["turn"][:12] in carrierd(project, "why", turn["turn"][:12])


def test_a_running_daemon_answers_what_chat_asks_and_shares_its_rooms(project):
    with daemon(project) as (process, _):
        mode = stat.S_IMODE((project / "state" / "control.sock").stat().st_mode)
        assert mode == 0o600
        assert say(project, "My name is Ana and I live in Porto.")["status"] == "replied"
        assert "Porto" in carrierd(project, "chat", "--agent", "tifa", "--room", "r1", stdin="Where do I live?\n")
        agents = json.loads(carrierd(project, "agents", "--json"))
        assert [(agent["name"], agent["running"]) for agent in agents] == [("tifa", True), ("assistantbot", True)]
        memory = json.loads(carrierd(project, "memory", "list", "--json"))
        told = next(each for each in memory if "Porto" in each["content"][0]["text"] and not each.get("by_agent"))
        assert carrierd(project, "memory", "forget", told["id"]).startswith("1 ")
        refused = subprocess.run(
            [CARRIERD, "run", "--state", str(project / "state")],
            cwd=project,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert refused.returncode == 69
        assert f"pid {process.pid}" in refused.stderr
    events = [json.loads(line)["event"] for line in (project / "log").read_text().splitlines()]
    assert [events[0], events[-2], events[-1]] == ["ready", "stopping", "stopped"]


def test_a_hangup_reads_the_configuration_again_all_or_nothing(project):
    config = project / "config" / "carrier.toml"
    whole = config.read_text()
    with daemon(project) as (process, ready):
        config.write_text(whole + "\n[agents.wren]\ncharacter = 'assistantbot'\n")
        process.send_signal(signal.SIGHUP)
        ready()
        heard = json.loads(carrierd(project, "chat", "--agent", "wren", "--json", "-m", "hello"))
        assert heard["agent"] == "wren"
        config.write_text(whole + "\n[agents.wren]\ncharacter = 'nobody'\n")
        process.send_signal(signal.SIGHUP)
        ready()
        assert (
            json.loads(carrierd(project, "chat", "--agent", "wren", "--json", "-m", "still there?"))["agent"] == "wren"
        )
    log = (project / "log").read_text()
    assert "reload_refused" in log
    assert "nobody" in log


def test_a_daemon_that_was_killed_leaves_nothing_in_the_way(project):
    with daemon(project, code=-signal.SIGKILL) as (process, _):
        say(project, "My name is Ana and I live in Porto.")
        process.kill()
    assert "Porto" in say(project, "Where do I live?")["reply"]["text"]
    with daemon(project):
        assert "Porto" in say(project, "Where do I live?")["reply"]["text"]


def test_lines_on_standard_input_are_answered_in_order(project):
    answers = carrierd(project, "chat", stdin="My cat is called Miso.\n\nWhat is my cat called?\n")
    assert "Miso" in answers
    assert carrierd(project, "chat", stdin="") == ""
    assert carrierd(project, "chat", stdin=b"caf\xe9 \xff\xfe\n")


def test_a_message_of_a_megabyte_is_taken_and_cut(project):
    answer = carrierd(project, "chat", "--room", "big", stdin="x" * 1_000_000 + "\n")
    assert answer.strip()
    stored = json.loads(carrierd(project, "memory", "list", "--json"))
    assert max(len(memory["content"][0]["text"]) for memory in stored) == 65536
