"""What scrolls by on the screen: answers as they are made, remarks, and a sign that the agent thinks."""

from __future__ import annotations

from collections.abc import Callable

from carrier_client_terminal.visible import visible

_ERASE_LINE = "\r\x1b[K"


class Transcript:
    """Writes to the screen below what stands there, and knows what the last line holds.

    One draft is shown at a time, that of the turn that the person waits for.
    """

    def __init__(self, write: Callable[[str], None], *, colour: bool) -> None:
        self._write = write
        self._colour = colour
        self._written = False  # something stands on the last line
        self._spinning = False  # and it is the sign, to be erased
        self._turn = ""
        self._attempt = 0
        self._shown: list[str] = []
        self._held = ""  # white space at the end of the draft, shown when more follows
        self._answered = ""

    def note(self, text: str) -> None:
        """A remark on a line of its own."""
        self.fresh()
        self._write(self._paint("2", visible(text)) + "\n")

    def alarm(self, text: str) -> None:
        """A remark that should not be overlooked."""
        self.fresh()
        self._write(self._paint("33", visible(text)) + "\n")

    def answer(self, text: str) -> None:
        """What a command was asked for."""
        self.fresh()
        self._write(f"{text}\n")

    def spin(self, sign: str) -> None:
        """Show that the agent thinks, unless a draft shows it already."""
        if self._spinning or not self._written:
            self._write(_ERASE_LINE + self._paint("2", sign))
            self._written = self._spinning = True

    def fresh(self) -> None:
        """Go to an empty line, if this one is not."""
        if self._spinning:
            self._write(_ERASE_LINE)
        elif self._written:
            self._write("\n")
        self._written = self._spinning = False

    def draft(self, turn: str, attempt: int, label: str, text: str) -> None:
        """Show a piece of a draft. A higher attempt begins anew; what comes after the reply is not shown."""
        if turn == self._answered or (turn == self._turn and attempt < self._attempt):
            return
        if turn != self._turn or attempt > self._attempt:
            self.fresh()
            self.forget()
            self._turn, self._attempt = turn, attempt
        text = self._held + text
        body = text.rstrip()
        self._held = text[len(body) :]
        if not self._shown:
            body = body.lstrip()
        if not body:
            return
        if self._spinning or not self._written:
            self.fresh()
            self._write("" if self._shown else self._label(label))
        body = visible(body)
        self._write(body)
        self._shown.append(body)
        self._written = True

    def reply(self, turn: str, label: str, text: str, *, is_last: bool = True) -> None:
        """Show a reply: what of it the draft does not show yet; all of it where the draft was another. After one that is not the
        ``last`` of its turn there may be another draft."""
        final = visible(text.strip())
        shown = "".join(self._shown) if turn == self._turn else ""
        if shown and self._written and not self._spinning and final.startswith(shown):
            self._write(final[len(shown) :])
        elif final != shown:
            self.fresh()
            self._write(self._label(label) + final)
            self._written = True
        self.fresh()
        if turn == self._turn:
            self.forget()
        if is_last:
            self._answered = turn

    def forget(self) -> None:
        """The draft shown will not be gone on with: a reply that comes later is shown whole."""
        self._turn, self._attempt, self._held = "", 0, ""
        self._shown = []

    def _label(self, name: str) -> str:
        return f"{self._paint('1;36', name)} › "

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and text else text
