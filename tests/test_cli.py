"""The command line: what each command prints, its exit codes, and that a mistake is answered with a word, not a traceback."""

import json
import logging
import os
import subprocess
import sys

import pytest
import structlog

from carrier_core._version import __version__
from carrier_core.cli import COMMANDS, main

CONFIG = """\
[agents.bot]
models = { large = "scripted/rules" }
[agents.second]
character = "bot"
clients = []
[plugins]
enabled = ["carrier-memory-sqlite", "carrier-provider-scripted"]
[log]
level = "error"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a configuration, in which commands run; nothing of the machine's own takes part."""
    for name in [name for name in os.environ if name.startswith("CARRIER_") or name.endswith(("_API_KEY", "_TOKEN"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("USER", "ana")
    (tmp_path / "config" / "characters").mkdir(parents=True)
    (tmp_path / "config" / "carrier.toml").write_text(CONFIG)
    (tmp_path / "config" / "characters" / "bot.toml").write_text('name = "Bot"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _logs():
    """A command sets up the logs of its process, on a standard error that is a test's own here."""
    yield
    structlog.reset_defaults()
    logging.root.handlers.clear()


@pytest.fixture
def carrierd(capsys):
    """Runs a command; returns its exit code and what it printed."""

    def carrierd(*args):
        code = main(args)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return carrierd


@pytest.fixture
def say(carrierd):
    """Says something and returns the JSON of the answer."""

    def say(text, *args):
        code, out, err = carrierd("chat", "--json", "-m", text, *args)
        assert (code, err) == (0, "")
        return json.loads(out)

    return say


# --- usage ---------------------------------------------------------------------------------------------------------------


def test_the_version_is_told(carrierd):
    assert carrierd("--version") == (0, f"carrierd {__version__}\n", "")


def test_help_lists_every_command(carrierd):
    code, out, _ = carrierd("--help")
    assert code == 0
    assert {*COMMANDS} <= {line.split()[0] for line in out.splitlines() if line.startswith("    ")}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(carrierd, command):
    code, out, err = carrierd(command, "--help")
    assert (code, err) == (0, "")
    assert f"usage: carrierd {command} " in out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "say what to do: carrierd COMMAND, one of run, chat"),
        (["chekc"], "There is no command chekc. Did you mean check?"),
        (
            ["xyzzy"],
            "There is no command xyzzy. See carrierd --help. A plugin that is not enabled may bring it: `carrierd plugins` lists them.",
        ),
        (["--bogus"], "--bogus comes after the command"),
        (["--config", "x", "check"], "--config comes after the command: carrierd COMMAND --config"),
        (["check", "--bogus"], "unrecognized arguments: --bogus"),
        (["check", "more"], "unrecognized arguments: more"),
        (["chat", "-m"], "expected one argument"),
        (["chat", "-m", ""], "The message is empty; write something after -m."),
        (["chat", "-m", " \n "], "The message is empty"),
        (["chat", "--json"], "--json goes with -m."),
        (["chat", "-m", "hi", "--room", " "], "--room and --person need a name."),
        (["chat", "-m", "hi", "--person", ""], "--room and --person need a name."),
        (["memory"], "the following arguments are required: WHAT"),
        (["memory", "remember"], "invalid choice: 'remember'"),
        (["memory", "recall"], "the following arguments are required: text"),
        (["memory", "forget"], "the following arguments are required: ID"),
        (["memory", "list", "--limit", "0"], "must be at least 1"),
        (["memory", "list", "--limit", "many"], "invalid count value: 'many'"),
        (["why", "one", "two"], "unrecognized arguments: two"),
        (["new"], "the following arguments are required: name"),
    ],
)
def test_wrong_usage_exits_64_and_says_what_is_wrong(carrierd, args, said):
    code, out, err = carrierd(*args)
    assert (code, out) == (64, "")
    assert said in err


# --- the configuration that is not there, or not right ------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [["chat", "-m", "hi"], ["run"], ["agents"], ["plugins"], ["memory", "list"], ["why"]]
)
def test_without_a_configuration_each_command_exits_78_and_says_where_it_looked(carrierd, folder, command):
    (folder / "config" / "carrier.toml").unlink()
    code, out, err = carrierd(*command)
    assert (code, out) == (78, "")
    for looked in (folder / "config", folder / "home" / "carrier", "/etc/carrier"):
        assert f"{looked}/carrier.*" in err


