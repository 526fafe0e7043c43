"""A server as it is kept: started when it is needed, shared, started again when it dies, and left alone when it keeps dying."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import anyio
import pytest

from carrier_actions_mcp.mask import Mask
from carrier_actions_mcp.session import reason
from carrier_actions_mcp.settings import ServerSettings
from carrier_core import InDoubt, NotDone, Rejected

pytestmark = pytest.mark.anyio


def alive(pid: int) -> bool:
    """Whether it runs: one that has ended and that nobody has asked about is still in the table, as a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def test_it_is_not_started_before_it_is_needed(keep, raw) -> None:
    async with keep(raw()) as kept:
        await anyio.lowlevel.checkpoint()

        assert kept.pid == 0


async def test_it_is_started_once_for_all_calls(keep, raw) -> None:
    async with keep(raw()) as kept:
        said = []

        async def ask(number: int) -> None:
            said.append(await kept.text("echo", text=str(number)))

        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(ask, number)

        assert sorted(said) == ["0", "1", "2", "3", "4"]
        assert len(kept.around.listings) == 1


async def test_nothing_is_left_of_it_when_it_is_closed(keep, raw) -> None:
    async with keep(raw()) as kept:
        await kept.text("echo", text="x")
        pid = kept.pid
        assert alive(pid)

    assert not alive(pid)


async def test_what_it_started_itself_ends_with_it(keep, folder) -> None:
    script = f"sleep 600 & echo $! >{folder}/child; yes"
    async with keep(ServerSettings(command="sh", args=("-c", script))) as kept:
        with pytest.raises(NotDone, match="does not speak the protocol"):
            await kept.server.session()

        assert not alive(int((folder / "child").read_text()))


async def test_it_gets_nothing_of_the_daemons_environment_that_it_does_not_need(keep, monkeypatch, raw) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("CERTIFICATES", "/certs")
    async with keep(raw(env={"RAW_KEY": "k-secret"}, inherit=["CERTIFICATES"])) as kept:
        environment = await kept.text("env")

        assert "sk-secret" not in environment
        assert '"RAW_KEY": "k-secret"' in environment
        assert '"CERTIFICATES": "/certs"' in environment
        assert '"PATH"' in environment
        assert {
            "event": "mcp_server_said",
            "line": "raw server, key ********",
            "server": "raw",
            "log_level": "debug",
        } in kept.around.logs


# --- dying ------------------------------------------------------------------------------------------------------------


async def test_a_server_that_was_killed_is_started_again(keep, raw) -> None:
    async with keep(raw()) as kept:
        await kept.text("echo", text="before")
        first = kept.pid
        os.kill(first, signal.SIGKILL)
        await kept.server._session.done.wait()

        assert await kept.text("echo", text="after") == "after"
        assert kept.pid != first
        assert kept.around.pauses == []
        (ended,) = [entry for entry in kept.around.logs if entry["event"] == "mcp_server_ended"]
        assert ended["why"] == "was ended by the signal 9"


async def test_a_read_that_broke_off_is_made_again(keep, raw, done) -> None:
    async with keep(raw()) as kept:
        assert await kept.text("die_once", repeat=True) == "It lives."
        assert done() == ["die_once {}", "die_once {}"]


async def test_a_read_is_made_again_only_once(keep, raw, done) -> None:
    async with keep(raw()) as kept:
        with pytest.raises(NotDone, match="raw gave no answer: it ended"):
            await kept.call("die_reading", repeat=True)

        assert done() == ["die_reading {}"] * 2


async def test_of_an_effect_that_broke_off_nobody_knows(keep, raw, done) -> None:
    async with keep(raw()) as kept:
        with pytest.raises(InDoubt, match="raw gave no answer: it ended"):
            await kept.call("die_writing")

        assert done() == ["die_writing {}"]


