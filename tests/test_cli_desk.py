"""``carrierd turns``, ``schedule``, and ``memory export``, ``import`` and ``forget --person``: with a daemon and without."""

import asyncio
import io
import json
import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from carrier_core.archivefile import written
from carrier_core.cli import main
from carrier_core.testing import InMemoryStore
from carrier_core.testing.suites.inventory import fill
from carrier_core.testing.suites.scene import ANA

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

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, in which commands run; nothing of the machine's own takes part."""
    for name in [name for name in os.environ if name.startswith("CARRIER_") or name.endswith(("_API_KEY", "_TOKEN"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("USER", "ana")
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "config" / "characters").mkdir(parents=True)
    (tmp_path / "config" / "carrier.toml").write_text(CONFIG)
    (tmp_path / "config" / "characters" / "bot.toml").write_text('name = "Bot"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def carrierd(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command; returns its exit code and what it printed."""

    def carrierd(*args: str) -> tuple[int, str, str]:
        code = main(args)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    yield carrierd
    structlog.reset_defaults()
    logging.root.handlers.clear()


@pytest.fixture
def told(carrierd: Run) -> Callable[..., Any]:
    """Runs a command that succeeds, with ``--json``; what it printed."""

    def told(*args: str) -> Any:
        code, out, err = carrierd(*args, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return told


async def _archive(path: Path) -> None:
    store = InMemoryStore()
    await fill(store)
    path.write_bytes(b"".join([piece async for piece in written(store)]))


@pytest.fixture
def archive(folder: Path) -> Path:
    """An archive with rows of every kind."""
    asyncio.run(_archive(folder / "archive.jsonl"))
    return folder / "archive.jsonl"


@pytest.fixture
def full(carrierd: Run, archive: Path) -> None:
    """The state directory has a store with rows of every kind."""
    assert carrierd("memory", "import", str(archive))[0] == 0


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


# --- usage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["turns", "retry"], "Say what to retry"),
        (["turns", "discard"], "Say what to discard"),
        (["turns", "abc", "def"], "These arguments do not go together"),
        (["turns", "abc", "--in-doubt"], "These arguments do not go together"),
        (["turns", "abc", "--agent", "robin"], "These arguments do not go together"),
        (["turns", "--dead", "--room", "r1"], "These arguments do not go together"),
        (["turns", "--limit", "0"], "--limit must be at least 1"),
        (["turns", "--limit", "many"], "invalid int value: 'many'"),
        (["schedule", "add"], "the following arguments are required: when, text"),
        (["schedule", "cancel"], "the following arguments are required: id"),
        (["schedule", "repeat"], "invalid choice: 'repeat'"),
        (
            ["schedule", "add", "sometimes", "hello"],
            "`sometimes` is no time of a schedule. Write `at 2026-12-24T18:00`",
        ),
        (["memory", "forget", "id", "--person", "Ana"], "Either memories or a person"),
    ],
)
def test_wrong_usage_exits_64_and_says_what_is_wrong(carrierd: Run, args: list[str], said: str) -> None:
    code, out, err = carrierd(*args)
    assert (code, out) == (64, "")
    assert said in err


@pytest.mark.parametrize(
    "args",
    [
        ["turns"],
        ["turns", "last"],
        ["turns", "--in-doubt"],
        ["turns", "retry", "abc"],
        ["schedule"],
        ["schedule", "cancel", "abc"],
        ["memory", "export"],
        ["memory", "export", "file"],
        ["memory", "forget", "--person", "Ana", "--yes"],
    ],
)
def test_a_state_directory_without_a_store_is_told_and_not_made(carrierd: Run, folder: Path, args: list[str]) -> None:
    code, out, err = carrierd(*args)
    assert (code, out) == (69, "")
    assert err.startswith(f"carrierd: There is no database {folder}/state/")
    assert not (folder / "state").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["config"]


# --- turns ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("full")
def test_turns_are_listed_and_shown(carrierd: Run, told: Callable[..., Any]) -> None:
    listed = told("turns")
    assert [turn["status"] for turn in told("turns", "--room", "r1", "--agent", "robin")] == [
        "replied",
        "parked",
        "replied",
    ]
    assert told("turns", "--limit", "1") == listed[:1]
    _, out, _ = carrierd("turns")
    assert out.splitlines()[0].split()[:6] == ["TURN", "STARTED", "AGENT", "ROOM", "STATUS", "DELIVERY"]
    assert [line.split()[0] for line in out.splitlines()[1:]] == [turn["turn"][:12] for turn in listed]
    [parked] = told("turns", "--status", "parked")
    shown = told("turns", parked["turn"][:12])
    assert shown["parked"]["reason"] == "wants a yes"
    _, out, _ = carrierd("turns", parked["turn"][:12])
    assert "for an answer (ask/1): wants a yes" in out
    assert "fake    sending  1" in out


@pytest.mark.usefixtures("full")
def test_no_turn_is_no_failure_but_an_unknown_one_is(carrierd: Run) -> None:
    assert carrierd("turns", "--status", "failed") == (0, "There is no turn.\n", "")
    assert carrierd("turns", "--status", "failed", "--json") == (0, "[]\n", "")
    code, _, err = carrierd("turns", "nowhere")
    assert (code, err) == (70, "carrierd: There is no turn nowhere. `carrierd turns` lists them.\n")
    code, _, err = carrierd("turns", "--status", "fialed")
    assert (code, err.split(".")[0]) == (64, "carrierd: There is no status fialed")


def _what_waits_is_dealt_with(carrierd: Run, told: Callable[..., Any], after: str) -> None:
    waiting = told("turns", "--in-doubt", "--dead")
    [doubt], [dead] = waiting["doubts"], waiting["deliveries"]
    _, out, _ = carrierd("turns", "--in-doubt", "--dead")
    assert [line.split()[:3] for line in out.splitlines()[1:3]] == [
        [doubt["key"][:12], "in_doubt", "act/1/0"],
        [dead["key"][:12], "dead", "to"],
    ]
    code, _, err = carrierd("turns", "retry", doubt["key"])
    assert code == 70
    assert f"carrierd turns discard {doubt['key'][:12]}" in err
    assert carrierd("turns", "retry", dead["key"][:12]) == (0, f"1 delivery to be tried again{after}.\n", "")
    assert carrierd("turns", "discard", doubt["turn"]) == (0, "1 action settled.\n", "")
    assert told("turns", "--in-doubt")["doubts"] == []


@pytest.mark.usefixtures("full")
def test_what_waits_for_a_person_is_retried_or_discarded(carrierd: Run, told: Callable[..., Any]) -> None:
    [dead] = told("turns", "--dead")["deliveries"]
    _what_waits_is_dealt_with(carrierd, told, ", when the daemon runs")
    assert carrierd("turns", "--in-doubt", "--dead") == (0, "Nothing waits for a person.\n", "")
    shown = told("turns", dead["turn"])["deliveries"]
    assert [(each["state"], each["attempts"]) for each in shown] == [("waiting", 0), ("waiting", 1)]


@pytest.mark.usefixtures("full")
def test_a_delivery_is_discarded(carrierd: Run, told: Callable[..., Any]) -> None:
    [dead] = told("turns", "--dead")["deliveries"]
    assert carrierd("turns", "discard", dead["key"]) == (0, "1 delivery discarded.\n", "")
    assert told("turns", "--dead")["deliveries"] == []


# --- schedule ------------------------------------------------------------------------------------------------------------


def test_schedules_are_made_listed_and_cancelled(carrierd: Run, told: Callable[..., Any]) -> None:
    code, out, err = carrierd("schedule", "add", "at 2199-12-24T18:00", "sing", "--zone", "Europe/Lisbon")
    assert (code, err) == (0, "")
    assert "robin is told in main (local), next at 2199-12-24 18:00:00 Europe/Lisbon." in out
    made = told("schedule", "add", "every 1h30m", "drink", "--agent", "wren", "--room", "r", "--person", "Bo")
    assert (made["agent"], made["person"], made["when"], made["missed"]) == ("wren", "Bo", "every 5400", "one")
    listed = told("schedule", "list")
    assert [each["text"] for each in listed] == ["drink", "sing"]
    assert [each["person"] for each in listed] == ["Bo", "ana"]
    _, out, _ = carrierd("schedule")
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [
        [each["id"][:12], each["agent"], each["room"]] for each in listed
    ]
    assert [each["text"] for each in told("schedule", "list", "--agent", "robin")] == ["sing"]
    assert [each["text"] for each in told("schedule", "--agent", "robin")] == ["sing"]
    given = ("--config", "config/carrier.toml", "--state", os.environ["STATE_DIRECTORY"])
    for words in ((), ("list",)):
        assert told("schedule", *given, *words) == told("schedule", *words, *given) == listed
    key = made["id"][:12]
    assert carrierd("schedule", "cancel", key) == (0, f"{key} is cancelled.\n", "")
    code, _, err = carrierd("schedule", "cancel", key)
    assert (code, err) == (70, f"carrierd: There is no schedule {key}. `carrierd schedule list` shows them.\n")
    assert told("schedule", "cancel", listed[1]["id"]) == listed[1]
    assert carrierd("schedule") == (0, "There is no schedule.\n", "")


# --- memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("full")
def test_what_is_imported_is_exported_again(carrierd: Run, archive: Path, folder: Path) -> None:
    text = archive.read_text()
    assert carrierd("memory", "export") == (0, text, "")
    assert carrierd("memory", "export", "copy.jsonl") == (0, "", "")
    assert (folder / "copy.jsonl").read_text() == text
    assert stat.S_IMODE((folder / "copy.jsonl").stat().st_mode) == 0o600
    code, out, _ = carrierd("memory", "import", "copy.jsonl")
    assert (code, out) == (0, f"{text.count(chr(10)) - 2} entries read, 0 of them new.\n")


@pytest.mark.usefixtures("full")
def test_an_export_overwrites_nothing_and_may_be_of_one_agent(carrierd: Run, archive: Path) -> None:
    before = archive.read_text()
    code, _, err = carrierd("memory", "export", str(archive))
    assert (code, err) == (73, f"carrierd: {archive} exists already. Choose another name, or remove it.\n")
    assert archive.read_text() == before
    code, out, _ = carrierd("memory", "export", "--agent", "wren")
    assert (code, json.loads(out.splitlines()[0])["agent"]) == (0, "wren")
    assert 2 < out.count("\n") < before.count("\n")
    assert carrierd("memory", "export", "--agent", "bob")[0] == 70


def test_an_archive_comes_in_on_standard_input(carrierd: Run, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(archive.read_bytes())))
    code, out, _ = carrierd("memory", "import", "--json")
    read = archive.read_text().count("\n") - 2
    assert (code, json.loads(out)) == (0, {"v": 1, "read": read, "new": read})


def test_of_a_batch_with_a_bad_line_nothing_is_taken(carrierd: Run, archive: Path, told: Callable[..., Any]) -> None:
    lines = archive.read_text().splitlines(keepends=True)
    archive.write_text("".join([*lines[:9], "garbage\n", *lines[9:]]))
    code, out, err = carrierd("memory", "import", str(archive))
    assert (code, out) == (65, "")
    assert err.startswith("carrierd: Line 10: JSON is malformed")
    assert told("turns") == []
    assert told("memory", "list") == []


def test_an_archive_that_is_cut_off_says_what_was_taken(carrierd: Run, archive: Path, told: Callable[..., Any]) -> None:
    archive.write_text("".join(archive.read_text().splitlines(keepends=True)[:-1]))
    code, out, err = carrierd("memory", "import", str(archive))
    assert (code, out) == (65, "")
    assert "the archive ends here, before its last line" in err
    assert "entries before it were taken in" in err
    assert len(told("turns")) == 7


def test_what_is_no_archive_makes_no_store(carrierd: Run, folder: Path) -> None:
    code, _, err = carrierd("memory", "import", "config/carrier.toml")
    assert (code, err.split(":")[1]) == (65, " This is no archive of Carrier")
    assert not (folder / "state").exists()
    code, _, err = carrierd("memory", "import", "nowhere.jsonl")
    assert code == 69
    assert err.startswith("carrierd: nowhere.jsonl: No such file")


@pytest.mark.usefixtures("full")
def test_a_person_is_forgotten_everywhere(carrierd: Run) -> None:
    code, out, err = carrierd("memory", "forget", "--person", "ana", "--yes")
    assert (code, err) == (0, "")
    assert out.startswith(f"Ana (fake, {ANA.id}) is forgotten.\n")
    assert {line.split()[0]: int(line.split()[1]) for line in out.splitlines()[2:]}["memories"] > 0
    _, out, _ = carrierd("memory", "export")
    assert ANA.id not in out
    assert "4711" not in out
    code, _, err = carrierd("memory", "forget", "--person", ANA.id, "--yes")
    assert (code, err.split(".")[0]) == (70, f"carrierd: There is no person {ANA.id}")


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 0), ("y\n", 70), ("", 70), (None, 64)])
@pytest.mark.usefixtures("full")
def test_nobody_is_forgotten_without_a_yes(
    carrierd: Run, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, answer: str | None, code: int
) -> None:
    stdin = SimpleNamespace(isatty=lambda: answer is not None, readline=lambda: answer)
    monkeypatch.setattr("sys.stdin", stdin)
    done = carrierd("memory", "forget", "--person", "Ana")
    assert done[0] == code
    assert ("Say so with --yes" in done[2]) is (answer is None)
    assert (ANA.id in json.dumps(told("memory", "list"))) is (code != 0)


