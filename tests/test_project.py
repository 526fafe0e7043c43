"""The rules of the house, as far as a machine can judge them: what lies where, who may import whom, who may name whom."""

import ast
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import carrier_core
import carrier_core.providing
import carrier_core.recall
import carrier_core.testing

# --- data: edit this when the house grows -------------------------------------------------------------------------

TOP_LEVEL = frozenset(
    "carrier_core plugins tests config pyproject.toml carrierd.service README.md docs Makefile Dockerfile "
    "CHANGELOG.md LICENSE .env.example .ci .gitignore .dockerignore".split()
)

# The modules of the core: each may import those before it, none after it. `__init__` names all of them, lazily.
ORDER = (
    "_version errors provenance messages prompts outcomes metering schedules journal archive records spending packing kept fitting pacing memory recall providing breaker contract failures dispatch lingering "
    "discovery parameters things specs ledger scheduler reception logs keylines configfile shape sections environment faults "
    "overrides handlebars sandbox templates character eliza characterfile settings signatures stamp table events prices windows estimates tally bounds budgets "
    "embedding recording progress lookups policy reaching choosing turn actions approving acting kinds pipeline drafts defaults plugins models asking handling agent why clients endings outage outbox rating intake agenda upkeep host "
    "archivefile naming bill booking questions desk replay requests checking control daemon scenarios cli testing"
).split()

# What the core may not name, in code, text or comment, besides the plugins in this tree: a special case for one of
# them begins as an example.
NEVER_IN_CORE = ("anthropic", "discord", "instagram", "openai", "postgres", "postgresql", "sqlite")

# Keys of a foreign file format that the core reads for everybody, whichever plugins there are.
FOREIGN_KEYS = ("instagramProfile",)

PUBLIC = {
    "carrier_core": frozenset(carrier_core.__all__) | {"providing", "recall", "testing"},
    "carrier_core.providing": frozenset(carrier_core.providing.__all__),
    "carrier_core.recall": frozenset(carrier_core.recall.__all__),
    "carrier_core.testing": frozenset(carrier_core.testing.__all__),
    "carrier_core.testing.wire": frozenset(carrier_core.testing.wire.__all__),
}

# Pieced together, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")
OF_A_MACHINE = re.compile(r"(?<![\w.:*/])/(?:root|work|home|Users)/\w")

# --- what there is ------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]
CORE = ROOT / "carrier_core"
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PLUGIN_NAMES = [folder.name for folder in PLUGINS]

each_plugin = pytest.mark.parametrize("folder", PLUGINS, ids=PLUGIN_NAMES)