async def test_a_server_that_cannot_be_started_did_nothing(keep, folder, raw, done) -> None:
    (folder / "broken").touch()
    async with keep(raw()) as kept:
        with pytest.raises(NotDone, match="The MCP server raw"):
            await kept.server.session()

        assert done() == []


async def test_a_program_that_is_not_there_is_named(keep) -> None:
    async with keep(ServerSettings(command="no-such-program")) as kept:
        with pytest.raises(NotDone, match="The MCP server raw cannot be started: there is no no-such-program"):
            await kept.server.session()


async def test_a_server_that_keeps_failing_rests_longer_and_longer(keep, folder, raw) -> None:
    (folder / "broken").touch()
    async with keep(raw()) as kept:
        for _ in range(5):
            with pytest.raises(NotDone):
                await kept.server.session()
            await kept.server._session.done.wait()

        assert kept.around.pauses == [1.0, 2.0, 4.0]
        with pytest.raises(NotDone, match=r"failed 5 times and rests; it is tried again at 10:00:15 UTC") as refused:
            await kept.server.session()
        assert refused.value.retry_after == 8.0


async def test_a_server_that_has_rested_is_tried_again(keep, folder, raw) -> None:
    (folder / "broken").touch()
    async with keep(raw()) as kept:
        for _ in range(5):
            with pytest.raises(NotDone):
                await kept.server.session()
        (folder / "broken").unlink()
        kept.around.clock.advance(60.0)

        assert await kept.text("echo", text="at last") == "at last"


async def test_a_server_that_ran_for_a_minute_has_not_failed_before(keep, raw) -> None:
    async with keep(raw()) as kept:
        for _ in range(4):
            await kept.text("echo", text="x")
            kept.around.clock.advance(61.0)
            os.kill(kept.pid, signal.SIGKILL)
            await kept.server._session.done.wait()
        await kept.text("echo", text="x")

        assert kept.around.pauses == []


# --- hanging, flooding, talking nonsense ------------------------------------------------------------------------------


async def test_a_call_that_hangs_ends(keep, raw, done) -> None:
    async with keep(raw(seconds=1)) as kept:
        with pytest.raises(NotDone, match=r"did not answer within 1 s"):
            await kept.call("hang", repeat=True)

        assert done() == ["hang {}"]


async def test_of_an_effect_that_hangs_nobody_knows(keep, raw) -> None:
    async with keep(raw(seconds=0.2)) as kept:
        with pytest.raises(InDoubt, match=r"did not answer within 0.2 s"):
            await kept.call("hang_writing")


async def test_a_server_that_hangs_is_ended_and_started_again(keep, folder, monkeypatch, raw) -> None:
    monkeypatch.setattr("carrier_actions_mcp.session.ANSWER_SECONDS", 0.1)
    async with keep(raw(seconds=0.2)) as kept:
        with pytest.raises(NotDone):
            await kept.call("hang", repeat=True)
        with anyio.fail_after(20):
            await kept.server._session.done.wait()
        (folder / "mute").unlink()
        kept.server.settings = raw()

        assert await kept.text("echo", text="back") == "back"


async def test_a_server_that_only_was_slow_is_kept(keep, raw) -> None:
    async with keep(raw(seconds=0.2)) as kept:
        with pytest.raises(NotDone):
            await kept.call("ignore", repeat=True)
        await kept.around.learned(2)  # it was asked whether it is still there
        pid, kept.server.settings = kept.pid, raw()

        assert await kept.text("echo", text="still there") == "still there"
        assert kept.pid == pid


async def test_a_server_that_never_answers_is_not_waited_for_long(keep, folder, raw) -> None:
    (folder / "mute").touch()
    async with keep(raw(start_seconds=0.3)) as kept:
        with pytest.raises(NotDone, match=r"raw was not ready within 0.3 s"):
            await kept.server.session()


