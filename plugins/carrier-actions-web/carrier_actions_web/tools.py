"""Actions that the operator declares: each is one request to a service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlencode

import msgspec
from anyio import to_thread

from carrier_actions_web.content import decoded, is_page, type_of
from carrier_actions_web.fetch import MARGIN
from carrier_actions_web.page import read_page
from carrier_actions_web.parameters import Place, read_parameters
from carrier_actions_web.template import SECRET, fill, plain_text
from carrier_actions_web.web import Answer, Question, Unanswered, Web
from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Effect,
    InDoubt,
    Json,
    NotDone,
    Provenance,
    Rejected,
    Role,
    Turn,
    outside,
)

if TYPE_CHECKING:
    from carrier_actions_web.settings import ToolSettings

_LATER = frozenset({408, 425, 429, 503})  # nothing was done, and it can be tried again
_NEVER_DONE = frozenset({307, 308, 501, 505})
_SHOWN = 500  # characters of what a service says about a request that it refused
_SHORT = 4  # characters
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


class Tool(Action):
    """One declared request. ``secrets`` are those that it uses, by name; ``characters`` how much of an answer is returned."""

    def __init__(
        self, settings: ToolSettings, secrets: Mapping[str, str], web: Web, *, characters: int = 20_000
    ) -> None:
        self.name = settings.name
        self.description = settings.description
        self.similes = settings.similes
        self.examples = settings.examples
        self.effect = Effect(settings.effect)
        self.destination = settings.destination
        self.role = Role(settings.role)
        self.seconds = web.limits.total + MARGIN
        self._settings = settings
        self._template = settings.template
        read = read_parameters(settings.parameters, self._template, settings.method)
        self.parameters = read.schema
        self._arguments = read.arguments
        self._secrets = {name: secrets[name] for name in settings.secrets}
        self._web = web
        self._characters = characters
        # To ask again changes nothing over there, unless the operator says otherwise.
        self._repeatable = settings.method == "GET" and settings.idempotent is not False
        self.idempotent = bool(settings.idempotent or settings.idempotency_key or self._repeatable)

    def check(self, arguments: dict[str, Json]) -> str:
        """What the schema says is wrong with the arguments, or what cannot be sent as they are."""
        wrong = super().check(arguments)
        if not wrong:
            try:
                self._question(arguments, "key")
            except ValueError as error:
                wrong = str(error)
        return wrong

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """What the service answered. Rejected, NotDone or InDoubt where it did not do what it was asked."""
        if wrong := self.check(call.arguments):
            raise Rejected(f"{wrong}.")
        try:
            answer = await self._web.ask(self._question(call.arguments, call.key or call.id))
        except Rejected as error:
            raise Rejected(self._hidden(error.message)) from None  # it may repeat where a redirect leads
        except Unanswered as error:
            if error.sent and not self._repeatable:
                raise InDoubt(f"{error.why} It may have been done all the same.") from None
            raise NotDone(error.why) from None
        text = await to_thread.run_sync(partial(self._text, answer), abandon_on_cancel=True)
        self._check_status(answer, text)
        came_from = Provenance((outside(self._hidden(answer.target.page)),), turn.audience)
        return ActionResult(self._shown(answer, text), provenance=came_from)

    def _question(self, arguments: Mapping[str, Json], key: str) -> Question:
        """The request. ValueError where an argument cannot be sent as it is."""
        holes = {f"{SECRET}{name}": value for name, value in self._secrets.items()}
        holes |= {name: _text_of(name, arguments[name]) for name in self._template.names}
        target = self._template.filled(holes, tuple(self._pairs("query", arguments)))
        own = {name: fill(value, holes) for name, value in self._settings.headers.items()}
        for name, value in self._pairs("header", arguments):
            if not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"{name} has characters that a header cannot have")
            own[name] = value
        if self._settings.idempotency_key:
            own[self._settings.idempotency_key] = key
        content = self._content(arguments)
        if content is not None:
            own["Content-Type"] = _TYPES[self._settings.body]
        accept = {"Accept": "application/json, text/*;q=0.9, */*;q=0.1"}
        return Question(target, self._settings.method, accept, own, content, tuple(self._secrets.values()))

    def _pairs(self, place: Place, arguments: Mapping[str, Json]) -> list[tuple[str, str]]:
        """What goes to a place, under the names that it has there; an entry of a list each for itself."""
        pairs = []
        for argument in self._arguments:
            value = arguments.get(argument.name)
            if argument.place == place and argument.name not in self._template.names and value is not None:
                values = value if isinstance(value, list) else [value]
                pairs += [(argument.sent_as, _text_of(argument.name, each)) for each in values]
        return pairs

    def _content(self, arguments: Mapping[str, Json]) -> bytes | None:
        """The body; None where it has none."""
        inside = [each for each in self._arguments if each.place == "body"]
        if not inside:
            return None
        if self._settings.body == "form":
            return urlencode(self._pairs("body", arguments)).encode()
        return msgspec.json.encode({each.sent_as: arguments[each.name] for each in inside if each.name in arguments})

    def _text(self, answer: Answer) -> str:
        """What the service said, as a text without secrets. In a thread."""
        kind = type_of(answer.headers)
        text = decoded(kind, answer.body, cut=answer.cut) if kind.is_text else None
        if text is None:
            return f"({kind.name or 'something'}, {len(answer.body):,} bytes: no text)" if answer.body else ""
        if is_page(kind, answer.body):
            text = read_page(text, str(answer.target)).text
        return self._hidden(text.strip())

    def _check_status(self, answer: Answer, text: str) -> None:
        """NotDone, Rejected or InDoubt where it was not done, or nobody knows."""
        status = answer.status
        if status < 300 or status == 303:  # 303: it was done, and there is something to see elsewhere
            return
        said = f"{answer.target.place} answered {answer.said}"
        told = f"{said}: {text[:_SHOWN]}" if text else f"{said}."
        if status in _LATER:
            raise NotDone(told, retry_after=answer.retry_after)
        if 400 <= status < 500 or status in _NEVER_DONE or status == 304:
            raise Rejected(told)
        if self._repeatable:
            raise NotDone(told, retry_after=answer.retry_after)
        raise InDoubt(f"{told} It may have been done all the same.")

    def _shown(self, answer: Answer, text: str) -> str:
        """The answer for the model."""
        if len(text) > self._characters:
            return f"{text[: self._characters]}\n\n(Cut after {self._characters:,} characters.)"
        notes = [text] if text else [f"Done: {answer.said}."]
        if answer.cut:
            notes.append(f"(Cut after {self._web.limits.bytes:,} bytes.)")
        if answer.broken:
            notes.append(f"(The answer is not whole: {answer.broken}.)")
        return "\n\n".join(notes)

    def _hidden(self, text: str) -> str:
        """The text without the secrets: a service may say what it was sent."""
        for value in self._secrets.values():
            if len(value) < _SHORT:
                continue  # it occurs in any text
            in_json = msgspec.json.encode(value)[1:-1].decode()
            for form in sorted({value, in_json, quote(value, safe=""), quote_plus(value)}, key=len, reverse=True):
                text = text.replace(form, "********")
        return text


def _text_of(name: str, value: Json) -> str:
    try:
        return plain_text(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
