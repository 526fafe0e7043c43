"""``carrierd why TURN``: what each hook added to a turn, which memories were used, what it cost and how long it took."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from carrier_core.cli import desk, place
from carrier_core.errors import single

if TYPE_CHECKING:
    from carrier_core.prompts import Json


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    place.add_config(parser)
    place.add_state(parser)
    place.add_json(parser)
    parser.add_argument("turn", nargs="?", default="last", help="the id of a turn, its beginning, or: last (default)")
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Print the record of a turn."""
    import anyio

    with single():
        record = anyio.run(_fetch, args)
    if args.json:
        print(json.dumps(record, ensure_ascii=False))
    else:
        print("\n".join(lines(record)))
    return 0


async def _fetch(args: argparse.Namespace) -> dict[str, Json]:
    import anyio

    from carrier_core.control import connect
    from carrier_core.why import explain

    remote = await connect(place.state_of(args))
    if remote is not None:
        async with anyio.create_task_group() as group:
            group.start_soon(remote.read)
            record = await remote.why(args.turn)
            group.cancel_scope.cancel()
        return record
    store = await place.open_store(args)
    try:
        return await explain(store, args.turn)
    finally:
        await store.close()


def lines(record: dict[str, Json]) -> list[str]:
    """The record for a person to read."""
    from carrier_core.cli.text import visible

    usage = cast("dict[str, int]", record["usage"])
    shown = [
        f"turn {record['turn']}  agent {record['agent']}  room {record['room']}",
        f"{record['status']} in {record['duration_ms']} ms, {usage['calls']} model calls, "
        f"{usage['input']} tokens in, {usage['output']} out{_cost(usage)}"
        + (f": {visible(str(record['reason']))}" if record["reason"] else ""),
        *_asked(record),
        *_models(record),
        "",
        *_ran(record),
    ]
    shown += ["", "What the model was shown:"]
    for part in cast("list[dict[str, Json]]", record["parts"]):
        origin = cast("dict[str, list[str]]", part["provenance"])
        who = f"{part['key']}/{part['role']}" if part["role"] else str(part["key"])
        text = visible(str(part["text"]))
        shown.append(f"  {who:<24} {', '.join(origin['origins']):<44} {text if len(text) < 80 else text[:79] + '…'}")
    memories = cast("list[dict[str, Json]]", record["memories"])
    shown += ["", f"Memories used: {len(memories)}"]
    shown += [f"  {memory['id']}  {visible(str(memory['text']))[:100]}" for memory in memories]
    return shown


def _ran(record: dict[str, Json]) -> list[str]:
    """What ran; of a turn that has not ended, the steps that are recorded, which is all that is known of it."""
    from carrier_core.cli.text import visible

    ran = cast("list[dict[str, str]]", record["ran"])
    if ran or record["status"] not in ("running", "parked"):
        return [
            "What ran:",
            *[
                f"  {each['step']:<14} {each['hook']:<22} {each['plugin']:<26} {float(each['duration_ms']):>9.3f} ms  "
                f"{each['result']:<9} {visible(each['contributed'])[:90]}"
                for each in ran
            ],
        ]
    steps = cast("list[dict[str, Any]]", record["steps"])
    if not steps:
        return ["What ran: no step is recorded yet."]
    return [
        "What ran so far (the steps that are recorded; when the turn has ended, this says what each plugin did):",
        *[
            f"  {_cut(step['name'], 22):<22} {desk.moment(step['at'])} {step['duration_ms']:>9.3f} ms  {visible(step['told'])[:90]}"
            for step in steps
        ],
    ]


def _asked(record: dict[str, Json]) -> list[str]:
    """What the turn waits for, and what it has asked: who may answer, or who did."""
    from carrier_core.cli.text import visible

    asked = cast("list[dict[str, Any]]", record["asked"])
    waits = cast("dict[str, Any] | None", record["waits"])
    shown: list[str] = []
    if waits is not None and not any(each["waits"] for each in asked):
        shown.append(
            f"  {visible(waits['reason'])}: until {desk.moment(waits['until'])}. carrierd turns approve {record['turn']}"
        )
    for each in asked:
        reason = f" ({each['reason']})" if each["reason"] else ""
        shown.append(f"  {each['code']}  {each['kind']} of {visible(each['what'])}{visible(reason)}")
        shown += [f"{'':10}{line}" for line in (_answered(each) if each["answer"] else _open(each))]
    return ["", "What it asked, and waits for:" if waits is not None else "What it asked:", *shown] if shown else []


def _open(asked: dict[str, Any]) -> list[str]:
    """Of a question without an answer: who may answer until when, and how."""
    from carrier_core.cli.approvals import may_approve, quoted
    from carrier_core.cli.text import visible

    if not asked["waits"]:
        return ["was not answered"]
    until = f"waits until {desk.moment(asked['until'])}"
    if asked["kind"] == "approval":
        may = visible(may_approve(asked["approver"], asked["person"]))
        return [f"{until}; may be approved by {may}", f"carrierd approvals approve {asked['code']}, or: refuse"]
    return [
        f"{until}; options: {visible(quoted(asked['options']))}",
        f"carrierd approvals choose {asked['code']} OPTION",
    ]


def _answered(asked: dict[str, Any]) -> list[str]:
    """Who answered what and when."""
    from carrier_core.cli.text import visible

    answer = asked["answer"]
    if answer["expired"]:
        return [f"nobody answered until {desk.moment(asked['until'])}"]
    by = "the operator" if answer["by_id"] == "operator" else visible(answer["by"])
    text = f": {visible(answer['text'])}" if answer["text"] and answer["by_id"] == "operator" else ""
    goes_on = "" if answer["taken"] else "; it goes on when its agent runs (carrierd run)"
    return [f"answered: {visible(answer['value'])}, by {by}, {desk.moment(answer['at'])}{goes_on}{text}"]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _models(record: dict[str, Json]) -> list[str]:
    """Which models answered, which were asked before, and what was done to the prompts."""
    from carrier_core.cli.text import visible

    shown: list[str] = []
    for step in cast("list[dict[str, Any]]", record["steps"]):
        value = step["value"] or {}
        if value.get("type") != "completion":
            continue
        answer = value["data"]
        usage = answer.get("usage", {})
        cached = f" ({usage['cached']} cached)" if usage.get("cached") else ""
        shown.append(
            f"  {step['name']:<14} {answer.get('provider', '')}/{answer.get('model', '')}: {answer.get('finish', 'stop')}, "
            f"{usage.get('input', 0)} tokens in{cached}, {usage.get('output', 0)} out{_cost(usage)}"
        )
        for failed in answer.get("attempts", ()):
            who, seconds = f"{failed['provider']}/{failed['model']}", failed.get("seconds", 0)
            shown.append(f"{'':17}not {who} ({failed['reason']}, {seconds} s): {visible(failed.get('message', ''))}")
        shown += [f"{'':17}{visible(note)}" for note in answer.get("notes", ())]
    return ["", "Which models answered:", *shown] if shown else []


def _cost(usage: Mapping[str, int]) -> str:
    from carrier_core.prices import dollars

    return f", {dollars(usage['cost'])}" if usage.get("cost") else ""