async def test_a_message_that_is_too_long_ends_it(keep, raw) -> None:
    async with keep(raw()) as kept:
        with pytest.raises(NotDone, match="sent a message of more than 4 MB"):
            await kept.call("flood_line", repeat=True)

        assert await kept.text("echo", text="back") == "back"


async def test_a_flood_of_messages_ends_it(keep, raw) -> None:
    async with keep(raw()) as kept:
        with pytest.raises(InDoubt, match="sent more than 5,000 messages without being asked"):
            await kept.call("flood_messages")


async def test_junk_among_the_messages_is_passed_over(keep, raw) -> None:
    async with keep(raw()) as kept:
        assert await kept.text("junk") == "It was among junk."


async def test_a_program_that_speaks_something_else_is_ended(keep) -> None:
    async with keep(ServerSettings(command="yes")) as kept:
        with pytest.raises(NotDone, match="does not speak the protocol"):
            await kept.server.session()


async def test_an_error_of_the_server_is_told_as_it_is(keep, raw) -> None:
    async with keep(raw()) as kept:
        with pytest.raises(Rejected, match=r"raw did not do it: it said: It broke inside\."):
            await kept.call("error")


async def test_of_an_effect_whose_answer_is_nonsense_nobody_knows(keep, raw) -> None:
    async with keep(raw()) as kept:
        with pytest.raises(InDoubt, match="something that is no result"):
            await kept.call("shapeless")


BAD = [
    {"name": "array", "inputSchema": {"type": "array"}},
    {"name": "missing"},
    {"name": "text", "inputSchema": "anything"},
    {"name": "nested", "inputSchema": {"type": "object", "properties": {"a": 7}}},
    {
        "name": "beside",
        "inputSchema": {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}, "properties": {"a": 7}},
    },
    {"name": "outlet", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array"}},
    {"name": "referring", "inputSchema": {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}, "$schema": 7}},
    {"name": "pictured", "inputSchema": {"type": "object"}, "icons": "none", "_meta": 7},
    {"inputSchema": {"type": "object"}},
    "no tool at all",
]


async def test_a_bad_tool_costs_neither_the_others_nor_the_server(keep, raw, folder) -> None:
    good = {"name": "echo", "description": "Says it again.", "inputSchema": {"type": "object"}}
    (folder / "tools.json").write_text(json.dumps([*BAD, good]))
    async with keep(raw()) as kept:
        assert await kept.text("echo", text="still here") == "still here"
        (listing,) = kept.around.listings
        assert [tool.name for tool in listing.tools] == ["outlet", "referring", "pictured", "echo"]
        assert {name: why for name, why in listing.unfit.items() if name != "nested"} == {
            "array": "has a schema that is not of type object",
            "missing": "has no schema",
            "text": "has something else than an object as its inputSchema",
            "beside": "is not described as the protocol has it",
            "#9": "has no name",
            "#10": "is no description of a tool",
        }
        assert listing.unfit["nested"].startswith("has a schema that is no JSON schema")


async def test_a_deep_tool_costs_no_other(keep, raw, folder) -> None:
    deep: object = "x"
    for _ in range(150):
        deep = [deep]
    good = {"name": "echo", "inputSchema": {"type": "object"}}
    (folder / "tools.json").write_text(
        json.dumps([{"name": "deep", "inputSchema": {"type": "object", "allOf": [{"not": {"items": deep}}]}}, good])
    )
    async with keep(raw()) as kept:
        await kept.server.session()

        (listing,) = kept.around.listings
        assert [tool.name for tool in listing.tools] == ["echo"]


async def test_a_list_that_is_none_is_told_in_a_short_sentence(keep, raw, folder) -> None:
    (folder / "tools.json").write_text('{"a": "b"}')
    async with keep(raw()) as kept:
        with pytest.raises(NotDone) as refused:
            await kept.server.session()

        assert str(refused.value).startswith(
            "The MCP server raw failed: it answered with something that is not of the protocol."
        )
        assert "pydantic" not in f"{refused.value}{kept.around.logs}"


