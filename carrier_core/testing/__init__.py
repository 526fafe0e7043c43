"""The testing kit for whoever writes a plugin: a host in memory, a fake client, and conformance suites to subclass.

The fixtures ``make_host`` and ``carrier`` are there in every pytest run, because this is a pytest plugin. pytest itself is
needed by the suites alone. Names are imported when they are first used. ``wire`` is a module, of servers that misbehave.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carrier_core.testing import wire
    from carrier_core.testing.aimock import Aimock, running_aimock
    from carrier_core.testing.cassettes import CassetteMismatch, cassette
    from carrier_core.testing.client import Drafted, FakeClient
    from carrier_core.testing.clock import Clock
    from carrier_core.testing.host import FakeHost
    from carrier_core.testing.hosts import HostUnderTest, running_host
    from carrier_core.testing.lives import HASTY, Lives
    from carrier_core.testing.provider import EchoProvider
    from carrier_core.testing.store import InMemoryStore
    from carrier_core.testing.suites.action import ActionConformance
    from carrier_core.testing.suites.client import ClientConformance
    from carrier_core.testing.suites.context import ContextConformance
    from carrier_core.testing.suites.provider import ProviderConformance
    from carrier_core.testing.suites.store import StoreConformance
    from carrier_core.testing.turns import Turns, running_turn, running_turns

_HOME = {
    "aimock": "Aimock running_aimock",
    "cassettes": "CassetteMismatch cassette",
    "client": "Drafted FakeClient",
    "clock": "Clock",
    "host": "FakeHost",
    "hosts": "HostUnderTest running_host",
    "lives": "HASTY Lives",
    "provider": "EchoProvider",
    "store": "InMemoryStore",
    "suites.action": "ActionConformance",
    "suites.client": "ClientConformance",
    "suites.context": "ContextConformance",
    "suites.provider": "ProviderConformance",
    "suites.store": "StoreConformance",
    "turns": "Turns running_turn running_turns",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "HASTY",
    "ActionConformance",
    "Aimock",
    "CassetteMismatch",
    "ClientConformance",
    "Clock",
    "ContextConformance",
    "Drafted",
    "EchoProvider",
    "FakeClient",
    "FakeHost",
    "HostUnderTest",
    "InMemoryStore",
    "Lives",
    "ProviderConformance",
    "StoreConformance",
    "Turns",
    "cassette",
    "running_aimock",
    "running_host",
    "running_turn",
    "running_turns",
    "wire",
]


def __getattr__(name: str) -> object:
    if name == "wire":
        return import_module("carrier_core.testing.wire")
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'carrier_core.testing' has no attribute {name!r}")
    value = getattr(import_module(f"carrier_core.testing.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
