"""Skills: folders with a ``SKILL.md``, of which an agent knows what each is for, and reads the rest when it needs it.

The form is that of agentskills.io: YAML between two lines of ``---`` with ``name`` and ``description``, then instructions in
Markdown; other files of the folder are read when the instructions name them. They are the operator's words, if ``[policy] trusted``
lists this plugin.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import anyio.to_thread
import msgspec
import yaml
from pydantic import Field

from carrier_core import (
    OPERATOR,
    Action,
    ActionCall,
    ActionResult,
    ConfigError,
    Effect,
    Json,
    PluginSettings,
    Provenance,
    Turn,
    impl,
)

if TYPE_CHECKING:
    from carrier_core import Host

__version__ = "0.1.0"
__all__ = ["Settings", "register_actions", "start_host"]

FILE = "SKILL.md"

LONGEST_NAME, LONGEST_DESCRIPTION = 64, 1_024
"""Characters; the bounds of the format."""

LARGEST = 100_000
"""Bytes of a file that an agent can read: more than a prompt should take."""

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SHOWN = 50  # files of a skill that are named


class Settings(PluginSettings):
    """``[plugin.carrier-actions-skills]``. Relative paths are seen from the configuration's folder."""

    folders: tuple[Path, ...] = Field(
        (Path("skills"),), description="Folders in which each folder with a SKILL.md is a skill."
    )


class Skill(msgspec.Struct, frozen=True):
    """A skill: its name, what it is for, and where it is."""

    name: str
    description: str
    folder: Path


@impl
def register_actions(settings: Settings) -> tuple[Action, ...]:
    """Two, if there are skills. One that cannot be used is left out; where none can, a ConfigError names every file."""
    skills, faults = found_in(settings.folders)
    if faults and not skills:
        raise _all_of(faults)
    return (UseSkill(skills), ReadSkillFile(skills)) if skills else ()


@impl
async def start_host(host: Host, settings: Settings) -> None:
    """Say in the log which skills are left out, and why."""
    _, faults = await anyio.to_thread.run_sync(found_in, settings.folders)
    for fault in faults:
        host.log.warning("skill_left_out", file=fault.file, line=fault.line, problem=fault.message, remedy=fault.remedy)


def _all_of(faults: tuple[ConfigError, ...]) -> ConfigError:
    """One fault for all of them."""
    first, *others = faults
    if not others:
        return first
    told = " ".join((first.message, *(f"{each.file}:{each.line or 1}: {each.message}" for each in others)))
    return ConfigError(told, remedy=first.remedy, file=first.file, line=first.line)


# --- finding them -------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """The skills that can be used, by name, and what is wrong with the others."""

    skills: dict[str, Skill]
    faults: tuple[ConfigError, ...]


def found_in(folders: tuple[Path, ...]) -> Found:
    """The skills in these folders. One that cannot be read is a fault, and so is the second of one name: the others go on."""
    skills: dict[str, Skill] = {}
    faults: list[ConfigError] = []
    for path in [path for folder in folders for path in sorted(folder.glob(f"*/{FILE}"))]:
        try:
            skill = _read(path)
        except ConfigError as fault:
            faults.append(fault)
            continue
        if skill.name in skills:
            other = skills[skill.name].folder / FILE
            problem, remedy = f"The skill {skill.name} is there twice.", f"Rename or remove this one or {other}."
            faults.append(ConfigError(problem, remedy=remedy, file=str(path), line=1))
        else:
            skills[skill.name] = skill
    return Found(skills, tuple(faults))


def _read(path: Path) -> Skill:
    def fault(problem: str, remedy: str, line: int = 1) -> ConfigError:
        return ConfigError(f"The skill cannot be used: {problem}.", remedy=remedy, file=str(path), line=line)

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fault(f"it cannot be read ({error})", "Make it a text in UTF-8 that Carrier may read.") from error
    head, body = _parted(text)
    if head is None:
        raise fault(
            "it does not begin with YAML between two lines of ---", "Begin it with ---, name, description, ---."
        )
    try:
        said = yaml.safe_load(head)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark is not None else 1
        raise fault(f"its YAML is broken ({getattr(error, 'problem', error)})", "Correct it.", line) from error
    said = said if isinstance(said, dict) else {}
    name, description = said.get("name"), said.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise fault("it has no proper name", "Write `name:` with lower-case letters, digits and single dashes.", 2)
    if not isinstance(description, str) or not description.strip() or len(description) > LONGEST_DESCRIPTION:
        raise fault("it has no description", f"Write `description:` with 1 to {LONGEST_DESCRIPTION} characters.", 2)
    if not body.strip():
        raise fault("it has no instructions", "Write them below the YAML.")
    return Skill(name, " ".join(description.split()), path.parent)