@pytest.mark.parametrize(
    "command", [["chat", "-m", "hi"], ["run"], ["agents"], ["plugins"], ["memory", "list"], ["why"]]
)
def test_a_fault_of_the_configuration_stops_each_command_with_its_place(carrierd, folder, command):
    path = folder / "config" / "carrier.toml"
    path.write_text(f"{CONFIG}[limits]\nroom = 1\n")
    code, out, err = carrierd(*command)
    assert (code, out) == (78, "")
    assert err == f"carrierd: {path}:11: There is no key `room` in [limits]. Did you mean `rooms`?\n"


@pytest.mark.parametrize("command", [["chat", "-m", "hi"], ["agents"], ["why"]])
def test_config_names_another_file(carrierd, folder, command):
    code, _, err = carrierd(*command, "--config", "elsewhere.toml")
    assert code == 78
    assert f"{folder}/elsewhere.toml, given by --config, does not exist." in err


def test_a_state_directory_that_cannot_be_made_is_told(carrierd, folder):
    (folder / "taken").write_text("")
    code, _, err = carrierd("chat", "-m", "hi", "--state", str(folder / "taken"))
    assert code == 69
    assert err.startswith(f"carrierd: {folder}/taken")


# --- chat -------------------------------------------------------------------------------------------------------------------


def test_a_message_is_answered_on_standard_output(carrierd):
    code, out, err = carrierd("chat", "-m", "hello")
    assert (code, err) == (0, "")
    assert "hello" in out.lower()


def test_the_json_of_chat_has_its_documented_shape(say):
    told = say("hello", "--agent", "second", "--room", "kitchen")
    assert {key: told[key] for key in ("v", "agent", "room", "status", "reason")} == {
        "v": 1, "agent": "second", "room": "kitchen", "status": "replied", "reason": "",
    }  # fmt: skip
    assert len(told["turn"]) == 32
    assert told["reply"]["text"]
    assert set(told["usage"]) == {"input", "output", "cached", "calls"}
    assert told["duration_ms"] > 0


def test_an_unknown_agent_is_told_with_those_there_are(carrierd):
    code, _, err = carrierd("chat", "--agent", "bob", "-m", "hi")
    assert (code, err) == (70, "carrierd: There is no agent bob. There are: bot, second.\n")


def test_a_conversation_needs_a_client_for_the_terminal(carrierd, folder):
    code, _, err = carrierd("chat")
    assert code == 78
    assert "No enabled plugin brings a client for this terminal. Enable one in [plugins], or say one message" in err


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("/approve", "/approve takes a code here. `carrierd approvals` lists what waits."),
        ("/refuse it all", "/refuse takes a code here. `carrierd approvals` lists what waits."),
        ("/choose 0abcde tea", "/choose is for an open chat. Write: carrierd approvals choose 0abcde tea."),
        ("/approvals", "/approvals is for an open chat. Write: carrierd approvals."),
    ],
)
def test_a_command_of_the_open_chat_is_not_said_to_the_agent(carrierd, message, said):
    code, out, err = carrierd("chat", "-m", message)
    assert (code, out) == (64, "")
    assert said in err


def test_a_plugin_that_is_off_and_is_called_like_the_command_is_named(carrierd, folder):
    (folder / "config" / "plugins").mkdir(exist_ok=True)
    (folder / "config" / "plugins" / "carrier-greet.py").write_text("")
    config = folder / "config" / "carrier.toml"
    text = config.read_text()
    config.write_text(text.replace("[plugins]", '[plugins]\ndisabled = ["carrier-greet"]'))
    assert "[plugins]\ndisabled" in config.read_text()
    code, _, err = carrierd("greet")
    assert code == 64
    assert "There is no command greet. carrier-greet may bring it, and is not enabled" in err


