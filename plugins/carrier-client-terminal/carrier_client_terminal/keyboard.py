"""The person's side of the screen: the prompt with history, editing and search, and the keys between prompts."""

from __future__ import annotations

import termios
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.input.typeahead import clear_typeahead, get_typeahead, store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import ColorDepth, create_output
from prompt_toolkit.shortcuts import CompleteStyle, PromptSession
from prompt_toolkit.styles import Style


class Interrupted(Exception):
    """Ctrl-C was pressed at the prompt. ``typed`` says whether something stood there, which is gone now."""

    def __init__(self, typed: bool) -> None:
        super().__init__()
        self.typed = typed


class Keyboard:
    """A terminal whose keys all come here, Ctrl-C too, for as long as it is ``held``."""

    def __init__(self, stdin: TextIO, stdout: TextIO, *, history: History, words: Iterable[str], colour: bool) -> None:
        self._input = _Keys(stdin)
        self._output = create_output(stdout)
        self._colour = colour
        self._completer = _Words(words)
        self._line = self._session(history)
        self._question = self._session(InMemoryHistory())
        self._asking = self._line
        self.gone = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take the terminal."""
        try:
            with self._input.raw_mode():
                yield
        finally:
            clear_typeahead(self._input)  # it is kept by number, which another file may get

    def write(self, text: str) -> None:
        """Write to the screen, at once. Nothing is written to a terminal that has gone: see ``gone``."""
        try:
            self._output.write_raw(text)
            self._output.flush()
        except OSError:
            self.gone = True

    @property
    def ahead(self) -> bool:
        """Whether something was typed already that the next prompt gets."""
        kept = get_typeahead(self._input)
        store_typeahead(self._input, kept)
        return bool(kept)

    async def read(self, name: str, offer: str = "") -> str:
        """What the person types at the prompt, which shows what is on ``offer``. Interrupted for Ctrl-C; EOFError for Ctrl-D or a
        lost terminal."""
        try:
            return await self._ask(self._line, name, f" {offer} › " if offer else " › ")
        except KeyboardInterrupt:
            raise Interrupted(bool(self._line.default_buffer.text)) from None
        except OSError:
            raise EOFError from None

    async def confirm(self, question: str) -> bool:
        """Ask; anything but a yes is a no."""
        try:
            answer = await self._ask(self._question, question, " [y/N] ")
        except (EOFError, KeyboardInterrupt, OSError):
            return False
        return answer.strip().lower() in ("y", "yes")

    @contextmanager
    def listening(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Between prompts: Ctrl-C calls ``interrupt``, all else waits for the next prompt, as typed ahead."""
        kept: list[KeyPress] = []

        def ready() -> None:
            for press in self._input.read_keys():
                if press.key == Keys.ControlC:
                    kept.clear()
                    interrupt()
                elif press.key != Keys.CPRResponse:  # the terminal's own answer to the last prompt's question
                    kept.append(press)

        try:
            with self._input.attach(ready):
                yield
        finally:
            store_typeahead(self._input, [*kept, *self._input.flush_keys()])

    async def above(self, show: Callable[[], None]) -> None:
        """Run what writes to the screen; above the prompt, where one stands."""
        app = self._asking.app
        if app.is_running and app.context is not None:
            await app.context.copy().run(run_in_terminal, show)
        else:
            show()

    async def _ask(self, session: PromptSession[str], name: str, mark: str) -> str:
        self._asking = session
        try:
            # Signals stay the host's: prompt_toolkit would take its handler of SIGINT away for good.
            return await session.prompt_async(
                [("class:name", name), ("", mark)],
                prompt_continuation=" " * len(name + mark),
                handle_sigint=False,
                set_exception_handler=False,
            )
        finally:
            self._asking = self._line

    def _session(self, history: History) -> PromptSession[str]:
        return PromptSession(
            history=history,
            input=self._input,
            output=self._output,
            key_bindings=_bindings(),
            completer=self._completer,
            complete_style=CompleteStyle.READLINE_LIKE,
            complete_while_typing=False,
            search_ignore_case=True,
            style=Style.from_dict({"name": "bold ansigreen"} if self._colour else {}),
            color_depth=None if self._colour else ColorDepth.DEPTH_1_BIT,
        )


def _bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add(Keys.Vt100MouseEvent)
    def _(event: KeyPressEvent) -> None:
        """Nothing: prompt_toolkit takes a pasted colour sequence for the mouse, and its own handler dies of it."""

    return bindings


class _Keys(Vt100Input):
    """The keys of a terminal, which end when it is closed: prompt_toolkit would go on asking one that has gone."""

    def read_keys(self) -> list[KeyPress]:
        keys = super().read_keys()
        if not keys:
            try:
                termios.tcgetattr(self.fileno())
            except termios.error:
                self.stdin_reader.closed = True
        return keys


class _Words(Completer):
    """Completes a command at the beginning of the line."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(words)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        typed = document.text_before_cursor
        if typed.startswith("/") and not typed.startswith("//"):
            for word in self._words:
                if word.startswith(typed[1:]):
                    yield Completion(f"/{word}", start_position=-len(typed))