def tracked() -> list[Path]:
    """Every file that is, or would be, committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the project is not known")
    # In a clone that another account made, git would refuse to answer.
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    command = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in sorted(set(names)) if name and (ROOT / name).is_file()]


def lines(files: list[Path]) -> Iterator[tuple[str, str]]:
    """Each line of the text files among these, with the place where it stands."""
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            yield f"{file.relative_to(ROOT)}:{number}", line


def declared(folder: Path) -> dict[str, Any]:
    """The ``[project]`` table of a distribution."""
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


# --- what lies where ----------------------------------------------------------------------------------------------


def test_the_top_level_holds_only_what_belongs_there() -> None:
    assert {file.relative_to(ROOT).parts[0] for file in tracked()} - TOP_LEVEL == set()


def test_nothing_is_left_unfinished() -> None:
    assert [place for place, line in lines(tracked()) if UNFINISHED.search(line)] == []


def test_no_path_of_one_machine_is_written_down() -> None:
    assert [place for place, line in lines(tracked()) if OF_A_MACHINE.search(line)] == []


def test_ci_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_knows_its_targets() -> None:
    targets = ["help", "setup", "run", "test", "check", "bench", "docs", "clean"]
    # These tests run under `make test`, whose own settings are not for this make.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}

    seen = subprocess.run(
        ["make", "-n", *targets], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert seen.returncode == 0, seen.stderr


# --- distributions ------------------------------------------------------------------------------------------------


def test_the_version_is_the_one_that_is_installed() -> None:
    assert metadata.version("carrier-core") == carrier_core.__version__


@each_plugin
def test_a_plugin_carries_one_name(folder: Path) -> None:
    module = folder.name.replace("-", "_")
    project = declared(folder)

    assert project["name"] == folder.name
    assert project["entry-points"] == {"carrier": {folder.name: module}}
    assert sorted(path.stem for path in folder.glob("carrier_*") if path.suffix in {"", ".py"}) == [module]


@each_plugin
def test_a_plugin_is_found_once_installed(folder: Path) -> None:
    found = metadata.entry_points(group="carrier", name=folder.name)

    assert [point.dist.name for point in found if point.dist] == [folder.name]


@each_plugin
def test_a_plugin_says_which_cores_it_fits(folder: Path) -> None:
    requirements = [Requirement(text) for text in declared(folder)["dependencies"]]
    [core] = [requirement for requirement in requirements if requirement.name == "carrier-core"]

    assert {bound.operator for bound in core.specifier} == {">=", "<"}
    assert carrier_core.__version__ in core.specifier


@each_plugin
def test_a_plugin_keeps_its_tests_beside_it(folder: Path) -> None:
    assert list(folder.glob("tests/test_*.py"))


# --- who may name whom --------------------------------------------------------------------------------------------


def named_plugin(text: str) -> str | None:
    """The first plugin, or product that only a plugin may know, that is named in this text."""
    names = [*PLUGIN_NAMES, *(name.replace("-", "_") for name in PLUGIN_NAMES), *NEVER_IN_CORE]
    # A word ends where an underscore, a digit or an inner capital begins: OPENAI_API_KEY and OpenaiModel name it too.
    pattern = rf"(?:(?<![A-Za-z])|(?=[A-Z]))(?i:{'|'.join(names)})(?![a-z])"
    found = re.search(pattern, re.sub("|".join(FOREIGN_KEYS), "", text))
    return found[0] if found else None


@pytest.mark.parametrize(
    "text",
    [
        "carrier-client-terminal",
        "import carrier_memory_sqlite",
        "OPENAI_API_KEY",
        "MyDiscordBot",
        '"discord"',
    ],
)
def test_naming_a_plugin_is_seen(text: str) -> None:
    assert named_plugin(text)


def test_the_core_names_no_plugin() -> None:
    dictionaries = CORE / "packing"  # what recorded text often says, whoever said it: data that can never change
    core = [file for file in tracked() if file.is_relative_to(CORE)]
    core = [file for file in core if not (file.is_relative_to(dictionaries) and file.suffix == ".txt")]

    assert [(place, name) for place, line in lines(core) if (name := named_plugin(line))] == []


# --- who may import whom ------------------------------------------------------------------------------------------


def imported(tree: ast.AST) -> Iterator[tuple[int, str, str | None]]:
    """Every import: its line, the module, and the name taken from it (None: the module itself)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, "." * node.level + (node.module or ""), alias.name) for alias in node.names)


def trespasses(source: str, own: str) -> list[str]:
    """Each place where a plugin, or its test, reaches past what the core makes public, or into another plugin.

    ``own`` is the plugin's module. A private module named in a string (to patch it, to import it by name) counts.
    """
    found = []
    tree = ast.parse(source)
    for line, module, name in imported(tree):
        if module in PUBLIC:
            allowed = name is None or name in PUBLIC[module]
        else:
            allowed = module.split(".")[0] == own or not module.startswith(("carrier_", "."))
        if not allowed:
            found.append(f"line {line}: {module} {name or ''}".rstrip())
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if re.fullmatch(r"carrier_core(\.\w+)+", text) and text not in PUBLIC:
                found.append(f"line {node.lineno}: {text!r}")
            case ast.Attribute(value=ast.Name(id="carrier_core"), attr=name) if name not in PUBLIC["carrier_core"]:
                found.append(f"line {node.lineno}: carrier_core.{name}")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import carrier_core.pipeline",
        "from carrier_core.pipeline import run",
        "from carrier_core import pipeline",
        "from carrier_core import _version",
        "from carrier_core.testing.plugin import host",
        "from carrier_core.testing import _private",
        "from carrier_core.recall.words import plain",
        "def late():\n    from carrier_core.dispatch import first",
        "import carrier_core\ncarrier_core.pipeline.run()",
        "import importlib\nimportlib.import_module('carrier_core.pipeline')",
        "import carrier_other_plugin",
        "from .sibling import name",
    ],
)
def test_a_trespass_is_seen(source: str) -> None:
    assert trespasses(source, own="carrier_own")


