"""What an operator can set in ``[plugin.carrier-context-knowledge]``."""

from __future__ import annotations

from pydantic import Field

from carrier_context_knowledge.reader import Bounds
from carrier_core import PluginSettings


class Settings(PluginSettings):
    """How much of the documents stands in a prompt, and how much one document may cost."""

    results: int = Field(4, ge=1, le=50, description="How many fragments of documents a message recalls, at most.")
    prompt_characters: int = Field(
        8_000, ge=200, description="How many characters of documents stand in a prompt, at most."
    )
    least: float = Field(
        0.3,
        ge=0,
        le=1,
        description="How well a fragment has to answer beside the best one, from 0 (take all) to 1 (the best alone).",
    )
    dynamic: bool = Field(
        False, description="Whether documents stand in a prompt only when the model asks for them, rather than always."
    )
    size: int = Field(50_000_000, ge=1, description="Bytes of a file that is read, at most.")
    pages: int = Field(2_000, ge=1, description="Pages of a PDF, at most.")
    characters: int = Field(5_000_000, ge=1_000, description="Characters of text of one document, at most.")
    seconds: float = Field(60.0, gt=0, description="Seconds that reading one document may take.")
    memory: int = Field(1_024, ge=128, description="MiB of memory that reading one document may take.")

    @property
    def bounds(self) -> Bounds:
        """What one document may cost."""
        return Bounds(self.size, self.pages, self.characters, self.seconds, self.memory)
