"""Text made safe for a terminal: what would steer it, or reorder what is read, is shown instead of obeyed.

An agent repeats what strangers wrote, so a reply can hold escape sequences that rewrite the screen, set the clipboard
or type into the shell, and bidirectional overrides that make a text read otherwise than it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from carrier_core import Part

_LONGEST_NAME = 40
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")

_SHOWN: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},  # Unicode's control pictures: ␛ for ESC
    0x7F: "\N{SYMBOL FOR DELETE}",
    **{code: f"<U+{code:04X}>" for code in range(0x80, 0xA0)},  # C1: U+009B starts a sequence just as ESC [ does
    **{code: f"<U+{code:04X}>" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))},
    **dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"),  # lone surrogates cannot be written at all
}
for _kept in "\n\t":
    del _SHOWN[ord(_kept)]


def visible(text: str) -> str:
    """The text with line ends and tabs kept, and all else that is no plain character replaced by a visible sign.

    Character by character but for CRLF, which is a line end: a text may be cut anywhere else and shown in pieces.
    """
    return text.replace("\r\n", "\n").translate(_SHOWN)


def visible_name(name: str) -> str:
    """A name on one line, of at most 40 characters."""
    line = visible(" ".join(name.split()))
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"


def visible_log(text: str) -> str:
    """The text of a log, whose colours may stay."""
    return "".join(piece if at % 2 else visible(piece) for at, piece in enumerate(_COLOUR.split(text)))


def spoken(content: Iterable[Part]) -> str:
    """The parts of a reply as one text, not yet made safe; a file is shown by its name, type and address."""
    lines: list[str] = []
    for part in content:
        if part.text:
            lines.append(part.text)
        if part.attachment is not None:
            file = part.attachment
            lines.append(f"[{file.name or 'attachment'}: {file.media_type}] {file.url}".rstrip())
    return "\n".join(lines)
