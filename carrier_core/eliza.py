"""ElizaOS's character files, of both generations, and what its templates ask for.

What is known of ElizaOS here was read from its source: 1.7 for the fields of 1.x, the last 0.25 for those of 0.x.
"""

from __future__ import annotations

import functools
import re

from carrier_core.character import CharacterView, Example, Note, Style, is_secret
from carrier_core.configfile import Document
from carrier_core.errors import ConfigError
from carrier_core.keylines import KeyPath
from carrier_core.templates import Rendered, check_template, render, template_key

RENAMED = {"messageExamples": "message_examples", "postExamples": "post_examples"}
_SAME = frozenset("name username system bio lore topics adjectives style knowledge templates settings plugins".split())

_MODELS = "which models an agent uses is said by `models` in its section of the configuration"
_CLIENT = "a client is set up in its own section of the configuration"
_SECRETS = "not kept, because secrets do not belong in a character; set each in the environment"
_NO_SUCH = "Carrier has nothing of the kind"
_MEANINGLESS = {
    "id": "Carrier works its ids out by itself",
    "secrets": _SECRETS,
    # 0.x
    "modelProvider": _MODELS,
    "imageModelProvider": _MODELS,
    "imageVisionModelProvider": _MODELS,
    "modelEndpointOverride": _MODELS,
    "clients": "which clients an agent uses is said in its section of the configuration",
    "clientConfig": _CLIENT,
    "twitterProfile": _CLIENT,
    "instagramProfile": _CLIENT,
    "simsaiProfile": _CLIENT,
    "twitterSpaces": _CLIENT,
    "email": _NO_SUCH,
    "nft": _NO_SUCH,
    "people": _NO_SUCH,
    "postProcessors": "a plugin that transforms replies does this",
    "extends": "a character inherits nothing: copy what it needs",
    # 2.x
    "advancedPlanning": _NO_SUCH,
    "advancedMemory": _NO_SUCH,
}
_CAMEL = re.compile(r"[a-z]+[A-Z]\w*")


def is_eliza(document: Document) -> bool:
    """Whether a file is ElizaOS's rather than one of Carrier's own.

    It is when it is JSON or YAML (ElizaOS never had TOML) and has at its top a camelCase key or another key that only
    ElizaOS has (``id``, ``secrets``, ``clients``, ``email``, ``extends``, ``nft``, ``people``), or a plugin with an npm
    scope (``@elizaos/...``), or ``settings.secrets``. Carrier's ``message_examples`` and ``post_examples`` settle it
    the other way.
    """
    data = document.data
    if document.path.suffix.lower() == ".toml" or not data.keys().isdisjoint(RENAMED.values()):
        return False
    if any(key in _MEANINGLESS or _CAMEL.fullmatch(key) for key in data):
        return True
    plugins, settings = data.get("plugins"), data.get("settings")
    if isinstance(plugins, list) and any(str(plugin).startswith("@") for plugin in plugins):
        return True
    return isinstance(settings, dict) and "secrets" in settings


def to_native(document: Document) -> tuple[dict[str, object], list[Note]]:
    """The fields of an ElizaOS file as a native file would have them, and a note on each that has no meaning here.

    Nothing is checked: what has a wrong type stays as it is, for whoever reads the result to say so.
    """
    return _Mapping(document).run()


