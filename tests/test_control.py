"""The control socket takes whatever comes: one bad request costs only its own answer."""

import anyio
import msgspec
import pytest

from carrier_core import CarrierError, Rejected, Unavailable, encode
from carrier_core.control import Control, connect, path_of
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio

BAD = {
    b"not json": "not valid",
    b"[1, 2]": "not valid",
    b'{"id": 1}': "no operation None",
    b'{"id": 1, "op": "conquer"}': "no operation conquer",
    b'{"id": 1, "op": "memories", "limit": "abc"}': "not valid",
    b'{"id": 1, "op": "wait"}': "not valid",
    b'{"id": 1, "op": "accept", "inbound": {"event": 5}}': "not valid",
    b'{"id": 1, "op": "why", "turn": "nowhere"}': "no turn nowhere",
    b'{"id": 1, "op": "ask", "agent": "nobody", "room": "r", "person": "p", "text": "t"}': "no agent nobody",
    b'{"id": 1, "op": "retry"}': "not valid",
    b'{"id": 1, "op": "retry", "key": "zzz"}': "No turn and no delivery zzz is in doubt",
    b'{"id": 1, "op": "discard", "key": ""}': "is in doubt or was given up",
    b'{"id": 1, "op": "schedule", "when": "every 60"}': "not valid",
    b'{"id": 1, "op": "schedule", "when": [], "text": "t"}': "`[]` is no time of a schedule",
    b'{"id": 1, "op": "cancel", "key": "zzz"}': "no schedule zzz",
    b'{"id": 1, "op": "import", "lines": "x", "first": 2}': "not valid",
    b'{"id": 1, "op": "import", "lines": ["x"], "first": 2}': "Line 2: ",
    b'{"id": 1, "op": "forget", "ids": "x"}': "not valid",
    b'{"id": 1, "op": "forget_person"}': "not valid",
    b'{"id": 1, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}": "not valid",
}


async def test_a_bad_request_costs_only_its_own_answer():
    async with running_host() as running, anyio.create_task_group() as group:
        await group.start(Control(running.host).serve)
        async with await anyio.connect_unix(path_of(running.host.state)) as stream:
            for line, words in BAD.items():
                await stream.send(line + b"\n")
                answer = b""
                while not answer.endswith(b"\n"):
                    answer += await stream.receive()
                assert words in msgspec.json.decode(answer)["error"]["message"]
        remote = await connect(running.host.state)
        group.start_soon(remote.read)
        said = await remote.request("ask", agent="", room="r", person="Ana", text="still there?")
        assert said["reply"]["text"] == "You said: still there?"
        group.cancel_scope.cancel()


async def test_what_the_daemon_refuses_is_the_same_error_on_the_other_side():
    async with running_host() as running, anyio.create_task_group() as group:
        await group.start(Control(running.host).serve)
        remote = await connect(running.host.state)
        group.start_soon(remote.read)
        with pytest.raises(CarrierError, match="There is no turn nowhere"):
            await remote.why("nowhere")
        with pytest.raises(CarrierError, match="Choose one from 1 s to ten years") as raised:
            await remote.request("schedule", when="every 0", text="hello")
        assert raised.value.exit_code == 64
        group.cancel_scope.cancel()


async def test_what_an_operator_changes_goes_through_the_socket():
    async with running_host() as running, anyio.create_task_group() as group:
        await group.start(Control(running.host).serve)
        remote = await connect(running.host.state)
        group.start_soon(remote.read)
        made = await remote.request("schedule", when="every 60", text="drink", room="kitchen", by="Ana")
        assert (made["agent"], made["person"], made["room"]) == ("robin", "Ana", "kitchen")
        assert (await remote.request("cancel", key=made["id"][:8]))["id"] == made["id"]
        running.client.fail(Rejected("too rude"))
        await running.ask("hello")
        [dead] = await running.store.journal.outbox()
        told = await remote.request("retry", key=dead.part.key)
        assert [each["key"] for each in told["retried"]] == [dead.part.key]
        assert [part.text for part in await running.client.replies()] == ["You said: hello"]
        lines = [encode(entry).decode() async for batch in running.store.export() for entry in batch]
        assert await remote.request("import", lines=lines, first=2) == 0
        assert await remote.request("imported") is None
        removed = await remote.request("forget_person", entity=running.client.person("Ana").id)
        assert removed["memories"] == 2
        group.cancel_scope.cancel()


async def test_a_daemon_that_stops_ends_what_waits_for_it():
    async with running_host() as running, anyio.create_task_group() as clients:
        running.provider.hold()
        async with anyio.create_task_group() as daemon:
            await daemon.start(Control(running.host).serve)
            remote = await connect(running.host.state)
            clients.start_soon(remote.read)

            async def ask():
                with pytest.raises(Unavailable, match="stopped before it answered"):
                    await remote.request("ask", agent="", room="r", person="Ana", text="hello")

            clients.start_soon(ask)
            await running.provider.asked(1)
            daemon.cancel_scope.cancel()
        running.provider.release()


async def test_nobody_is_there_where_no_daemon_runs(tmp_path):
    assert await connect(tmp_path) is None
    path_of(tmp_path).touch()
    assert await connect(tmp_path) is None
