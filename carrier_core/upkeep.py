"""Upkeep: what a running host does now and then. Its lease is kept alive, and what is not to be kept any longer is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from carrier_core.archive import Retention
from carrier_core.errors import CarrierError

if TYPE_CHECKING:
    from carrier_core.host import Host

_EXPIRY = 3600.0
"""Seconds between two removals of what the rules of retention do not keep."""


class Upkeep:
    """One task for all of it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._expired_at = 0.0

    async def run(self) -> None:
        """Go on until cancelled. A lease is renewed three times in its life."""
        host = self._host
        lease = host.config.settings.limits.lease_seconds
        while True:
            try:
                await host.store.journal.heartbeat(host.owner, lease)
                await host.store.tidy()
                if host.clock() - self._expired_at >= _EXPIRY:
                    self._expired_at = host.clock()
                    await self.expire()
            except CarrierError as error:
                host.log.warning("upkeep_failed", error=error.message)
            await anyio.sleep(lease / 3)

    async def expire(self) -> int:
        """Remove what no rule keeps, some rows at a time, so that turns go on meanwhile; returns how many."""
        host = self._host
        count = await host.store.journal.expire_spent(host.clock())
        for name, agent in list(host.agents.items()):
            rules = tuple(Retention(str(kind), kept.days, kept.most) for kind, kept in agent.settings.retention.items())
            while rules and (removed := await host.store.expire(name, rules, host.clock())):
                count += removed
                agent.ledger.forget()
                await anyio.lowlevel.checkpoint()
        if count:
            host.log.info("rows_expired", count=count)
        return count
