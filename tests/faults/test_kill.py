"""``kill -9`` at random instants, over a hundred rooms: it costs nothing but time.

``CARRIER_TEST_KILLS=1000`` makes it a thousand kills on each backend; without it there are forty. ``CARRIER_TEST_SEED`` chooses
other instants. What is printed (``pytest -s``) are the figures.
"""

import os
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.faults.daemon import Backend, Daemon
from tests.faults.recorder import Manners, Recorder

KILLS = int(os.environ.get("CARRIER_TEST_KILLS", "40"))
SEED = int(os.environ.get("CARRIER_TEST_SEED", "3"))
ROOMS = 100
BEHIND = 3  # messages of each room that are under way at any time
KINDS = ["plain"] * 8 + ["ship"] * 4 + ["long"] * 3 + ["twice", "fail"]

MANNERS = {
    "keys": Manners(seed=SEED, repeats=0.05, overlap=1, window=2, busy=0.02, model_delay=0.02, post_delay=0.005),
    "finds": Manners(
        seed=SEED, keys=False, ship_keys=False, repeats=0.05, overlap=1, model_delay=0.02, post_delay=0.005
    ),
    "forgets": Manners(
        seed=SEED,
        keys=False,
        finds=False,
        ship_keys=False,
        ship_finds=False,
        repeats=0.05,
        overlap=1,
        model_delay=0.02,
        post_delay=0.005,
    ),
}
PATIENT = {"agent": "limits = { activations = 1000000 }", "limits": "delivery_attempts = 1000000"}
"""So many kills are no reason to give a turn up: what is told to have failed would hide what was lost."""

SHARES = {"keys": 0.5, "finds": 0.25, "forgets": 0.25}


class Traffic:
    """People who go on talking: whoever was answered says the next thing, until it is enough."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.going = True
        self.said = [0] * ROOMS
        recorder.after_answer = self.answered
        for _ in range(BEHIND):
            for room in range(ROOMS):
                self.say(room)

    def answered(self, recorder: Recorder, room: str, event: str) -> None:
        if self.going:
            self.say(int(room[1:]))

    def say(self, room: int) -> None:
        self.said[room] += 1
        event = f"m{room}-{self.said[room]}"
        self.recorder.say(f"r{room}", event, f"{Random(f'{SEED}/{event}').choice(KINDS)}, says {event}")


def kill_somewhere(daemon: Daemon, rng: Random) -> None:
    """Start it and kill it: sometimes while it starts, mostly after some of what it does, never at a place that is known."""
    recorder = daemon.recorder
    if rng.random() < 0.1:
        daemon.start(wait=False)
        time.sleep(rng.random() * 0.4)
    else:
        daemon.start()
        what, most = rng.choice([("asked", 200), ("posted", 200), ("noted", 800), ("accepted", 250)])
        until = recorder.world.counts[what] + rng.randrange(most)
        recorder.wait(lambda world: world.counts[what] >= until, 60, f"nothing is {what} any more", daemon.dead)
        time.sleep(rng.random() * 0.003)
    daemon.kill()


@pytest.mark.parametrize("manners", MANNERS)
def test_kills_at_random_instants_cost_nothing_but_time(tmp_path, backend, manners):
    kills = max(1, int(KILLS * SHARES[manners]))
    environment = {"CARRIER_TEST_LAG": "0.005"} if manners == "finds" else {}
    kill(tmp_path, backend, manners, kills, PATIENT, environment)


@pytest.mark.parametrize("burst", ["together", "latest"])
def test_kills_while_messages_are_joined_cost_nothing_but_time(tmp_path, backend, burst):
    agent = f'burst = "{burst}"\n{PATIENT["agent"]}'
    kill(tmp_path, backend, "keys", max(1, KILLS // 10), PATIENT | {"agent": agent}, {})


def kill(folder: Path, backend: Backend, manners: str, kills: int, patience: dict, environment: dict) -> None:
    """Kill it so many times while people talk; then let it finish, and look at what became of it all."""
    rng = Random(f"{SEED}/{manners}")
    began = time.monotonic()
    with Recorder(MANNERS[manners]) as recorder, Daemon(folder, backend, recorder, **patience, **environment) as daemon:
        traffic = Traffic(recorder)
        for _ in range(kills):
            kill_somewhere(daemon, rng)
        traffic.going = False
        faults = daemon.finish(seconds=120)
        counts = Counter(f"{entry.what} {entry.outcome}".strip() for entry in recorder.world.history)
        failed = sum(entry.notice and entry.outcome == "shown" for entry in recorder.world.history)
        print(
            f"\n{backend.name}/{manners}: {daemon.kills} kills in {time.monotonic() - began:.1f} s, {counts['said']} messages, "
            f"{counts['asked']} model calls, {counts['performed done']} actions ({counts['performed repeat']} again), "
            f"{counts['posted shown']} posts ({counts['posted repeat']} again), {failed} notices, {len(faults)} faults"
        )
        assert not faults, "\n".join(f"{kind}: {text}" for kind, text in faults[:20])
        assert daemon.kills == kills
        assert failed <= sum("fail" in said.text for said in recorder.world.said.values())
        assert counts["said"] > ROOMS * BEHIND
