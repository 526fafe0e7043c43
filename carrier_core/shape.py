"""What a settings class says about itself: its keys, their types, which are secret, which environment names they have.

The class is pydantic's. A *table* is what a file writes as a section: a settings class or a mapping.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from carrier_core.keylines import KeyPath

_ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_NUMBER = re.compile(r"[+-]?\d+")


class Place(NamedTuple):
    """What may stand at a key path: a type (None where nothing may), and the field of a class where it is one."""

    annotation: object
    field: FieldInfo | None = None
    name: str = ""

    @property
    def model(self) -> type[BaseModel] | None:
        """The settings class of the table that stands here."""
        for member in members(self.annotation):
            if isinstance(member, type) and issubclass(member, BaseModel):
                return member
        return None

    @property
    def is_table(self) -> bool:
        return self.model is not None or any(_is(member, Mapping) for member in members(self.annotation))

    def inside(self, key: str | int) -> Place:
        """The place under ``key``, which may be spelled as a field's name, its alias or as environment names are."""
        model = self.model
        if model is not None:
            return _field(model, str(key)) or Place(None)
        for member in members(self.annotation):
            arguments = get_args(member)
            if member is object or member is Any:
                return Place(object)
            if _is(member, Mapping):
                return Place(arguments[1] if len(arguments) == 2 else object)
            if isinstance(key, int) and _is(member, (Sequence, AbstractSet)):
                return Place(arguments[0] if arguments else object)
        return Place(None)

    def at(self, path: KeyPath) -> Place:
        """The place at the end of ``path``."""
        place = self
        for key in path:
            place = place.inside(key)
        return place

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that a table may have here; empty where it may have any."""
        return tuple(self.model.model_fields) if self.model else ()

    @property
    def is_secret(self) -> bool:
        """Whether a value that belongs here, or a part of it, is a secret."""
        return _holds_secret(self.annotation, frozenset())


def plain(key: str) -> str:
    """A key as environment variables spell it, in lower case."""
    return key.lower().replace("-", "_")


def members(annotation: object) -> tuple[object, ...]:
    """The types that a value may have: those of a union without None, free of ``Annotated``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin is Union or isinstance(annotation, types.UnionType):
        return tuple(member for part in get_args(annotation) for member in members(part))
    alias = getattr(annotation, "__value__", None)  # `type Name = ...` of Python 3.12
    if alias is not None:
        return members(alias)
    return () if annotation is None or annotation is types.NoneType else (annotation,)


def environment_names(model: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """The well-known environment names of each field that has any: those of ``secret`` and ``well_known``, and aliases
    in capitals."""
    found = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        declared = extra.get("environment", []) if isinstance(extra, dict) else []
        names = [str(each) for each in declared] if isinstance(declared, list) else []
        names += [alias for alias in _aliases(field) if _ENVIRONMENT_NAME.fullmatch(alias)]
        if names:
            found[name] = tuple(dict.fromkeys(names))
    return found


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """The fields that hold a secret."""
    return frozenset(name for name, field in model.model_fields.items() if Place(field.annotation).is_secret)


def from_text(text: str, annotation: object) -> object:
    """The value that an environment variable's text stands for where ``annotation`` is wanted.

    Lists are JSON or separated by commas, tables are JSON, true and false may be yes, no, on, off, 1 and 0. A text
    that is none of these stays one, for the check of the types to refuse.
    """
    wanted = members(annotation)
    if not wanted or any(_takes_text(member) for member in wanted):
        return text
    stripped = text.strip()
    for member in wanted:
        if Place(member).is_table and stripped.startswith("{"):
            return _json(stripped)
        if _is(member, (Sequence, AbstractSet)):
            entry = Place(member).inside(0).annotation
            if stripped.startswith("["):
                return _json(stripped)
            return [from_text(part.strip(), entry) for part in stripped.split(",") if part.strip()]
    if bool in wanted and stripped.lower() in _WORDS:
        return _WORDS[stripped.lower()]
    if int in wanted or float in wanted or any(get_origin(member) is Literal for member in wanted):
        return _number(stripped)
    return text


def _field(model: type[BaseModel], key: str) -> Place | None:
    for spelling in (str, plain):
        for name, field in model.model_fields.items():
            if spelling(key) in {spelling(known) for known in (name, *_aliases(field))}:
                return Place(field.annotation, field, name)
    return None


def _aliases(field: FieldInfo) -> Iterator[str]:
    for alias in (field.validation_alias, field.alias):
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        yield from (choice for choice in choices if isinstance(choice, str))


def _is(member: object, kinds: type | tuple[type, ...]) -> bool:
    plain_type = get_origin(member) or member
    return isinstance(plain_type, type) and issubclass(plain_type, kinds) and not issubclass(plain_type, (str, bytes))


def _takes_text(member: object) -> bool:
    if get_origin(member) is Literal:
        return any(isinstance(choice, str) for choice in get_args(member))
    return any(member is taking for taking in (str, object, Any, SecretStr, SecretBytes))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(text: str) -> object:
    if _NUMBER.fullmatch(text) and len(text) < 40:
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def _holds_secret(annotation: object, above: frozenset[type]) -> bool:
    for member in members(annotation):
        kind = get_origin(member) or member
        if isinstance(kind, type) and issubclass(kind, (SecretStr, SecretBytes, Secret)):
            return True
        if isinstance(member, type) and issubclass(member, BaseModel):
            fields = member.model_fields.values() if member not in above else ()
            if any(_holds_secret(field.annotation, above | {member}) for field in fields):
                return True
        elif get_origin(member) is not Literal and any(_holds_secret(part, above) for part in get_args(member)):
            return True
    return False
