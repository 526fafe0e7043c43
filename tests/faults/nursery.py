"""Lives of ``carrierd``, one after another, each a process of its own that is forked from this one once it has imported everything.

A life that was killed is followed by the next, until one ends by itself: the exit code is that one's, 99 where there were too many.
"""

from __future__ import annotations

import gc
import os
import pkgutil
import sys
from importlib import import_module

MOST = 400  # lives


def prepare(*packages: str) -> None:
    """Import all of these packages, as far as it can be imported."""
    for name in packages:
        package = import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            if ".testing" not in found.name and "__main__" not in found.name:
                import_module(found.name)
    gc.freeze()


def main(arguments: list[str]) -> int:
    """Live and die with these arguments of the command line."""
    for _ in range(MOST):
        pid = os.fork()
        if pid == 0:
            from carrier_core.cli import main as live

            os._exit(live(arguments))
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status)
    return 99


if __name__ == "__main__":
    prepare("carrier_core", "carrier_memory_sqlite", "carrier_provider_scripted", "carrier_context_standard")
    import_module("anyio._backends._asyncio")
    sys.exit(main(sys.argv[1:]))
