"""Plain lines: what a script gets when standard input is no terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from carrier_client_terminal import Settings
from carrier_client_terminal.client import TerminalClient
from carrier_core import Entity, InboundKind, NotDone, Part, Rejected, ReplyPart, Room, RoomKind, Unavailable

pytestmark = pytest.mark.anyio


async def test_each_line_is_a_message_and_only_answers_are_on_stdout(script, capsys):
    assert await script.run(b"hello\nhow are you?\n") == "You said: hello\nYou said: how are you?\n"
    assert not script.host.client.failed
    assert capsys.readouterr().err == ""


async def test_an_answer_is_printed_before_the_next_line_is_sent(script):
    before = []
    accept = script.host.accept

    async def watching(inbound):
        before.append(script.path.read_text(encoding="utf-8"))
        return await accept(inbound)

    script.host.accept = watching
    await script.run(b"one\ntwo\n")
    assert before == ["", "You said: one\n"]


async def test_what_the_host_is_handed(script):
    await script.run(b"hello\n")
    (inbound,) = script.host.heard
    assert inbound.kind is InboundKind.MESSAGE
    assert inbound.room == Room.of("local", "r1", kind=RoomKind.DM)
    assert inbound.message.sender == Entity.of("local", "Ana")
    assert (inbound.client, inbound.agent) == ("terminal", "tifa")
    assert inbound.message.at > 0


async def test_the_same_words_twice_are_two_messages(script):
    await script.run(b"hello\nhello\n")
    one, two = script.host.heard
    assert one.dedupe_key != two.dedupe_key
    assert one.message.id != two.message.id


async def test_empty_lines_are_skipped_and_the_last_needs_no_end(script):
    await script.run(b"\n  \t\r\none\r\n\ntwo")
    assert script.host.said == ["one", "two"]


async def test_what_is_not_utf_8_is_replaced(script):
    await script.run(b"caf\xe9 \xff\n")
    assert script.host.said == ["caf\ufffd \ufffd"]


async def test_a_megabyte_is_one_message_and_is_answered_whole(script):
    script.stdin.close()
    long = "x" * 1_000_000
    source = script.path.with_name("in")
    source.write_text(long, encoding="utf-8")
    with source.open(encoding="utf-8") as stdin:
        script.host.client._stdin = stdin
        out = await script.run()
    assert script.host.said == [long]
    assert len(out) == len(long) + len("You said: \n")


async def test_two_slashes_send_one(script):
    await script.run(b"//etc is a folder\n")
    assert script.host.said == ["/etc is a folder"]


async def test_commands_work_and_are_not_sent(script, capsys):
    out = await script.run(b"hello\n/why\n/status\n/reset\n/new r2\nhello again\n/nwe\n/quit\nnever sent\n")
    assert script.host.said == ["hello", "hello again"]
    assert "weather" in out
    assert "tifa" in out
    room = Room.of("local", "r1", kind=RoomKind.DM)
    assert script.host.forgotten == [("tifa", room.id)]
    assert script.host.heard[1].room.name == "r2"
    err = capsys.readouterr().err
    assert "Forgotten: 3 memories" in err
    assert "Did you mean /new?" in err


async def test_a_failed_turn_prints_its_notice_and_its_reason(script, capsys):
    host = script.host

    async def wait(turn):
        await host.reply(turn, "Something went wrong.", notice=True)
        return {"turn": turn, "status": "failed", "reason": "no key is set"}

    host.wait = wait
    assert await script.run(b"hello\n") == "Something went wrong.\n"
    assert "no key is set" in capsys.readouterr().err
    assert host.client.failed


async def test_nobody_heard_it(script, capsys):
    script.host.refuses = "it was spam"
    assert await script.run(b"hello\n") == ""
    assert "it was spam" in capsys.readouterr().err


async def test_an_error_of_the_host_is_told_and_the_next_line_is_sent(script, capsys):
    wait = script.host.wait

    async def failing(turn):
        if turn == "turn1":
            raise NotDone("The store is full.")
        return await wait(turn)

    script.host.wait = failing
    assert await script.run(b"one\ntwo\n") == "You said: two\n"
    assert "The store is full." in capsys.readouterr().err
    assert script.host.client.failed


async def test_a_host_that_is_gone_ends_it(script):
    async def gone(inbound):
        raise Unavailable("The daemon does not answer.")

    script.host.accept = gone
    with pytest.raises(Unavailable):
        await script.run(b"one\ntwo\n")


async def test_escape_sequences_are_shown_not_printed(script):
    script.host.answer = lambda text: "\x1b]0;title\x07 \x9b2J \u202etxet\tend\r\nline \ud800"
    out = await script.run(b"hello\n")
    assert out == "␛]0;title␇ <U+009B>2J <U+202E>txet\tend\nline \ufffd\n"


async def test_what_is_said_elsewhere_is_not_on_stdout(script, capsys):
    async def answer_elsewhere_too(turn):
        await script.host.reply("other", "By the way.", room=Room.of("local", "r9", kind=RoomKind.DM))
        await script.host.reply(turn, "Hello.")
        return {"status": "replied"}

    script.host.wait = answer_elsewhere_too
    assert await script.run(b"hello\n") == "Hello.\n"
    assert "tifa (r9): By the way." in capsys.readouterr().err


async def test_a_reply_that_overtakes_its_acceptance_is_printed(script):
    accept = script.host.accept

    async def fast(inbound):
        accepted = await accept(inbound)
        await script.host.reply("turn1", "Quick.")
        script.host.results["turn1"] = {"status": "replied"}
        return accepted

    script.host.accept = fast
    assert await script.run(b"hello\n") == "Quick.\n"


async def test_drafts_are_not_printed(script):
    async def streaming(turn):
        await script.host.draft(turn, "Hel")
        await script.host.draft(turn, "lo.")
        await script.host.reply(turn, "Hello.")
        return {"status": "replied"}

    script.host.wait = streaming
    assert await script.run(b"hello\n") == "Hello.\n"


async def test_nobody_reads_the_answers_any_more(script):
    source, sink = os.pipe()
    os.close(source)
    errors = []

    async def wait(turn):
        try:
            await script.host.reply(turn, "Hello.")
        except Rejected as error:
            errors.append(error)
        return {"status": "failed", "reason": "not delivered"}

    script.host.wait = wait
    with os.fdopen(sink, "w", encoding="utf-8") as stdout:
        script.host.client._stdout = stdout
        await script.run(b"one\ntwo\nthree\n")
    assert script.host.said == ["one"]
    assert len(errors) == 1
    assert not script.host.client.failed


async def test_waiting_for_input_stops_nothing_else_and_can_be_cancelled(script):
    started = anyio.Event()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(script.host.client.run, script.host, started.set)
            await started.wait()
            script.feed(b"hel")
            await anyio.lowlevel.checkpoint()
            script.feed(b"lo\n")
            while not script.path.read_text(encoding="utf-8"):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert script.host.said == ["hello"]


async def test_an_input_that_cannot_be_polled_is_read(script, tmp_path):
    with Path(os.devnull).open(encoding="utf-8") as stdin:
        script.host.client._stdin = stdin
        assert await script.run() == ""
    file = tmp_path / "lines"
    file.write_bytes(b"one\ntwo\n")
    with file.open(encoding="utf-8") as stdin:
        script.host.client._stdin = stdin
        assert await script.run() == "You said: one\nYou said: two\n"


async def test_a_closed_input_is_an_empty_one(script):
    script.stdin.close()
    assert await script.run() == ""


async def test_nobody_chats(script):
    with pytest.raises(NotDone, match="carrierd chat"):
        await TerminalClient(Settings()).send(ReplyPart("k", "t", "tifa", Room.of("local", "r1"), (Part("x"),)))


async def test_without_an_agent_it_says_so(script):
    client = TerminalClient(Settings(), stdin=script.stdin, stdout=script.stdout)
    script.host.agents = ()
    with pytest.raises(Unavailable, match=r"agents\.NAME"):
        await client.run(script.host, lambda: None)


def test_prompt_toolkit_waits_for_its_first_use():
    code = (
        "import sys, carrier_client_terminal as t; t.register_clients(t.Settings());"
        "sys.exit('prompt_toolkit' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


async def test_a_reply_that_comes_after_the_word_that_its_turn_ended_is_waited_for(script):
    wait = script.host.wait

    async def early(turn):
        tasks.start_soon(wait, turn)
        return {"turn": turn, "status": "replied", "reply": {"text": "You said: hello", "notice": False}}

    script.host.wait = early
    async with anyio.create_task_group() as tasks:
        assert await script.run(b"hello\n") == "You said: hello\n"