# --- why --------------------------------------------------------------------------------------------------------------------


def test_why_tells_of_a_turn_by_id_by_its_beginning_and_the_last(carrierd, say):
    first, second = say("hello")["turn"], say("and again")["turn"]
    told = [json.loads(carrierd("why", *args, "--json")[1])["turn"] for args in ([first], [first[:8]], ["last"], [])]
    assert told == [first, first, second, second]


def test_the_json_of_why_has_its_documented_shape(carrierd, say):
    said = say("hello")
    told = json.loads(carrierd("why", "--json")[1])
    assert {key: told[key] for key in said} == said
    assert set(told) - set(said) == {
        "person", "client", "started", "waits", "asked", "steps", "ran", "parts", "memories", "forgotten",
    }  # fmt: skip
    assert set(told["steps"][0]) == {"name", "at", "duration_ms", "value", "told"}
    assert (told["waits"], told["asked"]) == (None, [])
    assert set(told["ran"][0]) == {"step", "hook", "plugin", "duration_ms", "result", "contributed"}
    assert {"key", "role", "text", "memory", "provenance"} <= set(told["parts"][0])
    assert set(told["parts"][0]["provenance"]) == {"origins", "audience", "plugin", "hook"}
    assert told["ran"][0]["plugin"] == "carrier"


def test_why_for_a_person_names_what_ran_and_what_the_model_was_shown(carrierd, say):
    turn = say("hello\x1b[2J there")["turn"]
    code, out, _ = carrierd("why")
    assert code == 0
    assert out.startswith(f"turn {turn}  agent bot")
    assert "What ran:" in out
    assert "What the model was shown:" in out
    assert "\x1b" not in out


def test_an_unknown_turn_is_told(carrierd, say):
    say("hello")
    code, out, err = carrierd("why", "zzz")
    assert (code, out) == (70, "")
    assert err == "carrierd: There is no turn zzz. `carrierd turns` lists them.\n"


def test_why_before_anything_was_said_is_told(carrierd, folder):
    code, _, err = carrierd("why")
    assert code == 69
    assert err.startswith(f"carrierd: There is no database {folder}/state/")
    assert not (folder / "state").exists()


# --- memory -----------------------------------------------------------------------------------------------------------------