def _parted(text: str) -> tuple[str | None, str]:
    """The YAML at the beginning, None if there is none, and what follows."""
    lines = text.lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        return None, text
    for number, line in enumerate(lines[1:], start=1):
        if line.strip() == "---":
            return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :])
    return None, text


# --- the actions ----------------------------------------------------------------------------------------------------------


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which skill."""

    name: Annotated[str, msgspec.Meta(description="The skill's name.", max_length=LONGEST_NAME)]


class Inside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which file of which skill."""

    name: Annotated[str, msgspec.Meta(description="The skill's name.", max_length=LONGEST_NAME)]
    path: Annotated[str, msgspec.Meta(description="The file, as the skill's instructions name it.", max_length=500)]


class UseSkill(Action):
    """Gives the model the instructions of a skill."""

    name = "use_skill"
    similes = ("USE_SKILL", "LOAD_SKILL", "SKILL")
    effect = Effect.READ
    arguments = Named

    def __init__(self, skills: dict[str, Skill]) -> None:
        self._skills = skills
        listed = "\n".join(f"- {skill.name}: {skill.description}" for skill in skills.values())
        self.description = f"Read how to do something, before you do it. There are these skills:\n{listed}"

    def check(self, arguments: dict[str, Json]) -> str:
        """There has to be such a skill."""
        return super().check(arguments) or _unknown(self._skills, arguments["name"])

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The instructions, and which other files there are."""
        skill = self._skills[call.read(Named).name]
        text, files = await anyio.to_thread.run_sync(_opened, skill)
        more = f"\n\nFiles of this skill, for read_skill_file: {', '.join(files)}" if files else ""
        return _told(f"{text}{more}")


class ReadSkillFile(Action):
    """Gives the model another file of a skill."""

    name = "read_skill_file"
    similes = ("READ_SKILL_FILE",)
    description = "Read a file that the instructions of a skill name. Call use_skill first."
    effect = Effect.READ
    arguments = Inside

    def __init__(self, skills: dict[str, Skill]) -> None:
        self._skills = skills

    def check(self, arguments: dict[str, Json]) -> str:
        """There has to be such a skill."""
        return super().check(arguments) or _unknown(self._skills, arguments["name"])

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The text of the file; what is not in the skill's folder is not there."""
        asked = call.read(Inside)
        skill = self._skills[asked.name]
        text = await anyio.to_thread.run_sync(_text_of, skill, asked.path)
        if text is None:
            _, files = await anyio.to_thread.run_sync(_opened, skill)
            return ActionResult(
                f"{asked.name} has no text {asked.path}. It has: {', '.join(files) or 'none'}.", ok=False
            )
        return _told(text)


def _told(text: str) -> ActionResult:
    return ActionResult(text, provenance=Provenance((OPERATOR,)))


def _unknown(skills: dict[str, Skill], name: object) -> str:
    return "" if name in skills else f"there is no skill {name}; there are: {', '.join(skills)}"


def _opened(skill: Skill) -> tuple[str, list[str]]:
    """The instructions as they are now, and the names of the other files."""
    path = skill.folder / FILE
    text = path.read_bytes()[:LARGEST].decode("utf-8", errors="replace") if path.is_file() else ""
    others = sorted(str(each.relative_to(skill.folder)) for each in skill.folder.rglob("*") if each.is_file())
    return _parted(text)[1].strip() or "The instructions are gone.", [each for each in others if each != FILE][:_SHOWN]


def _text_of(skill: Skill, path: str) -> str | None:
    """The text of a file of a skill; None where there is none, it lies elsewhere, or is no text."""
    folder = skill.folder.resolve()
    try:
        file = (folder / path).resolve()
        if not file.is_relative_to(folder) or not file.is_file():
            return None
        with file.open("rb") as opened:
            read = opened.read(LARGEST + 1)
        text = read[:LARGEST].decode("utf-8")
    except (OSError, ValueError):
        return None
    return text if len(read) <= LARGEST else f"{text}\n[The rest is left out.]"
