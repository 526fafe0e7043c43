"""``carrierd mcp``: what the servers' tools are, and accepting what changed."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from carrier_actions_mcp.listed import Listed, effect_of, is_offered
from carrier_actions_mcp.naming import name_of
from carrier_actions_mcp.notebook import Notebook
from carrier_core import CarrierError, Command, Json

if TYPE_CHECKING:
    from carrier_actions_mcp.settings import ServerSettings, Settings


class Mcp(Command):
    """It reads and writes the notes in the state folder; a daemon that runs sees what was accepted within seconds."""

    name = "mcp"
    help = "list the tools of the MCP servers, or accept those that changed"

    def __init__(self, settings: Settings) -> None:
        self._servers = settings.servers

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """``list`` and ``accept``; without a word it lists."""
        commands = parser.add_subparsers(dest="what", metavar="list|accept")
        listing = commands.add_parser("list", help="list the servers and their tools (also without a word)")
        accepting = commands.add_parser("accept", help="accept tools as their server describes them now")
        accepting.add_argument("server", help="the server, as it is called in the configuration")
        accepting.add_argument("tools", nargs="*", help="the tools, by their names there (else all)")
        for each in (parser, listing):
            each.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
        for each in (listing, accepting):
            each.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the configuration")
            each.add_argument("--state", metavar="DIR", default=argparse.SUPPRESS, help="the state directory")
        parser.set_defaults(what="list", json=False)

    def run(self, args: argparse.Namespace) -> int:
        """0; CarrierError for a server or a tool that is not there."""
        if args.what == "accept":
            return self._accept(_state(args), args.server, args.tools)
        rows = [row for name, settings in self._servers.items() for row in _rows(_state(args), name, settings)]
        if args.json:
            print(json.dumps(rows, indent=2))
        else:
            for row in rows:
                print(_visible("  ".join(f"{row[key]:<{width}}" for key, width in _WIDTHS.items()).rstrip()))
        return 0

    def _accept(self, state: Path, server: str, tools: list[str]) -> int:
        settings = self._servers.get(server)
        if settings is None:
            known = ", ".join(self._servers) or "none"
            raise CarrierError(f"There is no MCP server {server}.", remedy=f"There are: {known}.")
        notebook = Notebook(state, server, settings)
        listing = notebook.listing()
        if listing is None:
            why = notebook.failure()
            raise CarrierError(
                f"It is not known what tools {server} has{f': it {why}' if why else ''}.",
                remedy="Let the daemon run until it has listed them.",
            )
        there = {tool.name: tool.mark for tool in listing.tools}
        for tool in tools:
            if tool in there:
                continue
            if tool in listing.unfit:
                raise CarrierError(_visible(f"{tool} of {server} cannot be used: it {listing.unfit[tool]}."))
            raise CarrierError(f"{server} has no tool {tool}.", remedy="See carrierd mcp list.")
        chosen = {tool: there[tool] for tool in tools} if tools else there
        before = notebook.accepted()
        seen = notebook.reviewed()
        notebook.accept({**before, **chosen}, seen | {*chosen})
        changed = [tool for tool, mark in chosen.items() if before.get(tool) != mark or tool not in seen]
        print(f"Accepted of {server}: {', '.join(changed) or 'nothing new'}.")
        return 0


Row = dict[str, Json]
_SHOWN = 200  # characters of a description that changed; JSON has all of it
_WIDTHS = {"server": 12, "state": 10, "effect": 8, "name": 32, "why": 0}


def _rows(state: Path, name: str, settings: ServerSettings) -> list[Row]:
    notebook = Notebook(state, name, settings)
    listing = notebook.listing()
    failure = notebook.failure()
    if listing is None:
        return [_row(name, "", "unknown", why=f"it {failure or 'was not listed yet'}")]
    accepted = notebook.accepted()
    rows = [_row(name, "", "failing", why=f"it {failure}")] if failure else []
    rows += [_listed(name, tool, settings, accepted) for tool in listing.tools]
    return rows + [_row(name, tool, "unfit", why=f"it {why}") for tool, why in listing.unfit.items()]


def _listed(name: str, tool: Listed, settings: ServerSettings, accepted: dict[str, str]) -> Row:
    prefix = f"{name}_" if settings.prefix is None else settings.prefix
    effect, action = str(effect_of(tool, settings)), name_of(prefix, tool.name)
    if not is_offered(tool, settings):
        state, why = "excluded", ""
    elif settings.trusted or accepted.get(tool.name) == tool.mark:
        state, why = "offered", ""
    else:
        state, why = "changed" if tool.name in accepted else "new", tool.description[:_SHOWN]
    row = _row(name, tool.name, state, effect, action, why)
    return {**row, "description": tool.description, "parameters": tool.parameters}


def _row(server: str, tool: str, state: str, effect: str = "", name: str = "", why: str = "") -> Row:
    return {"server": server, "tool": tool, "name": name or tool, "state": state, "effect": effect, "why": why}


def _visible(text: str) -> str:
    """What a server wrote, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _state(args: argparse.Namespace) -> Path:
    """The state directory, as the core's own commands find it."""
    given = getattr(args, "state", None) or os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    given = given or os.environ.get("CARRIER_STATE", "")
    if given:
        return Path(given)
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (named if named.is_absolute() else Path("~/.local/state").expanduser()) / "carrier"
