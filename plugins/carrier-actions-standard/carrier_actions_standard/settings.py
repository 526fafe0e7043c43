"""What an operator can set in ``[plugin.carrier-actions-standard]``."""

from __future__ import annotations

from pydantic import Field, field_validator

from carrier_actions_standard.times import zone_named
from carrier_core import PluginSettings


class Settings(PluginSettings):
    """Which clock people mean when they name a time."""

    time_zone: str = Field(
        "UTC", description='The time zone of the times that people name, such as "Europe/Lisbon", if they name none.'
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        zone_named(name)
        return name
