"""``carrierd plugins``: each plugin with version, state, health, hooks and things, and why it is off."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, cast

from carrier_core.cli import place
from carrier_core.cli.text import table
from carrier_core.errors import single

if TYPE_CHECKING:
    from carrier_core.discovery import Plugin
    from carrier_core.prompts import Json


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_state(parser)
    place.add_json(parser)
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Print the list. Health is what a running daemon says; without one it is empty."""
    import anyio

    from carrier_core.plugins import Plugins

    plugins = Plugins(place.read_config(args))
    plugins.find()
    plugins.load()
    with single():
        status = anyio.run(place.daemon_status, args)
    found = sorted(plugins.found.values(), key=lambda plugin: plugin.name)
    if args.json:
        print(json.dumps([_json(plugin, status) for plugin in found], ensure_ascii=False))
        return 0
    rows = [
        (plugin.name, plugin.version, plugin.state, _health(plugin, status), plugin.why or _brings(plugin))
        for plugin in found
    ]
    print("\n".join(table(rows, ("PLUGIN", "VERSION", "STATE", "HEALTH", "BRINGS, OR WHY IT IS OFF"))))
    return 0


def _json(plugin: Plugin, status: dict[str, Json] | None) -> dict[str, object]:
    return {
        "name": plugin.name,
        "version": plugin.version,
        "state": plugin.state,
        "why": plugin.why,
        "health": _health(plugin, status),
        "required": plugin.required,
        "origin": plugin.origin,
        "hooks": list(plugin.hooks),
        "things": list(plugin.things),
    }


def _brings(plugin: Plugin) -> str:
    return ", ".join(plugin.things or plugin.hooks)


def _health(plugin: Plugin, status: dict[str, Json] | None) -> str:
    """What the daemon says of a plugin: well, what it lacks, or which of its hooks are quarantined."""
    if status is None or plugin.name not in cast("dict[str, str]", status["plugins"]):
        return ""
    degraded = cast("dict[str, str]", status["degraded"])
    names = (plugin.name, *(thing for thing in plugin.things if thing.startswith("client ")))
    faults = [degraded[name] for name in names if name in degraded]
    hooks = [
        each.partition(":")[2]
        for each in cast("list[str]", status["quarantined"])
        if each.startswith(f"{plugin.name}:")
    ]
    faults += [f"quarantined: {', '.join(hooks)}"] if hooks else []
    return "; ".join(faults) or ("well" if plugin.state == "loaded" else "")
