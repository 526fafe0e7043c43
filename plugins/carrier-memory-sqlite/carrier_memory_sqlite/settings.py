"""What an operator can set in ``[plugin.carrier-memory-sqlite]``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from carrier_core import PluginSettings


class Settings(PluginSettings):
    """Where the database is and how carefully it is written."""

    file: str = Field(
        "carrier.db",
        pattern=r"^[\w][\w.-]*$",
        description="Name of the database file in the state directory.",
    )
    synchronous: Literal["full", "normal"] = Field(
        "full",
        description='"full": what was accepted survives a power cut; "normal": only a crash of the program. '
        "Faster where the disk is slow.",
    )
    busy_seconds: float = Field(
        5.0, ge=0, description="Seconds that a write waits for another program that has locked the database."
    )
