"""The command line: ``carrierd``. Each command is a module, imported when it is asked for.

Exit codes follow sysexits(3): 0 done, 64 wrong usage, 69 something is unavailable, 70 a failure, 78 the configuration.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from carrier_core._version import __version__
from carrier_core.errors import CarrierError

COMMANDS = {
    "run": "run the daemon",
    "chat": "talk with an agent",
    "check": "check the configuration and the plugins",
    "plugins": "list the plugins, and why one is off",
    "agents": "list the agents",
    "new": "write the skeleton of a plugin",
    "why": "why an agent said what it said",
    "memory": "list, recall or forget what agents remember",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="carrierd", description="Carrier hosts AI agents.", epilog="carrierd COMMAND --help says more."
    )
    parser.add_argument("--version", action="version", version=f"carrierd {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    name = next((word for word in given if not word.startswith("-")), "")
    for known, what in COMMANDS.items():
        command = commands.add_parser(known, help=what, description=what[0].upper() + what[1:] + ".")
        if name == known:
            import_module(f"carrier_core.cli.{known}").configure(command)
    try:
        if name and name not in COMMANDS:
            from carrier_core.cli import extra

            return extra.run(name, given)
        args = parser.parse_args(given)
        return int(args.act(args))
    except SystemExit as error:
        return 64 if error.code == 2 else int(error.code or 0)
    except CarrierError as error:
        sys.stdout.flush()
        print(f"carrierd: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has left; Python would complain when it flushes
        return 0
    except KeyboardInterrupt:
        return 130
