"""Reading: from the bytes of a document to its chunks. Runs in a process of its own (:mod:`carrier_context_knowledge.worker`)."""

from __future__ import annotations

import msgspec

from carrier_context_knowledge.blocks import Script
from carrier_context_knowledge.chunks import Chunk, chunks
from carrier_context_knowledge.formats import Format, Unreadable, decoded, format_of


class Bounds(msgspec.Struct, frozen=True):
    """How much a document may cost. ``size`` is in bytes, ``memory`` in MiB of the process that reads, ``seconds`` are of the
    processor and of the clock, ``characters`` of its text."""

    size: int = 50_000_000
    pages: int = 2_000
    characters: int = 5_000_000
    seconds: float = 60.0
    memory: int = 1_024


class Text(msgspec.Struct, frozen=True, tag=True):
    """A document that was read. ``title`` is empty where it says none."""

    format: str
    chunks: tuple[Chunk, ...]
    title: str = ""
    pages: int = 0


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """Why a document was not read, and what to do about it, as sentences."""

    reason: str
    remedy: str = ""


def read(content: bytes, suffix: str, bounds: Bounds) -> Text:
    """Read a document. Unreadable says why it cannot be; any other exception, that it is damaged."""
    kind = format_of(content, suffix)
    if kind is Format.PDF:
        from carrier_context_knowledge.pdf import read_pdf

        script = read_pdf(content, pages=bounds.pages, characters=bounds.characters)
    else:
        script = _read_text(content, kind, bounds)
    found = chunks(script.blocks)
    if not found:
        raise Unreadable("There is no text in it.")
    return Text(kind, found, script.title, script.pages)


def _read_text(content: bytes, kind: Format, bounds: Bounds) -> Script:
    text = decoded(content, html=kind is Format.HTML)
    if len(text) > bounds.characters:
        raise Unreadable(
            f"It has {len(text)} characters; at most {bounds.characters} are taken.",
            "Split it, or raise `characters` of the plugin.",
        )
    if kind is Format.HTML:
        from carrier_context_knowledge.hypertext import read_html

        return read_html(text)
    from carrier_context_knowledge.markdown import read_markdown, read_plain

    return read_markdown(text) if kind is Format.MARKDOWN else read_plain(text)
