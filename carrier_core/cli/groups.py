"""Task groups raise groups; a person wants to read the one error that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from carrier_core.errors import CarrierError


@contextmanager
def single() -> Iterator[None]:
    """Raise the first of Carrier's own errors in a group by itself; everything else as it is."""
    try:
        yield
    except BaseExceptionGroup as group:
        found = _first(group)
        if found is None:
            raise
        raise found from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    for error in group.exceptions:
        found = _first(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, (CarrierError, KeyboardInterrupt, BrokenPipeError)):
            return found
    return None
