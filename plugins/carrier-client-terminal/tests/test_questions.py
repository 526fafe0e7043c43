"""What an agent asks in a chat before it goes on: how it is shown, and answered."""

from __future__ import annotations

import anyio
import pytest

from carrier_core import InboundKind, NotDone, Part, ReplyPart

pytestmark = pytest.mark.anyio


def answers(host):
    return [(inbound.kind, inbound.target, inbound.value) for inbound in host.answered]


# --- plain lines ----------------------------------------------------------------------------------------------------------


def asking(host, **given):
    """Let the first turn ask something when it is waited for."""
    wait = host.wait

    async def waiting(turn):
        if turn == "turn1" and not host.answered:
            question = await host.ask(turn, **given)
            return {"turn": turn, "status": "parked", "reason": "an approval of buy", "question": {"id": question.id}}
        return await wait(turn)

    host.wait = waiting


@pytest.mark.parametrize(
    ("line", "value"),
    [("/approve", "approve"), ("/refuse", "refuse"), ("/approve 0ABC", "approve"), ("/refuse 0abcde", "refuse")],
)
async def test_a_line_answers_and_the_reply_of_the_turn_follows(script, capsys, line, value):
    asking(script.host)
    out = await script.run(f"buy tea\n{line}\nhello\n".encode())
    question = script.host.answered[0]
    assert out.splitlines() == ["May I?", f"So I was told: {value}", f"So I was told: {value}"]
    assert (question.kind, question.value, question.room.name) == (InboundKind.APPROVAL, value, "r1")
    assert (question.client, question.agent, question.message.sender.name) == ("terminal", "tifa", "Ana")
    assert script.host.said == ["buy tea", "hello"]
    assert "/approve 0abcde or /refuse 0abcde" in capsys.readouterr().err


async def test_y_is_a_message_in_a_script(script):
    asking(script.host)
    await script.run(b"buy tea\ny\n")
    assert (script.host.said, script.host.answered) == (["buy tea", "y"], [])


async def test_what_is_asked_is_listed(script, capsys):
    asking(script.host, text='May I?\nbuy(what="\x1b[2Jtea")')
    out = await script.run(b"buy tea\n/approvals\n/refuse\n/approvals\n")
    assert '0abcde  tifa in r1\n  May I?\n  buy(what="␛[2Jtea")\n  It waits until 20' in out
    assert "Nothing that was asked in this chat waits." in capsys.readouterr().err


async def test_what_was_answered_elsewhere_is_not_listed(script, capsys):
    asking(script.host)
    why = script.host.why

    async def answered(turn):
        return {**await why(turn), "question": None}

    script.host.why = answered
    await script.run(b"buy tea\n/approve\n")
    assert script.host.answered == []
    assert "Nothing that was asked in this chat waits. For what was asked elsewhere: /approve CODE" in (
        capsys.readouterr().err
    )


async def test_of_several_the_code_says_which(script, capsys):
    host = script.host
    wait = host.wait

    async def waiting(turn):
        if turn in ("turn1", "turn2"):
            question = await host.ask(turn)
            return {"turn": turn, "status": "parked", "question": {"id": question.id}}
        return await wait(turn)

    host.wait = waiting
    script.feed(b"buy tea\nbuy jam\n/approve\n")
    await script.run(b"/approvals\n")
    assert host.answered == []
    assert "Several questions wait: /approve CODE, one of 0abcde, 1abcde." in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["Ana may not answer it", "it came too late", "no turn waits for it"])
async def test_an_answer_that_does_not_count_is_told_why(script, capsys, reason):
    asking(script.host)
    script.host.uncounted = reason
    assert await script.run(b"buy tea\n/approve\n") == "May I?\n"
    assert f"It does not count: {reason}\n" in capsys.readouterr().err


async def test_a_question_of_an_earlier_chat_is_answered_by_its_code(script):
    await script.run(b"/approve 3FA9C1\n")
    assert answers(script.host) == [(InboundKind.APPROVAL, "3fa9c1", "approve")]


