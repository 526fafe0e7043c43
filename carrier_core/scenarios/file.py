"""Scenario files, version 1: TOML, YAML or JSON, checked as the configuration is: every fault with file, line and remedy.

Within a version keys are only added; a key that is not listed here is a fault. The page ``docs/scenarios.md`` documents them.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from carrier_core.configfile import Document, read_document
from carrier_core.errors import ConfigError
from carrier_core.faults import Location, nearest, translate
from carrier_core.keylines import KeyPath
from carrier_core.sections import AgentName, Count, ModelName, Word
from carrier_core.shape import Place

VERSION = 1
SOMEBODY = "friend"
"""Who speaks where a scenario names nobody."""
SOMEWHERE = "main"
"""The room, a direct conversation, where a scenario names none."""

RUBRIC = """\
5: right, complete and to the point; nothing is missing, nothing is superfluous
4: right and helpful, with a small flaw of completeness, tone or length
3: partly right, or right but hard to make use of
2: mostly beside the point, or with a grave error
1: wrong, harmful, empty, or no answer to what was said"""


def _several(given: object) -> object:
    """One may be written without a list around it."""
    return (given,) if not isinstance(given, list) else tuple(given)


def _calls(given: object) -> object:
    """A call may be written as the action's name."""
    entries = given if isinstance(given, list) else [given]
    return tuple({"name": each} if isinstance(each, str) else each for each in entries)


def _pattern(text: str) -> str:
    try:
        with warnings.catch_warnings(action="error"):  # what a later Python understands otherwise
            re.compile(text)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    return text


def _some(entries: tuple[object, ...]) -> tuple[object, ...]:
    """Not an empty list. A least length in the type would be counted without the entries that have faults of their own."""
    if not entries:
        raise ValueError("it must not be empty")
    return entries


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_pattern)]
Texts = Annotated[tuple[Word, ...], BeforeValidator(_several)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_several)]
NotNegative = Annotated[int, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ExpectedCall(_Table):
    """A call of an action: those of its ``arguments`` that matter, exactly or, in ``matches``, by a regular expression that is
    found in them; ``ok`` is whether it was carried out."""

    name: Word
    arguments: dict[str, JsonValue] = {}
    matches: dict[str, Pattern] = {}
    ok: bool | None = None


class Expected(_Table):
    """What is expected of an answer; what is left out does not matter, but that there is one."""

    status: Literal["replied", "silent", "blocked", "failed", "parked", "dropped"] = "replied"
    equals: str | None = None
    contains: Texts = ()
    not_contains: Texts = ()
    matches: Patterns = ()
    not_matches: Patterns = ()
    min_characters: NotNegative | None = None
    max_characters: NotNegative | None = None
    calls: Annotated[tuple[ExpectedCall, ...], BeforeValidator(_calls)] = ()
    not_calls: Texts = ()
    max_input_tokens: NotNegative | None = None
    max_output_tokens: NotNegative | None = None
    max_usd: Annotated[float, Field(ge=0)] | None = None
    max_rounds: Count | None = None
    judge: Texts = ()

    @model_validator(mode="after")
    def _possible(self) -> Expected:
        wordless = self.status in ("silent", "blocked", "dropped")
        of_words = ("equals", "contains", "matches", "min_characters", "judge")
        for name in of_words if wordless else ():
            if getattr(self, name) not in (None, ()):
                raise ValueError(f'`{name}` wants words, which an answer whose status is "{self.status}" does not have')
        return self


class Said(_Table):
    """A message: who says what in which room, and what is expected of the answer."""

    say: Word
    person: Word | None = None
    room: Word | None = None
    mention: bool = False
    expect: Expected | None = None


class Person(_Table):
    """Somebody who speaks."""

    bot: bool = False


class Room(_Table):
    """Where it is said."""

    kind: Literal["dm", "group", "thread", "feed", "api"] = "dm"


class Scenario(_Table):
    """A conversation. Where ``people`` or ``rooms`` are listed, messages name no others, and the first is meant by default."""

    name: Word
    agent: AgentName | None = None
    people: dict[Word, Person] = {}
    rooms: dict[Word, Room] = {}
    messages: Annotated[tuple[Said, ...], AfterValidator(_some)]

    def person(self, said: Said) -> str:
        """Who says it."""
        return said.person or next(iter(self.people), SOMEBODY)

    def room(self, said: Said) -> str:
        """Where it is said."""
        return said.room or next(iter(self.rooms), SOMEWHERE)


class Judging(_Table):
    """The model that answers questions about answers, and what its scores from 1 to 5 mean."""

    model: ModelName | None = None
    rubric: Word = RUBRIC


class Content(_Table):
    """What a scenario file may say."""

    version: Literal[1]
    judge: Judging = Judging()
    scenarios: Annotated[tuple[Scenario, ...], AfterValidator(_some)]


class ScenarioFile:
    """A file that has been read. ``faults`` are all that is wrong with it, in the order of the lines; with any it has no
    scenarios."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.judge = Judging()
        self.scenarios: tuple[Scenario, ...] = ()
        self.faults: tuple[ConfigError, ...] = ()
        try:
            self._document = read_document(path)
        except ConfigError as error:
            self._document, self.faults = Document(path, {}, {(): 1}), (error,)
            return
        content, faults = _validated(self._document, Location(self._document))
        faults = [*self._document.faults, *faults]
        if content is not None:
            faults += self._inconsistent(content)
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line or 0))
        if content is not None and not faults:
            self.judge, self.scenarios = content.judge, content.scenarios

    def line(self, *path: str | int) -> int:
        """The line of a key."""
        return self._document.line(path)

    def fault(self, path: KeyPath, message: str, remedy: str) -> ConfigError:
        """A fault of the value at ``path``."""
        return ConfigError(message, remedy=remedy, file=str(self.path), line=self._document.line(path))

    def _inconsistent(self, content: Content) -> Iterator[ConfigError]:
        """Names that are given twice, and those that a scenario does not list."""
        names: set[str] = set()
        for number, scenario in enumerate(content.scenarios):
            place = ("scenarios", number)
            if scenario.name in names:
                message = f"Two scenarios are called {scenario.name!r}."
                yield self.fault((*place, "name"), message, "Rename one of the two.")
            names.add(scenario.name)
            for at, said in enumerate(scenario.messages):
                for key, name, listed in (
                    ("person", said.person, scenario.people),
                    ("room", said.room, scenario.rooms),
                ):
                    if name is not None and listed and name not in listed:
                        message = f"The scenario lists no {key} {name!r}."
                        yield self.fault((*place, "messages", at, key), message, nearest(name, listed))


def _validated(document: Document, location: Location) -> tuple[Content | None, list[ConfigError]]:
    version = document.data.get("version")
    if version != VERSION or isinstance(version, bool):
        given = f"Its version is {version!r}" if "version" in document.data else "It states no version"
        message = f"{given}; version {VERSION} is understood."
        return None, [location.fault(("version",), message, f"Write `version = {VERSION}` at its top.")]
    try:  # as JSON, where pydantic is strict about types and still makes tuples of lists
        return Content.model_validate_json(json.dumps(document.data, default=str, skipkeys=True), strict=True), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    return None, translate(details, Place(Content), document.data, location)
