"""The reference servers, which we have not written, in a conversation: used, killed in the middle, started again.

``CARRIER_TEST_MCP`` names the folder where npm has installed them: ``npm install --prefix FOLDER
@modelcontextprotocol/server-everything @modelcontextprotocol/server-filesystem @modelcontextprotocol/server-memory``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import pytest

import carrier_actions_mcp
from carrier_actions_mcp.session import Session
from carrier_core import Action, ActionCall, Completion, Effect, Finish
from carrier_core.testing import HostUnderTest, running_host

pytestmark = pytest.mark.anyio

VARIABLE = "CARRIER_TEST_MCP"
LONG = "everything_trigger-long-running-operation"


def script(name: str) -> str:
    """The script of a reference server. The test is skipped where it is not there, and the reason says what is missing."""
    path = Path(
        os.environ.get(VARIABLE, ""), "node_modules", "@modelcontextprotocol", f"server-{name}", "dist", "index.js"
    )
    if not os.environ.get(VARIABLE) or not path.is_file():
        pytest.skip(f"{VARIABLE} names no folder with @modelcontextprotocol/server-{name}: npm install it there")
    if not shutil.which("node"):
        pytest.skip("there is no node, which the MCP reference servers run on")
    return str(path)


def calls(name: str, **arguments: object) -> Completion:
    """A model that asks for this call."""
    return Completion((), (ActionCall("call1", name, arguments),), Finish.CALLS)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    made = tmp_path / "papers"
    made.mkdir()
    (made / "plan.txt").write_text("Plant tulips in November.")
    return made


@pytest.fixture
def run(tmp_path: Path, papers: Path):
    """A host with all three servers, which are trusted; ``more`` are further keys for all of them."""
    servers = {
        "everything": {"command": "node", "args": [script("everything"), "stdio"]},
        "files": {"command": "node", "args": [script("filesystem"), str(papers)]},
        "memory": {
            "command": "node",
            "args": [script("memory")],
            "env": {"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")},
        },
    }

    @asynccontextmanager
    async def running(**more: object) -> AsyncIterator[HostUnderTest]:
        section = {name: {**keys, "trusted": True, **more} for name, keys in servers.items()}
        allowed = ["files_write_file", "everything_echo", LONG]
        config = {"plugin": {"carrier-actions-mcp": {"servers": section}}, "policy": {"allow": allowed}}
        async with running_host([carrier_actions_mcp], config=config, folder=tmp_path) as host:
            yield host

    return running


def offered(host: HostUnderTest) -> dict[str, Action]:
    return {entry.thing.name: entry.thing for entry in host.host.plugins.all(Action)}


def pid(host: HostUnderTest, action: str) -> int:
    """The process of the server that has this action."""
    return offered(host)[action].server.transport.pid


async def say(host: HostUnderTest, name: str, **arguments: object) -> str:
    """Have the model make this call; what it is told."""
    host.provider.then(calls(name, **arguments), "Done.")
    assert await host.ask("Go on.") == "Done."
    return host.provider.prompts[-1].messages[-1].text


async def test_their_tools_are_offered_for_what_they_are(run) -> None:
    async with run() as host:
        there = offered(host)

        effects = {
            name: there[name].effect for name in ("files_read_text_file", "files_write_file", "memory_read_graph")
        }
        assert effects == {
            "files_read_text_file": Effect.READ,
            "files_write_file": Effect.WRITE,
            "memory_read_graph": Effect.READ,
        }
        assert there["everything_gzip-file-as-resource"].effect is Effect.EXTERNAL
        assert there["files_write_file"].idempotent
        assert not there["files_edit_file"].idempotent


async def test_all_three_are_used_in_one_conversation(run, papers) -> None:
    async with run() as host:
        assert await say(host, "everything_echo", message="Hello") == "Echo: Hello"
        assert "5" in await say(host, "everything_get-sum", a=2, b=3)
        assert "[image, image/png" in await say(host, "everything_get-tiny-image")
        assert "tulips" in await say(host, "files_read_text_file", path=str(papers / "plan.txt"))
        await say(host, "files_write_file", path=str(papers / "list.txt"), content="Tulips, 20")
        assert (papers / "list.txt").read_text() == "Tulips, 20"
        ana = {"name": "Ana", "entityType": "person", "observations": ["grows tulips"]}
        await say(host, "memory_create_entities", entities=[ana])
        assert "grows tulips" in await say(host, "memory_search_nodes", query="tulips")


async def test_what_they_refuse_is_told(run, papers) -> None:
    async with run() as host:
        said = await say(host, "files_read_text_file", path="/etc/passwd")

        assert "outside allowed directories" in said
        assert not host.told("action_performed")[-1].data["ok"]


async def test_arguments_that_they_would_not_take_do_not_reach_them(run) -> None:
    async with run() as host:
        assert "'a' is a required property" in await say(host, "everything_get-sum", b=3)


async def test_all_three_are_killed_in_the_middle_and_the_conversation_goes_on(run, papers) -> None:
    async with run() as host:
        ana = {"name": "Ana", "entityType": "person", "observations": ["grows tulips"]}
        await say(host, "memory_create_entities", entities=[ana])
        await say(host, "files_read_text_file", path=str(papers / "plan.txt"))
        await say(host, "everything_echo", message="Hello")
        names = ("memory_read_graph", "files_read_text_file", "everything_echo")
        before = [pid(host, name) for name in names]
        for each in before:
            os.kill(each, signal.SIGKILL)

        assert "grows tulips" in await say(host, "memory_read_graph")
        assert "tulips" in await say(host, "files_read_text_file", path=str(papers / "plan.txt"))
        assert await say(host, "everything_echo", message="Again") == "Echo: Again"
        assert not {*before} & {pid(host, name) for name in names}


@pytest.fixture
def calling(monkeypatch: pytest.MonkeyPatch) -> anyio.Event:
    """Set when a server is called."""
    called, call = anyio.Event(), Session.call

    async def telling(self: Session, *args: object) -> object:
        called.set()
        return await call(self, *args)

    monkeypatch.setattr(Session, "call", telling)
    return called


async def killed(host: HostUnderTest, calling: anyio.Event) -> str:
    """What the model is told of a call in the middle of which its server is killed."""
    host.provider.then(calls(LONG, duration=1, steps=2), "Done.")
    async with anyio.create_task_group() as group:
        group.start_soon(host.ask, "Take your time.")
        await calling.wait()
        os.kill(pid(host, LONG), signal.SIGKILL)
    return host.provider.prompts[-1].messages[-1].text


async def test_a_read_in_the_middle_of_which_the_server_is_killed_is_made_again(run, calling) -> None:
    async with run() as host:
        assert "Long running operation completed" in await killed(host, calling)


async def test_an_effect_in_the_middle_of_which_the_server_is_killed_is_in_doubt(run, calling) -> None:
    async with run(effects={"trigger-long-running-operation": "write"}, trusted=False) as host:
        assert "It is not known whether" in await killed(host, calling)
        assert len(await host.store.journal.doubts()) == 1
        assert await say(host, "everything_echo", message="Again") == "Echo: Again"


async def test_a_second_daemon_knows_them_without_starting_them(run) -> None:
    async with run() as host:
        first = {name: action.description for name, action in offered(host).items()}
    async with run() as host:
        assert {name: action.description for name, action in offered(host).items()} == first
        assert {action.server.transport.pid for action in offered(host).values()} == {0}


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def serve() -> Callable[[int], object]:
    """The reference server over HTTP at a port, for as long as the block."""

    @contextmanager
    def serving(port: int) -> Iterator[None]:
        command = ["node", script("everything"), "streamableHttp"]
        environ = {**os.environ, "PORT": str(port)}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
            try:
                while "listening" not in process.stderr.readline():
                    assert process.poll() is None
                yield
            finally:
                process.kill()

    return serving


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


async def test_a_server_over_http_is_used_killed_and_started_again(serve, tmp_path) -> None:
    port = free_port()
    server = {"url": f"http://127.0.0.1:{port}/mcp", "trusted": True}
    config = {"plugin": {"carrier-actions-mcp": {"servers": {"far": server}}}}
    with ExitStack() as first:
        first.enter_context(serve(port))
        async with running_host([carrier_actions_mcp], config=config, folder=tmp_path) as host:
            assert await say(host, "far_echo", message="Hello") == "Echo: Hello"
            first.close()
            assert "it cannot be reached" in await say(host, "far_echo", message="Is anybody there?")
            with serve(port):
                assert await say(host, "far_echo", message="Again") == "Echo: Again"
