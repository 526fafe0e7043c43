"""An independent server of model protocols: ``@copilotkit/aimock`` from npm, which we have not written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO, NamedTuple
from urllib.request import Request, urlopen

from carrier_core import Json

VARIABLE = "CARRIER_TEST_AIMOCK"
"""The environment variable that names its script, ``.../node_modules/@copilotkit/aimock/dist/cli.js``."""


class Aimock(NamedTuple):
    """A server that runs at ``url`` (no path in it) and takes ``key``, and no other key."""

    url: str
    key: str

    def journal(self) -> list[dict[str, Json]]:
        """Every request that it got, in order: its ``path``, ``headers``, ``body`` and ``response``."""
        asking = Request(f"{self.url}/__aimock/journal", headers={"Authorization": f"Bearer {self.key}"})  # noqa: S310
        with urlopen(asking, timeout=10) as answer:  # noqa: S310 - it is on the loopback interface
            journal: list[dict[str, Json]] = json.load(answer)
        return journal


def missing_aimock() -> str:
    """Why the server cannot be started here; empty if it can."""
    script = os.environ.get(VARIABLE, "")
    if not script or not Path(script).is_file():
        return f"{VARIABLE} names no file: npm install @copilotkit/aimock, and let it name dist/cli.js of that"
    return "" if shutil.which("node") else "there is no node, which @copilotkit/aimock runs on"


@contextmanager
def running_aimock(fixtures: Mapping[str, object], *, key: str = "test-key-0123456789") -> Iterator[Aimock]:
    """Run it for as long as the block, with these fixtures: ``{"fixtures": [{"match": ..., "response": ...}]}``.

    A request that fits none is answered with 404. The test that wants it is skipped where it cannot be started, and the reason
    says what is missing. RuntimeError, with what it said, if it does not start.
    """
    if missing := missing_aimock():
        import pytest

        pytest.skip(missing)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fixtures.json"
        path.write_text(json.dumps(fixtures), encoding="utf-8")
        command = ["node", os.environ[VARIABLE], "--port", "0", "--host", "127.0.0.1", "--fixtures", str(path)]
        with subprocess.Popen(  # noqa: S603 - the script that the environment names
            [*command, "--validate-on-load", "--journal-max", "0", "--log-level", "info"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "AIMOCK_API_KEYS": key},
        ) as process:
            assert process.stdout is not None
            url = _address(process.stdout)
            rest = Thread(target=process.stdout.read)  # it would stop when the pipe is full
            rest.start()
            try:
                yield Aimock(url, key)
            finally:
                process.terminate()
                rest.join()


def _address(output: IO[str]) -> str:
    """Where it listens, by what it says. RuntimeError once it has ended."""
    told = []
    for line in output:
        told.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise RuntimeError(f"@copilotkit/aimock did not start: {''.join(told)}")
