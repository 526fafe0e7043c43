"""A real ``carrierd`` in a process of its own, which is killed, started again, drained and stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import anyio

from carrier_core import Journal, Schedule
from carrier_core.plugins import choose_store, load_plugins
from carrier_core.settings import load
from tests.faults.checker import Fault, Kept, check
from tests.faults.recorder import Manners, Recorder, World

T = TypeVar("T")

HERE = Path(__file__).parent
AGENT = "robin"
_NOT_FOR_IT = ("CARRIER_", "OPENAI_", "ANTHROPIC_")
_START, _STOP = 30.0, 30.0  # seconds, far more than it takes


class Backend:
    """A store and where it is: its ``plugin``, the ``environment`` that says where its database is, keys of ``[limits]`` and
    sections of its own."""

    def __init__(
        self,
        name: str,
        plugin: str,
        environment: Mapping[str, str] | None = None,
        limits: str = "",
        sections: str = "",
    ) -> None:
        self.name = name
        self.plugin = plugin
        self.environment = dict(environment or {})
        self.limits = limits
        self.sections = sections


Plugins = Mapping[str, Mapping[str, str]]
"""Further plugins by name, with what stands in the section of each."""


def write_config(
    folder: Path,
    backend: Backend,
    port: int,
    manners: Manners,
    limits: str = "",
    agent: str = "",
    plugins: Plugins | None = None,
) -> Path:
    """The configuration of a daemon whose world is the recorder at this port."""
    more = plugins or {}
    (folder / "characters").mkdir(exist_ok=True)
    (folder / "characters" / f"{AGENT}.toml").write_text('name = "Robin"\nsystem = "You are a harbour master."\n')
    files = folder / "plugins"
    if not files.exists():
        files.mkdir()
        for path in (HERE / "plugins").glob("*.py"):
            shutil.copy(path, files)
    path = folder / "carrier.toml"
    path.write_text(f"""\
[agents.{AGENT}]
{agent}

[plugins]
enabled = {json.dumps([backend.plugin, "carrier-context-standard", *more])}
required = ["{backend.plugin}", "harbour", "failpoints"]

[policy]
trusted = ["carrier-context-standard"]
allow = ["ship", "ask", "remind"]

[plugin.harbour]
port = {port}
idempotent = {str(manners.keys).lower()}
retracts = {str(manners.retracts).lower()}
ship_idempotent = {str(manners.ship_keys).lower()}
ship_finds = {str(manners.ship_finds).lower()}

[[budgets]]
tokens = 1_000_000_000

[limits]
{backend.limits}
{limits}

[log]
format = "json"

