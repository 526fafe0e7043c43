"""The chat of a person, on a real pseudo terminal."""

from __future__ import annotations

import re
import sys

import anyio
import pytest

from carrier_client_terminal import Settings
from carrier_client_terminal.client import TerminalClient
from carrier_core import NotDone, Rejected, Room, RoomKind

pytestmark = pytest.mark.anyio

_COLOURS = re.compile(r"\x1b\[([0-9;]*)m")
UP, CTRL_C, CTRL_D, CTRL_R, ALT_ENTER = "\x1b[A", "\x03", "\x04", "\x12", "\x1b\r"


def chatting(host, terminal):
    return terminal.chat(host)


async def test_it_greets_and_answers(at_terminal, terminal):
    async with chatting(at_terminal, terminal):
        assert "You talk with tifa in the room r1. /help shows the commands" in terminal.text
        terminal.type("hello\r")
        await terminal.sees("tifa › You said: hello\n")
        await terminal.sees("Ana ›")
    assert at_terminal.said == ["hello"]


async def test_quit_leaves(at_terminal, terminal):
    async with chatting(at_terminal, terminal):
        terminal.type("/quit\r")
    assert at_terminal.said == []


async def test_several_lines(at_terminal, terminal):
    async with chatting(at_terminal, terminal):
        terminal.type(f"one{ALT_ENTER}two\r")
        await terminal.sees("tifa › You said: one\ntwo\n")
        await terminal.sees("Ana ›")
        terminal.type("\x1b[200~three\rfour\x1b[201~\r")
        await terminal.sees("tifa › You said: three\nfour\n")
        await terminal.sees("Ana ›")
    assert at_terminal.said == ["one\ntwo", "three\nfour"]


async def test_the_arrow_keys_and_search_find_what_was_typed_in_an_earlier_chat(at_terminal, terminal, tmp_path):
    async with chatting(at_terminal, terminal):
        terminal.type("the first\r")
        await terminal.sees("You said: the first\n")
        await terminal.sees("Ana ›")
        terminal.type("the second\r")
        await terminal.sees("You said: the second\n")
        await terminal.sees("Ana ›")
    file = tmp_path / "state" / "carrier" / "terminal-history"
    assert file.stat().st_mode & 0o777 == 0o600

    client = TerminalClient(Settings(), stdin=terminal.stdin, stdout=terminal.stdout)
    client.configure(agent="tifa", room="r1", person="Ana")
    at_terminal.client = client
    async with chatting(at_terminal, terminal):
        terminal.type(UP)
        await terminal.sees("the second")
        terminal.type("\r")
        await terminal.sees("You said: the second\n")
        await terminal.sees("Ana ›")
        terminal.type(CTRL_R + "fir")
        await terminal.sees("the first")
        terminal.type("\r")  # ends the search
        terminal.type("\r")
        await terminal.sees("You said: the first\n")
        await terminal.sees("Ana ›")
    assert at_terminal.said[2:] == ["the second", "the first"]


async def test_without_history_nothing_is_kept(at_terminal, terminal, tmp_path):
    at_terminal.client._settings = Settings(history=False)
    async with chatting(at_terminal, terminal):
        terminal.type("hello\r")
        await terminal.sees("You said: hello\n")
        await terminal.sees("Ana ›")
    assert not (tmp_path / "state").exists()


async def test_a_history_that_cannot_be_kept_is_told_and_the_chat_goes_on(at_terminal, terminal, tmp_path):
    (tmp_path / "state").write_text("a file where a folder should be", encoding="utf-8")
    async with chatting(at_terminal, terminal):
        assert "What you type is not kept" in terminal.text
        assert "history_file in [clients.terminal]" in terminal.text
        terminal.type("hello\r")
        await terminal.sees("You said: hello\n")
        await terminal.sees("Ana ›")


async def test_an_answer_is_streamed_and_not_printed_twice(at_terminal, terminal):
    host = at_terminal
    host.held = {"hello"}
    async with chatting(host, terminal):
        terminal.type("hello\r")
        await terminal.sees("tifa is thinking")
        await host.draft("turn1", "Hello, ")
        await terminal.sees("tifa › Hello,")
        await host.draft("turn1", "Ana.")
        await terminal.sees(" Ana.")
        await host.reply("turn1", "Hello, Ana.")
        host.end("turn1")
        await terminal.sees("Ana ›")
    assert terminal.text.count("Hello, Ana.") == 1


