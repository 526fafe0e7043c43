"""Who the agent is."""

from __future__ import annotations

from typing import NamedTuple

from carrier_context_standard import order
from carrier_context_standard.template import Filling, moving, values_of
from carrier_core import (
    OPERATOR,
    SYSTEM_TEMPLATE,
    CarrierError,
    Character,
    CharacterView,
    Context,
    Kept,
    Part,
    Provenance,
    State,
    Turn,
    render,
    render_view,
)

_KEPT = 10_000  # rooms whose text is kept made: about 4 kB each, and 0.8 ms to make

_TEMPLATES = ("system_template", "message_handler_template")
_OPERATOR = Provenance((OPERATOR,))

_FORM = (
    "Whatever form of answer is asked for above: answer with the text of your next message alone, and use the tools that "
    "you are offered for everything else."
)
"""ElizaOS's templates ask for XML or JSON that nobody would take apart here: people would see it."""


class Lasting(NamedTuple):
    """A text that stays the same while the agent has the same character."""

    character: Character
    state: State


class Personality(Context):
    """The character, as the system text of the prompt.

    Its own ``system_template`` is taken, else its ``message_handler_template``, else the standard text. As in ElizaOS, the
    character's ``system`` stands before a message handler template. Both may ask for the state of the turn under ElizaOS's
    names (see :mod:`carrier_context_standard.template`). What asks for the character alone is the operator's text and
    stable; what asks for more is of all those whose words it got, and moves with the conversation if they do. A template
    that fails gives way to the standard text, with a line in the log.
    """

    name = "character"

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._kept: Kept[tuple[str, str], Lasting] = Kept(_KEPT)
        self._told: set[tuple[str, str]] = set()

    async def provide(self, turn: Turn) -> State | None:
        """One part, or up to three where there is a message handler template."""
        character = turn.agent.character
        key = (turn.agent.name, turn.room.id)
        kept = self._kept.get(key)
        if kept is not None and kept.character is character:
            return kept.state
        state, lasting = await self._composed(turn, turn.agent.view(turn.room.id))
        if lasting:
            self._kept[key] = Lasting(character, state)
        return state

    async def _composed(self, turn: Turn, view: CharacterView) -> tuple[State, bool]:
        """The state, and whether it is the same in the next turn."""
        templates = turn.agent.character.templates
        given = (name for name in _TEMPLATES if templates.get(name, "").strip())
        name = next(given, "")
        if not name:
            return self._standard(view), True
        filling = await values_of(turn, view, templates[name], name, self._zone)
        changes = moving(templates[name], name, turn)
        lasting = not changes and not filling.inputs
        try:
            text = self._rendered(turn, templates[name], name, filling)
        except CarrierError as error:
            self._tell(turn, "template_failed", str(error))
            return self._standard(view), lasting
        part = self._part(text, filling.provenance, stable=not changes)
        if name == "system_template":
            return State((part,)), lasting
        system = view.system.strip()
        before = (self._part(system),) if system and system not in text else ()
        return State((*before, part, self._part(_FORM, stable=not changes))), lasting

    def _rendered(self, turn: Turn, template: str, name: str, filling: Filling) -> str:
        rendered = render(template, filling.values, name)
        if rendered.missing:
            unknown = ", ".join(rendered.missing)
            self._tell(turn, "template_asks_for_unknown", f"{name} asks for {unknown}, which stands as nothing")
        if not rendered.text.strip():
            raise CarrierError(f"Template {name}: it gives no text.", remedy="Correct it in the character's file.")
        return rendered.text

    def _standard(self, view: CharacterView) -> State:
        return State((self._part(render_view(SYSTEM_TEMPLATE, view, "system_template").text),))

    def _part(self, text: str, provenance: Provenance = _OPERATOR, *, stable: bool = True) -> Part:
        return Part(text.strip(), self.name, provenance, order=order.CHARACTER, stable=stable)

    def _tell(self, turn: Turn, event: str, problem: str) -> None:
        """Once for each agent: the same would be said in every turn."""
        if (turn.agent.name, problem) not in self._told:
            self._told.add((turn.agent.name, problem))
            turn.agent.host.log.warning(event, agent=turn.agent.name, problem=problem)
