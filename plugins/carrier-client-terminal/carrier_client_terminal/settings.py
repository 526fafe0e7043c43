"""What an operator can set in ``[clients.terminal]``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from carrier_core import PluginSettings


class Settings(PluginSettings):
    """Whether and where a chat keeps what was typed."""

    section = "clients.terminal"

    history: bool = Field(True, description="Whether what was typed is kept for the next chat.")
    history_file: Path | None = Field(
        None,
        description="Where, readable by its owner alone; without it, `carrier/terminal-history` in the user's state "
        "directory (`$XDG_STATE_HOME`, else `~/.local/state`).",
    )
