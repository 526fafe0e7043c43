"""Metering: what a service says of what a call uses, known to the host as soon as it is said, since the call may break off."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from carrier_core.prompts import Usage


class Meter:
    """Hears, as long as it is entered, what is told of one call. ``usage`` is what it has used by the last that was told, without
    figures where only that it may be billed is known, and None as long as nothing is."""

    def __init__(self) -> None:
        self.usage: Usage | None = None

    def __enter__(self) -> Self:
        self._token: Token[Meter | None] = _METER.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _METER.reset(self._token)


_METER: ContextVar[Meter | None] = ContextVar("meter", default=None)


def tell_usage(usage: Usage) -> None:
    """Tell the host what the call that is being made has used, all in all: what a completion says counts more, if there is one."""
    meter = _METER.get()
    if meter is not None:
        meter.usage = usage


def may_be_billed() -> None:
    """Tell the host that the service may ask money for the call that is being made, whatever becomes of it."""
    meter = _METER.get()
    if meter is not None and meter.usage is None:
        meter.usage = Usage()
