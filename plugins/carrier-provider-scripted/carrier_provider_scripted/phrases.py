"""Texts of rules: plain ones as they are, templates in Jinja2's sandbox.

Jinja2 is imported with the first text that is a template, and each is compiled once. Only the names that a template uses
are worked out for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from carrier_core import Json, ProviderError
from carrier_provider_scripted.pronouns import second_person
from carrier_provider_scripted.recollection import recollect
from carrier_provider_scripted.rulefile import KeyPath, Source
from carrier_provider_scripted.scene import Scene

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

Groups: TypeAlias = Mapping[int | str, str]
Tree: TypeAlias = "Phrase | Mapping[str, Tree] | tuple[Tree, ...] | bool | int | float | None"


class Phrase:
    """One text of a rule file, and where it is written."""

    __slots__ = ("_names", "_path", "_source", "_template", "text")

    def __init__(self, text: str, source: Source, path: KeyPath) -> None:
        self.text = text
        self._source = source
        self._path = path
        self._template: Template | None = None
        self._names: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.text)

    @property
    def is_template(self) -> bool:
        """Whether it has to be rendered."""
        return "{" in self.text and any(mark in self.text for mark in ("{{", "{%", "{#"))

    def compile(self) -> Template:
        """The template. Raises ConfigError, with file and line, when it is none."""
        if self._template is None:
            from jinja2 import TemplateSyntaxError, meta

            environment = _environment()
            try:
                self._names = frozenset(meta.find_undeclared_variables(environment.parse(self.text)))
                self._template = environment.from_string(self.text)
            except TemplateSyntaxError as error:
                message = f"The template is not Jinja2: {str(error.message).rstrip('.')}."
                raise self._source.fault(message, "Correct it.", self._path) from None
        return self._template

    def fill(self, scene: Scene, groups: Groups) -> str:
        """The text for this prompt. A template that cannot be rendered is a ProviderError."""
        if not self.is_template:
            return self.text
        template = self.compile()
        values = {name: _VALUES[name](scene, groups) for name in self._names if name in _VALUES}
        try:
            return template.render(values)
        except Exception as error:  # a template is a program: whatever it does wrong is said of it
            where = f"{self._source.file}:{self._source.line(self._path)}"
            raise ProviderError(
                f"The template at {where} cannot be rendered: {error}.",
                reason="invalid",
                remedy="Correct the rule.",
            ) from error


def planted(value: Json, source: Source, path: KeyPath) -> Tree:
    """A value of a rule file with its texts made phrases."""
    if isinstance(value, str):
        return Phrase(value, source, path)
    if isinstance(value, list):
        return tuple(planted(entry, source, path) for entry in value)
    if isinstance(value, dict):
        return {key: planted(entry, source, path) for key, entry in value.items()}
    return value


def phrases(tree: Tree) -> list[Phrase]:
    """All phrases in a tree."""
    if isinstance(tree, Phrase):
        return [tree]
    if isinstance(tree, (tuple, Mapping)):
        return [found for entry in (tree.values() if isinstance(tree, Mapping) else tree) for found in phrases(entry)]
    return []


def harvest(tree: Tree, scene: Scene, groups: Groups) -> Json:
    """The value of a tree for this prompt."""
    if isinstance(tree, Phrase):
        return tree.fill(scene, groups)
    if isinstance(tree, tuple):
        return [harvest(entry, scene, groups) for entry in tree]
    if isinstance(tree, Mapping):
        return {key: harvest(entry, scene, groups) for key, entry in tree.items()}
    return tree


def beginning(text: str, limit: int = 160) -> str:
    """The beginning of a text on one line, without its full stop, cut after a word; a long one keeps its end too."""
    plain = " ".join(text.split()).rstrip(".")
    if len(plain) <= limit:
        return plain
    end = plain[-limit // 4 :].partition(" ")[2]
    return f"{plain[: limit - limit // 4].rpartition(' ')[0] or plain[:limit]} … {end}".rstrip()


def _picker(scene: Scene) -> Callable[..., object]:
    """Chooses among what it is given by the message: always the same for the same one."""
    number = zlib.crc32(scene.message.encode("utf-8", "surrogatepass"))
    return lambda *options: options[number % len(options)] if options else ""


_NOBODY = ("you", "user", "me")  # what clients call somebody whose name they do not know

_VALUES: dict[str, Callable[[Scene, Groups], object]] = {
    "message": lambda scene, groups: scene.message,
    "groups": lambda scene, groups: groups,
    "agent": lambda scene, groups: scene.agent,
    "person": lambda scene, groups: "" if scene.person.casefold() in _NOBODY else scene.person,
    "state": lambda scene, groups: scene.state,
    "memories": lambda scene, groups: scene.memories,
    "history": lambda scene, groups: scene.history,
    "tools": lambda scene, groups: scene.tools,
    "results": lambda scene, groups: scene.results,
    "result": lambda scene, groups: scene.results[-1].text if scene.results else "",
    "first": lambda scene, groups: scene.first,
    "recollection": lambda scene, groups: recollect(scene),
    "pick": lambda scene, groups: _picker(scene),
}
"""What templates can use; the README of the plugin says what each is."""


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    from jinja2 import ChainableUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=ChainableUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters |= {"beginning": beginning, "second_person": second_person}
    return environment
