"""``carrierd new``: what it writes works as it is written, can be installed, and takes part in an agent's turns."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest

from carrier_core.cli import main, new

ROOT = Path(__file__).parents[1]
CARRIERD = Path(sys.executable).with_name("carrierd")
KINDS = [kind for kind in new.KINDS if kind != "file"]

CONFIG = """
[agents.tifa]

[plugins]
enabled = ["carrier-provider-scripted", "carrier-memory-sqlite", "carrier-letters"]

[plugin.carrier-provider-scripted]
rules = "{rules}"
"""

RULES = """
version = 1
standard = false

[[rules]]
contains = "count"
when = { tools = ["letters"] }

  [[rules.steps]]
  calls = [{ name = "letters", arguments = { text = "{{ message }}" } }]

  [[rules.steps]]
  text = "I counted. {{ result }}"

[[rules]]
text = "There is no such tool, only these: {{ tools }}"
"""


def run(*words: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a person would, without what this run of pytest has set."""
    hidden = ("CARRIER_", "OPENAI_", "PYTEST", "STATE_DIRECTORY", "CREDENTIALS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    home = {"HOME": str(cwd), "XDG_STATE_HOME": str(cwd / "home"), "USER": "ana"}
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**kept, **home, **variables},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


def write(folder: Path, name: str, kind: str) -> Path:
    """Have a plugin written into a folder."""
    done = run(CARRIERD, "new", name, "--kind", kind, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / name


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A plugin of each kind."""
    folder = tmp_path_factory.mktemp("written")
    return {kind: write(folder, f"carrier-{kind}-sample", kind) for kind in KINDS}


each_kind = pytest.mark.parametrize("kind", KINDS)

# --- as it is written -----------------------------------------------------------------------------------------------


@each_kind
def test_it_passes_its_own_tests(written: dict[str, Path], kind: str) -> None:
    done = run(sys.executable, "-m", "pytest", "-q", cwd=written[kind])

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@each_kind
def test_its_types_are_strict(written: dict[str, Path], kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.getbasetemp() / "mypy"

    done = run(sys.executable, "-m", "mypy", "--cache-dir", cache, ".", cwd=written[kind])

    assert done.returncode == 0, done.stdout


def test_it_is_free_of_lint(written: dict[str, Path]) -> None:
    folder = written["action"].parent

    assert run(sys.executable, "-m", "ruff", "check", "--no-cache", ".", cwd=folder).stdout == "All checks passed!\n"
    assert run(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".", cwd=folder).returncode == 0


@each_kind
def test_it_is_a_plugin_by_its_entry_point(written: dict[str, Path], kind: str) -> None:
    project = tomllib.loads((written[kind] / "pyproject.toml").read_text())["project"]
    name, module = f"carrier-{kind}-sample", f"carrier_{kind}_sample"

    assert project["name"] == name
    assert project["entry-points"] == {"carrier": {name: module}}
    assert "carrier-core>=0.1,<1" in project["dependencies"]
    assert (written[kind] / f"{module}.py").is_file()


@each_kind
def test_it_imports_only_what_is_public(written: dict[str, Path], kind: str) -> None:
    modules = {
        node.module
        for path in written[kind].rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("carrier_core")
    }

    assert modules <= {"carrier_core", "carrier_core.testing"}


def test_the_skeletons_are_in_the_wheel(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-build-isolation", "--no-deps", "--no-index"]
    done = run(*pip, "--disable-pip-version-check", "--wheel-dir", tmp_path, ROOT, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("carrier_core-*.whl")
    inside = {Path(name).name for name in ZipFile(wheel).namelist() if "/cli/skeletons/" in name}
    assert inside == {path.name for path in new.SKELETONS.iterdir()}
    assert {f"{kind}.py.txt" for kind in new.KINDS} <= inside


# --- installed -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def letters(written: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A distribution that adds an action, and where pip has installed it, and one of each kind beside it."""
    folder = tmp_path_factory.mktemp("letters")
    source, target = write(folder, "carrier-letters", "action"), folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-build-isolation", "--no-deps", "--no-index"]
    done = run(*pip, "--disable-pip-version-check", "--target", target, source, *written.values(), cwd=folder)
    assert done.returncode == 0, done.stderr
    return source, target


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder to start Carrier in."""
    (tmp_path / "config").mkdir()
    shutil.copytree(ROOT / "config" / "characters", tmp_path / "config" / "characters")
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "config" / "carrier.toml").write_text(CONFIG.format(rules=tmp_path / "rules.toml"))
    return tmp_path


def test_what_is_installed_passes_its_conformance_test(letters: tuple[Path, Path], tmp_path: Path) -> None:
    source, target = letters
    shutil.copytree(source / "tests", tmp_path / "tests")  # away from the source, so that what is installed is imported

    pytest_words = ["-m", "pytest", "-v", "-p", "no:cacheprovider", "--rootdir", tmp_path, "tests"]
    done = run(sys.executable, *pytest_words, cwd=tmp_path, PYTHONPATH=str(target))

    assert done.returncode == 0, done.stdout
    assert "test_performing_gives_a_result PASSED" in done.stdout


def test_an_installed_action_is_performed_in_a_chat(letters: tuple[Path, Path], project: Path) -> None:
    site = str(letters[1])
    listed = run(CARRIERD, "plugins", "--json", cwd=project, PYTHONPATH=site)
    [found] = [plugin for plugin in json.loads(listed.stdout) if plugin["name"] == "carrier-letters"]
    assert (found["state"], found["version"], found["things"]) == ("loaded", "0.1.0", ["action letters"])

    done = run(CARRIERD, "chat", "-m", "Count my letters", "--json", cwd=project, PYTHONPATH=site)

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["reply"]["text"] == "I counted. It has 14 letters."
    why = json.loads(run(CARRIERD, "why", answer["turn"], "--json", cwd=project, PYTHONPATH=site).stdout)
    ran = [(each["step"], each["hook"], each["plugin"], each["result"]) for each in why["ran"]]
    assert ("act/1/0", "letters.perform", "carrier-letters", "answered") in ran


def test_every_kind_is_accepted_and_takes_part(letters: tuple[Path, Path], project: Path) -> None:
    site = str(letters[1])
    names = ", ".join(f'"carrier-{kind}-sample"' for kind in KINDS)
    (project / "config" / "carrier.toml").write_text(f"[agents.tifa]\n\n[plugins]\nenabled = [{names}]\n")

    checked = run(CARRIERD, "check", cwd=project, PYTHONPATH=site)
    said = [
        run(CARRIERD, "chat", "-m", text, "--json", cwd=project, PYTHONPATH=site) for text in ("Hello", "swordfish")
    ]

    assert checked.returncode == 0, checked.stdout
    answer, blocked = (json.loads(done.stdout) for done in said)
    assert answer["reply"]["text"].startswith("You said: ")
    assert (blocked["status"], blocked["reason"]) == ("blocked", "it names the secret word")


def test_a_plugin_that_is_not_enabled_is_neither_imported_nor_offered(
    letters: tuple[Path, Path], project: Path
) -> None:
    config = project / "config" / "carrier.toml"
    config.write_text(config.read_text().replace(', "carrier-letters"', ""))

    done = run(CARRIERD, "chat", "-m", "Count my letters", "--json", cwd=project, PYTHONPATH=str(letters[1]))

    assert json.loads(done.stdout)["reply"]["text"].startswith("There is no such tool")


def test_a_single_file_is_a_plugin_by_being_there(project: Path) -> None:
    config = project / "config" / "carrier.toml"
    config.write_text(config.read_text().replace(', "carrier-letters"', ""))

    done = run(CARRIERD, "new", "who-writes", "--kind", "file", cwd=project)

    assert done.returncode == 0, done.stderr
    assert (project / "config" / "plugins" / "who-writes.py").is_file()
    listed = json.loads(run(CARRIERD, "plugins", "--json", cwd=project).stdout)
    [found] = [plugin for plugin in listed if plugin["name"] == "who-writes"]
    assert (found["state"], found["hooks"]) == ("loaded", ["provide_state"])
    answer = json.loads(run(CARRIERD, "chat", "-m", "Hello", "--json", cwd=project).stdout)
    why = json.loads(run(CARRIERD, "why", answer["turn"], "--json", cwd=project).stdout)
    assert "ana writes in the room main." in [part["text"] for part in why["parts"]]


# --- names and places ----------------------------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code and what is said."""
    code = main(["new", *words])
    told = capsys.readouterr()
    assert told.out == ""
    return code, told.err


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Weather_Bot", "Write weather-bot."),
        ("carrier weather", "Write carrier-weather."),
        ("9lives", "such as carrier-weather"),
        ("übung", "such as carrier-weather"),
        ("", "such as carrier-weather"),
        ("../outside", "such as carrier-weather"),
        ("a/b", "such as carrier-weather"),
        ("double--dash", "Write double-dash."),
        ("x" * 49, "at most 48"),
        ("json", "carrier-json"),
        ("class", "carrier-class"),
        ("anyio", "carrier-anyio"),
        ("carrier-core", "carrier-weather"),
        ("carrier", "carrier-weather"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, remedy: str
) -> None:
    monkeypatch.chdir(tmp_path)

    code, said = refused(capsys, "--", name)

    assert code == 64
    assert remedy in said
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_plugin_that_is_installed_may_be_written_again(tmp_path: Path) -> None:
    name = next(point.name for point in metadata.entry_points(group="carrier"))

    assert main(["new", name, "--into", str(tmp_path)]) == 0


def test_a_folder_that_is_there_is_left_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mine = tmp_path / "carrier-mine" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine")

    code, said = refused(capsys, "carrier-mine", "--into", str(tmp_path))

    assert code == 73
    assert f"{mine.parent} exists already" in said
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]


