"""``carrierd usage``: what was spent on models, and how full the budgets are."""

from __future__ import annotations

import argparse
import json
import re
import time
from typing import TYPE_CHECKING, cast

from carrier_core.cli import place
from carrier_core.cli.text import table, visible
from carrier_core.errors import CarrierError, single

if TYPE_CHECKING:
    from carrier_core.prompts import Json

Told = dict[str, "Json"]

_KEYS = ("agent", "person", "model", "day")
_LONGEST = 400  # days that are kept
_SHORT = 12  # characters of an id


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_state(parser)
    place.add_json(parser)
    parser.add_argument("--by", choices=_KEYS, default="agent", help="what it is summed up by (default: %(default)s)")
    parser.add_argument("--agent", default="", help="only of this agent")
    span = parser.add_mutually_exclusive_group()
    span.add_argument(
        "--days", type=int, default=30, metavar="N", help="of the last N days, today included (default: %(default)s)"
    )
    span.add_argument("--month", default="", metavar="YYYY-MM", help="of this month")
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Add it up and show it."""
    import anyio

    if not 1 <= args.days <= _LONGEST:
        raise _usage(f"--days must be from 1 to {_LONGEST}: older figures are not kept.")
    if args.month and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", args.month):
        raise _usage(f"{args.month} is no month.", "Write the year and the month: 2027-01.")
    with single():
        told = anyio.run(_bill, args)
    print(json.dumps(told, ensure_ascii=False) if args.json else "\n".join(lines(told)))
    return 0


async def _bill(args: argparse.Namespace) -> Told:
    from carrier_core.bill import bill
    from carrier_core.windows import Windows

    settings = place.read_config(args).settings
    windows = Windows(settings.limits.zone)
    store = await place.open_store(args)
    try:
        return await bill(
            store,
            windows,
            settings.budgets,
            time.time(),
            by=args.by,
            agent=args.agent,
            days=args.days,
            month=args.month,
        )
    finally:
        await store.close()


def _usage(message: str, remedy: str = "") -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 64
    return error


# --- for a person to read ------------------------------------------------------------------------------------------------


def lines(told: Told) -> list[str]:
    """Figures in a table, then the budgets."""
    by, rows = str(told["by"]), cast("list[Told]", told["rows"])
    since, until = str(told["from"]), str(told["to"])
    span = f"in {since}" if since == until and len(since) == 7 else since if since == until else f"{since} to {until}"
    shown = [f"No model was called, {span} ({told['zone']})."]
    if rows:
        cells = [_row(_label(by, row), row) for row in rows]
        head = (by.upper(), "CALLS", "IN", "OF IT CACHED", "OUT", "COST")
        shown = [
            f"By {by}, {span} ({told['zone']}):",
            "",
            *table([*cells, _row("total", cast("Told", told["total"]))], head),
        ]
    for budget in cast("list[Told]", told["budgets"]):
        shown += ["", *_budget(budget)]
    return shown


def _row(label: str, row: Told) -> tuple[str, ...]:
    from carrier_core.prices import dollars

    numbers = [f"{row[name]:,}" for name in ("calls", "input", "cached", "output")]
    return (label, *numbers, dollars(cast("int", row["cost"])))


def _label(by: str, row: Told) -> str:
    if by != "person":
        return str(row[by]) or "(none)"
    key, name = str(row["person"]), str(row["name"])
    return f"{name} ({key[:_SHORT]})" if name else key[:_SHORT] or "(nobody, or forgotten)"


def _budget(budget: Told) -> list[str]:
    counters = cast("list[Told]", budget["counters"])
    head = f"Budget of {budget['budget']}, then {budget['then']}:"
    if not counters:
        return [f"{head} nothing is used."]
    more = [f"  and {budget['more']} more, less full"] if budget["more"] else []
    rows = [_counter(each) for each in counters]
    width = max(len(label) for label, _ in rows)
    return [head, *[f"  {label.ljust(width)}  {text}".rstrip() for label, text in rows], *more]


def _counter(each: Told) -> tuple[str, str]:
    name, key = visible(str(each.get("name", ""))), str(each["of"])
    short = key[:_SHORT] if len(key) == 32 else visible(key)
    label = f"{name} ({short})" if name else short or "all"
    held = f", {each['held']} held back" if each["held"] else ""
    return label, f"{cast('float', each['full']):.0%} full: {each['used']} used{held}"
