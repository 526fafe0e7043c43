"""Run all benchmarks (or those named), print a table, write ``.bench/latest.json``.

``python -m tests.benchmarks [NAME ...] [--memories N] [--waiting N]``; what each measures is told by its module. Without a name
it is what five minutes are enough for, with ``all`` everything. The big one, which makes its databases first and keeps them, is
``million million-postgres --memories 1000000``.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks import dispatching, durable, growth, injection, million, providers, starting, turns, waiting
from tests.benchmarks.backends import Missing
from tests.benchmarks.gauges import calibration

Result = dict[str, dict[str, object]]


USUAL = (
    "dispatch",
    "turns",
    "start",
    "providers",
    "injection",
    "durable",
    "growth",
    "waiting",
    "million",
    "durable-postgres",
)


def sections(memories: int, waiters: int) -> dict[str, Callable[[], Result]]:
    """All benchmarks by name."""
    found: dict[str, Callable[[], Result]] = {
        "dispatch": dispatching.measure,
        "turns": turns.measure,
        "start": starting.measure,
        "providers": providers.measure,
        "injection": injection.measure,
    }
    for name, suffix in (("sqlite", ""), ("postgres", "-postgres")):
        found[f"durable{suffix}"] = partial(durable.measure, name)
        found[f"growth{suffix}"] = partial(growth.measure, name)
        found[f"waiting{suffix}"] = partial(waiting.measure, name, waiters)
        found[f"million{suffix}"] = partial(million.measure, name, memories)
    found["waiting-history"] = partial(waiting.measure, "sqlite", waiters, waiting.EARLIER)
    return found


def least() -> dict[str, object]:
    """The calibration loop, the least of five: what the other figures can be divided by."""
    return {"value": round(min(calibration() for _ in range(5)) * 1000, 2), "unit": "ms CPU"}


def machine() -> str:
    """Processor, cores and Python."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def show(results: Result) -> None:
    """Print the table; what belongs to a figure in more lines comes after it."""
    width = max(len(name) for name in results)
    details: dict[str, list[str]] = {}
    for name, result in results.items():
        goal = f"   (goal {result['goal']})" if "goal" in result else ""
        print(f"{name:<{width}}  {result['value']!s:>12} {result['unit']}{goal}")
        detail = result.get("detail")
        if isinstance(detail, list):
            details[name] = detail
    for name, lines in details.items():
        print(f"\n{name}")
        print("\n".join(f"  {line}" for line in lines))


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure Carrier.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"what to measure: all, or of {', '.join(sections(0, 0))}"
    )
    parser.add_argument("--memories", type=int, default=million.MEMORIES, help="of `million`, ten in each room")
    parser.add_argument("--waiting", type=int, default=waiting.TURNS, help="turns of `waiting`")
    given = parser.parse_args()
    known = sections(given.memories, given.waiting)
    wanted = list(known) if given.names == ["all"] else given.names or list(USUAL)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"There is no benchmark {unknown[0]}. There are: {', '.join(known)}.", file=sys.stderr)
        return 64
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # every start would compile
    results: Result = {"calibration_ms": least()}
    for name in wanted:
        clock = time.perf_counter()
        try:
            results |= known[name]()
        except Missing as reason:
            results[name] = {"value": "skipped", "unit": f"because {reason}"}
        except Exception as error:  # the others are measured all the same
            traceback.print_exc()
            results[name] = {"value": "failed", "unit": str(error)}
        print(f"{name}: {time.perf_counter() - clock:.0f} s", file=sys.stderr, flush=True)
    results["calibration_after_ms"] = least()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    results["machine"] = {"value": machine(), "unit": ""}
    results["commit"] = {"value": commit.stdout.strip() or "unknown", "unit": ""}
    left = [name for name in known if name not in wanted]
    if left and not given.names:
        results["not_run"] = {"value": len(left), "unit": f"benchmarks that run by name: {', '.join(left)}"}
    show(results)
    Path(".bench").mkdir(exist_ok=True)
    Path(".bench/latest.json").write_text(json.dumps(results, indent=1) + "\n")
    return 1 if any(result["value"] == "failed" for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
