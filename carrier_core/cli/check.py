"""``carrierd check``: every fault of the configuration, the characters and the plugins, each with its place and remedy."""

from __future__ import annotations

import argparse
import json

from carrier_core.cli import place
from carrier_core.errors import ConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_json(parser)
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Print the faults; 0 if there is none, 78 otherwise."""
    from carrier_core.checking import faults_of, notes_of

    config = place.read_config(args)
    faults = faults_of(config)
    if args.json:
        print(json.dumps([_json(fault) for fault in faults], ensure_ascii=False))
    else:
        for fault in faults:
            print(fault)
        if not faults:
            for note in notes_of(config):
                print(note)
            print(f"{config.path}: all is well.")
    return 78 if faults else 0


def _json(fault: ConfigError) -> dict[str, object]:
    return {"file": fault.file, "line": fault.line, "message": fault.message, "remedy": fault.remedy}
