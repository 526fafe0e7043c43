"""The database goes away under load: stopped and started, crashed, its sessions cut in the middle of a statement."""

import os
import time
from collections.abc import Iterator

import pytest

from tests.faults.conftest import postgres_on
from tests.faults.daemon import Daemon
from tests.faults.recorder import Manners, Recorder
from tests.faults.server import Server

MANNERS = Manners(seed=5, model_delay=0.05, post_delay=0.005, repeats=0.05, overlap=1, window=2)
KINDS = ("plain", "ship", "long", "twice", "plain")
ROOMS, EACH = 20, 10
AWAY = float(os.environ.get("CARRIER_TEST_AWAY", "0"))
"""Seconds that the database is away after the daemon has noticed; ``CARRIER_TEST_AWAY=60`` is a minute."""


@pytest.fixture
def mortal(server: Server) -> Iterator[Server]:
    """The server of all tests, which is up again whatever a test did to it."""
    yield server
    server.start()


def talk(recorder: Recorder) -> int:
    """Everybody says everything they have to say; how much that is."""
    for number in range(1, EACH + 1):
        for room in range(ROOMS):
            event = f"m{room}-{number}"
            recorder.say(f"r{room}", event, f"{KINDS[(room + number) % len(KINDS)]}, says {event}")
    return ROOMS * EACH


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_a_database_that_is_away_for_a_while_costs_nothing_but_time(tmp_path, mortal, how):
    with Recorder(MANNERS) as recorder, Daemon(tmp_path, postgres_on(mortal), recorder) as daemon:
        daemon.start()
        count = talk(recorder)
        recorder.wait(lambda world: len(world.answered) >= count // 4, 60, "nothing happens", daemon.dead)
        getattr(mortal, how)()
        refused = recorder.world.counts["refused"]
        recorder.say("r0", "late0-1", "plain, says late0-1")
        recorder.wait(
            lambda world: world.counts["refused"] > refused, 60, "it confirms what it cannot keep", daemon.dead
        )
        back = time.monotonic() + AWAY
        recorder.wait(lambda world: time.monotonic() >= back, AWAY + 10, "time stands still", daemon.dead)
        mortal.start()
        faults = daemon.finish(seconds=90)
        assert not faults, "\n".join(f"{kind}: {text}" for kind, text in faults[:20])
        assert daemon.kills == 0
        assert len(recorder.world.answered) == count + 1


def test_a_daemon_that_is_killed_while_its_database_is_away_goes_on_when_both_are_back(tmp_path, mortal):
    with Recorder(MANNERS) as recorder, Daemon(tmp_path, postgres_on(mortal), recorder) as daemon:
        daemon.start()
        count = talk(recorder)
        recorder.wait(lambda world: len(world.answered) >= count // 4, 60, "nothing happens", daemon.dead)
        mortal.crash()
        daemon.kill()
        mortal.start()
        faults = daemon.finish(seconds=90)
        assert not faults, "\n".join(f"{kind}: {text}" for kind, text in faults[:20])
        assert len(recorder.world.answered) == count


def test_sessions_that_are_cut_in_the_middle_of_a_statement_cost_nothing_but_time(tmp_path, mortal):
    with Recorder(MANNERS) as recorder, Daemon(tmp_path, postgres_on(mortal), recorder) as daemon:
        daemon.start()
        count = talk(recorder)
        for part in range(1, 8):
            wanted = part * count // 8
            recorder.wait(
                lambda world, wanted=wanted: len(world.answered) >= wanted, 60, "nothing happens", daemon.dead
            )
            mortal.cut()
        faults = daemon.finish(seconds=90)
        assert not faults, "\n".join(f"{kind}: {text}" for kind, text in faults[:20])
        assert daemon.kills == 0
        assert len(recorder.world.answered) == count
