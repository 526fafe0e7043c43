"""``carrierd chat``: talk with an agent, one message or a conversation; with the daemon, if it runs, else in this process."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from carrier_core.cli import place
from carrier_core.cli.text import visible
from carrier_core.errors import CarrierError, ConfigError, single

if TYPE_CHECKING:
    from carrier_core.host import Host
    from carrier_core.plugins import Plugins
    from carrier_core.prompts import Json
    from carrier_core.settings import Config
    from carrier_core.things import Client, ClientHost


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_state(parser)
    parser.add_argument("--agent", default="", help="whom to talk with (else the first of the configuration)")
    parser.add_argument("--room", default="main", help="the name of the conversation (default: %(default)s)")
    parser.add_argument("--person", default=_user(), help="who you are (default: your user name, or friend)")
    parser.add_argument("-m", "--message", metavar="TEXT", help="say this, print the answer and leave")
    parser.add_argument("--json", action="store_true", help="print the answer of -m as JSON")
    parser.set_defaults(act=act)


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or "friend"


def act(args: argparse.Namespace) -> int:
    """Say one message, or have a conversation."""
    import anyio

    if args.json and args.message is None:
        raise _usage("--json goes with -m.")
    if args.message is not None and not args.message.strip():
        raise _usage("The message is empty; write something after -m.")
    if not args.room.strip() or not args.person.strip():
        raise _usage("--room and --person need a name.")
    state = place.state_of(args)
    with single():
        if args.message is None:
            return anyio.run(_converse, args, state)
        return anyio.run(_say, args, state)


def _usage(message: str, remedy: str = "") -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 64
    return error


def _answer_in(message: str) -> tuple[str, str]:
    """The answer and the code of a command of the open chat, ``/approve CODE``; two empty texts where it is none. CarrierError (64)
    for one that cannot be given with ``-m``."""
    word, _, rest = message.strip().partition(" ")
    if word in ("/choose", "/approvals"):
        what = (
            f"carrierd approvals choose {rest.strip() or 'CODE OPTION'}" if word == "/choose" else "carrierd approvals"
        )
        raise _usage(f"{word} is for an open chat.", f"Write: {what}.")
    if word not in ("/approve", "/refuse"):
        return "", ""
    if len(rest.split()) != 1:
        raise _usage(f"{word} takes a code here.", "`carrierd approvals` lists what waits.")
    return word[1:], rest.strip()


async def _ask(host: Host, words: dict[str, str], answer: tuple[str, str]) -> dict[str, Json]:
    """Say it, or answer what waits, to a host of our own; what came of it."""
    from carrier_core.desk import Desk

    if not answer[0]:
        return await host.ask(**words)
    desk = Desk(host.store, tuple(host.agents), host=host, clock=host.clock)
    decided = await desk.decide(answer[1], answer[0])
    return await host.wait(str(decided["turn"]))


async def _say(args: argparse.Namespace, state: Path) -> int:
    import anyio

    from carrier_core.control import connect

    words = {"agent": args.agent, "room": args.room, "person": args.person, "text": args.message}
    answer = _answer_in(args.message)
    remote = await connect(state)
    if remote is not None:
        async with anyio.create_task_group() as group:
            group.start_soon(remote.read)
            if answer[0]:
                decided = cast("dict[str, Json]", await remote.request("decide", key=answer[1], value=answer[0]))
                result = await remote.wait(str(decided["turn"]))
            else:
                result = cast("dict[str, Json]", await remote.request("ask", **words))
            group.cancel_scope.cancel()
    else:
        from carrier_core.host import Host

        async with Host(_ready(args), state, clients="none").running() as host:
            result = await _ask(host, words, answer)
    if args.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        _show(result)
    return {"failed": 70, "parked": _WAITS}.get(str(result["status"]), 0)


_WAITS = 75  # EX_TEMPFAIL: it did not fail, but what it is to do is not done yet


def _show(result: dict[str, Json]) -> None:
    reply = result.get("reply")
    if isinstance(reply, dict):
        text = str(reply["text"])
        print("\n".join(map(visible, text.split("\n"))) if sys.stdout.isatty() else text)
    if result.get("reason"):
        print(f"carrierd: {result['status']}: {visible(str(result['reason']))}", file=sys.stderr)
    asked = result.get("question")
    if isinstance(asked, dict):
        print(f"carrierd: {visible(_how(asked))}", file=sys.stderr)


def _how(asked: dict[str, Json]) -> str:
    """How a question is answered."""
    from carrier_core.cli.approvals import quoted

    options = cast("list[str]", asked["options"])
    if options == ["approve", "refuse"]:
        return "It waits for an answer. `carrierd approvals` says more, and takes one."
    return f"It waits for a choice: carrierd approvals choose {asked['code']} OPTION, one of: {quoted(options)}"


def _ready(args: argparse.Namespace) -> Config:
    from carrier_core.logs import configure as configure_logs

    config = place.read_config(args)
    configure_logs(config.settings.log, least="warning")
    if args.agent and args.agent not in config.settings.agents:
        there = ", ".join(config.settings.agents)
        raise CarrierError(f"There is no agent {args.agent}.", remedy=f"There are: {there}.")
    return config


async def _converse(args: argparse.Namespace, state: Path) -> int:
    import anyio

    from carrier_core.control import connect
    from carrier_core.host import Host
    from carrier_core.plugins import load_plugins

    config = _ready(args)
    plugins = load_plugins(config)
    client = _interactive(config, plugins)
    remote = await connect(state)
    if remote is not None:
        from carrier_core.cli.lasting import Lasting

        lasting = Lasting(state, client, remote)
        async with anyio.create_task_group() as group:
            group.start_soon(lasting.keep)
            await lasting.joined()
            await _talk(client, lasting, args)
            group.cancel_scope.cancel()
    else:
        from carrier_core.clients import ClientView

        async with Host(config, state, plugins=plugins, clients="interactive").running() as host:
            await _talk(client, ClientView(host, client), args)
    return 70 if getattr(client, "failed", False) else 0


async def _talk(client: Client, host: ClientHost, args: argparse.Namespace) -> None:
    agents = host.agents
    if not agents:
        raise CarrierError("No agent is reached by this client.", remedy="Look at `clients` in [agents.NAME].")
    if args.agent and args.agent not in agents:
        raise CarrierError(f"There is no agent {args.agent} here.", remedy=f"There are: {', '.join(agents)}.")
    client.configure(agent=args.agent or agents[0], room=args.room, person=args.person)
    await client.run(host, lambda: None)


def _interactive(config: Config, plugins: Plugins) -> Client:
    from carrier_core.things import Client

    for entry in plugins.all(Client):
        if isinstance(entry.thing, Client) and entry.thing.interactive:
            return entry.thing
    raise ConfigError(
        "No enabled plugin brings a client for this terminal.",
        file=str(config.path),
        remedy="Enable one in [plugins], or say one message with -m TEXT.",
    )