async def test_an_option_is_chosen(script, capsys):
    asking(script.host, text="Tea or jam?", options=("tea", "plum jam"))
    out = await script.run(b"hello\n/approve\n/choose 0abcde\n/choose 0abcde plum jam\n")
    assert out == "Tea or jam?\nSo I was told: plum jam\n"
    assert [each[::2] for each in answers(script.host)] == [(InboundKind.CHOICE, "plum jam")]
    err = capsys.readouterr().err
    assert '/choose 0abcde OPTION, which is one of "tea", "plum jam"' in err
    assert "Say what to choose: /choose CODE OPTION." in err


async def test_a_host_that_cannot_take_an_answer_is_told(script, capsys):
    asking(script.host)
    accept = script.host.accept

    async def full(inbound):
        if inbound.kind is InboundKind.APPROVAL:
            raise NotDone("The store is full.")
        return await accept(inbound)

    script.host.accept = full
    assert await script.run(b"buy tea\n/approve\nhello\n") == "May I?\nYou said: hello\n"
    assert "The store is full." in capsys.readouterr().err


# --- before a person ------------------------------------------------------------------------------------------------------


async def buying(host, terminal, typed="buy tea"):
    """Say something that is asked about; the prompt offers to answer."""
    host.held.add(typed)
    terminal.type(f"{typed}\r")
    await terminal.sees("is thinking")
    turn = f"turn{len(host.heard)}"
    question = await host.ask(turn, 'May I?\nbuy(what="tea")')
    host.parks(turn, question)
    await terminal.sees('tifa › May I?\nbuy(what="tea")\n')
    await terminal.sees(f"/approve {question.code} or /refuse {question.code}\n")
    return question


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("y", "approve"),
        ("YES", "approve"),
        ("n", "refuse"),
        ("no ", "refuse"),
        ("/approve", "approve"),
        ("/refuse", "refuse"),
    ],
)
async def test_the_prompt_takes_the_answer(at_terminal, terminal, typed, value):
    host = at_terminal
    async with terminal.chat(host):
        question = await buying(host, terminal)
        await terminal.sees("Ana [y/n] ›")
        host.held.clear()
        terminal.type(f"{typed}\r")
        await terminal.sees(f"tifa › So I was told: {value}\n")
        await terminal.sees("Ana ›")
        assert answers(host) == [(InboundKind.APPROVAL, question.id, value)]
        terminal.type("y\r")
        await terminal.sees("tifa › So I was told")
        await terminal.sees("Ana ›")
    assert host.said == ["buy tea", "y"]
    assert "Waiting:" not in terminal.text


async def test_whoever_talks_on_answers_nothing_and_can_answer_later(at_terminal, terminal):
    host = at_terminal
    async with terminal.chat(host):
        question = await buying(host, terminal)
        await terminal.sees("Ana [y/n] ›")
        host.held.clear()
        terminal.type("why do you want to?\r")
        await terminal.sees("tifa › You said: why do you want to?\n")
        await terminal.sees("Ana ›")
        terminal.type("y\r")
        await terminal.sees("tifa › You said: y\n")
        await terminal.sees("Ana ›")
        assert host.answered == []
        terminal.type("/approvals\r")
        await terminal.sees(f"{question.code}  tifa in r1\n")
        await terminal.sees("Ana ›")
        terminal.type("/approve\r")
        await terminal.sees("tifa › So I was told: approve\n")
        await terminal.sees("Ana ›")
    assert host.said == ["buy tea", "why do you want to?", "y"]


async def test_what_was_typed_before_the_question_stood_there_is_no_answer_to_it(at_terminal, terminal):
    host = at_terminal
    host.held = {"buy tea"}
    async with terminal.chat(host):
        terminal.type("buy tea\r")
        await terminal.sees("is thinking")
        terminal.type("y\r")
        await anyio.wait_all_tasks_blocked()  # until then what was typed has been read
        question = await host.ask("turn1")
        host.parks("turn1", question)
        await terminal.sees("tifa › You said: y\n")
        await terminal.sees("Ana ›")
    assert host.answered == []


