"""What is kept in mind of a store, so that it need not be read again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """At most ``most`` entries, the oldest making room for the newest."""

    __slots__ = ("_entries", "_most", "get", "pop")

    def __init__(self, most: int) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._most = most
        self.get = self._entries.get
        self.pop = self._entries.pop

    def __setitem__(self, key: K, value: V) -> None:
        entries = self._entries
        entries[key] = value
        if len(entries) > self._most:
            entries.popitem(last=False)

    def names(self) -> tuple[K, ...]:
        """The keys of what is kept."""
        return tuple(self._entries)

    def clear(self) -> None:
        """Keep nothing."""
        self._entries.clear()
