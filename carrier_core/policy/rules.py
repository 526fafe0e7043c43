"""Rules: what the operator decided beforehand. A rule fits a call if all that it says is so."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from carrier_core.messages import Entity, Room
from carrier_core.policy.case import Case
from carrier_core.prompts import Json

if TYPE_CHECKING:
    from carrier_core.sections import Between, PolicyRule


def fits(rule: PolicyRule, case: Case) -> bool:
    """Whether a rule is about this call."""
    if rule.outside is not None and rule.outside != bool(case.foreign):
        return False
    return (
        any_of(rule.agent, case.agent)
        and any_of(rule.action, case.call.name)
        and (rule.effect is None or str(case.effect) in rule.effect)
        and (rule.role is None or str(case.role) in rule.role)
        and any_of(rule.person, *ids_of(case.person))
        and any_of(rule.room, *ids_of(case.room))
        and any_of(rule.client, case.client)
        and all(_argument(case.call.arguments, path, wanted) for path, wanted in rule.arguments.items())
    )


def ids_of(thing: Entity | Room) -> tuple[str, str]:
    """What a person or a room is known by for good: the id, and ``platform:ID`` with the platform's own. Never a name, which
    people choose."""
    return thing.id, f"{thing.platform}:{thing.native}"


def is_listed(value: Json, patterns: Iterable[str]) -> bool:
    """Whether a destination, or each of several, is among those that the operator listed."""
    if isinstance(value, list):
        return bool(value) and all(is_listed(each, patterns) for each in value)
    return isinstance(value, str) and any(_is_place(value.strip(), pattern) for pattern in patterns)


def _is_place(value: str, pattern: str) -> bool:
    """Whether a pattern stands for a place. One without a scheme is, of a URL, its host's: what is behind could hold anything."""
    if "://" not in value:
        return fnmatchcase(value.casefold(), pattern.casefold())
    try:
        parts = urlsplit(value)
        host, has_user = parts.hostname or "", "@" in parts.netloc
    except ValueError:
        return False
    if has_user or "\\" in value or not host:
        return False  # readers of URLs differ about where such a one leads
    if "://" not in pattern:
        return fnmatchcase(host, pattern.casefold())
    wanted = urlsplit(pattern)
    if (parts.scheme, parts.netloc.casefold()) != (wanted.scheme, wanted.netloc.casefold()):
        return False
    return ".." not in parts.path and fnmatchcase(value[len(parts.scheme) :], pattern[len(wanted.scheme) :])


def any_of(patterns: tuple[str, ...] | None, *values: str) -> bool:
    """Whether one of the values fits one of the patterns, or there are none."""
    return patterns is None or any(fnmatchcase(value, pattern) for pattern in patterns for value in values)


def _argument(arguments: dict[str, Json], path: str, wanted: bool | float | tuple[str, ...] | Between) -> bool:
    """Whether an argument is what a rule wants; one that is not there is nothing that could be wanted."""
    value: Json = arguments
    for name in [path] if path in arguments else path.split("."):
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return _is(value, wanted)


def _is(value: Json, wanted: bool | float | tuple[str, ...] | Between) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is(each, wanted) for each in value)
    if isinstance(wanted, tuple):
        return isinstance(value, str) and any(fnmatchcase(value.casefold(), each.casefold()) for each in wanted)
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    if not isinstance(value, (int, float)):
        return False
    if isinstance(wanted, (int, float)):
        return value == wanted
    return (wanted.min is None or value >= wanted.min) and (wanted.max is None or value <= wanted.max)
