"""What an operator can set in ``[plugin.carrier-context-standard]``."""

from __future__ import annotations

from pydantic import Field, field_validator

from carrier_context_standard.clock import zone_named
from carrier_core import PluginSettings


class Settings(PluginSettings):
    """How agents are told the time, and whether their actions are described to them in words too."""

    time_zone: str = Field(
        "UTC", description='The time zone that agents are told the time in, such as "Europe/Lisbon".'
    )
    actions: bool = Field(
        False,
        description="Whether the actions that an agent can use are listed in the prompt too. Models are offered them as "
        "tools anyway; a list helps a model that knows no tools to say what the agent can do.",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        zone_named(name)
        return name
