"""What was typed in earlier chats, in a file that only its owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from carrier_client_terminal.settings import Settings

_LONGEST = 10_000  # characters; a pasted book is sent, not remembered


class ChatHistory(FileHistory):
    """A history file whose failures cost the history, not the chat."""

    def store_string(self, string: str) -> None:
        """Append what was typed, unless it is very long."""
        if len(string) > _LONGEST:
            return
        try:
            super().store_string(string)
        except OSError:
            pass  # a full disk: the arrow keys still know it until the chat ends


def open_history(settings: Settings) -> tuple[History, str]:
    """The history to use, and a sentence where it cannot be the file that the settings name."""
    if not settings.history:
        return InMemoryHistory(), ""
    try:
        path = (settings.history_file or _default()).expanduser()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home
        return (
            InMemoryHistory(),
            f"What you type is not kept: {error}. See history_file in [clients.terminal].",
        )
    return ChatHistory(path), ""


def _default() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "carrier" / "terminal-history"
