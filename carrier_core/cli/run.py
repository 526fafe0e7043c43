"""``carrierd run``: the daemon."""

from __future__ import annotations

import argparse

from carrier_core.cli import place


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_state(parser)
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Run until a signal ends it."""
    import anyio

    from carrier_core.daemon import serve
    from carrier_core.logs import configure as configure_logs

    config = place.read_config(args)
    configure_logs(config.settings.log)
    from carrier_core.errors import single

    with single():
        anyio.run(serve, config, place.state_of(args))
    return 0
