"""Rules: what the operator decided beforehand. A rule fits a call if all that it says is so."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from carrier_core.messages import Entity, Room
from carrier_core.policy.case import Case
from carrier_core.prompts import Json

if TYPE_CHECKING:
    from carrier_core.sections import Between, PolicyRule

    Wanted = bool | float | tuple[str, ...] | Between


def fits(rule: PolicyRule, case: Case) -> bool:
    """Whether a rule is about this call."""
    if rule.outside is not None and rule.outside != bool(case.foreign):
        return False
    given = case.call.arguments
    return (
        any_of(rule.agent, case.agent)
        and any_of(rule.action, case.call.name)
        and (rule.effect is None or str(case.effect) in rule.effect)
        and (rule.role is None or str(case.role) in rule.role)
        and any_of(rule.person, *ids_of(case.person))
        and any_of(rule.room, *ids_of(case.room))
        and any_of(rule.client, case.client)
        and all(_argument(given, _path(given, path), rule, wanted) for path, wanted in rule.arguments.items())
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


_WILD = re.compile(r"[*?\[]")
_ONE_PLACE = re.compile(r"#?[^/?#\\,;<>\s\"%@]*(?:@[^/?#\\,;<>\s\"%@]*)?")
"""What a wildcard may stand for: one place, with nothing in it that ends a host or begins another place."""


def _is_place(value: str, pattern: str) -> bool:
    """Whether a pattern stands for a place. One without a scheme is, of a URL, its host's: what is behind could hold anything."""
    if "://" not in value:
        return _is_bare(value, pattern)
    try:
        parts = urlsplit(value)
        host, has_user = parts.hostname or "", "@" in parts.netloc
    except ValueError:
        return False
    if has_user or "\\" in value or not host or not value.isprintable() or " " in value:
        return False  # readers of URLs differ about where such a one leads
    if "://" not in pattern:
        return _is_bare(host, pattern)
    wanted = urlsplit(pattern)
    if (parts.scheme, parts.netloc.casefold()) != (wanted.scheme, wanted.netloc.casefold()):
        return False
    return ".." not in unquote(parts.path) and fnmatchcase(value[len(parts.scheme) :], pattern[len(wanted.scheme) :])


def _is_bare(value: str, pattern: str) -> bool:
    """Whether a pattern stands for a place that is no URL. A value without a scheme may be completed to one behind it
    (``evil.test/a.example.org``), so that a wildcard fits only what can be nothing but one name or address."""
    if not _WILD.search(pattern):
        return value.casefold() == pattern.casefold()
    is_one = value.isprintable() and _ONE_PLACE.fullmatch(value) is not None
    return is_one and fnmatchcase(value.casefold(), pattern.casefold())


def any_of(patterns: tuple[str, ...] | None, *values: str) -> bool:
    """Whether one of the values fits one of the patterns, or there are none."""
    return patterns is None or any(fnmatchcase(value, pattern) for pattern in patterns for value in values)


def _path(arguments: dict[str, Json], path: str) -> list[str]:
    """Where a rule's argument is: its name, or names with dots between that lead into one."""
    return [path] if path in arguments else path.split(".")


def _argument(value: Json, names: Sequence[str], rule: PolicyRule, wanted: Wanted) -> bool:
    """Whether an argument is what a rule wants; one that is not there is nothing that could be wanted. Of a list, a rule that
    allows wants all to be so; one that denies or asks is content with one, or a list would be a way round it."""
    if isinstance(value, list):
        fitting = (_argument(each, names, rule, wanted) for each in value)
        return bool(value) and (all(fitting) if rule.ruling == "allow" else any(fitting))
    if not names:
        return _is(value, rule, wanted)
    return isinstance(value, dict) and names[0] in value and _argument(value[names[0]], names[1:], rule, wanted)


def _is(value: Json, rule: PolicyRule, wanted: Wanted) -> bool:
    if isinstance(wanted, tuple):
        return isinstance(value, str) and any(
            fnmatchcase(form, each.casefold()) for form in _forms(value, rule) for each in wanted
        )
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    if not isinstance(value, (int, float)):
        return False
    if isinstance(wanted, (int, float)):
        return value == wanted
    return (wanted.min is None or value >= wanted.min) and (wanted.max is None or value <= wanted.max)


_AROUND = string.whitespace + "<>"


def _forms(value: str, rule: PolicyRule) -> list[str]:
    """A text as rules look at it: without what may stand around an address. A rule that denies or asks looks at each of several
    in one text, too (``amy@example.org, eve@rival.example``)."""
    text = value.casefold()
    pieces = re.split("[,;]", text) if rule.ruling != "allow" else []
    return [each.strip(_AROUND) for each in (text, *pieces)]