def test_a_file_that_is_there_is_left_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("mine")

    code, said = refused(capsys, "mine", "--kind", "file", "--into", str(tmp_path))

    assert (code, (tmp_path / "mine.py").read_text()) == (73, "mine")
    assert "exists already" in said


def test_a_place_that_is_a_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "place").write_text("")

    code, said = refused(capsys, "carrier-mine", "--into", str(tmp_path / "place"))

    assert code == 73
    assert "cannot be written" in said
    assert "--into" in said


@pytest.mark.parametrize("kind", ["action", "file"])
def test_nothing_is_left_of_what_could_not_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    whole = Path.write_text

    def full(path: Path, text: str, **words: str) -> int:
        if path.suffix == ".py":
            whole(path, text[:10])
            raise OSError(28, "No space left on device")
        return whole(path, text, **words)

    monkeypatch.setattr(Path, "write_text", full)

    code, said = refused(capsys, "carrier-mine", "--kind", kind, "--into", str(tmp_path))

    assert code == 73
    assert "No space left on device" in said
    assert list(tmp_path.iterdir()) == []


def test_a_file_needs_a_plugin_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = run(CARRIERD, "new", "who-writes", "--kind", "file", cwd=tmp_path, XDG_CONFIG_HOME=str(tmp_path))

    assert done.returncode == 73
    assert "--into" in done.stderr


def test_an_unknown_kind_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(capsys, "carrier-mine", "--kind", "sandwich")

    assert code == 64
    assert "'provider'" in said


def test_it_says_what_comes_next(tmp_path: Path) -> None:
    done = run(CARRIERD, "new", "carrier-letters", "--kind", "actions", cwd=tmp_path)

    assert "pip install -e carrier-letters" in done.stdout
    assert "python -m pytest carrier-letters" in done.stdout
    assert '"carrier-letters" to `enabled`' in done.stdout
    assert "carrierd check" in done.stdout
