"""What scrolls by: drafts, replies, remarks."""

from __future__ import annotations

import pytest

from carrier_client_terminal.transcript import Transcript


class Screen:
    """What was written, without colours."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.transcript = Transcript(self.written.append, colour=False)

    @property
    def text(self) -> str:
        return "".join(self.written)

    def draft(self, *pieces: str, turn: str = "t1", attempt: int = 1) -> None:
        for piece in pieces:
            self.transcript.draft(turn, attempt, "tifa", piece)

    def reply(self, text: str, turn: str = "t1") -> None:
        self.transcript.reply(turn, "tifa", text)


@pytest.fixture
def screen() -> Screen:
    return Screen()


def test_the_pieces_of_a_draft_are_one_line(screen):
    screen.draft("Hel", "lo, ", "Ana.\n")
    screen.reply("Hello, Ana.")
    assert screen.text == "tifa › Hello, Ana.\n"


def test_a_reply_without_a_draft(screen):
    screen.reply("\nHello.\n\n")
    assert screen.text == "tifa › Hello.\n"


def test_a_reply_goes_on_where_its_draft_ended(screen):
    screen.draft("  \n", "Hello")
    screen.reply("Hello, Ana.")
    assert screen.text == "tifa › Hello, Ana.\n"


def test_another_reply_is_shown_whole(screen):
    screen.draft("Hello")
    screen.reply("Good day.")
    assert screen.text == "tifa › Hello\ntifa › Good day.\n"


def test_a_higher_attempt_begins_anew_and_a_lower_one_is_late(screen):
    screen.draft("I can", attempt=1)
    screen.draft("Let me", attempt=2)
    screen.draft("not", attempt=1)
    screen.draft(" see.", attempt=2)
    screen.reply("Let me see.")
    assert screen.text == "tifa › I can\ntifa › Let me see.\n"


def test_a_draft_after_its_reply_is_late(screen):
    screen.reply("Hello.")
    screen.draft("Hello.")
    assert screen.text == "tifa › Hello.\n"


def test_a_line_end_that_two_pieces_share(screen):
    screen.draft("one\r", "\ntwo")
    screen.reply("one\r\ntwo")
    assert screen.text == "tifa › one\ntwo\n"


def test_a_sequence_that_two_pieces_share_is_shown(screen):
    screen.draft("\x1b", "[2J")
    screen.reply("\x1b[2J")
    assert screen.text == "tifa › ␛[2J\n"


def test_a_remark_amid_a_draft(screen):
    screen.draft("Hello, ")
    screen.transcript.note("a remark")
    screen.draft("Ana.")
    screen.reply("Hello, Ana.")
    assert screen.text == "tifa › Hello,\na remark\n Ana.\n"


def test_a_reply_that_goes_on_after_a_remark_is_shown_whole(screen):
    screen.draft("Hello")
    screen.transcript.note("a remark")
    screen.reply("Hello, Ana.")
    assert screen.text == "tifa › Hello\na remark\ntifa › Hello, Ana.\n"


def test_a_forgotten_draft_is_shown_again(screen):
    screen.draft("Hello")
    screen.transcript.fresh()
    screen.transcript.forget()
    screen.reply("Hello.")
    assert screen.text == "tifa › Hello\ntifa › Hello.\n"


def test_another_turn_amid_a_draft(screen):
    screen.draft("Hel", turn="t1")
    screen.reply("By the way.", turn="t0")
    screen.draft("lo.", turn="t1")
    screen.reply("Hello.", turn="t1")
    assert screen.text == "tifa › Hel\ntifa › By the way.\nlo.\n"


def test_the_sign_of_thinking_is_erased(screen):
    screen.transcript.spin("thinking")
    screen.draft("Hello.")
    screen.transcript.spin("thinking")
    screen.reply("Hello.")
    assert screen.text == "\r\x1b[Kthinking\r\x1b[Ktifa › Hello.\n"
