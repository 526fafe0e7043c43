"""The conversation in the API's form.

Carrier's prompts have messages of four roles in any order. The API takes a conversation that the user begins and ends, in
which user and assistant take turns; the results of calls come first in the message after them, one for each call; no text is
blank; and system texts stand before it all. Newer models take them within it too, but only after the user's words.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import takewhile

import msgspec

from carrier_core import Part, PromptMessage
from carrier_provider_anthropic.files import shown
from carrier_provider_anthropic.models import Traits
from carrier_provider_anthropic.thinking import Block, Thoughts
from carrier_provider_anthropic.tools import Names, Tools

BEFORE = "(What was said before is left out.)"
GO_ON = "Go on."
NO_RESULT = "There is no result."


class Conversation:
    """The messages of a prompt. ``system`` are the texts before them, ``messages`` the API's.

    ``stable`` is the last text before them that seldom changes, and ``settled`` the last block of what was said before this
    turn: prompts that come later are the same up to there. ``unthought`` says that it goes on after a call whose thoughts are
    not there.
    """

    def __init__(self, messages: tuple[PromptMessage, ...], model: str, traits: Traits, tools: Tools) -> None:
        self.system: list[Block] = []
        self.messages: list[Block] = []
        self.stable: Block | None = None
        self.settled: Block | None = None
        self.unthought = False
        self._model = model
        self._traits = traits
        self._tools = tools
        self._ids = Names()
        self._open: dict[str, str] = {}  # calls without a result: the prompt's id -> the API's
        self._late: list[str] = []  # system texts that wait for the end of the user's words
        self._digest = blake2b(digest_size=16)
        self._digested = 0
        leading = tuple(takewhile(lambda message: message.role == "system", messages))
        self._begin(tuple(part for message in leading for part in message.parts))
        self._tell(messages[len(leading) :])

    def prefix(self) -> str:
        """The digest of what has been said so far."""
        if not self._digested:
            self._digest.update(msgspec.json.encode((self._tools.blocks, self.system)))
        for message in self.messages[self._digested :]:
            self._digest.update(msgspec.json.encode(message))
        self._digested = len(self.messages)
        return self._digest.hexdigest()

    # --- the order of things -------------------------------------------------------------------------------------------

    def _begin(self, parts: tuple[Part, ...]) -> None:
        stable = tuple(takewhile(lambda part: part.stable, parts))
        for group in (stable, parts[len(stable) :]):
            text = PromptMessage("system", group).text
            if text.strip():
                self.system.append(_text(text))
                if group is stable:
                    self.stable = self.system[-1]

    def _tell(self, messages: tuple[PromptMessage, ...]) -> None:
        asked = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
        turn = asked
        while turn > 0 and messages[turn - 1].role == "system":
            turn -= 1
        for index, message in enumerate(messages):
            if index == turn and self.messages:
                self.settled = self.messages[-1]["content"][-1]
            if message.role == "assistant":
                self._answer(message)
            elif message.role == "tool":
                self._result(message)
            elif message.role == "system":
                self._instruct(message.text)
            else:
                self._say(_blocks(message, with_files=index == asked))
        self._close()
        if not self.messages or self.messages[-1]["role"] == "assistant":
            self._say([_text(GO_ON)])

    def _close(self) -> None:
        """Nothing more is said by the user for now."""
        for id in self._open.values():
            self._add_result({"type": "tool_result", "tool_use_id": id, "content": NO_RESULT, "is_error": True})
        self._open = {}
        late, self._late = self._late, []
        if late and self.messages and self.messages[-1]["role"] == "user":
            self.messages.append({"role": "system", "content": [_text("\n".join(late))]})
        elif late:
            self._say([_text(_marked("\n".join(late)))])

    # --- what is said --------------------------------------------------------------------------------------------------

    def _say(self, blocks: list[Block]) -> None:
        if blocks:
            self._content("user").extend(blocks)

    def _instruct(self, text: str) -> None:
        if text.strip():
            if self._traits.late_system:
                self._late.append(text)
            else:
                self._say([_text(_marked(text))])

    def _answer(self, message: PromptMessage) -> None:
        if not message.calls and not message.text.strip():
            return
        self._close()
        calls = {call.id: self._call(call.id, call.name, call.arguments) for call in message.calls}
        thoughts = self._thoughts(message, calls)
        content = thoughts or ([_text(message.text)] if message.text.strip() else []) + list(calls.values())
        if not self.messages:
            self._say([_text(BEFORE)])
        self._content("assistant").extend(content)
        self._open = {id: block["id"] for id, block in calls.items()}
        self.unthought = bool(calls) and not thoughts

    def _call(self, id: str, name: str, arguments: object) -> Block:
        return {"type": "tool_use", "id": self._ids.fresh(id), "name": self._tools.known_as(name), "input": arguments}

    def _thoughts(self, message: PromptMessage, calls: dict[str, Block]) -> list[Block] | None:
        """The whole message with what the model thought, if this model thought it and is asked the same as then."""
        thoughts = Thoughts.of(message.carry) if message.carry is not None else None
        if thoughts is None or thoughts.model != self._model:
            return None
        if not self.messages or self.messages[-1]["role"] == "assistant" or thoughts.prefix != self.prefix():
            return None
        return thoughts.among(message, calls)

    def _result(self, message: PromptMessage) -> None:
        id = self._open.pop(message.call, "")
        if not id:  # of a call that is not in the prompt any more
            self._say([_text(_marked(message.text, "result"))])
            return
        result: Block = {"type": "tool_result", "tool_use_id": id}
        if message.text.strip():
            result["content"] = message.text
        if message.failed:
            result["is_error"] = True
        self._add_result(result)

    def _add_result(self, result: Block) -> None:
        content = self._content("user")
        content.insert(sum(block["type"] == "tool_result" for block in content), result)

    def _content(self, role: str) -> list[Block]:
        """The content of the last message if it is of this role, else of a new one."""
        if not self.messages or self.messages[-1]["role"] != role:
            self.messages.append({"role": role, "content": []})
        content: list[Block] = self.messages[-1]["content"]
        return content


def _blocks(message: PromptMessage, *, with_files: bool) -> list[Block]:
    """What a user said; files are shown, or else named."""
    blocks: list[Block] = []
    lines: list[Part] = []

    def end_lines() -> None:
        text = PromptMessage("user", tuple(lines)).text
        if text.strip():
            blocks.append(_text(text))
        lines.clear()

    for part in message.parts:
        file = shown(part.attachment) if with_files and part.attachment is not None else None
        if file is None:
            lines.append(part)
            continue
        end_lines()
        blocks.append(file)
        if part.text:
            lines.append(Part(part.text))
    end_lines()
    return blocks


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _marked(text: str, what: str = "system") -> str:
    """A text that has to stand among a user's words."""
    return f"<{what}>\n{text}\n</{what}>"
