"""Characters: who an agent is, and what of that is shown to the model in one room.

The files they are read from are in ``carrier_core.characterfile``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path

import msgspec

from carrier_core.templates import template_key


class Style(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Directions for how the character writes: always, in conversation, and in posts."""

    all: tuple[str, ...] = ()
    chat: tuple[str, ...] = ()
    post: tuple[str, ...] = ()


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of an example exchange; ``{{user1}}`` or ``{{name1}}`` stands for an invented person."""

    name: str
    text: str


class Knowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something the character knows: a ``text``, or the ``path`` of a file or folder, relative to the character's file.

    ``shared`` knowledge is for every agent.
    """

    text: str = ""
    path: str = ""
    shared: bool = False


class Character(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Who an agent is. Only ``name`` is needed.

    ``templates`` are by their snake_case names (see ``carrier_core.templates``), ``settings`` are for plugins to read
    and hold no secrets, ``plugins`` are the names of the plugins that the character is made for.
    """

    name: str
    username: str = ""
    system: str = ""
    bio: tuple[str, ...] = ()
    lore: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    adjectives: tuple[str, ...] = ()
    style: Style = Style()
    message_examples: tuple[tuple[Example, ...], ...] = ()
    post_examples: tuple[str, ...] = ()
    knowledge: tuple[Knowledge, ...] = ()
    templates: dict[str, str] = msgspec.field(default_factory=dict)
    settings: dict[str, object] = msgspec.field(default_factory=dict)
    plugins: tuple[str, ...] = ()

    def view(
        self,
        room: str,
        *,
        bio: int = 8,
        lore: int = 6,
        topics: int = 8,
        adjectives: int = 5,
        examples: int = 4,
        posts: int = 4,
    ) -> CharacterView:
        """What of the character the model sees in this room: at most so many of each, in the file's order.

        The choice depends on the character's name and the room's id alone, and on the texts: it is the same in every
        process and for every message, because a provider's prompt cache needs a stable beginning, and one new line in
        the file changes one line at most. The last 1,024 views are kept, so it may be called for every turn.
        """
        return self._views(room, bio, lore, topics, adjectives, examples, posts)

    @functools.cached_property
    def _views(self) -> Callable[..., CharacterView]:
        return functools.lru_cache(maxsize=1024)(functools.partial(_view, self))


class CharacterView(msgspec.Struct, frozen=True):
    """A character as one room sees it: all placeholders filled in, ``people`` being the invented names."""

    name: str
    username: str
    system: str
    bio: tuple[str, ...]
    lore: tuple[str, ...]
    topics: tuple[str, ...]
    topic: str
    adjectives: tuple[str, ...]
    adjective: str
    style: Style
    message_examples: tuple[tuple[Example, ...], ...]
    post_examples: tuple[str, ...]
    people: tuple[str, ...]


class Note(msgspec.Struct, frozen=True):
    """What a character file says without effect: the field, why, and the line. Never holds a secret's value."""

    field: str
    reason: str
    line: int | None = None


class Loaded(msgspec.Struct, frozen=True):
    """A character, the file it came from, and what of that file has no effect."""

    character: Character
    path: Path
    notes: tuple[Note, ...] = ()


# -- the choice ---------------------------------------------------------------------------------------------------

_PEOPLE = (
    "Abel Amara Bruno Carla Dario Edith Emil Farid Greta Hana Ines Ivan Jonas Kira Lars Lena Malik Mina Nadia Nils "
    "Olga Omar Petra Priya Quentin Rosa Samir Selma Tariq Ute Vera Wanda Yusuf Zoe"
).split()
_PLACEHOLDER = re.compile(
    r"\{\{\{?\s*(?:(?:user|name)(?P<number>[0-9]{1,3})|(?:agentName|agent_name|name|char))\s*\}?\}\}"
)  # user1: ElizaOS 0.x, name1: 1.x


def _rank(*words: str) -> bytes:
    """A number drawn by lot for these words; hash() would be another one in every process."""
    lot = blake2b(digest_size=8)
    for word in words:
        raw = word.encode("utf-8", "surrogatepass")
        lot.update(b"%d:%b" % (len(raw), raw))
    return lot.digest()


def _drawn(texts: Iterable[str], count: int, *words: str) -> list[int]:
    """Which ``count`` of the texts are drawn, in their own order; empty ones never are."""
    given = list(texts)
    lots = sorted((_rank(*words, text), at) for at, text in enumerate(given) if text)
    return sorted(at for _, at in lots[: max(count, 0)])


def _view(
    character: Character,
    room: str,
    bio: int,
    lore: int,
    topics: int,
    adjectives: int,
    examples: int,
    posts: int,
) -> CharacterView:
    seed = (character.name, room)
    others = [name for name in _PEOPLE if name.casefold() != character.name.casefold()]
    people = tuple(sorted(others, key=lambda name: _rank(*seed, "people", name))[:10])

    def named(found: re.Match[str]) -> str:
        return people[(int(found["number"]) - 1) % len(people)] if found["number"] else character.name

    def fill(text: str) -> str:
        return _PLACEHOLDER.sub(named, text) if "{{" in text else text

    def choose(texts: tuple[str, ...], count: int, field: str) -> tuple[str, ...]:
        return tuple(fill(texts[at]) for at in _drawn(texts, count, *seed, field))

    shown = choose(character.topics, topics, "topics")
    traits = choose(character.adjectives, adjectives, "adjectives")
    exchanges = ["\n".join(f"{line.name}: {line.text}" for line in each) for each in character.message_examples]
    return CharacterView(
        name=character.name,
        username=character.username or character.name,
        system=fill(character.system),
        bio=choose(character.bio, bio, "bio"),
        lore=choose(character.lore, lore, "lore"),
        topics=shown,
        topic="".join(choose(shown, 1, "topic")),
        adjectives=traits,
        adjective="".join(choose(traits, 1, "adjective")),
        style=Style(*(tuple(map(fill, part)) for part in msgspec.structs.astuple(character.style))),
        message_examples=tuple(
            tuple(Example(fill(line.name), fill(line.text)) for line in character.message_examples[at])
            for at in _drawn(exchanges, examples, *seed, "message_examples")
        ),
        post_examples=choose(character.post_examples, posts, "post_examples"),
        people=people,
    )


_SECRET_WORDS = frozenset("cookies credential credentials mnemonic passwd password secret secrets".split())


def is_secret(key: str) -> bool:
    """Whether a setting's name says that its value is to be kept to oneself."""
    words = template_key(key).replace("-", "_").split("_")
    last = words[-1]
    is_key = last == "key" and len(words) > 1 and words[-2] != "public"
    return is_key or last in ("token", "apikey") or not _SECRET_WORDS.isdisjoint(words)