class _Mapping:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._notes: list[Note] = []
        self._ignored: dict[str, tuple[int, KeyPath]] = {}  # fields of example lines: how often, where first

    def run(self) -> tuple[dict[str, object], list[Note]]:
        data: dict[str, object] = {}
        for key, value in self._document.data.items():
            if key == "secrets":
                self._secrets((key,), value)
            elif key in _MEANINGLESS:
                self._note((key,), _MEANINGLESS[key])
            elif key not in _SAME and key not in RENAMED:
                self._note((key,), "neither ElizaOS nor Carrier knows this field")
            elif value is not None:
                data[RENAMED.get(key, key)] = self._field(key, value)
        return data, self._notes

    def _field(self, key: str, value: object) -> object:
        if key == "messageExamples":
            return self._examples(value)
        if key == "plugins" and isinstance(value, list):
            if value:
                self._note((key,), "these are ElizaOS's plugins; Carrier's are named in its own configuration")
            return []
        if key == "knowledge" and isinstance(value, list):
            return [self._knowledge(item, ("knowledge", at)) for at, item in enumerate(value)]
        if isinstance(value, dict):
            fields = {"style": self._style, "templates": self._templates, "settings": self._settings}
            return fields[key](value) if key in fields else value
        return value

    def _examples(self, value: object) -> object:
        if not isinstance(value, list):
            return value
        exchanges = []
        for at, exchange in enumerate(value):
            path: KeyPath = ("messageExamples", at)
            if isinstance(exchange, dict) and "examples" in exchange:  # 2.x
                exchange, path = exchange["examples"], (*path, "examples")
            if isinstance(exchange, list):
                lines = [self._line(line, (*path, nr)) for nr, line in enumerate(exchange)]
                said = [line for line in lines if line is not None]
                if len(said) < min(2, len(lines)):
                    continue  # a person speaks and the agent only acts: no example of how it sounds
                exchange = said
            exchanges.append(exchange)
        for field, (count, path) in self._ignored.items():
            reason = "left out: there is nothing to say" if field.endswith("text") else "example lines are text alone"
            self._note(path, f"{reason} ({count} {'line' if count == 1 else 'lines'})", field)
        return exchanges

    def _line(self, line: object, path: KeyPath) -> object:
        """``{user, content: {text, action}}`` of 0.x and ``{name, content: {text, actions}}`` of 1.x."""
        if not isinstance(line, dict):
            return line
        content = line.get("content", {"text": line.get("text")})
        content = content if isinstance(content, dict) else {"text": content}
        for key in line:
            if key not in ("user", "name", "content", "text"):
                self._ignore(f"messageExamples.{key}", (*path, key))
        for key in content:
            if key != "text":
                self._ignore(f"messageExamples.content.{key}", (*path, "content", key))
        if content.get("text") in (None, ""):
            self._ignore("messageExamples.content.text", path)
            return None
        return {"name": line.get("name", line.get("user")), "text": content["text"]}

    def _ignore(self, field: str, path: KeyPath) -> None:
        count, first = self._ignored.get(field, (0, path))
        self._ignored[field] = (count + 1, first)

    def _knowledge(self, item: object, path: KeyPath) -> object:
        """A text, or 0.x's and 1.x's ``{path, shared}``, or 1.x's ``{directory, shared}``."""
        if not isinstance(item, dict):
            return item
        names = {"path": "path", "directory": "path", "shared": "shared", "text": "text", "content": "text"}
        for key in item:
            if key not in names:
                self._note((*path, key), _NO_SUCH)
        return {names[key]: value for key, value in item.items() if key in names and value is not None}

    def _style(self, style: dict[str, object]) -> dict[str, object]:
        for key in style:
            if key not in Style.__struct_fields__:
                self._note(("style", key), _NO_SUCH)
        return {key: value for key, value in style.items() if key in Style.__struct_fields__}

    def _settings(self, settings: dict[str, object]) -> dict[str, object]:
        for key, value in settings.items():
            if key == "secrets":
                self._secrets(("settings", key), value)
            elif not is_secret(key):  # those are dropped, and noted, in native files too
                self._note(("settings", key), "kept for plugins that ask for it; Carrier itself does not")
        return {key: value for key, value in settings.items() if key != "secrets"}

    def _secrets(self, path: KeyPath, value: object) -> None:
        names = f" ({', '.join(value)})" if isinstance(value, dict) and value else ""
        self._note(path, f"{_SECRETS}{names}")

    def _templates(self, templates: dict[str, object]) -> dict[str, object]:
        kept: dict[str, object] = {}
        for name, template in templates.items():
            if isinstance(template, str):
                # What begins a tag of Jinja's is plain text in ElizaOS, but for the second brace of {{#if}}.
                template = re.sub(r"(?<!\{)\{[%#]", lambda found: f"{{{{ '{found.group()}' }}}}", template)
                try:
                    check_template(template, template_key(name))
                except ConfigError as error:
                    self._note(("templates", name), f"not used: {error.message}")
                    continue
            kept[name] = template
        return kept

    def _note(self, path: KeyPath, reason: str, field: str | None = None) -> None:
        dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
        self._notes.append(Note(field or dotted, reason, self._document.line(path)))


