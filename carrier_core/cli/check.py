"""``carrierd check``: every fault of the configuration, the characters and the plugins, each with its place and remedy."""

from __future__ import annotations

import argparse
import json

from carrier_core.cli import place
from carrier_core.cli.text import visible
from carrier_core.errors import ConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_json(parser)
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Print the faults; 0 if there is none, 78 otherwise."""
    faults, notes, file = _examined(args)
    if args.json:
        print(json.dumps([_json(fault) for fault in faults], ensure_ascii=False))
    elif faults:
        print("\n".join(visible(str(fault)) for fault in faults))
    else:
        print("\n".join((*map(visible, notes), f"{file}: all is well.")))
    return 78 if faults else 0


def _examined(args: argparse.Namespace) -> tuple[list[ConfigError], list[str], str]:
    try:
        config = place.read_config(args)
    except ConfigError as error:  # there is no file
        return [error], [], ""
    from carrier_core.checking import examine

    return *examine(config), str(config.path)


def _json(fault: ConfigError) -> dict[str, object]:
    return {"file": fault.file, "line": fault.line, "message": fault.message, "remedy": fault.remedy}
