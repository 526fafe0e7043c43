"""The command line: ``carrierd``. Each command is a module, imported when it is asked for.

Exit codes follow sysexits(3): 0 done, 64 wrong usage, 69 something is unavailable, 70 a failure, 73 a file
cannot be made, 78 the configuration; and 130 after Ctrl-C, as shells have it.
"""

from __future__ import annotations

import argparse
import os
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
    "memory": "list, recall, forget, export or import what agents remember",
    "turns": "list turns, and what of them waits for a person",
    "approvals": "what agents ask before they do it, and the answers",
    "scenario": "play conversations, measure the answers, compare two runs",
    "usage": "what was spent on models, and how full the budgets are",
    "schedule": "have agents told something at a time",
}

_EPILOG = "carrierd COMMAND --help says more. Plugins may bring further commands, which `carrierd plugins` lists."


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            code = _run(given)
        except SystemExit as error:
            code = _exit_code(error)
        sys.stdout.flush()  # here, where a reader that left can still be told from a failure
    except CarrierError as error:
        code = _failed(str(error), error.exit_code)
    except BrokenPipeError:
        _silence()
        code = 0
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        code = _failed(f"{what}. Check the path, and that this user may use it.", 69)
    return code


def _run(given: list[str]) -> int:
    name = given[0] if given and not given[0].startswith("-") else ""
    if name and name not in COMMANDS:
        from carrier_core.cli import extra

        return extra.run(name, given[1:])
    parser = argparse.ArgumentParser(prog="carrierd", description="Carrier hosts AI agents.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"carrierd {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for known, what in COMMANDS.items():
        command = commands.add_parser(known, help=what, description=what[0].upper() + what[1:] + ".")
        if name == known:
            import_module(f"carrier_core.cli.{known}").configure(command)
    if given and given[0] not in (*COMMANDS, "--version", "-h", "--help"):
        parser.error(f"{given[0]} comes after the command: carrierd COMMAND {given[0]}")
    args = parser.parse_args(given)
    if not name:
        parser.error("say what to do: carrierd COMMAND, one of " + ", ".join(COMMANDS))
    return int(args.act(args))


def _exit_code(error: SystemExit) -> int:
    """argparse says 2 where sysexits says 64; a text is what ``sys.exit("...")`` of a plugin's command wants said."""
    if isinstance(error.code, str):
        return _failed(error.code, 70)
    return 64 if error.code == 2 else error.code or 0


def _failed(message: str, code: int) -> int:
    from carrier_core.cli.text import visible

    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
    print(f"carrierd: {visible(message)}", file=sys.stderr)
    return code


def _silence() -> None:
    """Whoever read the output has left: let Python have somewhere to write what is left when it ends."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a descriptor is all that is wanted
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
