"""The process that reads, seen from within: one line for every order, whatever it is about."""

from __future__ import annotations

import io

import msgspec
import pytest

from carrier_context_knowledge import worker
from carrier_context_knowledge.reader import Bounds, Refusal, Text
from carrier_context_knowledge.worker import Order, answer, serve


def ordered(content: bytes, suffix: str) -> bytes:
    return msgspec.json.encode(Order(suffix, len(content), Bounds())) + b"\n" + content


def test_orders_are_answered_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_bound", lambda bounds: None)  # it would hold for the tests
    sink = io.BytesIO()

    serve(
        io.BytesIO(ordered(b"Hello.\n\nYou.", ".txt") + ordered(b"PK\x03\x04", ".md") + ordered(b"cut", ".md")[:-1]),
        sink,
    )

    first, second = [msgspec.json.decode(line, type=Text | Refusal) for line in sink.getvalue().splitlines()]
    assert isinstance(first, Text)
    assert isinstance(second, Refusal)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "To read it takes more than 1024 MiB."),
        (RecursionError(), "It is damaged: its parts contain each other."),
        (KeyError("/Root\n"), "It is damaged: '/Root\\n'."),
        (ZeroDivisionError(), "It is damaged: ZeroDivisionError."),
        (ValueError("x" * 5_000), f"It is damaged: {'x' * 200}."),
    ],
)
def test_whatever_a_library_raises_is_a_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    def fails(*given: object) -> Text:
        raise error

    monkeypatch.setattr(worker, "read", fails)

    refusal = answer(b"", Order(".md", 0, Bounds()))

    assert isinstance(refusal, Refusal)
    assert refusal.reason == said