def test_memories_are_listed_the_newest_first(carrierd, say):
    say("I keep bees.")
    code, out, _ = carrierd("memory", "list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert [each["name"] for each in listed] == ["Bot", "ana"]
    assert {"id", "agent", "room", "kind", "content"} <= set(listed[1])
    _, out, _ = carrierd("memory", "list", "--limit", "1")
    assert [line.split()[:3] for line in out.splitlines()][1:] == [[listed[0]["id"], "message", "Bot"]]


def test_memories_are_listed_by_agent_and_kind(carrierd, say):
    say("I keep bees.")
    say("I keep ants.", "--agent", "second")
    _, out, _ = carrierd("memory", "list", "--agent", "second", "--json")
    assert {each["agent"] for each in json.loads(out)} == {"second"}
    assert carrierd("memory", "list", "--kind", "fact", "--json")[:2] == (0, "[]\n")
    code, _, err = carrierd("memory", "list", "--kind", "rumour")
    assert (code, err.split(".")[0]) == (64, "carrierd: There is no kind of memory rumour")


@pytest.mark.parametrize("command", [["list"], ["recall", "bees"]])
def test_memories_of_an_unknown_agent_are_told(carrierd, say, command):
    say("I keep bees.")
    assert carrierd("memory", *command, "--agent", "bob")[::2] == (
        70,
        "carrierd: There is no agent bob. There are: bot, second.\n",
    )


def test_memories_are_recalled_in_the_room_where_they_were_said(carrierd, say):
    say("I keep bees in the garden.", "--room", "kitchen")
    code, out, _ = carrierd("memory", "recall", "bees", "--room", "kitchen", "--json")
    assert code == 0
    assert "I keep bees in the garden." in [part["text"] for each in json.loads(out) for part in each["content"]]
    assert carrierd("memory", "recall", "bees", "--room", "cellar", "--json")[:2] == (0, "[]\n")


def test_what_is_forgotten_is_gone(carrierd, say):
    say("I keep bees.")
    ids = [each["id"] for each in json.loads(carrierd("memory", "list", "--json")[1])]
    assert carrierd("memory", "forget", *ids) == (0, "2 forgotten.\n", "")
    assert carrierd("memory", "list", "--json")[1] == "[]\n"
    assert json.loads(carrierd("why", "--json")[1])["reply"]["text"]


def test_forgetting_what_is_not_there_fails_and_says_so(carrierd, say):
    say("I keep bees.")
    known = json.loads(carrierd("memory", "list", "--json")[1])[0]["id"]
    missing = "`carrierd memory list` shows their ids."
    assert carrierd("memory", "forget", "nope") == (
        70, "0 forgotten.\n", f"carrierd: The memory cannot be found. {missing}\n",
    )  # fmt: skip
    assert carrierd("memory", "forget", known, "nope") == (
        70, "1 forgotten.\n", f"carrierd: 1 of the 2 memories cannot be found. {missing}\n",
    )  # fmt: skip


@pytest.mark.parametrize("command", [["list"], ["recall", "bees"], ["forget", "id"]])
def test_a_state_directory_without_memories_is_told_and_not_made(carrierd, folder, command):
    code, out, err = carrierd("memory", *command)
    assert (code, out) == (69, "")
    assert err.startswith(f"carrierd: There is no database {folder}/state/")
    assert not (folder / "state").exists()


# --- agents, plugins ----------------------------------------------------------------------------------------------------------


def test_agents_are_listed_with_what_they_are(carrierd, folder):
    code, out, _ = carrierd("agents", "--json")
    character = str(folder / "config" / "characters" / "bot.toml")
    same = {"character": "Bot", "file": character, "kind": "conversational", "running": False}
    assert code == 0
    assert json.loads(out) == [
        {"name": "bot", "models": {"large": ["scripted/rules"]}, "clients": None, **same},
        {"name": "second", "models": {}, "clients": [], **same},
    ]
    _, out, _ = carrierd("agents")
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["AGENT", "CHARACTER", "KIND"], ["bot", "Bot", "conversational"], ["second", "Bot", "conversational"],
    ]  # fmt: skip


def test_an_agent_without_its_character_is_told(carrierd, folder):
    (folder / "config" / "characters" / "bot.toml").unlink()
    code, _, err = carrierd("agents")
    assert code == 78
    assert err.startswith(f"carrierd: {folder}/config/carrier.toml:1: The character file ")


def test_plugins_are_listed_with_what_they_bring_or_why_they_are_off(carrierd, folder):
    (folder / "config" / "plugins").mkdir()
    (folder / "config" / "plugins" / "own.py").write_text("1 / 0\n")
    code, out, _ = carrierd("plugins", "--json")
    listed = {each.pop("name"): each for each in json.loads(out)}
    assert code == 0
    assert listed["carrier-memory-sqlite"] == {
        "version": listed["carrier-memory-sqlite"]["version"],
        "state": "loaded",
        "why": "",
        "health": "",
        "required": False,
        "origin": "carrier-memory-sqlite",
        "hooks": ["register_stores"],
        "things": ["store sqlite"],
    }
    assert (listed["carrier-provider-openai"]["state"], listed["carrier-provider-openai"]["why"]) == (
        "off",
        "not in `enabled` of [plugins]",
    )
    assert listed["own"]["state"] == "failed"
    assert listed["own"]["why"] == "own cannot be loaded: it raised ZeroDivisionError: division by zero."
    _, out, _ = carrierd("plugins")
    assert [line.split()[2] for line in out.splitlines() if line.startswith("own ")] == ["failed"]


# --- commands of plugins --------------------------------------------------------------------------------------------------------

