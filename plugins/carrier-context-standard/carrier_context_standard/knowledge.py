"""What the character knows by itself."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_core import OPERATOR, Character, Context, Part, Provenance, State, Turn

_MOST = 8_000  # characters of knowledge that stand in every prompt


class Knowledge(Context):
    """What the character's file lets it know, as far as that is texts of its own: as many as a prompt can always hold."""

    name = "knowledge"
    size = 2 * _MOST  # with what stands before each text

    def __init__(self) -> None:
        self._provenance = Provenance((OPERATOR,))
        self._kept: dict[str, tuple[Character, State | None]] = {}

    async def provide(self, turn: Turn) -> State | None:
        """One stable part of at most 8,000 characters; None where there is none."""
        character = turn.agent.character
        kept = self._kept.get(turn.agent.name)
        if kept is None or kept[0] is not character:
            kept = self._kept[turn.agent.name] = (character, self._state(turn, character))
        return kept[1]

    def _state(self, turn: Turn, character: Character) -> State | None:
        texts = known(character)
        left_out = sum(1 for item in character.knowledge if item.text.strip()) - len(texts)
        if left_out:
            turn.agent.host.log.warning("knowledge_left_out", agent=turn.agent.name, texts=left_out, most=_MOST)
        if not texts:
            return None
        text = "\n".join(("# What you know", *(f"- {text}" for text in texts)))
        return State((Part(text, self.name, self._provenance, order=order.KNOWLEDGE, stable=True),))


def known(character: Character) -> tuple[str, ...]:
    """The texts of the character's knowledge, in the file's order, up to 8,000 characters."""
    texts = []
    left = _MOST
    for item in character.knowledge:
        text = item.text.strip()
        left -= len(text)
        if text and left >= 0:
            texts.append(text)
    return tuple(texts)
