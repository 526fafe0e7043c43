"""``carrierd plugins``: each plugin with version, state, hooks and things, and why it is off."""

from __future__ import annotations

import argparse
import json

from carrier_core.cli import place
from carrier_core.cli.text import table


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_state(parser)
    place.add_json(parser)
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Print the list."""
    from carrier_core.plugins import Plugins

    config = place.read_config(args)
    plugins = Plugins(config)
    plugins.find()
    plugins.load()
    found = sorted(plugins.found.values(), key=lambda plugin: plugin.name)
    if args.json:
        listed = [
            {
                "name": plugin.name,
                "version": plugin.version,
                "state": plugin.state,
                "why": plugin.why,
                "required": plugin.required,
                "origin": plugin.origin,
                "hooks": list(plugin.hooks),
                "things": list(plugin.things),
            }
            for plugin in found
        ]
        print(json.dumps(listed, ensure_ascii=False))
        return 0
    rows = [
        (plugin.name, plugin.version, plugin.state, plugin.why or ", ".join(plugin.things or plugin.hooks))
        for plugin in found
    ]
    print("\n".join(table(rows, ("PLUGIN", "VERSION", "STATE", "BRINGS, OR WHY IT IS OFF"))))
    return 0