COMMAND = """\
import sys
from carrier_core import Command, impl

class Greet(Command):
    name = "greet"
    help = "greet somebody"
    def configure(self, parser):
        parser.add_argument("who")
        parser.add_argument("--loud", action="store_true")
    def run(self, args):
        if args.who == "nobody":
            raise LookupError("nobody is there")
        if args.who == "exit":
            sys.exit("I am leaving.")
        print(("HELLO " if args.loud else "Hello ") + args.who)
        return 3 if args.who == "three" else 0

@impl
def register_commands():
    return Greet()
"""


@pytest.fixture
def greeting(folder):
    (folder / "config" / "plugins").mkdir()
    (folder / "config" / "plugins" / "greeting.py").write_text(COMMAND)


@pytest.mark.parametrize(
    ("args", "code", "out", "said"),
    [
        (["Ana", "--loud"], 0, "HELLO Ana\n", ""),
        (["three"], 3, "Hello three\n", ""),
        (["Ana", "--config", "config/carrier.toml"], 0, "Hello Ana\n", ""),
        ([], 64, "", "usage: carrierd greet"),
        (["Ana", "--bogus"], 64, "", "unrecognized arguments: --bogus"),
        (["exit"], 70, "", "carrierd: I am leaving.\n"),
        (
            ["nobody"],
            70,
            "",
            "The command greet of greeting raised LookupError: nobody is there. Report it to the plugin's",
        ),
    ],
)
@pytest.mark.usefixtures("greeting")
def test_a_plugin_can_bring_a_command(carrierd, args, code, out, said):
    done = carrierd("greet", *args)
    assert done[:2] == (code, out)
    assert said in done[2]


@pytest.mark.usefixtures("greeting")
def test_a_plugins_command_is_suggested_too(carrierd):
    assert carrierd("gret", "Ana")[::2] == (64, "carrierd: There is no command gret. Did you mean greet?\n")


@pytest.mark.usefixtures("greeting")
def test_where_the_plugins_cannot_be_asked_for_a_command_it_says_why(carrierd, folder):
    (folder / "config" / "carrier.toml").write_text(f"{CONFIG}nonsense")
    code, _, err = carrierd("greet", "Ana")
    assert code == 64
    assert "There is no command greet. See carrierd --help. The plugins could not be asked for theirs: " in err
    assert f"{folder}/config/carrier.toml:10: This is not TOML" in err


# --- as a process -----------------------------------------------------------------------------------------------------------------

CARRIERD = [sys.executable, "-c", "import sys; from carrier_core.cli import main; sys.exit(main())"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["--help"], ["plugins"], ["plugins", "--json"], ["check"], ["agents"]])
def test_a_reader_that_leaves_is_no_failure(command, unbuffered):
    environ = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    reader, writer = os.pipe()
    os.close(reader)
    try:
        run = [*CARRIERD, *command]
        done = subprocess.run(run, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, env=environ)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_costs_no_import_of_the_host():
    program = (
        "import sys; from carrier_core.cli import main; main(['--version']);"
        "print(sorted({'anyio', 'msgspec', 'pydantic', 'pluggy', 'jinja2', 'structlog', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"carrierd {__version__}\n[]\n"


def test_what_a_running_daemon_says_of_agents_and_plugins_is_shown(carrierd, folder):
    (folder / "config" / "plugins").mkdir()
    (folder / "config" / "plugins" / "own.py").write_text(
        "from carrier_core import impl\n@impl\nasync def start_host(host):\n    raise OSError('no line')\n"
    )
    (folder / "config" / "carrier.toml").write_text(CONFIG.replace('"error"', '"info"\nformat = "json"'))
    with subprocess.Popen([*CARRIERD, "run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as daemon:
        try:
            assert any('"ready"' in line for line in daemon.stdout)
            agents = json.loads(carrierd("agents", "--json")[1])
            plugins = json.loads(carrierd("plugins", "--json")[1])
        finally:
            daemon.terminate()
            daemon.stdout.read()
    assert daemon.returncode == 0
    assert [each["running"] for each in agents] == [True, True]
    health = {each["name"]: each["health"] for each in plugins}
    assert (health["carrier-memory-sqlite"], health["carrier-provider-openai"]) == ("well", "")
    assert "no line" in health["own"]
