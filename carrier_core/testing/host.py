"""The host as a client sees it, for tests of clients: it keeps what it is handed."""

from __future__ import annotations

import anyio

from carrier_core import Accepted, CarrierError, Inbound, InboundKind, Json, Room, Taken, make_id


class FakeHost:
    """Takes whatever a client hands over, and answers nothing by itself.

    ``heard`` are the inbounds, in order, each event once; ``repeated`` those that came again. ``refuses`` is why it takes
    nothing, where it is not empty. A turn has ended when it is waited for.
    """

    def __init__(self, *agents: str) -> None:
        self.agents: tuple[str, ...] = agents or ("robin",)
        self.heard: list[Inbound] = []
        self.repeated: list[Inbound] = []
        self.refuses = ""
        self._turns: dict[str, Inbound] = {}
        self._seqs: dict[str, int] = {}
        self._changed = anyio.Event()

    async def accept(self, inbound: Inbound) -> Accepted:
        """Keep it; a message begins a turn for each agent that it is for."""
        if self.refuses:
            return Accepted(reason=self.refuses)
        is_new = inbound.dedupe_key not in self._seqs
        seq = self._seqs.setdefault(inbound.dedupe_key, len(self._seqs) + 1)
        (self.heard if is_new else self.repeated).append(inbound)
        self._changed.set()
        self._changed = anyio.Event()
        if inbound.kind is not InboundKind.MESSAGE:
            return Accepted()
        taken = []
        for agent in self.agents if not inbound.agent else (inbound.agent,):
            turn = make_id("turn", agent, inbound.room.id, str(seq))
            self._turns[turn] = inbound
            taken.append(Taken(agent, seq, turn, is_new))
        return Accepted(tuple(taken))

    async def hears(self, count: int = 1, *, within: float = 20.0) -> tuple[Inbound, ...]:
        """Wait until that many inbounds have come, repetitions counted; those that did not come before. TimeoutError after
        ``within`` seconds."""
        try:
            with anyio.fail_after(within):
                while len(self.heard) + len(self.repeated) < count:
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{len(self.heard)} of {count} inbounds came within {within:g} s.") from None
        return tuple(self.heard)

    async def wait(self, turn: str) -> dict[str, Json]:
        """A turn that ended in silence. CarrierError if there is no such turn."""
        inbound = self._known(turn)
        room: Room = inbound.room
        usage: Json = {"input": 0, "output": 0, "cached": 0, "calls": 0}
        return {
            "v": 1,
            "turn": turn,
            "agent": inbound.agent or self.agents[0],
            "room": room.name,
            "status": "silent",
            "reason": "",
            "reply": None,
            "usage": usage,
            "duration_ms": 0.0,
        }

    async def why(self, turn: str) -> dict[str, Json]:
        """The same, with nothing that ran."""
        empty: dict[str, Json] = {"steps": [], "ran": [], "parts": [], "memories": [], "forgotten": []}
        return {**await self.wait(turn), **empty}

    async def status(self) -> dict[str, Json]:
        """Ready, and idle."""
        return {"ready": True, "agents": list(self.agents), "clients": {}, "degraded": {}, "running": 0, "queued": 0}

    async def reset(self, agent: str, room: str) -> int:
        """There is nothing to forget."""
        return 0

    def _known(self, turn: str) -> Inbound:
        if turn not in self._turns:
            raise CarrierError(f"There is no turn {turn}.")
        return self._turns[turn]
