"""Tools in the API's form, and names that it takes."""

from __future__ import annotations

import re

from carrier_core import Tool
from carrier_provider_anthropic.thinking import Block

LONGEST = 64  # characters of a name; https://platform.claude.com/docs, "Define tools"

_FITTING = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OTHER = re.compile(r"[^A-Za-z0-9_-]")


class Names:
    """Gives out names of letters, digits, dashes and underscores, none of them twice."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def fresh(self, wanted: str) -> str:
        """The name that is wanted if it can be had, else one that looks like it."""
        name = wanted if _FITTING.fullmatch(wanted) else _OTHER.sub("_", wanted)[:LONGEST] or "_"
        stem, number = name, 1
        while name in self._given:
            number += 1
            end = f"_{number}"
            name = f"{stem[: LONGEST - len(end)]}{end}"
        self._given.add(name)
        return name


class Tools:
    """The tools of a prompt. ``blocks`` are the API's; :meth:`known_as` and :meth:`meant_by` translate names."""

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self._names = Names()
        self._known_as: dict[str, str] = {}
        self._meant_by: dict[str, str] = {}
        self.blocks: list[Block] = [
            {
                "name": self.known_as(tool.name),
                "description": tool.description,
                "input_schema": {"type": "object", **tool.parameters},
            }
            for tool in tools
        ]

    def known_as(self, name: str) -> str:
        """The name under which the API knows a tool, which may be one of an earlier round that is not offered any more."""
        known = self._known_as.get(name)
        if known is None:
            known = self._known_as[name] = self._names.fresh(name)
            self._meant_by[known] = name
        return known

    def meant_by(self, name: str) -> str:
        """The tool that the model means; one that does not exist keeps its name."""
        return self._meant_by.get(name, name)
