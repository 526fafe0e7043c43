"""``carrierd turns``: what was and is being done, what waits for a person, and what to do about it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from carrier_core.cli import desk, place
from carrier_core.cli.text import table, visible
from carrier_core.errors import CarrierError, single

if TYPE_CHECKING:
    from carrier_core.prompts import Json

Told = dict[str, "Json"]

_CHANGES = ("retry", "discard")
_ANSWERS = ("approve", "refuse")
_REPLAY = "replay"
_SHORT = 12  # characters of an id: more than anybody has to type, and enough to tell a million turns apart
_TEXT = 60


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_state(parser)
    place.add_json(parser)
    parser.add_argument(
        "turn",
        nargs="?",
        default="",
        help="the turn to show: its id, the beginning of it, or: last; or what to do with ID: retry, discard, approve, refuse, replay",
    )
    parser.add_argument(
        "id",
        nargs="?",
        default="",
        help="what to retry or to discard of what is in doubt or was given up: of a whole turn, or one delivery or action; "
        "or the turn that waits for you, or is to be replayed",
    )
    parser.add_argument("--agent", default="", help="only of this agent")
    parser.add_argument("--room", default="", help="only in this room, by its name or id")
    parser.add_argument("--status", default="", help="only these: running, parked, replied, silent, failed...")
    parser.add_argument("--in-doubt", action="store_true", help="what nobody knows the end of, and waits for a person")
    parser.add_argument("--dead", action="store_true", help="deliveries that were given up")
    parser.add_argument("--limit", type=int, default=20, help="how many at most (default: %(default)s)")
    parser.add_argument(
        "--model",
        default="",
        metavar="PROVIDER/MODEL",
        help="with replay: ask this model, or the provider's own choice, instead of the one that the configuration names",
    )
    parser.epilog = (
        "replay makes the model calls of a turn again, each once and with the prompt that was recorded for it, and shows what "
        "differs. Nothing is performed, stored or sent. It costs what such calls cost, and no budget holds it back or counts "
        "it: what it used is printed."
    )
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """List, show, retry, discard, answer or replay."""
    import anyio

    changes, listed = args.turn in (*_CHANGES, *_ANSWERS), args.in_doubt or args.dead
    _check(args, changes or args.turn == _REPLAY, listed)
    with single():
        if args.turn == _REPLAY:
            from carrier_core.cli.replay import replay

            return anyio.run(replay, args)
        if changes:
            return _print(args, anyio.run(_change, args), _changed)
        if args.turn:
            return _print(args, anyio.run(_show, args), lines)
        if listed:
            return _print(args, anyio.run(_stuck, args), _waiting)
        turns = anyio.run(_list, args)
    if args.json:
        print(json.dumps(turns, ensure_ascii=False))
    else:
        print("\n".join(_listed(turns)))
    return 0


def _check(args: argparse.Namespace, is_done: bool, listed: bool) -> None:
    """See to it that the arguments make sense together. ``is_done``: something is to be done with the id."""
    narrowed = bool(args.agent or args.room or args.status)
    if is_done and not args.id:
        is_turn = args.turn == _REPLAY or args.turn in _ANSWERS
        what = "the id of a turn" if is_turn else "the id of a turn or of a delivery"
        remedy = "`carrierd turns`." if is_turn else "`carrierd turns --in-doubt --dead`."
        raise _usage(f"Say what to {args.turn}: {what}.", remedy)
    strays = bool(args.id and not is_done) or bool(args.model and args.turn != _REPLAY)
    if strays or (args.turn and (listed or narrowed)) or (listed and (args.room or args.status)):
        raise _usage("These arguments do not go together.", "See carrierd turns --help.")
    if args.limit < 1:
        raise _usage("--limit must be at least 1.")


def _print(args: argparse.Namespace, told: Told, shown: Callable[[Told], list[str]]) -> int:
    print(json.dumps(told, ensure_ascii=False) if args.json else "\n".join(shown(told)))
    return 0


async def _list(args: argparse.Namespace) -> list[Told]:
    async with desk.reading(args) as reader:
        turns = await reader.turns(agent=args.agent, room=args.room, status=args.status, limit=args.limit)
    return cast("list[Told]", turns)


async def _show(args: argparse.Namespace) -> Told:
    async with desk.reading(args) as reader:
        return await reader.show(args.turn)


async def _stuck(args: argparse.Namespace) -> Told:
    async with desk.reading(args) as reader:
        return await reader.stuck(agent=args.agent, in_doubt=args.in_doubt, dead=args.dead)


async def _change(args: argparse.Namespace) -> Told:
    async with desk.changing(args) as ask:
        if args.turn in _ANSWERS:
            return cast("Told", await ask("answer", turn=args.id, value=args.turn))
        return cast("Told", await ask(args.turn, key=args.id))


def _usage(message: str, remedy: str = "") -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 64
    return error


# --- for a person to read ----------------------------------------------------------------------------------------------------


def _listed(turns: list[Told]) -> list[str]:
    if not turns:
        return ["There is no turn."]
    rows = [
        (
            str(turn["turn"])[:_SHORT],
            desk.moment(cast("float", turn["started"])),
            str(turn["agent"]),
            str(turn["room"]),
            str(turn["status"]),
            _states(turn),
            _short(_said(turn)),
        )
        for turn in turns
    ]
    return table(rows, ("TURN", "STARTED", "AGENT", "ROOM", "STATUS", "DELIVERY", "REPLY, OR WHY THERE IS NONE"))


def _states(turn: Told) -> str:
    states = cast("dict[str, int]", turn["sending"])
    return ", ".join(state if count == 1 else f"{count} {state}" for state, count in states.items())


def _said(turn: Told) -> str:
    reply = cast("Told | None", turn["reply"])
    return str(turn["reason"] or (reply["text"] if reply else ""))


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def lines(turn: Told) -> list[str]:
    """One turn."""
    shown = [
        f"turn {turn['turn']}  agent {turn['agent']}  room {visible(str(turn['room']))}",
        f"{turn['status']}, started {desk.moment(cast('float', turn['started']))}, {turn['duration_ms']} ms"
        + (f": {visible(str(turn['reason']))}" if turn["reason"] else ""),
    ]
    parked = cast("Told | None", turn["parked"])
    if parked is not None:
        until = desk.moment(cast("float", parked["until"]))
        shown.append(f"It waits until {until} for an answer ({parked['step']}): {visible(str(parked['reason']))}")
    for name, head in (("begun", "Begun, and not recorded yet:"), ("doubts", "In doubt:")):
        found = cast("list[Told]", turn[name])
        if found:
            rows = [(str(each["key"])[:_SHORT], str(each["step"]), str(each["what"])) for each in found]
            shown += ["", head, *_indented(table(rows, ("KEY", "STEP", "WHAT")))]
    deliveries = cast("list[Told]", turn["deliveries"])
    if deliveries:
        shown += ["", "Deliveries:", *_indented(table([_delivery(each) for each in deliveries], _DELIVERY))]
    return [*shown, "", f"More: carrierd why {str(turn['turn'])[:_SHORT]}"]


_DELIVERY = ("KEY", "CLIENT", "STATE", "TRIED", "WHEN", "ID THERE", "TEXT, OR WHAT WENT WRONG")


def _delivery(row: Told) -> tuple[str, ...]:
    sent = cast("float", row["at"])
    return (
        str(row["key"])[:_SHORT],
        str(row["client"]),
        str(row["state"]),
        str(row["attempts"]),
        desk.moment(sent or cast("float", row["due"])),
        str(row["native"]),
        _short(str(row["error"] or row["text"])),
    )


def _indented(shown: list[str]) -> list[str]:
    return [f"  {line}" for line in shown]


def _waiting(told: Told) -> list[str]:
    doubts, deliveries = cast("list[Told]", told["doubts"]), cast("list[Told]", told["deliveries"])
    rows = [_stuck_row(each, "in_doubt", str(each["what"])) for each in doubts]
    rows += [_stuck_row(each, str(each["state"]), str(each["error"] or each["text"])) for each in deliveries]
    if not rows:
        return ["Nothing waits for a person."]
    head = ("KEY", "STATE", "WHAT", "TURN", "AGENT", "ROOM", "TEXT, OR WHAT WENT WRONG")
    return [*table(rows, head), "", "Next: carrierd turns retry KEY, or: carrierd turns discard KEY"]


def _stuck_row(each: Told, state: str, text: str) -> tuple[str, ...]:
    what = str(each["step"]) if "step" in each else f"to {each['client']}"
    return (
        str(each["key"])[:_SHORT], state, what, str(each["turn"])[:_SHORT], str(each["agent"]), str(each["room"]), _short(text),
    )  # fmt: skip


def _changed(told: Told) -> list[str]:
    if "answered" in told:
        goes_on = "goes on" if told["running"] else "goes on when the daemon runs"
        return [f"{str(told['answered'])[:_SHORT]} is told: {told['value']}. It {goes_on}."]
    if "retried" in told:
        number = len(cast("list[Told]", told["retried"]))
        return [f"{_deliveries(number)} to be tried again{'' if told['running'] else ', when the daemon runs'}."]
    discarded, settled = cast("list[Told]", told["discarded"]), cast("list[Told]", told["settled"])
    shown = [f"{_deliveries(len(discarded))} discarded."] if discarded else []
    return shown + ([f"{len(settled)} action{'s' * (len(settled) != 1)} settled."] if settled else [])


def _deliveries(number: int) -> str:
    return f"{number} deliver{'ies' if number != 1 else 'y'}"