# --- while a daemon runs ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("full")
def test_a_running_daemon_does_what_is_asked(carrierd: Run, told: Callable[..., Any], archive: Path) -> None:
    with daemon():
        made = told("schedule", "add", "every 1h", "drink", "--room", "kitchen")
        assert made["id"] in [each["id"] for each in told("schedule", "list")]
        code, _, err = carrierd("schedule", "add", "every 0", "drink")
        assert (code, "An interval of 0 s cannot be kept" in err) == (64, True)
        assert told("schedule", "cancel", made["id"][:9])["id"] == made["id"]
        assert told("memory", "import", str(archive))["new"] == 0
        code, out, _ = carrierd("memory", "export")
        assert (code, json.loads(out.splitlines()[-1])["carrier"]) == (0, "end")
        doubt = next(each for each in told("turns", "--in-doubt")["doubts"] if each["what"] == "Send a letter.")
        assert carrierd("turns", "discard", doubt["key"][:12]) == (0, "1 action settled.\n", "")
        [first, *_] = told("turns", "--dead")["deliveries"]
        assert carrierd("turns", "retry", first["key"][:12])[:2] == (0, "1 delivery to be tried again.\n")
        assert told("memory", "forget", "--person", "Ana", "--yes")["removed"]["memories"] > 0
        assert ANA.id not in carrierd("memory", "export")[1]
