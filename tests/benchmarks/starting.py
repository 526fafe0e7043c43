"""What it costs to start: the daemon until it is ready, its memory then, and ``carrierd --version``."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

CARRIERD = str(Path(sys.executable).with_name("carrierd"))
RUNS = 5
ROOT = Path(__file__).parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


def environment(**more: str) -> dict[str, str]:
    """The environment without what would make every start compile."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | more


def ready() -> tuple[float, float]:
    """Start the daemon of the shipped configuration; its CPU seconds until it says that it is ready, and its RSS in MB."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        address = f"{folder}/notify"
        listener.bind(address)
        listener.settimeout(60)
        shutil.copytree(ROOT / "config", f"{folder}/config")
        process = subprocess.Popen(
            [CARRIERD, "run", "--state", f"{folder}/state"],
            cwd=folder,
            env=environment(NOTIFY_SOCKET=address),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while b"READY=1" not in listener.recv(4096):
                pass
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return (int(fields[11]) + int(fields[12])) / TICKS, int(resident.split()[1]) / 1024


def version() -> float:
    """CPU milliseconds of ``carrierd --version``."""
    before = os.times()
    subprocess.run([CARRIERD, "--version"], env=environment(), stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (after.children_user + after.children_system - before.children_user - before.children_system) * 1000


def measure() -> dict[str, dict[str, object]]:
    """The least of several starts."""
    ready()  # the first start compiles
    starts = [ready() for _ in range(RUNS)]
    return {
        "start_to_ready_s": {"value": min(s for s, _ in starts), "unit": "s CPU", "goal": "<= 0.7", "samples": RUNS},
        "idle_rss_mb": {"value": round(min(r for _, r in starts), 1), "unit": "MB", "goal": "<= 60", "samples": RUNS},
        "version_ms": {
            "value": round(min(version() for _ in range(RUNS)), 1),
            "unit": "ms CPU",
            "goal": "<= 150",
            "samples": RUNS,
        },
    }
