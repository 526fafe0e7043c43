"""What every client keeps, kept by this one: by a script's plain lines, and before a person at a terminal."""

from __future__ import annotations

import pytest

from carrier_core import Client
from carrier_core.testing import ClientConformance


class TestPlain(ClientConformance):
    agent = "tifa"

    @pytest.fixture
    def client(self, script) -> Client:
        self.feed = script.feed
        return script.host.client

    async def arrive(self, client: Client, text: str) -> None:
        self.feed(f"{text}\n".encode())


class TestScreen(ClientConformance):
    agent = "tifa"

    @pytest.fixture
    def client(self, at_terminal, terminal) -> Client:
        self.type = terminal.type
        return at_terminal.client

    async def arrive(self, client: Client, text: str) -> None:
        self.type(f"{text}\r")