@pytest.mark.parametrize(
    "source",
    [
        "import carrier_core\ncarrier_core.__version__",
        "from carrier_core import __version__, testing",
        "import carrier_core.testing",
        "from carrier_core.recall import Shelf",
        "from carrier_own.module import name",
        "import json, numpy.linalg",
    ],
)
def test_what_is_public_is_no_trespass(source: str) -> None:
    assert trespasses(source, own="carrier_own") == []


@each_plugin
def test_a_plugin_imports_only_what_is_public(folder: Path) -> None:
    own = folder.name.replace("-", "_")
    sources = [file for file in tracked() if file.suffix == ".py" and file.is_relative_to(folder)]

    assert [(file.name, found) for file in sources if (found := trespasses(file.read_text(), own))] == []


def test_a_single_file_plugin_imports_only_what_is_public() -> None:
    sources = [file for file in tracked() if file.suffix == ".py" and file.is_relative_to(ROOT / "config")]

    assert [(file.name, found) for file in sources if (found := trespasses(file.read_text(), own=""))] == []


def without_type_checking(tree: ast.Module) -> ast.Module:
    """The module without its ``if TYPE_CHECKING:`` blocks, which import nothing when it runs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = [ast.Pass()]
    return tree


def core_imports(source: str) -> set[str]:
    """The modules of the core that a module imports when it runs, inside its functions too.

    ``*`` stands for the package itself: its names come from all modules, so only the last in line may use them.
    """
    found = set()
    for _, module, name in imported(without_type_checking(ast.parse(source))):
        package, _, rest = module.partition(".")
        if package == "carrier_core":
            if rest:
                found.add(rest.split(".")[0])
            else:
                found.add(name if name in ORDER else "*")
    return found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from carrier_core.errors import CarrierError", {"errors"}),
        ("import carrier_core.cli.chat", {"cli"}),
        ("from carrier_core import cli, Turn", {"cli", "*"}),
        ("def late():\n    import carrier_core.daemon", {"daemon"}),
        ("if TYPE_CHECKING:\n    from carrier_core.daemon import Daemon", set()),
    ],
)
def test_an_import_within_the_core_is_seen(source: str, found: set[str]) -> None:
    assert core_imports(source) == found


def core_modules() -> dict[str, list[Path]]:
    """The files of each module of the core; a module that became a package has several."""
    modules: dict[str, list[Path]] = {}
    for file in sorted(CORE.rglob("*.py")):
        name = file.relative_to(CORE).parts[0].removesuffix(".py")
        if name != "__init__":
            modules.setdefault(name, []).append(file)
    return modules


def test_every_module_of_the_core_has_its_place() -> None:
    assert set(core_modules()) == set(ORDER), "make it so in ORDER, at the top of this file"


@pytest.mark.parametrize("module", [module for module in ORDER if module in core_modules()])
def test_the_core_imports_one_way(module: str) -> None:
    before = ORDER[: ORDER.index(module) + 1]
    if module == "testing":
        before = [*before, "*"]

    files = core_modules()[module]

    assert [(file.name, late) for file in files if (late := core_imports(file.read_text()) - set(before))] == []
