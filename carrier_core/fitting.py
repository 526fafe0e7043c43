"""Fitting: how many tokens a prompt has, about, and what is left out of one that is too long for a model.

No tokenizer is asked: each service has its own, and they come as downloads. Instead each character weighs something, by the
script it is of. The weights were set against what is published, which the tests hold: one sentence in nineteen languages,
counted with two widespread vocabularies, of 2023 and of 2024. The estimate errs high: against the vocabulary of 2024 by 36 %
(Italian) to 230 % (Marathi), and a token is 2.7 characters of English, where services say 4 or 3.5, and 30 % less for the
newest models. It may be too low for models with an old vocabulary that are asked in a script of India.

A prompt that is too long is cut down in this order, and not more than it has to be:

1. what was fetched for this turn is shortened, so that it does not push out all the rest: the longest results of its tools,
   until all of them take half of the room, and each piece of context to a quarter of it;
2. the oldest lines of the conversation are left out, up to a line of a person's; the call of a tool and its results go
   together;
3. pieces of context that are not stable are left out, those that stand last (``Part.order``) first; what still fits is kept.
   Memories go from the last recalled on, with what introduces them;
4. the longest texts are shortened: results, then others, then the message that is to be answered.

Shortened is a text in its middle, with a mark that says how much is left out there.

What is stable stays as it is, byte for byte, and so does the beginning of the conversation if it can, so that providers find
both in their caches: of all cuts that leave lines for three quarters of their room or more, the one is taken whose first
line has the lowest id. Ids are as good as drawn by lot, so the same cut stays the best one while the conversation goes on,
on average for half as many lines as a quarter of the room holds. No state is needed for it, so a turn that is done again is
cut in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum
from unicodedata import is_normalized, normalize

import msgspec

from carrier_core.errors import ProviderError
from carrier_core.kept import Kept
from carrier_core.messages import Attachment, Part, make_id, text_of
from carrier_core.prompts import Prompt, PromptMessage, Tool

ANSWER, MESSAGE, CALL = 3, 4, 8
"""Tokens that stand before the answer, around each message and around each call of a tool."""
TOOLS = 350
"""Tokens with which a service tells its model how tools are used, as far as any documents that it does."""
IMAGE = 2_500
"""Tokens of an image: services make at most 1,500 to 2,500 of one, at usual resolutions. A PDF counts as one: how many pages
it has is not known here."""
HIDDEN, AROUND = 1_000, 32
"""Tokens, at most, of what services say to their models unasked (how tools are used takes up to 806, as documented, and the date
a few), and of the marks around each message, call and tool."""
PICTURE, DOCUMENT = 50_000, 1_000_000
"""Tokens, at most, of an image (48,169 is the most that any documentation comes to: 8 tiles of 5,667 and 2,833), and of all
documents together: no model takes more."""
LEAST = 64
"""Tokens that are left of a text, however short the room is; one that has no more is not shortened."""

INSTRUCTIONS = frozenset(("", "brief", "character", "feedback", "schedule", "urge"))
"""Keys of parts that say what the model is to do: they are no pieces of context, and never left out."""

_UNIT = 20  # of the weights: twentieths of a token


def _weights() -> bytes:
    weights = bytearray([20] * 128 + [0] * 64 + [16] * 64)  # ASCII; what continues a character; what begins one
    for first, last, weight in (
        (0x09, 0x0D, 16),
        (0x20, 0x20, 16),  # a word is mostly a token of its own, with the space before it
        (0x41, 0x5A, 12),  # capitals begin a new token in names of code, and every few letters in base64
        (0x61, 0x7A, 5),
        (0xD0, 0xD3, 10),  # Cyrillic
        (0xE0, 0xE0, 25),  # the scripts of India, Thai, Lao
        (0xE1, 0xE2, 24),  # many smaller scripts, the vowels of Vietnamese; punctuation, arrows, mathematics
        (0xE3, 0xE3, 20),  # kana
        (0xE4, 0xE9, 24),  # Chinese characters
        (0xEA, 0xED, 20),  # Hangul
        (0xEE, 0xEF, 24),
        (0xF0, 0xFF, 60),  # emoji
    ):
        weights[first : last + 1] = bytes([weight]) * (last + 1 - first)
    return bytes(weights)


_WEIGHTS = _weights()
_KNOWN: Kept[int, int] = Kept(10_000)  # tokens by the hash of a part or of a piece of JSON: the texts are not kept


# --- how many tokens -----------------------------------------------------------------------------------------------------


def estimate(prompt: Prompt) -> int:
    """The tokens of a prompt, tools and schema included. The parts that it had before cost next to nothing."""
    tokens = ANSWER + sum(map(_of_message, prompt.messages))
    if prompt.tools:
        tokens += TOOLS + sum(map(_of_tool, prompt.tools))
    if prompt.schema is not None:
        tokens += _of_json(prompt.schema)
    return tokens


def estimate_text(text: str) -> int:
    """The tokens of a text."""
    return _weigh(text.encode("utf-8", "surrogatepass"))


def _weigh(text: bytes) -> int:
    words = b" ".join(text.split())  # an indentation or a gap is a token or two, however wide
    weight = sum(words.translate(_WEIGHTS)) + (len(text) - len(words)) * _UNIT // 8
    return -(-weight // _UNIT)


def _of_message(message: PromptMessage) -> int:
    tokens = MESSAGE + sum(map(_of_part, message.parts))
    for call in message.calls:
        tokens += CALL + _of_json((call.id, call.name, call.arguments))
    if message.carry is not None:  # thoughts, often encrypted: four bytes for a token, and a third more as base64
        tokens += len(msgspec.json.encode(message.carry.data)) // 4
    return tokens


def _of_part(part: Part) -> int:
    key = hash(part)
    tokens = _KNOWN.get(key)
    if tokens is None:
        tokens = 1 + estimate_text(text_of((part,)))  # parts are joined by a line break
        if part.attachment is not None and _is(part.attachment, "image/", "application/pdf"):
            tokens += IMAGE
        _KNOWN[key] = tokens
    return tokens


def _is(file: Attachment, *kinds: str) -> bool:
    return file.media_type.strip().lower().startswith(kinds)


def _of_tool(tool: Tool) -> int:
    return CALL + _of_json(tool)


def _of_json(value: object) -> int:
    encoded = msgspec.json.encode(value)
    key = hash(encoded)
    tokens = _KNOWN.get(key)
    if tokens is None:
        tokens = _KNOWN[key] = _weigh(encoded)
    return tokens


# --- how many at most ------------------------------------------------------------------------------------------------------


def ceiling(prompt: Prompt) -> int:
    """Tokens beyond which a prompt cannot come, whatever the tokenizer.

    Every token stands for a byte or more in the vocabularies in use, which fall back to bytes; some first bring a text into its
    normal form, which may be longer. JSON is shown to models in notations of the services' own, of at most twice its bytes.
    """
    tokens = HIDDEN + sum(map(_ceiling_of_message, prompt.messages))
    tokens += sum(AROUND + 2 * _json_bytes(tool) for tool in prompt.tools)
    if prompt.schema is not None:
        tokens += 2 * _json_bytes(prompt.schema)
    files = [part.attachment for message in prompt.messages for part in message.parts if part.attachment is not None]
    tokens += PICTURE * sum(_is(file, "image/") for file in files)
    return tokens + DOCUMENT * any(_is(file, "application/pdf") for file in files)


def ceiling_of_text(text: str) -> int:
    """Its bytes, and the marks at its beginning and end."""
    return AROUND + _bytes(text)


def _ceiling_of_message(message: PromptMessage) -> int:
    tokens = AROUND + sum(1 + _bytes(text_of((part,))) for part in message.parts)
    for call in message.calls:
        tokens += AROUND + 2 * _json_bytes((call.id, call.name, call.arguments))
    return tokens if message.carry is None else tokens + _json_bytes(message.carry.data)


def _bytes(text: str) -> int:
    if text.isascii():
        return len(text)
    forms = (text,) if is_normalized("NFKC", text) else (text, normalize("NFKC", text))
    return max(len(form.encode("utf-8", "surrogatepass")) for form in forms)


def _json_bytes(value: object) -> int:
    return len(msgspec.json.encode(value))


# --- what is left out ------------------------------------------------------------------------------------------------------


class Fitted(msgspec.Struct, frozen=True, gc=False):
    """A prompt that fits, a sentence for each thing that was done to it, and its tokens, as estimated."""

    prompt: Prompt
    notes: tuple[str, ...] = ()
    tokens: int = 0


def fit(prompt: Prompt, room: int) -> Fitted:
    """The prompt in ``room`` tokens: what the model's context holds, less what the answer may have.

    It is the same object where it fits. ProviderError with the reason ``length`` where nothing more can be left out.
    """
    tokens = estimate(prompt)
    if tokens <= room:
        return Fitted(prompt, (), tokens)
    cut = _Cut(prompt, room, tokens)
    for leave_out in (cut.fetched, cut.lines, cut.context, cut.results, cut.others, cut.message):
        leave_out()
        if cut.over <= 0:
            return Fitted(cut.prompt, cut.notes, room + cut.over)
    raise ProviderError(
        f"The prompt has about {room + cut.over:,} tokens even without all that can be left out of it (with it "
        f"{tokens:,}), and the model takes {max(0, room):,}.",
        reason="length",
        remedy="Choose a model with a larger context, lower `max_tokens`, shorten the character or offer fewer tools.",
    )


class _Kind(Enum):
    """What a text is, in the words of a note: its singular and plural."""

    RESULT = ("result of a tool was", "results of tools were")
    CONTEXT = ("piece of context was", "pieces of context were")
    OTHER = ("other text was", "other texts were")
    MESSAGE = ("part of the message was", "parts of the message were")
    LASTING = ("", "")

    def counted(self, count: int) -> str:
        return f"{count:,} {self.value[count != 1]}"


class _Cut:
    """A prompt that is being cut down."""

    def __init__(self, prompt: Prompt, room: int, tokens: int) -> None:
        self._whole = prompt
        self._tokens = tokens
        self._room = room
        self._messages = prompt.messages
        self._fixed = tokens - sum(map(_of_message, prompt.messages))
        self._lines = 0
        self._context: list[Part] = []
        self._shortened: dict[Part, Part] = {}  # the short one -> the one that it was

    @property
    def over(self) -> int:
        """The tokens that are still too many."""
        return self._fixed + sum(map(_of_message, self._messages)) - self._room

    @property
    def prompt(self) -> Prompt:
        """What is left of it."""
        return msgspec.structs.replace(self._whole, messages=self._messages)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to it."""
        too_long = f"about {self._tokens:,} tokens, the model takes {self._room:,}"
        notes = []
        if self._lines:
            what = "message of history was" if self._lines == 1 else "messages of history were"
            notes.append(f"{self._lines:,} {what} left out: {too_long}.")
        if self._context:
            keys = ", ".join(dict.fromkeys(part.key for part in self._context))
            notes.append(f"{_Kind.CONTEXT.counted(len(self._context))} left out ({keys}): {too_long}.")
        parts: Counter[_Kind] = Counter()
        characters: Counter[_Kind] = Counter()
        for kind, part in self._texts():
            if part in self._shortened:
                parts[kind] += 1
                characters[kind] += len(self._shortened[part].text) - len(part.text)
        notes += [
            f"{kind.counted(count)} shortened by {characters[kind]:,} characters: {too_long}."
            for kind, count in parts.items()
        ]
        return tuple(notes)

    # --- what is what ---

    @property
    def _asked(self) -> int:
        """Where the message that is to be answered stands: the last one of a person's. What is before is history."""
        return max((at for at, message in enumerate(self._messages) if message.role == "user"), default=0)

    def _texts(self) -> Iterator[tuple[_Kind, Part]]:
        asked = self._asked
        for at, message in enumerate(self._messages):
            for part in message.parts:
                if part.stable or message.carry is not None:  # a provider may have signed what it wants carried
                    yield _Kind.LASTING, part
                elif at == asked:
                    yield _Kind.MESSAGE, part
                elif at > asked and message.role == "tool":
                    yield _Kind.RESULT, part
                elif message.role == "system" and part.key not in INSTRUCTIONS:
                    yield _Kind.CONTEXT, part
                else:
                    yield _Kind.OTHER, part

    # --- what is left out of it, in this order ---

    def fetched(self) -> None:
        """What was fetched, beyond its share of the room."""
        self._shorten(_Kind.RESULT, _level(self._sizes(_Kind.RESULT), self._room // 2))
        self._shorten(_Kind.CONTEXT, max(self._room // 4, LEAST))

    def lines(self) -> None:
        """The oldest lines, in a block."""
        cuts = self._cuts()
        left: dict[int, int] = {}  # tokens of the lines that a cut leaves, the newest cut first
        tokens = 0
        for at in range(asked := self._asked, -1, -1):
            if at < asked and self._messages[at].role != "system":
                tokens += _of_message(self._messages[at])
            if at in cuts:
                left[at] = tokens
        if not left:
            return
        most = tokens - self.over
        possible = [cut for cut in reversed(left) if left[cut] <= most] or [max(left)]
        best = [cut for cut in possible if left[cut] * 4 >= most * 3] or possible[:1]
        first = min(best, key=lambda cut: _id(self._messages[cut]))
        kept = tuple(message for at, message in enumerate(self._messages) if at >= first or message.role == "system")
        self._lines = len(self._messages) - len(kept)
        self._messages = kept

    def _cuts(self) -> set[int]:
        """Where the conversation may begin: with a person's line, and with no result whose call is before it."""
        cuts: set[int] = set()
        results: set[str] = set()
        asked = self._asked
        for at in range(len(self._messages) - 1, -1, -1):
            message = self._messages[at]
            if message.role == "tool":
                results.add(message.call)
            results.difference_update(call.id for call in message.calls)
            if at <= asked and message.role == "user" and not results:
                cuts.add(at)
        return cuts

    def context(self) -> None:
        """Pieces of context, as far as they do not fit."""
        pieces = _pieces([part for kind, part in self._texts() if kind is _Kind.CONTEXT])
        free = sum(_of_part(part) for piece in pieces for part in piece) - self.over
        full: set[int] = set()
        for piece in sorted(pieces, key=lambda piece: piece[0].order):
            memory, order = piece[-1].memory, piece[-1].order
            tokens = sum(map(_of_part, piece))
            if tokens <= free and not (memory and order in full):
                free -= tokens
                continue
            self._context += piece
            if memory:
                full.add(order)
        gone = {*map(id, self._context)}
        kept = (
            msgspec.structs.replace(message, parts=tuple(part for part in message.parts if id(part) not in gone))
            if any(id(part) in gone for part in message.parts)
            else message
            for message in self._messages
        )
        self._messages = tuple(message for message in kept if message.parts or message.role != "system")

    def results(self) -> None:
        """The middle of results."""
        self._shorten_by(_Kind.RESULT, self.over)

    def others(self) -> None:
        """The middle of other texts."""
        self._shorten_by(_Kind.OTHER, self.over)

    def message(self) -> None:
        """The middle of the message that is to be answered."""
        self._shorten_by(_Kind.MESSAGE, self.over)

    def _sizes(self, kind: _Kind) -> list[int]:
        return sorted(estimate_text(part.text) for each, part in self._texts() if each is kind)

    def _shorten_by(self, kind: _Kind, tokens: int) -> None:
        sizes = self._sizes(kind)
        self._shorten(kind, _level(sizes, sum(sizes) - tokens))

    def _shorten(self, kind: _Kind, most: int) -> None:
        """Leave no text of this kind longer than so many tokens."""
        short: dict[Part, Part] = {}
        for each, part in self._texts():
            if each is kind and estimate_text(part.text) > most:
                whole = self._shortened.get(part, part)
                short[part] = msgspec.structs.replace(part, text=_shortened(whole.text, most))
                self._shortened[short[part]] = whole
        self._messages = tuple(
            msgspec.structs.replace(message, parts=tuple(short.get(part, part) for part in message.parts))
            if not short.keys().isdisjoint(message.parts)
            else message
            for message in self._messages
        )


def _id(line: PromptMessage) -> str:
    """An id by which a line is known again in the next turn."""
    return (line.parts[0].memory if line.parts else "") or make_id(line.text)


def _pieces(parts: Sequence[Part]) -> list[list[Part]]:
    """Each part by itself, a memory with the parts before it that introduce it."""
    pieces: list[list[Part]] = []
    for part in reversed(parts):
        if pieces and not part.memory and pieces[-1][-1].memory and part.order == pieces[-1][-1].order:
            pieces[-1].insert(0, part)
        else:
            pieces.append([part])
    return pieces[::-1]


def _level(sizes: Sequence[int], most: int) -> int:
    """The length to which the longest of these (in ascending order) are shortened, so that all together have so many."""
    for at, size in enumerate(sizes):
        share = most // (len(sizes) - at)
        if size > share:
            return max(share, LEAST)
        most -= size
    return sizes[-1] if sizes else LEAST


def _shortened(text: str, most: int) -> str:
    """A text without its middle, in so many tokens, of which the mark takes up to 24."""
    kept, short = len(text), text
    while (tokens := estimate_text(short)) > most and kept:
        kept = min(kept * most // tokens, kept - 1)
        mark = f"\n[… {len(text) - kept:,} characters left out …]\n"
        short = f"{text[: kept - kept // 2]}{mark}{text[len(text) - kept // 2 :]}"
    return short