async def test_the_prompt_is_back_while_the_agent_still_learns_from_the_turn(at_terminal, terminal):
    host = at_terminal
    host.held = {"hello"}
    async with chatting(host, terminal):
        terminal.type("hello\r")
        await terminal.sees("thinking")
        await host.reply("turn1", "Hello.")
        await terminal.sees("tifa › Hello.\n")
        await terminal.sees("Ana ›")
        terminal.type("half")
        await terminal.sees("half")
        host.end("turn1", status="failed", reason="nothing could be learned")
        await terminal.sees("The turn failed: nothing could be learned\n")
        await terminal.sees("Ana › half")
        terminal.type(CTRL_C)
        await terminal.sees("Ana ›")


async def test_a_reply_that_differs_from_its_draft_is_shown_whole(at_terminal, terminal):
    host = at_terminal
    host.held = {"hello"}
    async with chatting(host, terminal):
        terminal.type("hello\r")
        await terminal.sees("thinking")
        await host.draft("turn1", "I cannot")
        await terminal.sees("tifa › I cannot")
        await host.draft("turn1", "Let me see", attempt=2)
        await terminal.sees("\ntifa › Let me see")
        await host.reply("turn1", "Altogether different.")
        await terminal.sees("\ntifa › Altogether different.\n")
        host.end("turn1")
        await terminal.sees("Ana ›")


async def test_ctrl_c_stops_the_turn_and_not_the_program(at_terminal, terminal):
    host = at_terminal
    host.held = {"a long story"}
    async with chatting(host, terminal):
        terminal.type("a long story\r")
        await terminal.sees("thinking")
        terminal.type(CTRL_C)
        await terminal.sees("Stopping.")
        while not host.stopped:
            await anyio.lowlevel.checkpoint()
        host.end("turn1", status="stopped", reason="Ana stopped it")
        await terminal.sees("Stopped: Ana stopped it\n")
        await terminal.sees("Ana ›")
        terminal.type("hello\r")
        await terminal.sees("tifa › You said: hello\n")
        await terminal.sees("Ana ›")
    assert host.stopped == ["turn1"]


async def test_a_second_ctrl_c_brings_the_prompt_back_and_the_answer_comes_later(at_terminal, terminal):
    host = at_terminal
    host.held = {"stuck"}
    async with chatting(host, terminal):
        terminal.type("stuck\r")
        await terminal.sees("thinking")
        await host.draft("turn1", "I beg")
        await terminal.sees("I beg")
        terminal.type(CTRL_C)
        await terminal.sees("Stopping.")
        terminal.type(CTRL_C)
        await terminal.sees("will be shown when it comes.")
        await terminal.sees("Ana ›")
        terminal.type("half typed")
        await terminal.sees("half typed")
        await host.reply("turn1", "I beg your pardon.")
        host.end("turn1")
        await terminal.sees("tifa › I beg your pardon.\n")
        await terminal.sees("Ana › half typed")
        terminal.type(" line\r")
        await terminal.sees("You said: half typed line\n")
        await terminal.sees("Ana ›")


async def test_ctrl_c_at_the_prompt_clears_the_line_or_says_how_to_leave(at_terminal, terminal):
    async with chatting(at_terminal, terminal):
        terminal.type("half a thought")
        await terminal.sees("half a thought")
        terminal.type(CTRL_C)
        await terminal.sees("Ana ›")
        assert "To leave" not in terminal.text
        terminal.type(CTRL_C)
        await terminal.sees("To leave, type /quit or press Ctrl-D.\n")
        await terminal.sees("Ana ›")
    assert at_terminal.said == []


async def test_what_is_typed_while_the_agent_thinks_is_not_lost(at_terminal, terminal):
    host = at_terminal
    host.held = {"one"}
    async with chatting(host, terminal):
        terminal.type("one\r")
        await terminal.sees("thinking")
        terminal.type("two\r")
        host.end("turn1", status="silent", reason="nothing to say")
        await terminal.sees("No answer: nothing to say\n")
        await terminal.sees("tifa › You said: two\n")
        await terminal.sees("Ana ›")
    assert host.said == ["one", "two"]


async def test_what_comes_while_the_person_types_goes_above_the_line(at_terminal, terminal):
    async with chatting(at_terminal, terminal):
        terminal.type("half typed")
        await terminal.sees("half typed")
        room = Room.of("local", "r9", kind=RoomKind.DM)
        await at_terminal.reply("other", "By the way,\nI remembered it.", room=room)
        await terminal.sees("tifa (r9) › By the way,\nI remembered it.\n")
        await terminal.sees("Ana › half typed")
        print("a plugin prints")
        await terminal.sees("a plugin prints\n")
        await terminal.sees("Ana › half typed")
        log = sys.stdout
        print("and ends", end="")
        terminal.type(CTRL_C)
        await terminal.sees("Ana ›")
    await terminal.sees("and ends")
    print("after the chat", file=log, flush=True)
    await terminal.sees("after the chat")


