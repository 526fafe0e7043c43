"""A server that is reached over HTTP: what each failure means for the call."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import pytest

from carrier_actions_mcp.settings import ServerSettings
from carrier_core import InDoubt, NotDone, Rejected
from carrier_core.testing import wire

pytestmark = pytest.mark.anyio

RAW = Path(__file__).parent / "raw_server.py"


@pytest.fixture
def serve(folder: Path) -> Callable[..., object]:
    """The raw server over HTTP, for as long as the block; its port."""

    @contextmanager
    def serving(port: int = 0) -> Iterator[int]:
        command = [sys.executable, str(RAW), str(folder), "--http", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield int(process.stdout.readline())
            finally:
                process.kill()

    return serving


def at(port: int, **more: object) -> ServerSettings:
    headers = {"Authorization": "Bearer raw-key"}
    return ServerSettings.model_validate({"url": f"http://127.0.0.1:{port}/mcp", "headers": headers, **more})


@pytest.mark.parametrize("tool", ["echo", "events"])  # one answers with JSON, one with a stream of events
async def test_it_is_called(keep, serve, tool) -> None:
    with serve() as port:
        async with keep(at(port)) as kept:
            assert await kept.text(tool, text="across") == "across"


async def test_a_server_that_is_not_there_was_not_asked(keep) -> None:
    with wire.nobody() as url:
        async with keep(ServerSettings(url=url)) as kept:
            with pytest.raises(NotDone, match="The MCP server raw failed: it cannot be reached"):
                await kept.server.session()


async def test_a_wrong_key_is_told_as_such_and_not_shown(keep, serve) -> None:
    with serve() as port:
        headers = {"Authorization": "Bearer another-key"}
        async with keep(at(port, headers=headers)) as kept:
            with pytest.raises(NotDone, match="it refuses requests with the status 401") as refused:
                await kept.server.session()

            assert "another-key" not in f"{refused.value}{kept.around.logs}"


async def test_a_server_that_was_started_anew_is_called_in_a_new_session(keep, serve, done) -> None:
    with ExitStack() as first:
        port = first.enter_context(serve())
        async with keep(at(port)) as kept:
            await kept.text("note", text="one")
            first.close()
            with serve(port):
                assert await kept.text("note", text="two") == "two"

    assert done() == ['note {"text": "one"}', 'note {"text": "two"}']


async def test_a_call_to_a_server_that_is_gone_was_not_made(keep, serve) -> None:
    with ExitStack() as first:
        async with keep(at(first.enter_context(serve()))) as kept:
            await kept.text("note", text="one")
            first.close()

            with pytest.raises(NotDone, match="was not asked: it cannot be reached"):
                await kept.call("note", text="two")


@pytest.mark.parametrize("code", [500, 502, 504, 408])
async def test_of_a_call_that_a_gateway_lost_nobody_knows(keep, serve, done, code) -> None:
    with serve() as port:
        async with keep(at(port)) as kept:
            with pytest.raises(InDoubt, match=f"it answers with the status {code}"):
                await kept.call("status", code=code)

            assert done() == ["status"]
            assert await kept.text("echo", text="still there") == "still there"


@pytest.mark.parametrize("code", [400, 403, 429])
async def test_a_call_that_was_turned_away_was_not_made(keep, serve, code) -> None:
    with serve() as port:
        async with keep(at(port)) as kept:
            with pytest.raises(NotDone, match=f"was not asked: it refuses requests with the status {code}"):
                await kept.call("status", code=code)


async def test_of_a_call_whose_answer_breaks_off_nobody_knows(keep, serve, done) -> None:
    with serve() as port:
        async with keep(at(port)) as kept:
            with pytest.raises(InDoubt):
                await kept.call("cut")

            assert done() == ["cut"]
            assert await kept.text("echo", text="still there") == "still there"


async def test_a_server_that_dies_in_a_call_is_in_doubt(keep, serve) -> None:
    with serve() as port:
        async with keep(at(port)) as kept:
            with pytest.raises(InDoubt, match="the connection broke"):
                await kept.call("die_writing")


async def test_an_error_of_the_server_is_told_as_it_is(keep, serve) -> None:
    with serve() as port:
        async with keep(at(port)) as kept:
            with pytest.raises(Rejected, match=r"it said: It broke inside\."):
                await kept.call("error")


async def test_an_answer_that_is_no_message_is_told_in_a_short_sentence(keep) -> None:
    answer = wire.status(200, {"neither": "this", "nor": "that"})
    async with wire.serve(answer) as server, keep(ServerSettings(url=f"{server.url}/mcp")) as kept:
        with pytest.raises(NotDone) as refused:
            await kept.server.session()

    assert "it answered with something that is not of the protocol" in str(refused.value)
    assert "pydantic" not in str(refused.value)


async def test_an_answer_that_is_too_long_ends_the_session(keep, serve) -> None:
    with serve() as port:
        async with keep(at(port)) as kept:
            with pytest.raises(NotDone, match="sent a message of more than 4 MB"):
                await kept.call("flood_line", repeat=True)

            assert await kept.text("echo", text="back") == "back"


async def test_a_compressed_answer_is_not_unpacked(keep) -> None:
    body = gzip.compress(json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).encode())
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n"
    answer = wire.raw(f"{head}Connection: close\r\n\r\n".encode() + body)
    async with wire.serve(answer) as server, keep(ServerSettings(url=f"{server.url}/mcp")) as kept:
        with pytest.raises(NotDone, match="it compresses its answers, though it was told not to"):
            await kept.server.session()


async def test_a_call_that_hangs_ends(keep, serve) -> None:
    with serve() as port:
        async with keep(at(port, seconds=0.3)) as kept:
            with anyio.fail_after(20), pytest.raises(NotDone, match=r"did not answer within 0.3 s"):
                await kept.call("hang", repeat=True)  # and it does not answer either when it is told good-bye
