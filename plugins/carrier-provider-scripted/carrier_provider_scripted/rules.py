"""Rules, ready to be asked: which one answers a prompt, and with what."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from carrier_provider_scripted.phrases import Groups, Phrase, Tree, phrases, planted
from carrier_provider_scripted.recollection import is_question
from carrier_provider_scripted.rulefile import (
    Counts,
    Failing,
    KeyPath,
    RuleFile,
    RuleSpec,
    Source,
    StepSpec,
    ToolCall,
    When,
    read,
)
from carrier_provider_scripted.scene import Scene


class Step:
    """One completion of a rule. ``introduction`` is the phrase that follows it as the first reply of a conversation."""

    __slots__ = ("calls", "failure", "finish", "introduction", "latency", "pace", "text", "usage")

    def __init__(self, spec: StepSpec, source: Source, path: KeyPath, introduction: Phrase) -> None:
        self.text = Phrase(spec.text, source, (*path, "text"))
        self.calls = tuple(_call(call, source, (*path, "calls", number)) for number, call in enumerate(spec.calls))
        self.latency = spec.latency
        self.pace = spec.pace
        self.failure: Failing | None = spec.failure
        self.usage: Counts = spec.usage
        self.finish = spec.finish
        self.introduction = introduction if spec.introduce else None

    def compile(self) -> None:
        """Compile every template of it."""
        for phrase in (self.text, *(found for name, tree in self.calls for found in (name, *phrases(tree)))):
            if phrase.is_template:
                phrase.compile()


def _call(call: ToolCall, source: Source, path: KeyPath) -> tuple[Phrase, dict[str, Tree]]:
    arguments = {key: planted(value, source, (*path, "arguments", key)) for key, value in call.arguments.items()}
    return Phrase(call.name, source, (*path, "name")), arguments


class Rule:
    """A condition and its steps."""

    __slots__ = ("_contains", "_pattern", "_repeat", "_steps", "_when")

    def __init__(self, spec: RuleSpec, source: Source, path: KeyPath, introduction: Phrase) -> None:
        if spec.steps and (spec.text or spec.calls):
            raise source.fault(
                "A rule has either `steps` or a `text` and `calls` of its own, not both.",
                "Make them the first of the steps.",
                path,
            )
        if spec.pattern and spec.contains:
            raise source.fault("A rule has either a `pattern` or `contains`, not both.", "Remove one.", path)
        try:
            self._pattern = re.compile(spec.pattern, re.IGNORECASE) if spec.pattern else None
        except re.error as error:
            raise source.fault(
                f"The pattern is no regular expression: {error}.", "Correct it.", (*path, "pattern")
            ) from None
        self._contains = spec.contains.casefold()
        self._when: When | None = spec.when if spec.when != When() else None
        self._repeat = spec.repeat
        self._steps = tuple(
            Step(step, source, (*path, "steps", number), introduction) for number, step in enumerate(spec.steps)
        ) or (Step(spec, source, path, introduction),)

    def match(self, scene: Scene) -> tuple[Step, Groups] | None:
        """The step whose turn it is, with the groups of the pattern; None where the rule does not apply."""
        groups: dict[int | str, str] = {}
        if self._pattern is not None:
            found = self._pattern.search(scene.message)
            if found is None:
                return None
            groups = {number: group or "" for number, group in enumerate((found[0], *found.groups()))}
            groups |= {name: group or "" for name, group in found.groupdict().items()}
        elif self._contains and self._contains not in scene.message.casefold():
            return None
        if self._when is not None and not _holds(self._when, scene):
            return None
        position = scene.steps
        if position >= len(self._steps):
            if not self._repeat:
                return None
            position = len(self._steps) - 1
        return self._steps[position], groups

    def compile(self) -> None:
        """Compile every template of it."""
        for step in self._steps:
            step.compile()


class Rules:
    """The rules of a file and, behind them, the built-in ones."""

    def __init__(self, path: Path | None = None) -> None:
        self._rules: list[Rule] = []
        self.file = "the built-in rules"
        standard = True
        if path is not None:
            self.file = str(path)
            standard = self._add(*read(path, RuleFile), check=True)
        if standard:
            packaged = files("carrier_provider_scripted").joinpath("standard.toml")
            self._add(*read(Path("standard.toml"), RuleFile, packaged.read_text(encoding="utf-8")), check=False)

    def choose(self, scene: Scene) -> tuple[Step, Groups] | None:
        """The first rule that applies: its step, and the groups of its pattern. None where no rule does."""
        for rule in self._rules:
            found = rule.match(scene)
            if found is not None:
                return found
        return None

    def _add(self, file: RuleFile, source: Source, *, check: bool) -> bool:
        introduction = Phrase(file.introduction, source, ("introduction",))
        rules = [Rule(spec, source, ("rules", number), introduction) for number, spec in enumerate(file.rules)]
        if check:  # the built-in templates wait for their first use; the tests check them
            if introduction.is_template:
                introduction.compile()
            for rule in rules:
                rule.compile()
        if not rules:
            raise source.fault("The file has no rules.", "Begin one with [[rules]].")
        self._rules += rules
        return file.standard


def _holds(when: When, scene: Scene) -> bool:
    return (
        (when.first is None or when.first == scene.first)
        and (when.question is None or when.question == is_question(scene.message))
        and (when.after_result is None or when.after_result == bool(scene.results))
        and (when.has_memories is None or when.has_memories == bool(scene.memories))
        and (not when.tools or set(when.tools) <= set(scene.tools))
        and (not when.model or when.model == scene.prompt.model)
    )
