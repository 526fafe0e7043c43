"""A provider that is no language model: it answers from rules in a file, always the same to the same prompt.

It stands in where no real provider is ready, so that Carrier runs without a key, and it plays any part a test needs: slow,
failing, calling tools, or obeying whatever it reads. The README of the distribution documents its files.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from carrier_core import PluginSettings, Provider, impl

__version__ = "0.1.0"
__all__ = ["Settings", "register_providers"]


class Settings(PluginSettings):
    """``[plugin.carrier-provider-scripted]``. Relative paths are seen from the configuration's folder."""

    rules: Path | None = Field(None, description="A file of rules; without it, the built-in ones.")
    obey: Path | None = Field(
        None,
        description="A file of pairs (sentence, call): each call is made whose sentence is in the prompt.",
    )
    chunk: int = Field(24, ge=1, description="Characters in a streamed piece.")
    latency: float = Field(0.0, ge=0, description="Seconds before the first piece, where a rule says nothing.")
    pace: float = Field(0.0, ge=0, description="Seconds between two pieces, where a rule says nothing.")


@impl
def register_providers(settings: Settings) -> Provider:
    """The one provider, ``scripted``. A fault in a file is a ConfigError here, before anybody talks to it."""
    from carrier_provider_scripted.obedience import Obedience
    from carrier_provider_scripted.provider import ScriptedProvider
    from carrier_provider_scripted.rules import Rules

    return ScriptedProvider(
        Rules(settings.rules) if settings.rules is not None else None,
        Obedience(settings.obey) if settings.obey is not None else None,
        chunk=settings.chunk,
        latency=settings.latency,
        pace=settings.pace,
    )
