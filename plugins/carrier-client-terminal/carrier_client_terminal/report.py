"""What the host tells about a turn and about itself, set for a person to read."""

from __future__ import annotations

import time
from collections.abc import Iterator

from carrier_client_terminal.visible import visible
from carrier_core import Json

_WIDTH = 100
Table = dict[str, Json]


def explain(turn: Table) -> str:
    """A turn as ``host.why`` tells it: how it ended, what each hook added, which memories were used, cost and time."""
    head = [str(turn.get("turn") or turn.get("id") or "?")]
    outcome = _table(turn.get("outcome")) or turn
    head += [str(value) for value in (turn.get("agent"), outcome.get("status")) if value]
    head += [_milliseconds(turn)] if "duration_ms" in turn else []
    lines = [" · ".join(head)]
    lines += [f"reason: {outcome['reason']}"] if outcome.get("reason") else []
    lines += _usage(_table(outcome.get("usage")))
    lines += _section("asked", _asked(_tables(turn.get("asked"))))
    ran = _tables(turn.get("ran"))
    lines += _section("what ran", _ran(ran)) if ran else _section("recorded so far", _steps(_tables(turn.get("steps"))))
    lines += _section("memories used", _memories(turn.get("memories")))
    lines += _section("in the prompt", _parts(_tables(turn.get("parts"))))
    return visible("\n".join(lines))


def describe(value: Json, indent: str = "") -> str:
    """Any JSON as indented lines: a key and its value, or its contents below it."""
    return visible("\n".join(_lines(value, indent))) or f"{indent}(nothing)"


def _lines(value: Json, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        width = max((len(key) for key, below in value.items() if not _is_deep(below)), default=0)
        for key, below in value.items():
            if _is_deep(below):
                yield f"{indent}{key}"
                yield from _lines(below, f"{indent}  ")
            else:
                yield f"{indent}{key:{width}}  {_word(below)}"
    elif isinstance(value, list):
        for below in value:
            if isinstance(below, dict):
                yield f"{indent}- " + ", ".join(f"{key} {_word(each)}" for key, each in below.items())
            else:
                yield f"{indent}- {_word(below)}"
    else:
        yield f"{indent}{_word(value)}"


def _is_deep(value: Json) -> bool:
    return isinstance(value, dict | list) and bool(value) and (isinstance(value, dict) or not _is_flat(value))


def _is_flat(values: list[Json]) -> bool:
    return all(isinstance(value, str | int | float) and len(str(value)) <= 40 for value in values)


def _word(value: Json) -> str:
    if value is None or value in ([], {}, ""):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, list):
        return ", ".join(_word(each) for each in value)
    if isinstance(value, dict):
        return " ".join(f"{key}={_word(each)}" for key, each in value.items())
    return _cut(str(value))


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _usage(usage: Table) -> list[str]:
    names = {
        "calls": "model calls",
        "input": "tokens in",
        "cached": "of these cached",
        "output": "tokens out",
    }
    told = [f"{usage[key]} {name}" for key, name in names.items() if usage.get(key)]
    return ["cost: " + ", ".join(told)] if told else []


def _asked(asked: list[Table]) -> list[str]:
    """Approvals and choices, with who answered what and when."""
    lines: list[str] = []
    for each in asked:
        lines.append(f"{each.get('code')}  {each.get('kind')} of {_cut(str(each.get('what') or ''))}")
        answer = _table(each.get("answer"))
        if answer.get("expired"):
            lines.append("  nobody answered in time")
        elif answer:
            lines.append(f"  {answer.get('value')}, by {answer.get('by')}, {_moment(answer.get('at'))}")
        elif each.get("waits"):
            lines.append(f"  waits until {_moment(each.get('until'))}")
    return lines


def _steps(steps: list[Table]) -> list[str]:
    """What is recorded of a turn that has not ended."""
    return [f"{each.get('name') or ''!s:22}  {_cut(str(each.get('told') or ''))}".rstrip() for each in steps]


def _moment(at: Json) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) if isinstance(at, int | float) else ""


def _ran(ran: list[Table]) -> list[str]:
    names = [[str(each.get(key) or "") for key in ("hook", "plugin")] + [_milliseconds(each)] for each in ran]
    widths = [max((len(row[column]) for row in names), default=0) for column in range(3)]
    lines: list[str] = []
    step = None
    for each, (hook, plugin, spent) in zip(ran, names, strict=True):
        if each.get("step") != step:
            step = each.get("step")
            lines.append(str(step or "before the first step"))
        result, told = str(each.get("result") or ""), _cut(str(each.get("contributed") or ""))
        if result not in ("answered", "passed", ""):
            told = f"{result}: {told}" if told else result
        lines.append(f"  {hook:{widths[0]}}  {plugin:{widths[1]}}  {spent:>{widths[2]}}  {told}".rstrip())
    return lines


def _memories(memories: Json) -> list[str]:
    if not isinstance(memories, list):
        return []
    return [
        _cut(str(each.get("text") or each.get("id") or "?")) if isinstance(each, dict) else str(each)
        for each in memories
    ]


def _parts(parts: list[Table]) -> list[str]:
    lines: list[str] = []
    for part in parts:
        provenance = _table(part.get("provenance"))
        origins = provenance.get("origins")
        sources = ", ".join(map(_origin, origins)) if isinstance(origins, list) else "unknown"
        by = f" by {provenance['plugin']}" if provenance.get("plugin") else ""
        key = str(part.get("key") or part.get("role") or "text")
        lines.append(f"{key:20} {_cut(str(part.get('text') or ''))}")
        lines.append(f"{'':20}   from {sources}{by}")
    return lines


def _origin(origin: Json) -> str:
    kind, _, name = str(origin).partition(":")
    return f"{kind} {name[:8]}…" if kind == "person" and len(name) > 12 else str(origin)


def _milliseconds(row: Table) -> str:
    value = row.get("duration_ms")
    return f"{value:.1f} ms" if isinstance(value, int | float) else ""


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def _table(value: Json) -> Table:
    return value if isinstance(value, dict) else {}


def _tables(value: Json) -> list[Table]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