@pytest.mark.parametrize("another", [True, False])
async def test_when_something_else_was_said_since_a_y_is_not_taken(at_terminal, terminal, another):
    host = at_terminal
    async with terminal.chat(host):
        await buying(host, terminal)
        await terminal.sees("Ana [y/n] ›")
        if another:
            host._ended["other"] = anyio.Event()
            await host.ask("other", "May I sell the house?")
            await terminal.sees("May I sell the house?\n")
        else:
            await host.reply("other", "Is the weather fine?")
            await terminal.sees("Is the weather fine?\n")
        await terminal.sees("Ana [y/n] ›")
        terminal.type("y\r")
        await terminal.sees("Something else was said meanwhile. /approvals lists what waits")
        await terminal.sees("Ana ›")
    assert (host.answered, host.said) == ([], ["buy tea"])


async def test_a_question_that_comes_while_the_person_types_waits_for_the_next_prompt(at_terminal, terminal):
    host = at_terminal
    async with terminal.chat(host):
        terminal.type("hello\r")
        await terminal.sees("tifa › You said: hello\n")
        await terminal.sees("Ana ›")
        terminal.type("yes")
        await terminal.sees("yes")
        question = await host.ask("turn1")
        await terminal.sees("tifa › May I?\n")
        await terminal.sees("Ana › yes")
        terminal.type("\r")
        await terminal.sees("tifa › You said: yes\n")
        await terminal.sees("Ana ›")
        assert host.answered == []
        terminal.type(f"/refuse {question.code}\r")
        await terminal.sees("tifa › So I was told: refuse\n")
        await terminal.sees("Ana ›")


async def test_an_answer_at_the_prompt_that_does_not_count_is_told_why(at_terminal, terminal):
    host = at_terminal
    async with terminal.chat(host):
        await buying(host, terminal)
        host.uncounted = "it came too late"
        await terminal.sees("Ana [y/n] ›")
        terminal.type("y\r")
        await terminal.sees("It does not count: it came too late\n")
        await terminal.sees("Ana ›")


async def test_the_commands_are_in_the_help(at_terminal, terminal):
    async with terminal.chat(at_terminal):
        terminal.type("/help\r")
        await terminal.sees("/approve [CODE]")
        await terminal.sees("/refuse [CODE]")
        await terminal.sees("Ana ›")


async def test_a_question_that_comes_after_it_was_answered_is_not_offered_again(at_terminal, terminal):
    host = at_terminal
    async with terminal.chat(host):
        question = await buying(host, terminal)
        await terminal.sees("Ana [y/n] ›")
        host.held.clear()
        terminal.type(f"/approve {question.code}\r")
        await terminal.sees("tifa › So I was told: approve\n")
        await terminal.sees("Ana ›")
        part = ReplyPart("again", "turn1", "tifa", host.heard[0].room, (Part("May I?"),), question=question)
        await host.client.send(part)
        await terminal.sees("tifa › May I?\n")
        terminal.type("\r")
        await terminal.sees("Ana ›")
        await terminal.sees("Ana ›")
    assert "[y/n]" not in terminal.text.rpartition("So I was told")[2]


async def test_a_question_that_is_shown_again_while_it_is_answered_is_not_offered(at_terminal, terminal):
    host = at_terminal
    async with terminal.chat(host):
        question = await buying(host, terminal)
        await terminal.sees("Ana [y/n] ›")
        host.held.clear()
        accept = host.accept

        async def again(inbound):
            part = ReplyPart("again", "turn1", "tifa", host.heard[0].room, (Part("May I?"),), question=question)
            await host.client.send(part)
            return await accept(inbound)

        host.accept = again
        terminal.type("y\r")
        await terminal.sees("tifa › May I?\n")
        await terminal.sees("tifa › So I was told: approve\n")
        await terminal.sees("Ana ›")
    assert "[y/n]" not in terminal.text.rpartition("tifa › May I?\n")[2]
