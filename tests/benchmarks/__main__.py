"""Run all benchmarks (or those named), print a table, write ``.bench/latest.json``."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks import dispatching, starting, turns

SECTIONS = {"dispatch": dispatching.measure, "turns": turns.measure, "start": starting.measure}


def calibration() -> float:
    """CPU milliseconds of a fixed amount of plain Python, the least of five: what the other figures can be divided by."""

    def work() -> float:
        started = time.process_time()
        total = 0
        for number in range(1_000_000):
            total += number & 7
        assert total
        return (time.process_time() - started) * 1000

    return min(work() for _ in range(5))


def machine() -> str:
    """Processor, cores and Python."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> int:
    """Measure."""
    wanted = sys.argv[1:] or list(SECTIONS)
    unknown = [name for name in wanted if name not in SECTIONS]
    if unknown:
        print(f"There is no benchmark {unknown[0]}. There are: {', '.join(SECTIONS)}.", file=sys.stderr)
        return 64
    results: dict[str, dict[str, object]] = {"calibration_ms": {"value": round(calibration(), 2), "unit": "ms CPU"}}
    for name in wanted:
        results |= SECTIONS[name]()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    results["machine"] = {"value": machine(), "unit": ""}
    results["commit"] = {"value": commit.stdout.strip() or "unknown", "unit": ""}
    width = max(len(name) for name in results)
    for name, result in results.items():
        goal = f"   (goal {result['goal']})" if "goal" in result else ""
        print(f"{name:<{width}}  {result['value']!s:>12} {result['unit']}{goal}")
    Path(".bench").mkdir(exist_ok=True)
    Path(".bench/latest.json").write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