# -- what a template may ask for -----------------------------------------------------------------------------------

STATE_KEYS = tuple(
    "agentId agentName bio lore adjective topic topics knowledge recentMessages recentPosts recentInteractions "
    "characterPostExamples characterMessageExamples messageDirections postDirections senderName actors goals "
    "attachments roomId actions actionNames actionExamples evaluators evaluatorNames evaluatorExamples "
    "providers".split()
)
"""The state of ElizaOS 0.x, which its templates ask for."""


def eliza_values(view: CharacterView, **state: object) -> dict[str, object]:
    """What ElizaOS's templates, and the standard ones, are rendered with.

    The character's part comes from the view. What depends on the message (``recent_messages``, ``sender_name``,
    ``room_id``, ``actions``, ``providers``, ``knowledge``...) the caller gives by keyword, in either spelling; a state
    key that nobody gives is an empty text. Every name is there as snake_case and as camelCase; ``character`` is the
    view itself, ``user1`` and ``name1`` and so on are its invented people.
    """
    values = dict(_from_view(view))
    for key, value in state.items():
        values[template_key(key)] = values[_camel(template_key(key))] = value
    return values


@functools.lru_cache(maxsize=1024)
def _from_view(view: CharacterView) -> dict[str, object]:
    name = view.name
    own: dict[str, object] = dict.fromkeys(STATE_KEYS, "")
    own |= {
        "agentName": name,
        "name": name,
        "system": view.system,
        "bio": " ".join(view.bio),
        "lore": "\n".join(view.lore),
        "adjective": view.adjective,
        "adjectives": ", ".join(view.adjectives),
        "topic": view.topic,
        "topics": f"{name} likes to talk about {_listing(view.topics)}." if view.topics else "",
        "characterPostExamples": _headed(f"Posts as {name} writes them", view.post_examples, "\n"),
        "characterMessageExamples": _headed(
            f"Conversations as {name} has them", tuple(map(_exchange, view.message_examples)), "\n\n"
        ),
        "messageDirections": _headed(f"How {name} writes messages", (*view.style.all, *view.style.chat), "\n"),
        "postDirections": _headed(f"How {name} writes posts", (*view.style.all, *view.style.post), "\n"),
    }
    values = {spelled: value for key, value in own.items() for spelled in (key, template_key(key))}
    people = {f"{word}{nr}": person for nr, person in enumerate(view.people, 1) for word in ("user", "name")}
    return {**values, **people, "character": view}


@functools.lru_cache(maxsize=1024)
def render_view(template: str, view: CharacterView, name: str) -> Rendered:
    """Fill in a template that asks for nothing but the character, such as the standard ``system_template``.

    The last 1,024 results are kept, so it may be called for every turn. Raises as ``render`` does.
    """
    return render(template, eliza_values(view), name)


def _camel(key: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), key)


def _listing(items: tuple[str, ...]) -> str:
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def _headed(heading: str, items: tuple[str, ...], between: str) -> str:
    return f"# {heading}\n{between.join(items)}" if items else ""


def _exchange(lines: tuple[Example, ...]) -> str:
    return "\n".join(f"{line.name}: {line.text}" for line in lines)
