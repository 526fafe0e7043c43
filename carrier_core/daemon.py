"""The daemon: a host with signals, a control socket, and a word to systemd when it is ready."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from carrier_core.checking import examine
from carrier_core.control import Control
from carrier_core.errors import CarrierError, single
from carrier_core.host import Host
from carrier_core.logs import configure
from carrier_core.outcomes import Event
from carrier_core.plugins import load_plugins

if TYPE_CHECKING:
    from carrier_core.settings import Config


async def serve(config: Config, state: Path) -> None:
    """Run until SIGTERM or SIGINT. SIGHUP reads agents, characters, limits, policy and log levels again.

    What ``carrierd check`` finds wrong with the configuration is raised; a plugin that cannot be loaded is left out, unless
    it is required.
    """
    plugins = load_plugins(config)
    if all(plugin.error is None for plugin in plugins.found.values()):
        for fault in examine(config, plugins)[0]:
            raise fault
    host = Host(config, state, plugins=plugins)
    with single():
        async with anyio.create_task_group() as outer:
            stops = [
                outer.cancel_scope
            ]  # what a signal cancels: the start, and when that is over, what keeps the host up
            await outer.start(_signals, host, stops)
            async with host.running(), anyio.create_task_group() as group:
                stops.append(group.cancel_scope)
                await group.start(Control(host).serve)
                group.start_soon(_watchdog)
                spare_collector()
                if sys.stderr.isatty():
                    host.events.listen(partial(_show, host))
                notify("READY=1", f"MAINPID={os.getpid()}")
                host.log.info(
                    "ready",
                    agents=sorted(host.agents),
                    plugins=[name for name, plugin in host.plugins.found.items() if plugin.state == "loaded"],
                    degraded=host.degraded,
                    state=str(state),
                )
                await anyio.sleep_forever()
            outer.cancel_scope.cancel()
    host.log.info("stopped")


_SHOWN = ("message_received", "message_dropped", "action_performed", "turn_completed", "turn_failed")


def _show(host: Host, event: Event) -> None:
    """What the daemon does, for the person at its terminal."""
    if event.name in _SHOWN:
        known = {"agent": event.agent, "room": event.room, "turn": event.turn}
        host.log.info(event.name, **{key: value for key, value in known.items() if value}, **event.data)


async def _signals(
    host: Host, stops: list[anyio.CancelScope], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            ready = host.ready.is_set()
            if number == signal.SIGHUP:
                if ready:
                    await _reload(host)
                continue
            host.log.info("stopping", signal=signal.Signals(number).name, running=host.rooms.busy if ready else 0)
            notify("STOPPING=1")
            stops[-1].cancel()
            return


async def _reload(host: Host) -> None:
    """Read the configuration again, all or nothing: with a fault in it everything stays as it was."""
    from carrier_core.settings import load

    notify("RELOADING=1", f"MONOTONIC_USEC={int(anyio.current_time() * 1e6)}")
    config = load(host.config.path, os.environ)
    try:
        again = await host.reload(config)
        configure(config.settings.log)
    except CarrierError as error:
        host.log.error("reload_refused", error=str(error))
    else:
        host.log.info("reloaded", needs_restart=again)
    notify("READY=1")


def spare_collector() -> None:
    """Tell the collector that the host is up: what starting made lives as long as the process, and a turn makes hundreds of
    objects that hardly ever form a cycle. Looking through them again and again costs each turn a twentieth."""
    gc.freeze()
    gc.set_threshold(5_000, 20, 100)


async def _watchdog() -> None:
    """Tell systemd twice in each interval that the loop goes round, where it asked for that."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return
    while True:
        notify("WATCHDOG=1")
        await anyio.sleep(int(microseconds) / 2_000_000)


def notify(*lines: str) -> bool:
    """Tell systemd (sd_notify(3)); returns False where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        sock.sendall("\n".join(lines).encode())
    return True
