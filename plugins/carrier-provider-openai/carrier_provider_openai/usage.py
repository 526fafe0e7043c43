"""What a call used, as a server counts it."""

from __future__ import annotations

from carrier_core import Usage


def usage(read: object, written: object, details: object) -> Usage:
    """The usage of one call: tokens ``read`` and ``written``, and the server's ``details`` of those that were read, which
    many leave out. What is no number counts as none."""
    return Usage(
        _count(read),
        _count(written),
        cached=_count(getattr(details, "cached_tokens", None)),
        stored=_count(getattr(details, "cache_write_tokens", None)),
        calls=1,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
