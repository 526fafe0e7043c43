"""The testing kit for whoever writes a plugin: a host in memory, a fake client, and conformance suites to subclass.

The fixtures ``make_host`` and ``carrier`` are there in every pytest run, because this is a pytest plugin. pytest itself is
needed by the suites alone. Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carrier_core.testing.client import Drafted, FakeClient
    from carrier_core.testing.clock import Clock
    from carrier_core.testing.hosts import HostUnderTest, running_host
    from carrier_core.testing.provider import EchoProvider
    from carrier_core.testing.store import InMemoryStore

_HOME = {
    "client": "Drafted FakeClient",
    "clock": "Clock",
    "hosts": "HostUnderTest running_host",
    "provider": "EchoProvider",
    "store": "InMemoryStore",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "Clock",
    "Drafted",
    "EchoProvider",
    "FakeClient",
    "HostUnderTest",
    "InMemoryStore",
    "running_host",
]


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'carrier_core.testing' has no attribute {name!r}")
    value = getattr(import_module(f"carrier_core.testing.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
