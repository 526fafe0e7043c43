"""Where the configuration and the state of a command are: ``--config`` and ``--state``, or where they are looked for; and what
else many commands are given."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carrier_core.memory import Store
    from carrier_core.prompts import Json
    from carrier_core.settings import Config


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare ``--config``."""
    parser.add_argument(
        "--config", metavar="FILE", help="the configuration (else $CARRIER_CONFIG, else config/carrier.toml)"
    )


def add_state(parser: argparse.ArgumentParser) -> None:
    """Declare ``--state``."""
    parser.add_argument("--state", metavar="DIR", help="the state directory (else $STATE_DIRECTORY, else the user's)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def count(text: str) -> int:
    """A number of things, at least one, as the type of an argument."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def read_config(args: argparse.Namespace) -> Config:
    """The configuration, faults and all. ConfigError if there is none."""
    from carrier_core.settings import find_config, load

    return load(find_config(args.config, os.environ, Path.cwd()), os.environ)


def state_of(args: argparse.Namespace) -> Path:
    """The state directory."""
    if args.state:
        return Path(args.state)
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or os.environ.get("CARRIER_STATE", "")
    if given:
        return Path(given)
    named = os.environ.get("XDG_STATE_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    home = Path(named) if Path(named).is_absolute() else Path("~/.local/state").expanduser()
    return home / "carrier"


async def daemon_status(args: argparse.Namespace) -> dict[str, Json] | None:
    """What the daemon that runs on the state directory is doing; None if none runs."""
    import anyio

    from carrier_core.control import connect

    remote = await connect(state_of(args))
    if remote is None:
        return None
    async with anyio.create_task_group() as group:
        group.start_soon(remote.read)
        status = await remote.status()
        group.cancel_scope.cancel()
    return status


async def open_store(args: argparse.Namespace) -> Store:
    """The store of the configuration, opened for reading. Unavailable if there is none yet."""
    from carrier_core.plugins import choose_store, load_plugins

    config = read_config(args)
    store = choose_store(config, load_plugins(config))
    await store.open_read_only(state_of(args))
    return store
