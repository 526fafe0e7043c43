"""Commands that plugins bring: looked for only when a command is not one of the core's."""

from __future__ import annotations

import argparse
from difflib import get_close_matches

from carrier_core.cli import COMMANDS, place
from carrier_core.errors import CarrierError, PluginError
from carrier_core.plugins import Registered, load_plugins
from carrier_core.things import Command


def run(name: str, argv: list[str]) -> int:
    """Run the command ``name`` of a plugin; CarrierError (64) if no enabled plugin brings it.

    ``--config`` chooses the configuration whose plugins are meant, and ``--state`` what they have kept, as for the core's own
    commands.
    """
    parser = argparse.ArgumentParser(prog=f"carrierd {name}", conflict_handler="resolve")
    place.add_config(parser)
    place.add_state(parser)
    ours = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    place.add_config(ours)
    commands, off, why = _commands(ours.parse_known_args(argv)[0])
    entry = commands.get(name)
    if entry is None:
        raise _unknown(name, (*COMMANDS, *commands), off, why)
    command = entry.thing
    assert isinstance(command, Command)
    parser.description = command.help
    try:
        command.configure(parser)
        return int(command.run(parser.parse_args(argv)) or 0)
    except (CarrierError, OSError):
        raise
    except Exception as error:
        problem = f"The command {name} of {entry.plugin} raised {type(error).__name__}: {error}."
        raise PluginError(problem, plugin=entry.plugin, remedy="Report it to the plugin's author.") from error


def _commands(args: argparse.Namespace) -> tuple[dict[str, Registered], list[str], str]:
    """The plugins' commands and the plugins that are off, or why there are none but the core's."""
    try:
        plugins = load_plugins(place.read_config(args))
    except CarrierError as error:
        return {}, [], str(error)
    return plugins.things[Command], [name for name, found in plugins.found.items() if found.state == "off"], ""


def _unknown(name: str, known: tuple[str, ...], off: list[str], why: str) -> CarrierError:
    near = get_close_matches(name, known, 1)
    likely = [plugin for plugin in off if name in plugin.split("-")]
    if likely:
        remedy = (
            f"{' or '.join(likely)} may bring it, and is not enabled: see `carrierd plugins`, and [plugins] enabled."
        )
    elif near:
        remedy = f"Did you mean {near[0]}?"
    elif why:
        remedy = f"See carrierd --help. The plugins could not be asked for theirs: {why}"
    elif off:
        remedy = "See carrierd --help. A plugin that is not enabled may bring it: `carrierd plugins` lists them."
    else:
        remedy = "See carrierd --help."
    error = CarrierError(f"There is no command {name}.", remedy=remedy)
    error.exit_code = 64
    return error
