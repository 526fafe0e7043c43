"""``carrierd approvals``, and what ``chat`` tells of a turn that waits: with a daemon, without, and after one was killed."""

import fcntl
import json
import logging
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog

from carrier_core.cli import main
from carrier_core.control import connect

CONFIG = """\
[agents.robin]
models = { large = "scripted/rules" }
character = "bot"
[plugins]
enabled = ["carrier-memory-sqlite", "carrier-provider-scripted", "carrier-client-terminal"]
[plugin.carrier-provider-scripted]
rules = "rules.toml"
[log]
level = "info"
format = "json"
"""

RULES = """\
version = 1
standard = false

[[rules]]
pattern = 'buy (?P<what>\\w+)'
  [[rules.steps]]
  calls = [{ name = "buy", arguments = { what = "{{ groups.what }}", pence = 250 } }]
  [[rules.steps]]
  text = "Well: {{ result }}"

[[rules]]
contains = "tea or"
  [[rules.steps]]
  calls = [{ name = "offer" }]
  [[rules.steps]]
  text = "So: {{ result }}"

[[rules]]
text = "You said {{ message }}"
"""

SHOP = '''\
"""An action that spends money, and one that lets people choose. What was bought is in a file, a line each."""

import os

from carrier_core import Effect, action, impl


@action(effect=Effect.SPEND)
async def buy(turn, what: str, pence: int) -> str:
    """Buy something."""
    with open("bought", "a") as file:
        file.write(f"{what} {pence}\\n")
    return f"{what} is yours"


@action(effect=Effect.WRITE, idempotent=True)
async def offer(turn) -> str:
    """Let somebody choose."""
    return await turn.choose("What do you want?", ("tea", "plum jam"), until=turn.now + 3600) or "nothing"


@impl
def register_actions():
    return [buy, offer]
'''

PROGRAM = [sys.executable, "-c", "import sys; from carrier_core.cli import main; sys.exit(main(sys.argv[1:]))"]