async def test_whatever_ends_a_session_is_told_in_a_short_sentence() -> None:
    endless = RuntimeError("It broke at sk-secret.\n" + "And there.\n" * 1_000)
    mask = Mask(["sk-secret"])

    assert reason(endless, mask) == "failed with RuntimeError: It broke at ********"
    assert len(reason(ExceptionGroup("", [RuntimeError("x" * 1_000)]), mask)) < 200


# --- keys -------------------------------------------------------------------------------------------------------------


async def test_no_error_repeats_a_key(keep, raw) -> None:
    async with keep(raw(env={"RAW_KEY": "broke inside"})) as kept:
        with pytest.raises(Rejected) as refused:
            await kept.call("error")

        assert refused.value.message == "The MCP server raw did not do it: it said: It ********."


async def test_no_description_repeats_a_key(keep, raw, folder) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "description": "Not sk-secret."}}}
    tool = {"name": "echo_it", "description": "With sk-secret.", "inputSchema": schema}
    (folder / "tools.json").write_text(json.dumps([tool]))
    async with keep(raw(env={"RAW_KEY": "sk-secret", "OTHER": "echo_it"})) as kept:
        listed = await kept.tool("echo_it")  # what it is called stays, whatever is hidden

        assert listed.description == "With ********."
        assert listed.parameters["properties"] == {"a": {"type": "string", "description": "Not ********."}}
        assert "sk-secret" not in str(kept.around.logs)


async def test_what_it_asks_of_the_model_is_refused(keep, raw) -> None:
    async with keep(raw()) as kept:
        assert await kept.text("asks") == "It asked."


# --- changing ---------------------------------------------------------------------------------------------------------


async def test_a_change_of_its_tools_is_noticed(keep, raw) -> None:
    async with keep(raw()) as kept:
        await kept.call("change")

        before, after = await kept.around.learned(2)
        assert {tool.name for tool in after.tools} - {tool.name for tool in before.tools} == {"brand_new"}


async def test_a_tool_is_not_called_as_another_one_than_it_was_offered(keep, raw, done) -> None:
    async with keep(raw()) as kept:
        echo, error = await kept.tool("echo"), await kept.tool("error")
        await kept.call("change")
        os.kill(kept.pid, signal.SIGKILL)
        await kept.server._session.done.wait()

        for tool in (echo, error):
            with pytest.raises(NotDone, match=r"does not have .* any more as it was offered"):
                await kept.server.call(tool, {"text": "x"}, repeat=True)
        assert done() == ["change {}"]


async def test_a_trusted_server_may_describe_a_tool_in_other_words(keep, raw) -> None:
    async with keep(raw(trusted=True)) as kept:
        echo = await kept.tool("echo")
        await kept.call("change")
        os.kill(kept.pid, signal.SIGKILL)
        await kept.server._session.done.wait()

        assert (await kept.server.call(echo, {"text": "x"}, repeat=True)).content[0].text == "x"


# --- the newest protocol ----------------------------------------------------------------------------------------------

NEWEST = """
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("newest")

@server.tool()
def echo(text: str) -> str:
    "Says it again."
    return text

@server.tool()
async def grow(context: Context) -> str:
    "Has one more tool from now on."
    server.add_tool(echo, name="grown")
    await context.notify_tools_changed()
    return "It grew."

server.run()
"""


async def test_a_server_of_the_newest_protocol_is_called_and_tells_of_changes(keep) -> None:
    async with keep(ServerSettings(command=sys.executable, args=("-c", NEWEST))) as kept:
        assert await kept.text("echo", text="Hello") == "Hello"
        assert kept.server._session._client.protocol_version == "2026-07-28"

        assert await kept.text("grow") == "It grew."
        _, after = await kept.around.learned(2)
        assert [tool.name for tool in after.tools] == ["echo", "grow", "grown"]
