"""``carrierd turns replay``: the model calls of a past turn made again, and how what comes of them differs."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, cast

from carrier_core.cli import place
from carrier_core.cli.text import table, visible

if TYPE_CHECKING:
    from carrier_core.host import Host
    from carrier_core.outcomes import TurnRecord
    from carrier_core.prompts import Json
    from carrier_core.replay import Script

    Told = dict[str, "Json"]

_FAILED = 70  # EX_SOFTWARE of sysexits(3)


async def replay(args: argparse.Namespace) -> int:
    """Ask again, and print each round as soon as it is there; the exit code says whether all were answered.

    The turn is read from the store, whether a daemon runs or not; it is closed again before any model is asked.
    """
    from carrier_core.host import Host
    from carrier_core.plugins import load_plugins
    from carrier_core.replay import Replay, compared, total

    config = place.read_config(args)
    host = Host(config, place.state_of(args), plugins=load_plugins(config), clients="none")
    record, script = await _read(host, args.id)
    again = Replay(host, record.agent, script, args.model)
    rounds = []
    async with again.ready():
        async for each in again.run():
            rounds.append(each)
            if not args.json:
                print("\n".join(_round(compared(each))), flush=True)
    used = total(rounds)
    if args.json:
        told: Told = {"v": 1, "turn": record.id, "agent": record.agent, "rounds": [compared(each) for each in rounds]}
        print(json.dumps(told | {"left": [*script.left], "used": used}, ensure_ascii=False))
    else:
        print("\n".join(_end(script, used)))
    return 0 if all(each.error is None for each in rounds) else _FAILED


async def _read(host: Host, turn: str) -> tuple[TurnRecord, Script]:
    from carrier_core.desk import Desk
    from carrier_core.replay import script_of

    await host.store.open_read_only(host.state)
    try:
        found = await Desk(host.store).show(turn)
        record = await host.store.journal.turn(str(found["turn"]))
        assert record is not None
        return record, await script_of(host.store.journal, record)
    finally:
        await host.store.close()


# --- for a person to read ----------------------------------------------------------------------------------------------------


def _round(told: Told) -> list[str]:
    """One round: who was asked, what it used, and the difference."""
    then, now, error = (cast("Told | None", told[name]) for name in ("recorded", "replayed", "error"))
    columns = [_column(then), _column(now)]
    rows = [tuple(cells) for cells in zip(_ROWS, *columns, strict=True)]
    shown = table(rows, (f"ROUND {told['round']}", "RECORDED", "NOW"))
    for side, name in ((then, "recorded"), (now, "now")):
        notes = cast("list[str]", side["notes"]) if side is not None else []
        shown += [f"  {name}: {visible(note)}" for note in notes]
    if error is not None:
        shown.append(f"  It failed ({error['reason']}): {visible(str(error['message']))}")
    elif told["diff"]:
        shown += [f"  {visible(str(line))}" for line in cast("list[str]", told["diff"])]
    else:
        shown.append(
            "  It says and calls the same." if told["same"] else "  It says and calls the same, but ends otherwise."
        )
    return [*shown, ""]


_ROWS = ("model", "finish", "tokens", "cost", "took")


def _column(told: Told | None) -> tuple[str, ...]:
    if told is None:
        return ("",) * len(_ROWS)
    usage = cast("Told", told["usage"])
    model = f"{told['provider']}/{told['model']}".strip("/")
    return (model, str(told["finish"]), _tokens(usage), _cost(usage), f"{cast('float', told['duration_ms']):.0f} ms")


def _tokens(usage: Told) -> str:
    return f"{usage['input']} in, {usage['output']} out"


def _cost(usage: Told) -> str:
    from carrier_core.prices import dollars

    return "not known" if usage["cost"] is None else dollars(cast("int", usage["cost"]))


def _end(script: Script, used: Told) -> list[str]:
    """What could not be asked again, and what all of it has used."""
    left = [f"Not asked again: {visible(each)}" for each in script.left]
    calls = f"{used['calls']} call{'s' * (used['calls'] != 1)}"
    failed = f" ({used['failed']} failed, which may have cost something too)" if used["failed"] else ""
    return [*left, f"{calls}{failed}, {_tokens(used)}, cost: {_cost(used)}"]
