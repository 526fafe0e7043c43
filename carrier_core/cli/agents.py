"""``carrierd agents``: the agents of the configuration, and whether a daemon runs them."""

from __future__ import annotations

import argparse
import json
from typing import cast

from carrier_core.cli import place
from carrier_core.cli.text import table
from carrier_core.errors import single


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_state(parser)
    place.add_json(parser)
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Print the list."""
    import anyio

    from carrier_core.characterfile import load_character

    config = place.read_config(args)
    with single():
        status = anyio.run(place.daemon_status, args)
    running = cast("list[str]", status["agents"]) if status is not None else []
    listed = []
    for name, agent in config.settings.agents.items():
        loaded = load_character(config.character_path(name))
        listed.append(
            {
                "name": name,
                "character": loaded.character.name,
                "file": str(loaded.path),
                "kind": agent.kind,
                "models": {key: list(model.use) for key, model in agent.models.items()},
                "clients": None if agent.clients is None else list(agent.clients),
                "running": name in running,
            }
        )
    if args.json:
        print(json.dumps(listed, ensure_ascii=False))
        return 0
    rows = [
        (
            str(each["name"]),
            str(each["character"]),
            str(each["kind"]),
            "running" if each["running"] else "",
            str(each["file"]),
        )
        for each in listed
    ]
    print("\n".join(table(rows, ("AGENT", "CHARACTER", "KIND", "STATE", "FILE"))))
    return 0
