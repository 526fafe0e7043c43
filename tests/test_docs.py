"""The documentation: generated parts are those of the code, snippets run, links lead somewhere, examples do what is said."""

import ast
import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import carrier_core
from carrier_core import journal, memory, specs, things
from carrier_core.cli import COMMANDS
from carrier_core.testing import running_host

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
CARRIERD = Path(sys.executable).with_name("carrierd")

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.glob("*.md"),
        *ROOT.glob("plugins/*/README.md"),
        *ROOT.glob("config/**/README.md"),
    ]
)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

_BLOCK = re.compile(r"(?:<!-- ([\w:/. -]+) -->\n)?```(\w*)\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

RULES = """
version = 1
standard = false

[[rules]]
contains = "weather"
text = "Look: {{ state.weather }}"

[[rules]]
contains = "secret"
text = "The Password is swordfish."

[[rules]]
text = "A rule says: {{ message }}"
"""


def load(path: Path) -> ModuleType:
    """A file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """The code blocks of a page in a language, each with the mark above it."""
    for mark, written, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if written == language:
            yield mark, text


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what would change an answer: keys, our own variables, pytest's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CARRIER_", "OPENAI_", "PYTEST", "STATE_DIRECTORY", "CREDENTIALS"))
    }
    return {**kept, **more}


def carrierd(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, as a person would."""
    state = str(folder / "home")
    environment = clean_environment(HOME=state, XDG_STATE_HOME=state, USER="ana")
    environment.pop("XDG_CONFIG_HOME", None)
    return subprocess.run(
        [CARRIERD, *words],
        cwd=folder,
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the configuration of the README, the characters, and a scripted model that shows what it is told."""
    [(_, written)] = [block for block in blocks(ROOT / "README.md", "toml") if block[0] == "run: configuration"]
    (tmp_path / "config" / "plugins").mkdir(parents=True)
    shutil.copytree(ROOT / "config" / "characters", tmp_path / "config" / "characters")
    (tmp_path / "rules.toml").write_text(RULES)
    rules = f'\n[plugin.carrier-provider-scripted]\nrules = "{tmp_path}/rules.toml"\n'
    (tmp_path / "config" / "carrier.toml").write_text(written + rules)
    return tmp_path


def enable(project: Path, *names: str) -> None:
    """Put examples into the plugin folder."""
    for name in names:
        shutil.copy(EXAMPLES / f"{name}.py", project / "config" / "plugins")


def say(project: Path, text: str) -> dict:
    """Say something to the agent of a project; the JSON of the answer."""
    done = carrierd(project, "chat", "-m", text, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- what is generated ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    return load(DOCS / "generate.py")


@pytest.mark.parametrize("file", ["hooks.md", "configuration.md", "cli.md"])
def test_what_is_generated_is_up_to_date(generate: ModuleType, file: str) -> None:
    assert (DOCS / file).read_text(encoding="utf-8") == generate.filled(file), "run `make docs`"


def test_a_changed_hook_is_noticed(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specs.provide_state, "__doc__", "Called at tea time.")

    assert (DOCS / "hooks.md").read_text(encoding="utf-8") != generate.filled("hooks.md")


def test_a_changed_setting_is_noticed(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    section = generate.Settings.model_fields["limits"].annotation
    monkeypatch.setattr(section.model_fields["rooms"], "description", "Rooms with a view.")

    assert (DOCS / "configuration.md").read_text(encoding="utf-8") != generate.filled("configuration.md")


def test_every_hook_says_what_it_is_for() -> None:
    hooks = [spec for spec in vars(specs).values() if hasattr(spec, "carrier_contract")]

    assert len(hooks) > 40
    assert [spec.__name__ for spec in hooks if not inspect.getdoc(spec)] == []
    written = (DOCS / "hooks.md").read_text(encoding="utf-8")
    assert [spec.__name__ for spec in hooks if f"\n### {spec.__name__}\n" not in written] == []


def test_every_method_of_a_thing_says_what_it_is_for() -> None:
    silent = [
        f"{cls.__name__}.{name}"
        for module in (things, memory, journal)
        for cls in vars(module).values()
        if inspect.isclass(cls) and cls.__module__ == module.__name__
        for name, member in vars(cls).items()
        if not name.startswith("_") and inspect.isfunction(member) and not inspect.getdoc(member)
    ]

    assert silent == []


def test_every_command_is_documented() -> None:
    written = (DOCS / "cli.md").read_text(encoding="utf-8")

    assert [name for name in COMMANDS if f"\n### carrierd {name}\n" not in written] == []


def test_every_option_is_documented(tmp_path: Path) -> None:
    written = (DOCS / "cli.md").read_text(encoding="utf-8")

    for name in COMMANDS:
        shown = carrierd(tmp_path, name, "--help").stdout
        options = {*re.findall(r"(?<![\w-])--[a-z]+", shown)} - {"--help"}
        section = written.partition(f"\n### carrierd {name}\n")[2].partition("\n### ")[0]
        assert [option for option in options if f"`{option}" not in section] == [], name


# --- links and names --------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The names under which headings can be linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in _LINK.findall(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


OF_PLUGINS = {
    found[1]
    for source in ROOT.glob("plugins/*/carrier_*/**/*.py")
    for found in re.finditer(r"\(Command\):\n(?:.*\n)*?    name = \"([a-z]+)\"", source.read_text(encoding="utf-8"))
}
"""The commands that plugins bring."""


@each_page
def test_the_commands_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"\bcarrierd ([a-z]+)\b", "\n".join(re.findall(r"`[^`]+`", page.read_text(encoding="utf-8"))))

    assert {*named} - {*COMMANDS} - OF_PLUGINS == set()


def test_the_targets_that_readme_names_exist() -> None:
    named = {*re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)}

    assert named - {*re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)} == set()


def test_the_hooks_in_the_picture_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = text.partition("## The loop")[2].partition("```text")[2].partition("```")[0]
    named = set(re.findall(r"[a-z]+_[a-z]+", picture))

    assert named - {"register_"} <= {*vars(specs)}
    loop = {spec.__name__ for spec in vars(specs).values() if hasattr(spec, "carrier_contract")}
    loop = {name for name in loop if name.split("_")[0] in {"transform", "provide", "assemble", "ensure", "around"}}
    assert loop <= named, "a step is missing in the picture"


def test_every_module_of_the_core_is_explained() -> None:
    designed = (
        "errors provenance messages journal memory dispatch specs character settings plugins policy pipeline agent "
        "scheduler daemon cli testing"
    ).split()
    table = (DOCS / "decisions.md").read_text(encoding="utf-8").partition("## Modules of the core")[2]
    explained = {name for row in re.findall(r"^\| (`.+?) \|", table, flags=re.MULTILINE) for name in row.split("`")}
    there = {path.stem for path in (ROOT / "carrier_core").iterdir() if not path.name.startswith("_")} - {"py"}

    assert there - {*designed} - explained == set()
    assert explained - there - {"", ", "} == set()


def test_the_changelog_has_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## [{carrier_core.__version__}]" in text


# --- snippets ---------------------------------------------------------------------------------------------------------


@each_page
def test_toml_and_json_can_be_read(page: Path) -> None:
    for _, text in blocks(page, "toml"):
        tomllib.loads(text)
    for _, text in blocks(page, "json"):
        json.loads(text)


@pytest.mark.parametrize("name", ["weather", "discretion", "echo"])
def test_the_examples_are_what_is_shown(name: str) -> None:
    shown = [text for mark, text in blocks(ROOT / "README.md", "python") if mark == f"run: docs/examples/{name}.py"]
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")

    assert shown == [source]
    assert len(source.splitlines()) <= 7


def test_every_python_block_is_run() -> None:
    pages = [page for page in PAGES if page.parent in (ROOT, DOCS) and page.name != "hooks.md"]
    marks = [mark for page in pages for mark, _ in blocks(page, "python")]

    assert [mark for mark in marks if not re.match(r"run: |plugin|test$", mark)] == []


def python_in_plugins() -> list:
    found = [(mark, text) for mark, text in blocks(DOCS / "plugins.md", "python") if mark.startswith("plugin")]
    return [
        pytest.param(mark.partition(": ")[2] or "shown", text, id=f"block{number}")
        for number, (mark, text) in enumerate(found, 1)
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "source"), python_in_plugins())
async def test_the_plugins_that_are_shown_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str
) -> None:
    stem = name.replace("-", "_")
    (tmp_path / f"{stem}.py").write_text(source)
    module = load(tmp_path / f"{stem}.py")
    monkeypatch.delitem(sys.modules, stem)
    monkeypatch.setitem(sys.modules, stem, module)

    async with running_host({name: module}) as running:
        answers = [await running.ask(text) for text in ("My favourite colour is teal.", "Hello")]

        assert answers == ["You said: My favourite colour is teal.", "You said: Hello"]
        assert running.host.plugins.found[name].state == "loaded"
        assert running.told("plugin_failed") == []
        facts = await running.store.memory.list(kind=carrier_core.MemoryKind.FACT)
    if "async def reflect" in source:
        assert len(facts) == 2
        assert all("agent" in fact.provenance.origins for fact in facts), "a model's words, not the person's"


def test_the_tests_that_are_shown_pass(tmp_path: Path) -> None:
    shown = [text for mark, text in blocks(DOCS / "plugins.md", "python") if mark == "test"]
    for number, text in enumerate(shown):
        assert ast.parse(text)
        (tmp_path / f"test_shown_{number}.py").write_text(text)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert shown
    assert done.returncode == 0, done.stdout


# --- what is claimed -----------------------------------------------------------------------------------------------------


def configurations() -> Iterator[object]:
    for page in (ROOT / "README.md", DOCS / "configuration.md"):
        for _, text in blocks(page, "toml"):
            if "[agents." in text:
                yield pytest.param(text, id=page.stem)


@pytest.mark.parametrize("text", [*configurations()])
def test_the_configurations_that_are_shown_have_no_fault(project: Path, text: str) -> None:
    (project / "config" / "carrier.toml").write_text(text)

    done = carrierd(project, "check")

    assert done.returncode == 0, done.stdout + done.stderr
    assert carrierd(project, "chat", "-m", "Hello").returncode == 0


def test_the_variables_of_env_example_are_understood(project: Path) -> None:
    text = (ROOT / ".env.example").read_text()
    shutil.copy(ROOT / "config" / "carrier.toml", project / "config" / "carrier.toml")
    (project / ".env").write_text(re.sub(r"^#(?=[A-Z][A-Z_]+=)", "", text, flags=re.MULTILINE))

    done = carrierd(project, "check")

    assert (project / ".env").read_text().count("\nCARRIER_") > 3
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_conversation_of_readme_is_the_one_you_have(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Start")[2]
    shown = next(block for _, block in text_blocks(text)).splitlines()
    typed = [line[2:] for line in shown if line.startswith("> ")]

    done = carrierd(
        tmp_path,
        "chat",
        "--config",
        str(ROOT / "config" / "carrier.toml"),
        typed="".join(f"{line}\n" for line in typed),
    )

    assert done.returncode == 0, done.stderr
    assert len(typed) == 2
    said = done.stdout.splitlines()
    assert [line for line in shown if not line.startswith("> ") and line not in said] == []


def text_blocks(text: str) -> Iterator[tuple[str, str]]:
    return ((mark, block) for mark, language, block in _BLOCK.findall(text) if language == "text")


def keys_of(heading: str) -> list[str]:
    """The keys in the first table below a heading of cli.md."""
    section = (DOCS / "cli.md").read_text(encoding="utf-8").partition(f"## {heading}")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)


def test_the_json_of_chat_and_why_is_as_documented(project: Path) -> None:
    chat = say(project, "What is the weather?")
    why = json.loads(carrierd(project, "why", chat["turn"], "--json").stdout)

    assert sorted(chat) == sorted(keys_of("The JSON of chat, version 1"))
    assert sorted(why) == sorted([*chat, *keys_of("The JSON of why, version 1")])
    assert {**why, **chat} == why, "what chat says, why says too"
    assert chat["v"] == 1
    assert {"input", "output", "cached", "calls"} == {*chat["usage"]}
    assert {"text", "notice"} == {*chat["reply"]}
    for each in why["ran"]:
        assert {*each} == {"step", "hook", "plugin", "duration_ms", "result", "contributed"}
    for each in why["parts"]:
        assert {*each} == {"key", "role", "text", "memory", "provenance"}
        assert {*each["provenance"]} == {"origins", "audience", "plugin", "hook"}


# --- the examples, end to end -----------------------------------------------------------------------------------------------


def test_a_file_adds_context(project: Path) -> None:
    assert say(project, "What is the weather?")["reply"]["text"].strip() == "Look:"

    enable(project, "weather")
    answer = say(project, "What is the weather?")

    assert answer["reply"]["text"] == "Look: It rains where ana is."
    why = json.loads(carrierd(project, "why", answer["turn"], "--json").stdout)
    [part] = [part for part in why["parts"] if part["key"] == "weather"]
    assert part["provenance"]["plugin"] == "weather"
    assert part["provenance"]["hook"] == "provide_state"
    assert part["provenance"]["origins"] == ["outside:plugin/weather"]
    assert ("provide_state", "weather") in [(ran["hook"], ran["plugin"]) for ran in why["ran"]]


def test_a_file_vetoes_a_reply(project: Path) -> None:
    assert say(project, "Tell me the secret.")["status"] == "replied"

    enable(project, "discretion")
    vetoed, other = say(project, "Tell me the secret."), say(project, "Hello")

    assert (vetoed["status"], vetoed["reply"], vetoed["reason"]) == ("blocked", None, "it names a password")
    assert other["reply"]["text"] == "A rule says: Hello"
    assert "swordfish" not in carrierd(project, "memory", "list", "--limit", "2").stdout


def test_a_file_replaces_the_model(project: Path) -> None:
    enable(project, "echo")

    answer = say(project, "Hello")

    assert answer["reply"]["text"] == "You said: Hello"
    why = json.loads(carrierd(project, "why", answer["turn"], "--json").stdout)
    generated = [ran["plugin"] for ran in why["ran"] if ran["step"] == "generate/1" and ran["result"] == "answered"]
    assert generated == ["echo"], "no provider was asked"


def test_a_file_that_is_disabled_does_nothing(project: Path) -> None:
    enable(project, "echo")
    config = project / "config" / "carrier.toml"
    config.write_text(config.read_text().replace("[plugins]", '[plugins]\ndisabled = ["echo"]'))

    assert say(project, "Hello")["reply"]["text"] == "A rule says: Hello"
    listed = json.loads(carrierd(project, "plugins", "--json").stdout)
    [echo] = [plugin for plugin in listed if plugin["name"] == "echo"]
    assert (echo["state"], echo["version"]) == ("off", "file")