async def test_what_would_steer_the_terminal_is_shown(at_terminal, terminal):
    at_terminal.answer = lambda text: "\x1b]0;mine now\x07\x1b[2Jgone \x9b31m\u202etxet"
    async with chatting(at_terminal, terminal):
        terminal.type("hello\r")
        await terminal.sees("tifa › ␛]0;mine now␇␛[2Jgone <U+009B>31m<U+202E>txet\n")
        await terminal.sees("Ana ›")
    assert "\x1b]0;mine" not in terminal.raw
    assert "\x9b" not in terminal.raw


async def test_commands(at_terminal, terminal):
    host = at_terminal
    async with chatting(host, terminal):
        for typed, seen in {
            "/why": "Nothing was said yet.",
            "/help": "Alt-Enter begins a new line",
            "/stop": "No answer is being made.",
            "/status": "tifa",
            "/hlep": "There is no command /hlep. Did you mean /help?",
            "/new other\x1b[31m": "This is the room other",
            "//slash": "You said: /slash\n",
            "/why ": "outside:http://x",
            "/WHY turn7": "turn7 · tifa · replied · 23.0 ms",
        }.items():
            terminal.type(f"{typed}\r")
            await terminal.sees(seen)
            await terminal.sees("Ana ›")
    assert host.said == ["/slash"]
    assert host.heard[0].room.name.startswith("other")


async def test_reset_asks_first(at_terminal, terminal):
    host = at_terminal
    async with chatting(host, terminal):
        for answer in ("\r", "n\r", CTRL_C, CTRL_D):
            terminal.type("/reset\r")
            await terminal.sees("Forget what was said in the room r1? [y/N]")
            terminal.type(answer)
            await terminal.sees("Nothing was forgotten.\n")
            await terminal.sees("Ana ›")
        assert host.forgotten == []
        terminal.type("/reset\r")
        await terminal.sees("[y/N]")
        terminal.type("y\r")
        await terminal.sees("Forgotten: 3 memories of the room r1.\n")
        await terminal.sees("Ana ›")
    assert len(host.forgotten) == 1


async def test_a_failed_turn_and_a_failing_host(at_terminal, terminal):
    host = at_terminal
    host.held = {"hello"}
    async with chatting(host, terminal):
        terminal.type("hello\r")
        await terminal.sees("thinking")
        await host.reply("turn1", "Something went wrong.", notice=True)
        host.end("turn1", status="failed", reason="no key is set")
        await terminal.sees("Something went wrong.\n")
        await terminal.sees("The turn failed: no key is set\n")
        await terminal.sees("Ana ›")
        host.wait = None

        async def accept(inbound):
            raise NotDone("The disk is full.")

        host.accept = accept
        terminal.type("again\r")
        await terminal.sees("The disk is full.\n")
        await terminal.sees("Ana ›")
    assert host.client.failed


async def test_a_terminal_that_goes_away_ends_the_chat(at_terminal, terminal):
    host = at_terminal
    host.held = {"hello"}
    async with chatting(host, terminal):
        terminal.type("hello\r")
        await terminal.sees("thinking")
        terminal.hang_up()
        with pytest.raises(Rejected):
            await host.reply("turn1", "Are you there?")
        terminal.type = lambda keys: None
        host.end("turn1")


async def test_colours(at_terminal, terminal):
    async with chatting(at_terminal, terminal):
        pass
    assert {"2"} < set(_COLOURS.findall(terminal.raw))


async def test_no_colours_with_no_color(at_terminal, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with chatting(at_terminal, terminal):
        terminal.type("hello\r")
        await terminal.sees("You said: hello\n")
        await terminal.sees("Ana ›")
    assert set(_COLOURS.findall(terminal.raw)) <= {"", "0"}


async def test_a_reply_is_shown_once_however_often_it_is_sent(at_terminal, terminal):
    host = at_terminal
    async with chatting(host, terminal):
        terminal.type("hello\r")
        await terminal.sees("You said: hello\n")
        await terminal.sees("Ana ›")
        again = await host.reply("turn1", "You said: hello")
        assert again.key == "turn1/You said: hello"
    assert terminal.text.count("You said: hello") == 1
