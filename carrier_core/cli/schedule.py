"""``carrierd schedule``: what agents are told at its time, once or again and again."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, cast

from carrier_core.cli import desk, place
from carrier_core.cli.text import table, visible
from carrier_core.errors import single

if TYPE_CHECKING:
    from carrier_core.prompts import Json

Told = dict[str, "Json"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments. Without a word it lists."""
    parser.add_argument("--agent", default="", help="only of this agent")
    actions = parser.add_subparsers(dest="what", metavar="WHAT")

    def word(name: str, told: str) -> argparse.ArgumentParser:
        # What is not given here stays as it was given before the word.
        return actions.add_parser(name, help=told, argument_default=argparse.SUPPRESS)

    listing = word("list", "the schedules, the next one first (also without a word)")
    add = word("add", "have an agent told something at its times")
    cancel = word("cancel", "remove a schedule")
    listing.add_argument("--agent", help="only of this agent")
    add.add_argument(
        "when", help='"at 2026-12-24T18:00", "every 1h30m" (or seconds; at least one), or "cron 0 9 * * 1-5"'
    )
    add.add_argument("text", help="what the agent is told, as if the person had said it")
    add.add_argument("--agent", help="whom to tell (else the first of the configuration)")
    add.add_argument("--room", default="main", help="the room, by its name or id; else one of the command line is made")
    add.add_argument(
        "--zone", default="UTC", help="the time zone of at and cron, such as Europe/Lisbon (default: %(default)s)"
    )
    add.add_argument(
        "--missed",
        default="one",
        metavar="POLICY",
        help="what becomes of times that passed while no daemon ran: one turn for all of them, all of them (of the last 100), "
        "or skip (default: %(default)s)",
    )
    add.add_argument(
        "--person", dest="who", metavar="NAME", default="", help="who says it (else the only one in the room)"
    )
    cancel.add_argument("id", help="the id that `schedule list` shows, or its beginning")
    for each in (parser, listing, add, cancel):
        place.add_config(each)
        place.add_state(each)
        place.add_json(each)
    parser.set_defaults(act=act, what="list")


def act(args: argparse.Namespace) -> int:
    """List, add or cancel."""
    import anyio

    with single():
        told = anyio.run({"list": _list, "add": _add, "cancel": _cancel}[args.what], args)
    if args.json:
        print(json.dumps(told, ensure_ascii=False))
    elif args.what == "list":
        print("\n".join(_listed(cast("list[Told]", told))))
    else:
        print(_line(args.what, cast("Told", told)))
    return 0


async def _list(args: argparse.Namespace) -> Json:
    async with desk.reading(args) as reader:
        return await reader.schedules(agent=args.agent)


async def _add(args: argparse.Namespace) -> Json:
    async with desk.changing(args, create=True) as ask:
        return await ask(
            "schedule",
            when=args.when,
            text=args.text,
            agent=args.agent,
            room=args.room,
            person=args.who,
            by=os.environ.get("USER") or "operator",
            zone=args.zone,
            missed=args.missed,
        )


async def _cancel(args: argparse.Namespace) -> Json:
    async with desk.changing(args) as ask:
        return await ask("cancel", key=args.id)


def _listed(schedules: list[Told]) -> list[str]:
    if not schedules:
        return ["There is no schedule."]
    rows = [
        (
            str(each["id"])[:12],
            str(each["agent"]),
            str(each["room"]),
            str(each["when"]),
            _next(each),
            str(each["missed"]),
            str(each["person"]),
            str(each["text"])[:60],
        )
        for each in schedules
    ]
    return table(rows, ("SCHEDULE", "AGENT", "ROOM", "WHEN", "NEXT", "MISSED", "SAID BY", "TEXT"))


def _next(schedule: Told) -> str:
    return f"{desk.moment(cast('float', schedule['next_at']), str(schedule['zone']))} {schedule['zone']}"


def _line(what: str, schedule: Told) -> str:
    key = str(schedule["id"])[:12]
    if what == "cancel":
        return f"{key} is cancelled."
    where = f"{schedule['room']} ({schedule['platform']})"
    return visible(f"{key}: {schedule['agent']} is told in {where}, next at {_next(schedule)}.")