{backend.sections}
{_sections(more)}
""")
    return path


def _sections(plugins: Plugins) -> str:
    told = []
    for name, values in plugins.items():
        told += [f"[plugin.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    return "\n".join(told)


class Daemon:
    """A daemon that may die and come back, on one state directory.

    ``log`` is the file that all its processes write to. Every wait ends after a while, with the end of the log in its message.
    """

    def __init__(
        self,
        folder: Path,
        backend: Backend,
        recorder: Recorder,
        limits: str = "",
        agent: str = "",
        plugins: Plugins | None = None,
        **environment: str,
    ) -> None:
        self.folder = folder
        self.backend = backend
        self.recorder = recorder
        self.state = folder / "state"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = 0
        self._more = environment
        folder.mkdir(parents=True, exist_ok=True)
        self.config = write_config(folder, backend, recorder.port, recorder.world.manners, limits, agent, plugins)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *raised: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(_STOP)

    # --- life and death ---

    def environment(self, **more: str) -> dict[str, str]:
        """What its processes see: nothing of the person who runs the tests but what a process needs."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_FOR_IT)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return (
            kept
            | {"USER": "ana", "CARRIER_TEST_LAG": os.environ.get("CARRIER_TEST_LAG", "0")}
            | self.backend.environment
            | self._more
            | more
        )

    def start(self, *, failpoint: str = "", wait: bool = True) -> None:
        """Start it and wait until it listens; with ``wait=False`` it may die before that."""
        assert self.process is None, "it runs already"
        more = {"CARRIER_TEST_FAILPOINT": failpoint} if failpoint else {}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command("run"),
                cwd=self.folder,
                env=self.environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        pid = self.process.pid
        if wait:
            self.recorder.wait(lambda world: pid in world.listened, _START, "the daemon does not start", self.dead)

    def _command(self, *args: str) -> list[str]:
        program = "import sys; from carrier_core.cli import main; sys.exit(main())"
        return [sys.executable, "-c", program, *args, "--config", str(self.config), "--state", str(self.state)]

    def kill(self) -> None:
        """SIGKILL, now."""
        assert self.process is not None
        self.process.kill()
        self.wait_for_death()

    def wait_for_death(self, seconds: float = 30.0) -> int:
        """Wait until it is dead and the recorder has read its last word; returns its code."""
        assert self.process is not None
        pid = self.process.pid
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It should have died. {self.recorder.summary()}\n{self.tail()}") from None
        self.process = None
        self.recorder.wait(lambda world: not world.connections.get(pid), 10, "the recorder reads on")
        self.recorder.note("died", pid=pid, number=code)
        self.kills += code == -signal.SIGKILL
        return code

    def survives(self, until: Callable[[World], bool], seconds: float) -> bool:
        """Wait until the world is so (True), or until it died before (False)."""
        try:
            self.recorder.wait(until, seconds, "the wait", self.dead)
        except AssertionError:
            if self.process is not None and self.process.poll() is not None:
                self.wait_for_death()
                return False
            raise
        return True

    def stop(self) -> None:
        """SIGTERM; it has to end by itself, with code 0."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.wait_for_death(_STOP)
        assert code == 0, f"it ended with {code}\n{self.tail()}"

    def dead(self) -> str:
        """Why it will not answer any more; empty while it runs."""
        if self.process is None or self.process.poll() is None:
            return ""
        return f"it died with {self.process.returncode}\n{self.tail()}"

    def tail(self, lines: int = 25) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(line[:600] for line in text.splitlines()[-lines:])

    def command(self, *args: str, code: int | None = 0) -> str:
        """Another ``carrierd`` command on the same state; its standard output. It ends with ``code``, if one is given."""
        run = subprocess.run(
            self._command(*args), cwd=self.folder, env=self.environment(), capture_output=True, timeout=60, check=False
        )
        assert code in (None, run.returncode), f"{args}: {run.returncode}\n{run.stderr.decode()}"
        return run.stdout.decode()

    # --- the end of a story ---

    def drain(self, seconds: float = 60.0) -> None:
        """Wait until everything was handed over and nothing is left to do, the parked turns aside."""
        end = time.monotonic() + seconds
        self.recorder.wait(lambda world: not any(world.queues.values()), seconds, "not all was taken", self.dead)
        seen = -1
        while True:
            now = len(self.recorder.world.history)
            if now == seen and not self.ready():
                return
            seen = now
            assert not self.dead(), self.dead()
            left = end - time.monotonic()
            assert left > 0, f"not drained within {seconds:g} s: {self.recorder.summary()}\n{self.tail()}"
            with self.recorder.changed:
                self.recorder.changed.wait(0.1)

    def kept(self) -> Kept:
        """What the store has now, read beside the daemon."""
        return anyio.run(self._read, _kept)

    def schedules(self) -> tuple[Schedule, ...]:
        """The schedules that the store has now."""
        return anyio.run(self._read, lambda journal: journal.schedules())

    def ready(self) -> tuple[tuple[str, str], ...]:
        """The rooms in which there is something to be done, as the store has it."""
        return anyio.run(self._read, lambda journal: journal.ready())

    async def _read(self, what: Callable[[Journal], Awaitable[T]]) -> T:
        with _environment(self.environment()):
            config = load(self.config, os.environ)
            store = choose_store(config, load_plugins(config))
        await store.open_read_only(self.state)
        try:
            return await what(store.journal)
        finally:
            await store.close()

    def finish(self, seconds: float = 60.0) -> tuple[Fault, ...]:
        """Drain and stop it; what the checker finds."""
        if self.process is None:
            self.start()
        self.drain(seconds)
        self.stop()
        return self.faults()

    def faults(self) -> tuple[Fault, ...]:
        """What the checker finds in the history so far."""
        return tuple(check(self.recorder.world.history, self.kept(), self.recorder.world.manners))


async def _kept(journal: Journal) -> Kept:
    turns = await journal.turns(limit=1_000_000)
    outbox = await journal.outbox(limit=1_000_000)
    return Kept(turns, outbox, await journal.doubts(), await journal.parked(), await journal.ready())


class _environment:
    """The environment of this process as another's, for as long as the block."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        self.wanted = wanted

    def __enter__(self) -> None:
        self.before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.wanted)

    def __exit__(self, *raised: object) -> None:
        os.environ.clear()
        os.environ.update(self.before)
