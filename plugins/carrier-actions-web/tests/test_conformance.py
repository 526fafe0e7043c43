"""The actions of this plugin keep what the host relies on."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpcore2
import msgspec
import pytest

from carrier_actions_web.fetch import FetchPage
from carrier_actions_web.rules import Rules
from carrier_actions_web.settings import ToolSettings
from carrier_actions_web.tools import Tool
from carrier_actions_web.web import Limits, Web
from carrier_core import Action, Json
from carrier_core.testing import ActionConformance


class Service(BaseHTTPRequestHandler):
    """Says hello, whatever it is asked."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"Hello")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


class Dialer(httpcore2.AsyncNetworkBackend):
    def __init__(self, port: int) -> None:
        self._port = port
        self._real = httpcore2.AnyIOBackend()

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        return await self._real.connect_tcp("127.0.0.1", self._port, timeout)


async def lookup(host: str, port: int) -> list[str]:
    return ["93.184.216.34"]


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Web(Rules(), Limits(), lookup=lookup, dial=Dialer(server.server_port))
        server.shutdown()
        thread.join()


class TestFetchPage(ActionConformance):
    @pytest.fixture
    def action(self, web: Web) -> Action:
        return FetchPage(web)

    @pytest.fixture
    def arguments(self) -> dict[str, Json]:
        return {"url": "http://site.example/hours", "links": True, "start": 0}


class TestTool(ActionConformance):
    @pytest.fixture
    def action(self, web: Web) -> Action:
        declared = {
            "name": "create_ticket",
            "description": "Creates a ticket in a queue.",
            "method": "POST",
            "url": "http://site.example/queues/{queue}/tickets",
            "parameters": {
                "queue": "The queue's name.",
                "title": {"description": "What it is about."},
                "urgent": {"type": "boolean", "required": False},
                "labels": {"type": "array", "items": {"type": "string"}, "required": False},
            },
        }
        return Tool(ToolSettings.model_validate_json(msgspec.json.encode(declared), strict=True), {}, web)

    @pytest.fixture
    def arguments(self) -> dict[str, Json]:
        return {"queue": "support", "title": "It rains in.", "urgent": True, "labels": ["roof"]}
