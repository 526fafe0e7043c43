"""What an operator can set in ``[clients.terminal]``."""

from __future__ import annotations

from pathlib import Path

from carrier_core import PluginSettings


class Settings(PluginSettings):
    """``history``: whether what was typed is kept for the next chat.

    ``history_file``: where, readable by its owner alone; by default ``carrier/terminal-history`` in the user's state
    directory (``$XDG_STATE_HOME``, else ``~/.local/state``).
    """

    section = "clients.terminal"

    history: bool = True
    history_file: Path | None = None
