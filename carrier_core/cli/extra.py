"""Commands that plugins bring: looked for only when a command is not one of the core's."""

from __future__ import annotations

import argparse
import os
from difflib import get_close_matches
from pathlib import Path

from carrier_core.cli import COMMANDS
from carrier_core.errors import CarrierError
from carrier_core.host import load_plugins
from carrier_core.plugins import Registered
from carrier_core.settings import find_config, load
from carrier_core.things import Command


def run(name: str, argv: list[str]) -> int:
    """Run the command ``name`` of a plugin; CarrierError (64) if no enabled plugin brings it."""
    try:
        config = load(find_config(None, os.environ, Path.cwd()), os.environ)
        commands: dict[str, Registered] = load_plugins(config).things[Command]
    except CarrierError:
        commands = {}  # without a configuration there are only the core's commands, which is what is said below
    if name not in commands:
        near = get_close_matches(name, [*COMMANDS, *commands], 1)
        error = CarrierError(
            f"There is no command {name}.", remedy=f"Did you mean {near[0]}?" if near else "See carrierd --help."
        )
        error.exit_code = 64
        raise error
    command = commands[name].thing
    assert isinstance(command, Command)
    parser = argparse.ArgumentParser(prog=f"carrierd {name}", description=command.help)
    command.configure(parser)
    return command.run(parser.parse_args(argv[argv.index(name) + 1 :]))
