"""What an operator can set in ``[plugin.carrier-evaluator-standard]``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from carrier_core import PluginSettings


class Settings(PluginSettings):
    """What is learned from a turn, and how drafts are judged. Each can be turned off."""

    clients: tuple[str, ...] | None = Field(
        None, description="The clients whose turns are judged and learned from; all without it."
    )
    facts: Literal["auto", "rules", "model", "off"] = Field(
        "auto",
        description='How facts that people tell of themselves are found: by "rules", which know English and cost nothing; by '
        'a "model" of the class small, one call for each answered message; "auto" is the model where one is ready that is '
        'neither free nor a last resort, else the rules. "off" learns none.',
    )
    relationships: bool = Field(True, description="Whether it is kept who knows whom: said so, mentions, answers.")
    goals: bool = Field(True, description="Whether what people say of their goals is noted: set, a step done, reached.")
    summary_every: int = Field(
        0, ge=0, le=1_000, description="Turns of a room after which a model sums it up as a fact; 0 is never."
    )
    ratings: bool = Field(
        True, description="Whether it is kept what people think of a reply, and which drafts were sent back."
    )
    feedback: bool = Field(
        False, description="Whether the model can look up the last ratings and verdicts, as the context `feedback`."
    )
    quality: Literal["rules", "model", "off"] = Field(
        "rules",
        description='How drafts are judged: by "rules"; also by a "model" of the class small, one call for each draft; or not.',
    )
    longest: int | None = Field(
        None, gt=0, description="Characters of a reply; a longer draft is sent back. No bound without it."
    )
    safety: bool = Field(
        True,
        description="Whether drafts with secrets, with what others may not know, or with data in links are kept back.",
    )
    hosts: tuple[str, ...] = Field(
        (), description="Hosts to which links with data are the operator's wish, such as maps.example.org."
    )
