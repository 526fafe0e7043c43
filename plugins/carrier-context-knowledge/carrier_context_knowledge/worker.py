"""The process that reads documents: what a damaged or hostile one does to it, it does to nobody else.

It gets a document at a time on its standard input, as a line of JSON and the bytes, and answers with a line of JSON. It ends
when its input does.
"""

from __future__ import annotations

import resource
import sys
from typing import BinaryIO

import msgspec

from carrier_context_knowledge.formats import Unreadable
from carrier_context_knowledge.reader import Bounds, Refusal, Text, read

_SHOWN = 200  # characters of an error of a library


class Order(msgspec.Struct, frozen=True):
    """What is to be read: ``size`` bytes that follow."""

    suffix: str
    size: int
    bounds: Bounds


def main() -> int:
    """Read what comes until nothing does."""
    serve(sys.stdin.buffer, sys.stdout.buffer)
    return 0


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer each order in turn."""
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(Order).decode
    while line := source.readline():
        order = decode(line)
        content = source.read(order.size)
        if len(content) < order.size:
            return  # whoever asked is gone
        _bound(order.bounds)
        sink.write(encode(answer(content, order)) + b"\n")
        sink.flush()


def answer(content: bytes, order: Order) -> Text | Refusal:
    """The document, or why it cannot be read."""
    try:
        return read(content, order.suffix, order.bounds)
    except Unreadable as error:
        return Refusal(error.reason, error.remedy)
    except MemoryError:
        return too_much(order.bounds)
    except RecursionError:
        return Refusal("It is damaged: its parts contain each other.")
    except Exception as error:  # whatever a library makes of a damaged file
        if type(error).__name__ == "LimitReachedError":
            return Refusal(
                "It is far larger than its file: what is packed in it goes beyond all bounds.", "Export it again."
            )
        said = " ".join(str(error).split())[:_SHOWN]
        return Refusal(f"It is damaged: {said or type(error).__name__}.".replace("..", "."), "Export it again.")


def too_much(bounds: Bounds) -> Refusal:
    """That a document needs more memory than there is for it."""
    return Refusal(f"To read it takes more than {bounds.memory} MiB.", "Split it, or raise `memory` of the plugin.")


def too_long(bounds: Bounds) -> Refusal:
    """That a document takes more time than there is for it."""
    return Refusal(f"To read it takes more than {bounds.seconds:g} s.", "Split it, or raise `seconds` of the plugin.")


def _bound(bounds: Bounds) -> None:
    """Have the kernel see to it: time counts from now. Whoever asked watches the clock too, but may be killed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + bounds.seconds) + 1
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, bounds.memory << 20),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        try:
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
        except (ValueError, OSError):
            pass  # a system that does not know this limit: the clock is left


if __name__ == "__main__":
    sys.exit(main())