Run = Callable[..., tuple[int, str, str]]
Told = Callable[..., Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, in which commands run; nothing of the machine's own takes part."""
    for name in [name for name in os.environ if name.startswith("CARRIER_") or name.endswith(("_API_KEY", "_TOKEN"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("USER", "ana")
    monkeypatch.setenv("TZ", "UTC")
    config = tmp_path / "config"
    (config / "characters").mkdir(parents=True)
    (config / "plugins").mkdir()
    (config / "carrier.toml").write_text(CONFIG)
    (config / "rules.toml").write_text(RULES)
    (config / "plugins" / "shop.py").write_text(SHOP)
    (config / "characters" / "bot.toml").write_text('name = "Bot"\n')
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
def told(carrierd: Run) -> Told:
    """Runs a command with ``--json``, which ends with ``code``; what it printed."""

    def told(*args: str, code: int = 0) -> Any:
        ended, out, err = carrierd(*args, "--json")
        assert (ended, err) == (code, "")
        return json.loads(out)

    return told


@pytest.fixture
def question(told: Told) -> Any:
    """What an agent was asked to do, and asks about: the JSON of chat."""
    return told("chat", "-m", "Please buy tea.", code=75)


def bought(folder: Path) -> list[str]:
    """What was bought, in order."""
    path = folder / "bought"
    return path.read_text().splitlines() if path.exists() else []


class Daemon:
    """A daemon on the state directory. It ends by SIGTERM, after the turns that run, or is killed."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([*PROGRAM, "run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        self.log: list[str] = []
        for line in self.process.stdout:
            self.log.append(line)
            if '"ready"' in line:
                return
        raise AssertionError("".join(self.log))

    def end(self, how: signal.Signals, code: int) -> None:
        self.process.send_signal(how)
        assert self.process.stdout is not None
        self.log += self.process.stdout
        assert self.process.wait() == code, "".join(self.log)

    def kill(self) -> None:
        self.end(signal.SIGKILL, -signal.SIGKILL)


@contextmanager
def daemon() -> Iterator[Daemon]:
    """A daemon for as long as the block, or until it is killed."""
    running = Daemon()
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end(signal.SIGTERM, 0)
        assert running.process.stdout is not None
        running.process.stdout.close()


def over(turn: str) -> str:
    """Wait until the daemon has ended a turn; how that ended."""

    async def wait() -> str:
        remote = await connect(Path(os.environ["STATE_DIRECTORY"]))
        assert remote is not None
        async with anyio.create_task_group() as group:
            group.start_soon(remote.read)
            status = str((await remote.wait(turn))["status"])
            group.cancel_scope.cancel()
        return status

    return anyio.run(wait)


# --- what chat tells ------------------------------------------------------------------------------------------------------


def test_chat_tells_that_a_turn_waits_and_for_what(question: Any) -> None:
    asked = question["question"]
    assert (question["v"], question["status"]) == (1, "parked")
    assert question["reason"] == "an approval of buy: it spends money"
    assert set(asked) == {"id", "code", "options", "until"}
    assert (asked["id"][:6], asked["options"]) == (asked["code"], ["approve", "refuse"])
    assert question["reply"]["text"].splitlines()[1:] == [
        'buy(what="tea", pence=250)',
        "(it spends money)",
        f"To answer, write: approve {asked['code']}, or: refuse {asked['code']}",
    ]


def test_chat_shows_a_person_the_question_and_where_to_answer(carrierd: Run) -> None:
    code, out, err = carrierd("chat", "-m", "Please buy tea.")
    assert code == 75
    assert out.startswith('May I do this?\nbuy(what="tea", pence=250)\n')
    assert "carrierd: parked: an approval of buy: it spends money\n" in err
    assert "`carrierd approvals` says more, and takes one." in err


def test_a_turn_that_does_not_wait_asks_nothing(told: Told) -> None:
    assert told("chat", "-m", "hello")["question"] is None


def test_an_answer_in_the_chat_is_followed_by_the_reply(carrierd: Run, told: Told, question: Any, folder: Path) -> None:
    answer = f"approve {question['question']['code']}"
    done = told("chat", "-m", answer)
    assert (done["turn"], done["status"], done["question"]) == (question["turn"], "replied", None)
    assert done["reply"]["text"] == "Well: tea is yours"
    assert bought(folder) == ["tea 250"]
    again = told("chat", "-m", answer)  # nothing is asked under that code any more: it is a message like any other
    assert (again["turn"] != question["turn"], again["reply"]["text"]) == (True, f"You said {answer}")
    assert bought(folder) == ["tea 250"]


def test_whoever_uses_the_command_line_answers_as_the_operator(told: Told, question: Any, folder: Path) -> None:
    said = told("chat", "--person", "bob", "-m", f"approve {question['question']['code']}")
    assert (said["turn"], said["status"], bought(folder)) == (question["turn"], "replied", ["tea 250"])
    [asked] = told("why", question["turn"])["asked"]
    assert (asked["answer"]["value"], asked["answer"]["by"]) == ("approve", "operator")


# --- the list -------------------------------------------------------------------------------------------------------------


def test_what_waits_is_listed_with_all_that_counts(told: Told, question: Any) -> None:
    listed = told("approvals")
    assert (listed["v"], listed["choices"]) == (1, [])
    [waiting] = listed["approvals"]
    assert {key: waiting[key] for key in ("code", "id", "until")} == {
        key: question["question"][key] for key in ("code", "id", "until")
    }
    assert {key: waiting[key] for key in ("turn", "agent", "room", "person")} == {
        "turn": question["turn"],
        "agent": "robin",
        "room": "main",
        "person": "ana",
    }
    assert (waiting["action"], waiting["arguments"]) == ("buy", {"what": "tea", "pence": 250})
    assert (waiting["call"], waiting["reason"]) == ('buy(what="tea", pence=250)', "it spends money")
    assert waiting["approver"] == "person"
    assert 3500 < waiting["left"] <= 3600
    for narrowed in (["list"], ["--agent", "robin"], ["list", "--agent", "robin"]):
        assert [each["id"] for each in told("approvals", *narrowed)["approvals"]] == [waiting["id"]]
    assert told("approvals", "--agent", "wren") == {"v": 1, "approvals": [], "choices": []}


def test_what_waits_is_shown_to_a_person(carrierd: Run, question: Any) -> None:
    code, out, err = carrierd("approvals")
    assert (code, err) == (0, "")
    shown = out.splitlines()
    assert shown[:4] == [
        f"{question['question']['code']}  robin asks in main, for ana",
        '  buy(what="tea", pence=250)',
        "  why: it spends money",
        "  who may approve it: ana, an admin, an owner or the operator",
    ]
    assert shown[4].startswith("  until 20")
    assert shown[4].endswith(", 59 min left")
    assert shown[-1] == "Next: carrierd approvals approve CODE, or: carrierd approvals refuse CODE"


def test_nothing_waits(carrierd: Run, told: Told) -> None:
    told("chat", "-m", "hello")
    assert carrierd("approvals") == (0, "Nothing waits for an answer.\n", "")


# --- answers --------------------------------------------------------------------------------------------------------------


def test_what_is_approved_while_no_daemon_runs_is_done_when_one_does(
    carrierd: Run, question: Any, folder: Path
) -> None:
    code = question["question"]["code"]
    done = carrierd("approvals", "approve", code)
    look = f"What comes of it: carrierd turns {question['turn'][:12]}\n"
    assert done == (0, f"{code} is answered: approve. Its turn goes on when its agent runs: carrierd run.\n{look}", "")
    assert carrierd(*look.split()[-2:])[0] == 0
    assert bought(folder) == []
    ended, _, err = carrierd("approvals", "approve", code)
    assert (ended, f"{code} was answered already: approve." in err) == (70, True)
    ended, _, err = carrierd("approvals", "refuse", code)
    assert (ended, "Start it: carrierd run." in err) == (70, True)
    with daemon():
        assert over(question["turn"]) == "replied"
        assert bought(folder) == ["tea 250"]
    ended, _, err = carrierd("approvals", "approve", code)
    assert (ended, f"Nothing waits for an answer under {code}" in err) == (70, True)
    with daemon():
        assert over(question["turn"]) == "replied"
    assert bought(folder) == ["tea 250"]


def test_a_daemon_takes_an_answer_at_once_and_once(carrierd: Run, told: Told, folder: Path) -> None:
    with daemon():
        question = told("chat", "-m", "Please buy tea.", code=75)
        code = question["question"]["code"]
        assert carrierd("approvals", "approve", code[:4]) == (
            0,
            f"{code} is answered: approve. Its turn goes on.\nWhat comes of it: carrierd turns {question['turn'][:12]}\n",
            "",
        )
        ended, _, err = carrierd("approvals", "approve", code)
        assert (ended, f"Nothing waits for an answer under {code}" in err) == (70, True)
        assert over(question["turn"]) == "replied"
    assert bought(folder) == ["tea 250"]


def test_a_refusal_is_told_with_its_reason(carrierd: Run, told: Told, folder: Path) -> None:
    with daemon():
        question = told("chat", "-m", "Please buy tea.", code=75)
        answered = told("approvals", "refuse", question["question"]["id"], "--reason", "We have tea.")
        assert answered == {
            "v": 1,
            "answered": question["question"]["id"],
            "code": question["question"]["code"],
            "turn": question["turn"],
            "value": "refuse",
            "taken": True,
        }
        assert over(question["turn"]) == "replied"
    assert told("why", question["turn"])["reply"]["text"] == ("Well: buy was not allowed: it was refused: We have tea.")
    assert bought(folder) == []


def test_the_older_command_still_answers(carrierd: Run, question: Any, folder: Path) -> None:
    assert carrierd("turns", "approve", question["turn"])[0] == 0
    with daemon():
        assert over(question["turn"]) == "replied"
    assert bought(folder) == ["tea 250"]


def test_a_choice_is_listed_and_made(carrierd: Run, told: Told, folder: Path) -> None:
    with daemon():
        question = told("chat", "-m", "tea or jam?", code=75)
        [waiting] = told("approvals")["choices"]
        assert (waiting["question"], waiting["options"]) == ("What do you want?", ["tea", "plum jam"])
        code = waiting["code"]
        assert code == question["question"]["code"]
        shown = carrierd("approvals")[1].splitlines()
        assert shown[1:3] == ["  What do you want?", "  options: tea | 'plum jam'"]
        assert shown[-1] == "Next: carrierd approvals choose CODE OPTION"
        ended, _, err = carrierd("approvals", "choose", code, "beer")
        assert (ended, "beer is no answer to the choice" in err, "tea, plum jam" in err) == (64, True, True)
        ended, _, err = carrierd("approvals", "approve", code)
        assert (ended, f"carrierd approvals choose {code} OPTION" in err) == (64, True)
        assert carrierd("approvals", "choose", code, "plum jam")[0] == 0
        assert over(question["turn"]) == "replied"
    assert told("why", question["turn"])["reply"]["text"] == "So: plum jam"


def test_chat_shows_how_a_choice_is_made(carrierd: Run, told: Told) -> None:
    code, _, err = carrierd("chat", "-m", "tea or jam?")
    [waiting] = told("approvals")["choices"]
    assert code == 75
    assert f"carrierd approvals choose {waiting['code']} OPTION, one of: tea | 'plum jam'\n" in err


def test_the_commands_of_an_open_chat_answer_with_a_message_too(
    carrierd: Run, told: Told, question: Any, folder: Path
) -> None:
    answer = f"/approve {question['question']['code']}"
    assert told("chat", "--room", "other", "-m", answer)["reply"]["text"] == "Well: tea is yours"
    with daemon():
        again = told("chat", "-m", "Please buy jam.", code=75)["question"]
        assert "it was refused" in told("chat", "-m", f"/refuse {again['code']}")["reply"]["text"]
        code, out, err = carrierd("chat", "-m", answer)
    assert (code, out, "Nothing waits for an answer under" in err) == (70, "", True)
    assert bought(folder) == ["tea 250"]


# --- what is answered while no daemon runs, and why -------------------------------------------------------------------------


def test_what_is_answered_and_not_taken_up_yet_is_listed_so(carrierd: Run, told: Told, question: Any) -> None:
    assert told("approvals")["approvals"][0]["answered"] is None
    carrierd("approvals", "refuse", question["question"]["code"], "--reason", "Too dear.")
    [waiting] = told("approvals")["approvals"]
    assert {key: waiting["answered"][key] for key in ("value", "by")} == {"value": "refuse", "by": "operator"}
    _, out, _ = carrierd("approvals")
    assert "  answered: refuse, by the operator, 20" in out
    assert "; it goes on when its agent runs\n" in out
    assert "Next: " not in out
    _, out, _ = carrierd("why")
    assert "answered: refuse, by the operator, 20" in out
    assert "; it goes on when its agent runs (carrierd run): Too dear.\n" in out
    with daemon():
        assert over(question["turn"]) == "replied"
    assert told("approvals")["approvals"] == []


def test_an_empty_code_is_wrong_usage(carrierd: Run, question: Any) -> None:
    for code in ("", " "):
        ended, out, err = carrierd("approvals", "approve", code)
        assert (ended, out) == (64, "")
        assert (
            err
            == "carrierd: The code is empty: say which question is answered. `carrierd approvals` lists what waits.\n"
        )


def test_why_of_a_turn_that_waits_shows_what_is_recorded_and_who_may_answer(
    carrierd: Run, told: Told, question: Any
) -> None:
    why = told("why")
    step = f"act/1/0/approval/{question['question']['id']}"
    assert (why["waits"]["step"], why["waits"]["until"]) == (step, question["question"]["until"])
    [asked] = why["asked"]
    assert (asked["kind"], asked["what"], asked["waits"], asked["answer"]) == (
        "approval", 'buy(what="tea", pence=250)', True, None,
    )  # fmt: skip
    assert (asked["code"], asked["approver"], asked["person"]) == (question["question"]["code"], "person", "ana")
    steps = {each["name"]: each["told"] for each in why["steps"]}
    assert list(steps) == ["decide", "compose/1", "generate/1", "act/1/0/approval"]
    assert "+buy()" in steps["generate/1"]
    assert [part["text"] for part in why["parts"]] == ["Please buy tea."]
    _, out, _ = carrierd("why")
    assert "What it asked, and waits for:\n" in out
    assert "may be approved by ana, an admin, an owner or the operator\n" in out
    assert "What ran so far" in out
    assert "  act/1/0/approval " in out
    assert "Please buy tea." in out


@pytest.mark.parametrize("value", ["approve", "refuse"])
def test_why_of_a_turn_that_went_on_shows_who_answered_what(carrierd: Run, told: Told, value: str) -> None:
    with daemon():
        question = told("chat", "-m", "Please buy tea.", code=75)
        told("approvals", value, question["question"]["code"])
        assert over(question["turn"]) == "replied"
        why = told("why", question["turn"])
    [asked] = why["asked"]
    assert (why["waits"], asked["waits"]) == (None, False)
    assert {key: asked["answer"][key] for key in ("value", "by", "by_id", "expired", "taken")} == {
        "value": value, "by": "operator", "by_id": "operator", "expired": False, "taken": True,
    }  # fmt: skip
    assert asked["answer"]["at"] > why["started"]
    assert f"answered: {value}, by the operator, 20" in carrierd("why", question["turn"])[1]


# --- what goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["approvals", "approve"], "the following arguments are required: code"),
        (["approvals", "refuse"], "the following arguments are required: code"),
        (["approvals", "choose", "abc"], "the following arguments are required: option"),
        (["approvals", "allow", "abc"], "invalid choice: 'allow'"),
        (["approvals", "choose", "abc", " ", "--reason", "x"], "unrecognized arguments: --reason x"),
        (["approvals", "approve", "abc", "--reason", "because"], "unrecognized arguments: --reason because"),
    ],
)
def test_wrong_usage_exits_64_and_says_what_is_wrong(carrierd: Run, args: list[str], said: str) -> None:
    code, out, err = carrierd(*args)
    assert (code, out) == (64, "")
    assert said in err


@pytest.mark.parametrize("args", [["approvals"], ["approvals", "approve", "abc"], ["approvals", "refuse", "abc"]])
def test_a_state_directory_without_a_store_is_told_and_not_made(carrierd: Run, folder: Path, args: list[str]) -> None:
    code, out, err = carrierd(*args)
    assert (code, out) == (69, "")
    assert err.startswith(f"carrierd: There is no database {folder}/state/")
    assert not (folder / "state").exists()


@pytest.mark.usefixtures("question")
def test_an_unknown_code_is_told_with_the_remedy(carrierd: Run) -> None:
    code, out, err = carrierd("approvals", "approve", "xyz")
    assert (code, out) == (70, "")
    assert err == (
        "carrierd: Nothing waits for an answer under xyz: it was answered, its time is over, or it never was. "
        "`carrierd approvals` lists what waits.\n"
    )


# --- the terminal client --------------------------------------------------------------------------------------------------


class Chat:
    """``carrierd chat`` on a terminal of its own."""

    def __init__(self, patience: float = 60.0) -> None:
        self.code = 0
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1"}
        patient = f"import carrier_core.cli.lasting as lasting; lasting.PATIENCE = {patience}; "
        command = [*PROGRAM[:2], patient + PROGRAM[2], "chat"]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.seen = ""

    def sees(self, expected: str) -> str:
        """Wait until a text appears after what was seen before; what is before it."""
        while expected not in (text := _ESCAPES.sub("", self.seen).replace("\r", "")):
            ready, _, _ = select.select([self.master], [], [], 30)
            assert ready, f"{expected!r} did not appear in {text!r}"
            self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")
        before, _, self.seen = text.partition(expected)
        return before

    def types(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def ends(self, code: int) -> None:
        """Wait until it ends of itself, with this exit code."""
        self.code = code
        assert self.process.wait(30) == code

    def __enter__(self) -> "Chat":
        self.sees("/help shows the commands")
        self.sees("ana ")  # a question that was being delivered is shown at once, and then the prompt takes an answer
        self.sees("›")
        return self

    def __exit__(self, kind: object, *raised: object) -> None:
        if kind is not None:
            self.process.kill()
        elif self.process.poll() is None:
            self.types("\x04")
        try:
            assert self.process.wait(30) in (self.code, -signal.SIGKILL)
        finally:
            os.close(self.master)


_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[=>])")


def _conversation(chat: Chat, folder: Path) -> None:
    chat.types("Please buy tea.\r")
    chat.sees("robin › May I do this?\n")
    chat.sees('buy(what="tea", pence=250)\n(it spends money)\n')
    chat.sees("It waits until 20")
    chat.sees("ana [y/n] ›")
    assert bought(folder) == []
    chat.types("y\r")
    chat.sees("robin › Well: tea is yours\n")
    chat.sees("ana ›")
    assert bought(folder) == ["tea 250"]
    chat.types("Please buy jam.\r")
    chat.sees("ana [y/n] ›")
    chat.types("hello\r")  # what waits keeps nobody back
    chat.sees("robin › You said hello\n")
    chat.sees("ana ›")
    chat.types("/approvals\r")
    chat.sees('  buy(what="jam", pence=250)\n')
    chat.sees("ana ›")
    chat.types("/refuse\r")
    chat.sees("robin › Well: buy was not allowed: it was refused.\n")
    chat.sees("ana ›")
    assert bought(folder) == ["tea 250"]


def test_a_person_approves_and_refuses_in_the_terminal(folder: Path) -> None:
    with Chat() as chat:
        _conversation(chat, folder)


def test_a_person_approves_and_refuses_in_the_terminal_of_a_daemon(folder: Path) -> None:
    with daemon(), Chat() as chat:
        _conversation(chat, folder)


def test_what_was_asked_in_a_chat_that_was_killed_is_answered_in_the_next_one(told: Told, folder: Path) -> None:
    with Chat() as chat:
        chat.types("Please buy tea.\r")
        chat.sees("ana [y/n] ›")
        chat.process.kill()
        chat.process.wait()
    [waiting] = told("approvals")["approvals"]
    with Chat() as chat:
        chat.types(f"/approve {waiting['code']}\r")
        chat.sees("robin › Well: tea is yours\n")
        chat.sees("ana ›")
    assert bought(folder) == ["tea 250"]


def test_an_answer_from_elsewhere_is_shown_in_the_terminal(carrierd: Run, told: Told, folder: Path) -> None:
    with daemon(), Chat() as chat:
        chat.types("Please buy tea.\r")
        chat.sees("ana [y/n] ›")
        [waiting] = told("approvals")["approvals"]
        assert told("approvals", "approve", waiting["code"])["taken"]
        chat.sees("robin › Well: tea is yours\n")
        chat.types("y\r")
        chat.sees("Something else was said meanwhile.")
        chat.sees("ana ›")
        chat.types(f"/approve {waiting['code']}\r")
        chat.sees("It does not count: no turn waits for it\n")
        chat.sees("ana ›")
    assert bought(folder) == ["tea 250"]


def test_a_script_approves_in_plain_lines(folder: Path) -> None:
    lines = "Please buy tea.\n/approve\nhello\n"
    run = subprocess.run([*PROGRAM, "chat"], input=lines, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout.splitlines()[-2:]) == (0, ["Well: tea is yours", "You said hello"])
    assert bought(folder) == ["tea 250"]


def test_the_reply_to_a_chat_that_was_closed_waits_until_it_is_opened_again(told: Told, folder: Path) -> None:
    def chat(lines: str) -> list[str]:
        run = subprocess.run([*PROGRAM, "chat"], input=lines, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0
        return run.stdout.splitlines()

    for _ in range(2):
        chat("Please buy tea.\n")
        [waiting] = told("approvals")["approvals"]
        assert told("chat", "-m", f"approve {waiting['code']}")["reply"]["text"] == "Well: tea is yours"
        assert told("turns", waiting["turn"])["sending"] == {"sent": 1, "waiting": 1}
    assert chat("hello\n")[-1] == "You said hello"
    assert {turn["status"] for turn in told("turns")} == {"replied"}
    assert bought(folder) == ["tea 250"] * 2
    with daemon():
        chat("Please buy jam.\n")
        [waiting] = told("approvals")["approvals"]
        assert told("approvals", "approve", waiting["code"])["taken"]
        assert over(waiting["turn"]) == "replied"
        assert told("chat", "-m", "How are you?")["reply"]["text"] == "You said How are you?"
        assert told("turns", waiting["turn"])["sending"] == {"sent": 1, "waiting": 1}
        assert chat("hello\n") == ["Well: jam is yours", "You said hello"]


def test_an_open_chat_goes_on_when_the_daemon_is_restarted(folder: Path) -> None:
    with daemon() as first, Chat() as chat:
        chat.types("hello\r")
        chat.sees("robin › You said hello\n")
        chat.sees("ana ›")
        first.kill()
        chat.sees("The daemon stopped. Waiting for it")
        chat.types("and again\r")
        with daemon():
            chat.sees("The daemon is there again.")
            chat.sees("robin › You said and again\n")
            chat.sees("ana ›")


def test_what_is_approved_elsewhere_after_a_restart_is_shown_in_the_chat_that_was_open(
    told: Told, folder: Path
) -> None:
    with daemon() as first, Chat() as chat:
        chat.types("Please buy tea.\r")
        chat.sees("ana [y/n] ›")
        first.end(signal.SIGTERM, 0)
        chat.sees("The daemon stopped.")
        with daemon():
            chat.sees("The daemon is there again.")
            [waiting] = told("approvals")["approvals"]
            assert told("approvals", "approve", waiting["code"])["taken"]
            chat.sees("robin › Well: tea is yours\n")
    assert bought(folder) == ["tea 250"]


NAPPING = '''\
"""An action that goes on until a file is there, and may be done again."""

from pathlib import Path

import anyio

from carrier_core import Effect, action, impl


@action(effect=Effect.WRITE, idempotent=True)
async def nap(turn) -> str:
    """Sleep."""
    Path("asleep").touch()
    while not Path("wake").exists():
        await anyio.sleep(0.01)
    return "awake"


@impl
def register_actions():
    return [nap]
'''

NAP = """
[[rules]]
contains = "sleep"
  [[rules.steps]]
  calls = [{ name = "nap" }]
  [[rules.steps]]
  text = "Now: {{ result }}"
"""


def test_a_turn_that_runs_is_explained_and_an_open_chat_gets_its_reply_after_a_kill(
    carrierd: Run, told: Told, folder: Path
) -> None:
    (folder / "config" / "plugins" / "napping.py").write_text(NAPPING)
    rules = folder / "config" / "rules.toml"
    rules.write_text(rules.read_text().replace("[[rules]]", f"{NAP.strip()}\n\n[[rules]]", 1))
    with daemon() as first, Chat() as chat:
        chat.types("Please sleep.\r")
        chat.sees("robin is thinking")
        while not (folder / "asleep").exists():
            assert first.process.poll() is None
        why = told("why")
        assert (why["status"], why["waits"], why["ran"]) == ("running", None, [])
        assert [step["name"] for step in why["steps"]] == ["decide", "compose/1", "generate/1"]
        assert [part["text"] for part in why["parts"]] == ["Please sleep."]
        assert "What ran so far" in carrierd("why")[1]
        first.kill()
        chat.sees("The daemon stopped.")
        (folder / "wake").touch()
        with daemon():
            chat.sees("robin › Now: awake\n")
            chat.sees("ana ›")


def test_a_script_ends_where_the_daemon_does_not_come_back(folder: Path) -> None:
    patient = "import carrier_core.cli.lasting as lasting; lasting.PATIENCE = 0.5; "
    with daemon() as first:
        chat = subprocess.Popen(
            [*PROGRAM[:2], patient + PROGRAM[2], "chat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write("hello\n")
        chat.stdin.flush()
        assert chat.stdout.readline() == "You said hello\n"
        first.kill()
        assert chat.stderr is not None
        err = chat.stderr.read()  # until it ends of itself: its input is still open
        chat.communicate(timeout=30)
    assert chat.returncode == 69
    assert "carrierd: The daemon stopped, and did not come back in" in err
    assert "Traceback" not in err


def test_an_open_chat_ends_where_the_daemon_does_not_come_back() -> None:
    with daemon() as first, Chat(patience=0.5) as chat:
        first.kill()
        chat.sees("carrierd: The daemon stopped, and did not come back in")
        chat.sees("Start it again")
        chat.ends(69)


# --- kill -9 --------------------------------------------------------------------------------------------------------------


def test_an_approval_survives_a_daemon_that_is_killed_while_it_waits(carrierd: Run, told: Told, folder: Path) -> None:
    with daemon() as first:
        question = told("chat", "-m", "Please buy tea.", code=75)
        first.kill()
    [waiting] = told("approvals")["approvals"]
    assert waiting["turn"] == question["turn"]
    with daemon() as second:
        assert told("chat", "-m", "hello")["status"] == "replied"  # what waits keeps nobody back
        assert bought(folder) == []
        assert told("approvals", "approve", waiting["code"])["taken"]
        assert over(question["turn"]) == "replied"
        second.kill()
    with daemon():
        assert over(question["turn"]) == "replied"
    assert bought(folder) == ["tea 250"]
    assert told("why", question["turn"])["reply"]["text"] == "Well: tea is yours"
    assert told("approvals")["approvals"] == []


def test_an_approval_that_was_written_down_is_taken_up_after_a_kill(carrierd: Run, told: Told, folder: Path) -> None:
    with daemon() as first:
        question = told("chat", "-m", "Please buy tea.", code=75)
        first.kill()
    assert not told("approvals", "approve", question["question"]["code"])["taken"]
    for _ in range(2):
        with daemon():
            assert over(question["turn"]) == "replied"
    assert bought(folder) == ["tea 250"]


KILLER = '''\
"""Lets the process die where a file says so: after the write of the journal that it names."""

import os
import signal
from pathlib import Path

from carrier_core import impl


@impl
async def start_host(host):
    for name in ("append_inbound", "unpark", "begin_step", "record_steps", "complete", "finish"):
        def wrapped(*given, inner=getattr(host.store.journal, name), name=name):
            return dying(inner, name, *given)
        setattr(host.store.journal, name, wrapped)


async def dying(inner, name, *given):
    result = await inner(*given)
    if Path("armed").exists() and Path("armed").read_text() == name:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
'''


@pytest.mark.parametrize("write", ["append_inbound", "unpark", "record_steps", "complete", "finish"])
def test_a_call_is_made_once_wherever_the_daemon_is_killed_on_the_way_from_the_answer(
    carrierd: Run, told: Told, folder: Path, write: str
) -> None:
    (folder / "config" / "plugins" / "killer.py").write_text(KILLER)
    with daemon() as first:
        question = told("chat", "-m", "Please buy tea.", code=75)
        (folder / "armed").write_text(write)
        carrierd("approvals", "approve", question["question"]["code"])  # how much it is told is a matter of luck
        first.end(signal.SIGCONT, -signal.SIGKILL)  # it is dead already, or will be
    (folder / "armed").unlink()
    with daemon():
        assert over(question["turn"]) == "replied"
    assert bought(folder) == ["tea 250"]
    assert told("approvals")["approvals"] == []


def test_nobody_makes_a_call_again_of_which_it_is_not_known_whether_it_was_made(
    carrierd: Run, told: Told, folder: Path
) -> None:
    (folder / "config" / "plugins" / "killer.py").write_text(KILLER)
    with daemon() as first:
        question = told("chat", "-m", "Please buy tea.", code=75)
        (folder / "armed").write_text("begin_step")
        carrierd("approvals", "approve", question["question"]["code"])
        first.end(signal.SIGCONT, -signal.SIGKILL)
    (folder / "armed").unlink()
    with daemon():
        assert over(question["turn"]) == "replied"
    assert bought(folder) == []
    assert "It is not known whether buy was carried out" in told("why", question["turn"])["reply"]["text"]
