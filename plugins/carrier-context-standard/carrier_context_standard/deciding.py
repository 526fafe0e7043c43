"""Whether to answer what was said to nobody in particular: a character's ``should_respond_template`` asks a small model."""

from __future__ import annotations

import re

from carrier_context_standard.template import values_of
from carrier_core import CarrierError, Decision, Part, Prompt, PromptMessage, Turn, impl, render

NAME = "should_respond_template"

_WORD = re.compile(r"\b(RESPOND|REPLY|IGNORE|NONE|STOP)\b", re.IGNORECASE)
_YES = ("RESPOND", "REPLY")
_FORM = "Whatever form of answer is asked for above: answer with one word, RESPOND, IGNORE or STOP."
_TOKENS = 2_000  # some models think before they say the word, and that counts


@impl
async def decide(turn: Turn) -> Decision | None:
    """What the small model says. None where the agent is addressed, where the character has no such template, and where no
    answer can be had: then the next one decides."""
    template = turn.agent.character.templates.get(NAME, "")
    if not template.strip() or turn.addressed or turn.person.bot:
        return None
    filling = await values_of(turn, turn.agent.view(turn.room.id), template, NAME, "UTC")
    try:
        question = render(template, filling.values, NAME).text.strip()
        answer = await turn.generate(_prompt(turn, Part(question, NAME, filling.provenance)))
    except CarrierError as error:
        turn.agent.host.log.warning("should_respond_failed", agent=turn.agent.name, turn=turn.id, problem=str(error))
        return None
    found = _WORD.findall(answer.text)
    if not found:
        return None
    word = found[-1].upper()  # some give their reasons first
    return Decision(word in _YES, f"{NAME}: {word}")


def _prompt(turn: Turn, question: Part) -> Prompt:
    spoken = tuple(Part(part.text, "message", turn.origin(part)) for part in turn.message.content)
    system = PromptMessage("system", (question, Part(_FORM, NAME)))
    return Prompt((system, PromptMessage("user", spoken)), model="small", max_tokens=_TOKENS)
