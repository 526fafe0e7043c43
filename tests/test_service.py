"""carrierd.service, judged by systemd's own tools."""

import shutil
import subprocess
from pathlib import Path

import pytest

SERVICE = Path(__file__).parents[1] / "carrierd.service"
ANALYZE = shutil.which("systemd-analyze")

pytestmark = pytest.mark.skipif(
    ANALYZE is None, reason="systemd-analyze is not installed (Debian: apt-get install systemd)"
)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, timeout=60, check=False)


def complaints(service: Path) -> list[str]:
    """What systemd says of a unit file. A key that it does not know is no failure to it, only a line of text."""
    seen = analyze("verify", "--man=no", str(service))
    said = [line for line in seen.stderr.splitlines() if service.name in line]
    return said or ([] if seen.returncode == 0 else [seen.stderr or f"status {seen.returncode}"])


def test_systemd_accepts_the_service() -> None:
    assert complaints(SERVICE) == []


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ("Type=notify", "Type=notfy"),
        ("WatchdogSec=30s", "WatchDogSec=30s"),
        ("ExecStart=/usr/bin/env carrierd run", "ExecStart=/nowhere/carrierd run"),
    ],
)
def test_a_slip_in_the_service_would_be_seen(tmp_path: Path, line: str, broken: str) -> None:
    text = SERVICE.read_text()
    assert text.count(f"\n{line}\n") == 1
    copy = tmp_path / "carrierd.service"
    copy.write_text(text.replace(f"\n{line}\n", f"\n{broken}\n"))

    assert complaints(copy)


def test_the_service_is_confined_but_for_the_network() -> None:
    # Exposure goes from 0 to 10, the threshold is in tenths: 9.6 is a service without any confinement.
    seen = analyze("security", "--offline=true", "--no-pager", "--threshold=25", str(SERVICE))
    if "unrecognized option" in seen.stderr:
        pytest.skip("this systemd-analyze judges only services that run (--offline came with version 250)")

    assert seen.returncode == 0, seen.stdout + seen.stderr
    assert "Overall exposure level" in seen.stdout
