"""A chat in the terminal: a prompt with history and streamed answers, or plain lines where no terminal is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carrier_client_terminal.settings import Settings
from carrier_core import impl

if TYPE_CHECKING:
    from carrier_client_terminal.client import TerminalClient

__all__ = ["Settings", "register_clients"]


@impl
def register_clients(settings: Settings) -> TerminalClient:
    """The client ``terminal``, which ``carrierd chat`` runs."""
    from carrier_client_terminal.client import TerminalClient

    return TerminalClient(settings)
