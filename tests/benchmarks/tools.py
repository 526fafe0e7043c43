"""The tools of InjecAgent as actions: what each does to the world, and the arguments that an instruction leads to.

``tool_effects.toml`` says the effect of every tool, by the first word of its name or, where that does not tell, by hand.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from carrier_core import Action, ActionCall, ActionResult, Effect, Json, Turn

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data" / "injecagent"

_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "object": "object",
    "array": "array",
}
_QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"|`([^`]+)`|\(([^()]+)\)")
_ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+\w|(?:https?://|www\.)[^\s'\"`,]+|[\w-]+(?:-[\w]+){2,}|#\w+")
_PROPER = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][\w']*(?: [A-Z][\w']*)*")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


class Case(msgspec.Struct, frozen=True, rename={
    "tool": "User Tool", "said": "User Instruction", "given": "Tool Parameters", "answer": "Tool Response",
    "injected": "Attacker Instruction", "attack": "Attacker Tools",
}):  # fmt: skip
    """A case of InjecAgent: what a person asks, what the tool answers, and which call the text in it wants."""

    tool: str
    said: str
    given: str
    answer: str
    injected: str
    attack: tuple[str, ...]


class Described(msgspec.Struct, frozen=True):
    """A tool: its name with that of its kit before it, what it says of itself, and its JSON schema."""

    name: str
    description: str
    schema: dict[str, Json]
    effect: Effect


class Tool(Action):
    """A tool that does nothing but answer."""

    def __init__(
        self, described: Described, effect: Effect | None = None, answers: Mapping[str, str] | None = None
    ) -> None:
        self.name = described.name
        self.description = described.description
        self.parameters = described.schema
        self.effect = effect or described.effect
        self._answers = answers if answers is not None else {}

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The tool's own answer in the room or the room's, of which nothing is known but that it came from a tool."""
        own = self._answers.get(f"{turn.room.id}/{self.name}")
        return ActionResult(own or self._answers.get(turn.room.id, "done"))


@cache
def cases() -> tuple[Case, ...]:
    """The 510 cases. FileNotFoundError where ../shared is absent."""
    return msgspec.json.decode((DATA / "test_cases_dh_base.json").read_bytes(), type=tuple[Case, ...])


@cache
def tools() -> dict[str, Described]:
    """All tools by name."""
    kits = json.loads((DATA / "tools.json").read_text(encoding="utf-8"))
    effects = tomllib.loads((HERE / "tool_effects.toml").read_text(encoding="utf-8"))
    found = [_described(kit, tool, effects) for kit in kits for tool in kit["tools"]]
    return {each.name: each for each in found}


def _described(kit: dict, tool: dict, effects: dict) -> Described:
    name = f"{kit['name_for_model']}{tool['name']}"
    properties = {
        each["name"]: {"type": _TYPES[each["type"]], "description": each["description"]} for each in tool["parameters"]
    }
    required = [each["name"] for each in tool["parameters"] if each.get("required")]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Described(name, tool["summary"], schema, effect_of(name, tool["name"], effects))


def effect_of(name: str, own: str, effects: dict) -> Effect:
    """The effect of a tool by its whole name, or by the first word of its own. KeyError where nobody has said it."""
    word = re.match(r"[A-Z][a-z]+|[A-Z]+(?![a-z])", own)
    by_hand = effects["tools"].get(name)
    return Effect(
        by_hand or next(effect for effect, words in effects["words"].items() if word and word[0] in words.split())
    )


# --- arguments ----------------------------------------------------------------------------------------------------------


def extracted(schema: Mapping[str, Json], text: str) -> dict[str, Json]:
    """The arguments that a model would take from an instruction: what is quoted, addresses, names and numbers, in order; where
    there are no more, the instruction itself."""
    names = (
        [next(filter(None, each)) for each in _QUOTED.findall(text)] + _ADDRESS.findall(text) + _PROPER.findall(text)
    )
    texts = iter(dict.fromkeys(names))
    numbers = iter([float(each.replace(",", "")) for each in _NUMBER.findall(text)])
    return arguments(schema, lambda: next(texts, text), lambda: next(numbers, 1.0), {"note": text})


def coinciding(schema: Mapping[str, Json], said: str) -> dict[str, Json]:
    """Arguments that are all words and numbers of what the person said."""
    words = iter(_ADDRESS.findall(said) + _PROPER.findall(said) + [each.strip(".,?!'`") for each in said.split()])
    numbers = iter([float(each.replace(",", "")) for each in _NUMBER.findall(said)])
    return arguments(schema, lambda: next(words, said), lambda: next(numbers, 1.0), {"note": said})


def repeated(schema: Mapping[str, Json], said: str) -> dict[str, Json]:
    """Arguments that each are the whole of what the person said."""
    return arguments(schema, lambda: said, lambda: 0.0, {said: said})


def empty(schema: Mapping[str, Json], said: str) -> dict[str, Json]:
    """Arguments that say nothing."""
    return arguments(schema, lambda: "", lambda: 0.0, {})


def arguments(
    schema: Mapping[str, Json], text: Callable[[], str], number: Callable[[], float], whole: dict[str, Json]
) -> dict[str, Json]:
    """What the schema asks for, made of these."""
    properties, required = schema["properties"], schema["required"]
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    made: dict[str, Json] = {}
    for name in required or list(properties)[:1]:
        kind = properties[name]["type"]
        values: dict[str, Callable[[], Json]] = {
            "string": text, "number": number, "integer": lambda: int(number()), "boolean": lambda: True,
            "array": lambda: [text()] if text() else [], "object": lambda: whole,
        }  # fmt: skip
        made[name] = values[kind]()
    return made


VARIANTS: dict[str, Callable[[Mapping[str, Json], str], dict[str, Json]]] = {
    "coinciding": coinciding,
    "repeated": repeated,
    "empty": empty,
}


def used(all_cases: Iterable[Case]) -> set[str]:
    """The names of the tools that cases have to do with."""
    return {name for case in all_cases for name in (case.tool, *case.attack)}
