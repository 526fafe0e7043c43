"""Every failpoint once on each backend: the daemon dies before and after each write of the journal and each effect."""

import json
import signal
from dataclasses import replace

import pytest

from carrier_core import Journal
from tests.faults.daemon import Daemon
from tests.faults.plugins.failpoints import EFFECTS, WRITES
from tests.faults.recorder import Manners, Recorder, World

MANNERS = Manners(seed=1, repeats=0.2, window=2)

SCENE = {
    "r0": ("plain", "ship", "plain"),
    "r1": ("long", "twice"),
    "r2": ("fail", "plain"),
}
"""What is said in every room, in each round."""

SAID = {
    "park": {"r3": ("ask", "plain")},
    "unpark": {"r3": ("ask", "plain")},
    "schedule": {"r4": ("remind", "plain")},
    "fire": {"r4": ("remind", "plain")},
}
"""What is said besides, for the failpoints that are not passed otherwise."""

FIRST = {"activate": "perform:after:1", "settle_doubt": "perform:after:1"}
"""Where the process dies before the one that is to die at the failpoint."""

BY_HAND = {"cancel", "settle_doubt"}
"""What is only reached when a person does something at the command line."""

READS = {"ready", "work", "reopen", "parked", "turn", "turns", "parts", "outbox", "doubts", "schedules", "due", "spent"}


def test_every_method_of_the_journal_either_reads_or_has_a_failpoint():
    assert set(WRITES) | READS == Journal.__abstractmethods__


class Scene:
    """What people say around a failpoint, in rounds."""

    def __init__(self, name: str, daemon: Daemon) -> None:
        self.name = name
        self.daemon = daemon
        self.recorder = daemon.recorder
        self.recorder.after_answer = self.answered
        self.round = 0
        self.events: list[str] = []

    def play(self) -> None:
        """Everybody says something."""
        for room, texts in (SCENE | SAID.get(self.name, {})).items():
            for number, text in enumerate(texts):
                event = f"m{room[1:]}-{self.round * 10 + number}"
                self.events.append(event)
                self.recorder.say(room, event, f"{text}, says {event}")
        if self.name == "discard":
            self.recorder.say("r0", f"c0-{self.round}", "left", kind="choice", value="left")
        self.round += 1

    def answered(self, recorder: Recorder, room: str, event: str) -> None:
        """Whoever is asked which berth answers."""
        if "ask" in recorder.world.said[event].text if event in recorder.world.said else False:
            recorder.say(room, f"c{event}", "berth 4", kind="choice", value="4")

    def act(self) -> None:
        """What a person does at the command line, where that leads to the failpoint. The daemon may die while it listens."""
        if self.name == "cancel":
            added = self.daemon.command("schedule", "add", "every 1h", "the tide", "--json", code=None)
            if added:
                self.daemon.command("schedule", "cancel", json.loads(added)["id"], code=None)
        if self.name == "settle_doubt":
            self.recorder.wait(lambda world: _told_of_doubt(world), 30, "no doubt is noticed", self.daemon.dead)
            for doubt in json.loads(self.daemon.command("turns", "--in-doubt", "--json"))["doubts"]:
                self.daemon.command("turns", "discard", doubt["key"], code=None)


def _told_of_doubt(world: World) -> bool:
    return any(entry.what == "asked" and "not known" in entry.text for entry in world.history)


@pytest.mark.parametrize("name", [*WRITES, *EFFECTS])
def test_a_death_at_a_failpoint_costs_nothing_but_time(tmp_path, backend, name):
    manners = replace(MANNERS, ship_keys=False, ship_finds=False) if name == "settle_doubt" else MANNERS
    with Recorder(manners) as recorder, Daemon(tmp_path, backend, recorder) as daemon:
        scene = Scene(name, daemon)
        for when in ("before", "after"):
            scene.play()
            for failpoint in (FIRST.get(name), f"{name}:{when}:1"):
                if failpoint:
                    by_hand = name in BY_HAND and failpoint != FIRST.get(name)
                    daemon.start(failpoint=failpoint, wait=by_hand)
                    if by_hand:
                        scene.act()
                    code = daemon.wait_for_death()
                    assert code == -signal.SIGKILL, f"{failpoint}: it ended with {code}\n{daemon.tail()}"
        daemon.start()
        if "r4" in SAID.get(name, {}):
            reminders = {"rem4-0", "rem4-10"}
            recorder.wait(lambda world: reminders <= world.answered, 30, "the reminders do not come", daemon.dead)
        faults = daemon.finish()
        if "r3" in SAID.get(name, {}):
            assert {"re m3-0 [1/1] (berth 4)", "re m3-10 [1/1] (berth 4)"} <= {post.text for post in recorder.posts()}
        if name == "settle_doubt":  # the person has looked after them, so they are listed no more
            faults = tuple(fault for fault in faults if "not listed" not in fault.text)
        assert not faults, "\n".join(f"{kind}: {text}" for kind, text in faults)
        assert set(scene.events) <= recorder.world.answered
