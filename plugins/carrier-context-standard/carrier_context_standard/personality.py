"""Who the agent is."""

from __future__ import annotations

from typing import NamedTuple

from carrier_context_standard import order
from carrier_context_standard.template import Filling, moving, values_of
from carrier_core import (
    OPERATOR,
    SYSTEM_TEMPLATE,
    CarrierError,
    CharacterView,
    Context,
    Part,
    Provenance,
    State,
    Turn,
    render,
    render_view,
)

_KEPT = 4_096  # rooms whose text is kept made

_FORM = (
    "Whatever form of answer is asked for above: answer with the text of your next message alone, and use the tools that "
    "you are offered for everything else."
)
"""ElizaOS's templates ask for XML or JSON that nobody would take apart here: people would see it."""


class Kept(NamedTuple):
    """A text that stays the same while the room sees the same view of the character."""

    view: CharacterView
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
        self._provenance = Provenance((OPERATOR,))
        self._kept: dict[tuple[str, str], Kept] = {}
        self._told: set[tuple[str, str]] = set()

    async def provide(self, turn: Turn) -> State | None:
        """One part, or two where there is a message handler template."""
        view = turn.agent.view(turn.room.id)
        key = (turn.agent.name, turn.room.id)
        kept = self._kept.get(key)
        if kept is not None and kept.view is view:
            return kept.state
        state, lasting = await self._composed(turn, view)
        if lasting:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = Kept(view, state)
        return state

    async def _composed(self, turn: Turn, view: CharacterView) -> tuple[State, bool]:
        """The state, and whether it is the same in the next turn."""
        templates = turn.agent.character.templates
        for name in ("system_template", "message_handler_template"):
            template = templates.get(name, "")
            if template.strip():
                try:
                    return await self._own(turn, view, template, name)
                except CarrierError as error:
                    self._tell(turn, "template_failed", str(error))
                break
        return State((self._part(render_view(SYSTEM_TEMPLATE, view, "system_template").text),)), True

    async def _own(self, turn: Turn, view: CharacterView, template: str, name: str) -> tuple[State, bool]:
        filling = await values_of(turn, view, template, name, self._zone)
        rendered = render(template, filling.values, name)
        if rendered.missing:
            unknown = ", ".join(rendered.missing)
            self._tell(turn, "template_asks_for_unknown", f"{name} asks for {unknown}, which stands as nothing")
        if not rendered.text.strip():
            raise CarrierError(f"Template {name}: it gives no text.", remedy="Correct it in the character's file.")
        changes = moving(template, name, turn)
        part = self._part(rendered.text, filling, stable=not changes)
        if name == "system_template":
            return State((part,)), not changes
        system = (self._part(view.system),) if view.system.strip() else ()
        return State((*system, part, self._part(_FORM, stable=not changes))), not changes

    def _part(self, text: str, filling: Filling | None = None, *, stable: bool = True) -> Part:
        provenance = self._provenance if filling is None or not filling.inputs else filling.provenance
        return Part(text.strip(), self.name, provenance, order=order.CHARACTER, stable=stable)

    def _tell(self, turn: Turn, event: str, problem: str) -> None:
        """Once for each agent: the same would be said in every turn."""
        if (turn.agent.name, problem) not in self._told:
            self._told.add((turn.agent.name, problem))
            turn.agent.host.log.warning(event, agent=turn.agent.name, problem=problem)
