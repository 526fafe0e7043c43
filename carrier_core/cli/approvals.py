"""``carrierd approvals``: what agents ask before they do it, and what is answered: a call that is approved or refused, a choice."""

from __future__ import annotations

import argparse
import json
import shlex
from typing import TYPE_CHECKING, cast

from carrier_core.cli import desk, place
from carrier_core.cli.text import visible
from carrier_core.errors import single

if TYPE_CHECKING:
    from carrier_core.prompts import Json

Told = dict[str, "Json"]

_SHORT = 12  # characters of a turn's id
_CODE = "the code that `approvals` shows, or the beginning of the id"
_MAY = {
    "person": "{person}, an admin, an owner or the operator",
    "admin": "an admin, an owner or the operator",
    "owner": "an owner or the operator",
    "operator": "the operator alone",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments. Without a word it lists."""
    parser.add_argument("--agent", default="", help="only what this agent asks")
    actions = parser.add_subparsers(dest="what", metavar="WHAT")

    def add(name: str, told: str) -> argparse.ArgumentParser:
        # What is not given here stays as it was given before the word.
        return actions.add_parser(name, help=told, argument_default=argparse.SUPPRESS)

    listing = add("list", "what waits for an answer, what ends first before the rest (also without a word)")
    listing.add_argument("--agent", help="only what this agent asks")
    approve = add("approve", "let a call be made, this once")
    refuse = add("refuse", "have a call not made")
    choose = add("choose", "choose among the options that are offered")
    for each in (approve, refuse, choose):
        each.add_argument("code", help=_CODE)
    refuse.add_argument("--reason", metavar="TEXT", help="why not, which the agent is told")
    choose.add_argument("option", help="one of the options, as it is written")
    for each in (parser, listing, approve, refuse, choose):
        place.add_config(each)
        place.add_state(each)
        place.add_json(each)
    parser.set_defaults(act=act, what="list", reason="", option="")


def act(args: argparse.Namespace) -> int:
    """List or answer."""
    import anyio

    with single():
        told = anyio.run(_list if args.what == "list" else _decide, args)
    if args.json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        print("\n".join(lines(told) if args.what == "list" else [_decided(told)]))
    return 0


async def _list(args: argparse.Namespace) -> Told:
    async with desk.reading(args) as reader:
        return await reader.approvals(agent=args.agent)


async def _decide(args: argparse.Namespace) -> Told:
    value = args.option if args.what == "choose" else args.what
    async with desk.changing(args) as ask:
        return cast("Told", await ask("decide", key=args.code, value=value, reason=args.reason))


# --- for a person to read ----------------------------------------------------------------------------------------------------


def lines(told: Told) -> list[str]:
    """What waits, each with all that counts."""
    approvals, choices = cast("list[Told]", told["approvals"]), cast("list[Told]", told["choices"])
    shown: list[str] = []
    for each in approvals:
        may = may_approve(str(each["approver"]), str(each["person"]))
        why = [f"why: {each['reason']}"] if each["reason"] else []
        shown += [
            *_head(each),
            *map(_line, [str(each["call"]), *why, f"who may approve it: {may}", *_stands(each)]),
            "",
        ]
    for each in choices:
        options = f"options: {quoted(cast('list[str]', each['options']))}"
        shown += [*_head(each), *map(_line, [str(each["question"]), options, *_stands(each)]), ""]
    if any(not each["answered"] for each in approvals):
        shown.append("Next: carrierd approvals approve CODE, or: carrierd approvals refuse CODE")
    if any(not each["answered"] for each in choices):
        shown.append("Next: carrierd approvals choose CODE OPTION")
    if any(each["answered"] for each in approvals + choices):
        shown.append("What is answered goes on when its agent runs: carrierd run")
    return shown or ["Nothing waits for an answer."]


def quoted(options: list[str]) -> str:
    """The options of a choice, each as a shell takes it: it shows where one ends, and can be pasted."""
    return " | ".join(map(shlex.quote, options))


def may_approve(approver: str, person: str) -> str:
    """Who may approve, in words."""
    return _MAY.get(approver, approver).format(person=person)


def _stands(each: Told) -> list[str]:
    """Until when it waits; and what was answered, where nobody has taken that up yet."""
    answered = cast("Told | None", each["answered"])
    if not answered:
        return [_until(each)]
    when = desk.moment(cast("float", answered["at"]))
    return [
        _until(each),
        f"answered: {answered['value']}, by the {answered['by']}, {when}; it goes on when its agent runs",
    ]


def _head(each: Told) -> list[str]:
    return [visible(f"{each['code']}  {each['agent']} asks in {each['room']}, for {each['person']}")]


def _line(text: str) -> str:
    return f"  {visible(text)}"


def _until(each: Told) -> str:
    return f"until {desk.moment(cast('float', each['until']))}, {_span(cast('float', each['left']))}"


def _span(seconds: float) -> str:
    """How long that is."""
    if seconds <= 0:
        return "which is over"
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    if hours >= 48:
        return f"{hours // 24} days left"
    if hours:
        return f"{hours} h {minutes % 60} min left"
    return f"{minutes} min left" if minutes else f"{int(seconds)} s left"


def _decided(told: Told) -> str:
    goes_on = "Its turn goes on." if told["taken"] else "Its turn goes on when its agent runs: carrierd run."
    look = f"What comes of it: carrierd turns {str(told['turn'])[:_SHORT]}"
    return visible(f"{told['code']} is answered: {told['value']}. {goes_on}") + f"\n{look}"
