"""What else can go wrong while a daemon runs: it is killed with a reminder set or a question open, stopped in the middle of its
work, brought down again and again by one message, and its clock jumps."""

import json
import signal
import time
from dataclasses import replace

import pytest

from carrier_core import Sending, Status
from carrier_core.desk import Desk
from carrier_core.testing import Clock, running_host
from tests.faults.daemon import Daemon
from tests.faults.recorder import REMINDED_AFTER, Manners, Recorder

QUIET = Manners(seed=1)


def told(faults: tuple) -> str:
    return "\n".join(f"{kind}: {text}" for kind, text in faults)


@pytest.mark.parametrize("away", [False, True], ids=["it is back in time", "it is back too late"])
def test_a_reminder_set_before_a_kill_comes_once_after_it(tmp_path, backend, away):
    with Recorder(QUIET) as recorder, Daemon(tmp_path, backend, recorder) as daemon:
        daemon.start()
        recorder.say("r1", "m1-1", "remind me, says m1-1")
        recorder.wait(lambda world: "m1-1" in world.answered, 30, "no answer", daemon.dead)
        slot = time.time() + REMINDED_AFTER
        daemon.kill()
        if away:  # the slot passes while nobody is there
            recorder.wait(lambda world: time.time() > slot, 10, "time stands still")
        daemon.start()
        recorder.wait(lambda world: "rem1-1" in world.answered, 30, "the reminder does not come", daemon.dead)
        daemon.kill()
        daemon.start()
        recorder.say("r1", "m1-2", "plain, says m1-2")
        faults = daemon.finish()
        assert not faults, told(faults)
        assert [entry.text for entry in recorder.posts("rem1-1")] == ["re rem1-1 [1/1]"]
        assert not daemon.schedules()


def test_a_parked_turn_is_answered_after_a_kill(tmp_path, backend):
    with Recorder(QUIET) as recorder, Daemon(tmp_path, backend, recorder) as daemon:
        daemon.start()
        recorder.say("r1", "m1-1", "ask me, says m1-1")
        recorder.wait(lambda world: "m1-1" in world.answered, 30, "no question", daemon.dead)
        recorder.say("r1", "m1-2", "plain, says m1-2")
        recorder.wait(lambda world: "m1-2" in world.answered, 30, "the next message waits", daemon.dead)
        daemon.kill()
        daemon.start()
        recorder.say("r1", "c1-1", "the fourth", kind="choice", value="4")
        recorder.wait(lambda world: len(recorder.posts("m1-1")) == 2, 30, "no answer", daemon.dead)
        daemon.kill()
        faults = daemon.finish()
        assert not faults, told(faults)
        assert [entry.text for entry in recorder.posts("m1-1")] == ["m1-1: which berth?", "re m1-1 [1/1] (berth 4)"]


def test_two_answers_to_one_question_are_one(tmp_path, backend):
    """The person presses the button twice while the daemon dies over the first time."""
    with Recorder(QUIET) as recorder, Daemon(tmp_path, backend, recorder) as daemon:
        daemon.start(failpoint="unpark:after:1")
        recorder.say("r1", "m1-1", "ask me, says m1-1")
        recorder.wait(lambda world: "m1-1" in world.answered, 30, "no question", daemon.dead)
        recorder.say("r1", "c1-1", "the fourth", kind="choice", value="4")
        recorder.say("r1", "c1-2", "the fifth", kind="choice", value="5")
        assert daemon.wait_for_death() == -signal.SIGKILL
        faults = daemon.finish()
        assert not faults, told(faults)
        assert [entry.text for entry in recorder.posts("m1-1")] == ["m1-1: which berth?", "re m1-1 [1/1] (berth 4)"]


def test_a_stop_that_was_taken_stops_the_turn_though_the_process_dies_over_it(tmp_path, backend):
    with Recorder(Manners(seed=1, model_least=1.0)) as recorder, Daemon(tmp_path, backend, recorder) as daemon:
        daemon.start(failpoint="append_inbound:after:2")
        recorder.say("r1", "m1-1", "plain, says m1-1")
        recorder.wait(lambda world: world.counts["asked"], 30, "the model is not asked", daemon.dead)
        recorder.say("r1", "s1-1", "stop", kind="stop")
        assert daemon.wait_for_death() == -signal.SIGKILL
        faults = daemon.finish()
        assert not faults, told(faults)
        assert not recorder.posts("m1-1")
        assert [turn.outcome.status for turn in daemon.kept().turns] == [Status.STOPPED]


def test_a_poison_message_fails_visibly_and_the_other_rooms_go_on(tmp_path, backend):
    """Each time that it is taken up the process dies, with whatever the other rooms were doing."""
    with Recorder(Manners(seed=1, model_least=0.3)) as recorder, Daemon(tmp_path, backend, recorder) as daemon:
        for number in range(1, 3):
            for room in range(5):
                recorder.say(f"r{room}", f"m{room}-{number}", f"plain, says m{room}-{number}")
        recorder.say("r99", "m99-1", "poison, says m99-1")
        recorder.say("r99", "m99-2", "plain, says m99-2")
        daemon.start(wait=False)
        for _ in range(20):
            if daemon.survives(lambda world: len(world.answered) == 12, 30):
                break
            daemon.start(wait=False)
        faults = daemon.finish()
        assert not faults, told(faults)
        assert 2 <= daemon.kills <= 6
        failed = {entry.event for entry in recorder.world.history if entry.what == "posted" and entry.notice}
        assert failed == {"m99-1"}, f"given up with it: {failed - {'m99-1'}}"


def test_what_a_turn_did_before_it_was_given_up_is_kept(tmp_path, backend):
    with Recorder(QUIET) as recorder, Daemon(tmp_path, backend, recorder) as daemon:
        recorder.say("r1", "m1-1", "ship it, then the late poison, says m1-1")
        daemon.start(wait=False)
        for _ in range(20):
            if daemon.survives(lambda world: "m1-1" in world.answered, 30):
                break
            daemon.start(wait=False)
        faults = daemon.finish()
        assert not faults, told(faults)
        turn = daemon.kept().turns[0]
        assert turn.outcome.status is Status.FAILED
        assert {"generate/1", "act/1/0"} <= {step.name for step in turn.steps}


@pytest.mark.parametrize("keys", [True, False], ids=["with keys", "without keys"])
def test_an_old_event_that_comes_again_disturbs_no_delivery_that_is_under_way(tmp_path, backend, keys):
    """The event was answered by an earlier process, so that this one looks what is to be done in the room."""
    manners = Manners(seed=1, keys=keys, finds=False, ship_keys=keys, ship_finds=False, post_delay=0.6)
    with Recorder(manners) as recorder, Daemon(tmp_path, backend, recorder) as daemon:
        daemon.start()
        recorder.say("r1", "m1-1", "plain, says m1-1")
        daemon.drain()
        daemon.stop()
        daemon.start()
        for number in range(2, 5):
            recorder.say("r1", f"m1-{number}", f"long, says m1-{number}")
            recorder.wait(lambda world, event=f"m1-{number}": event in world.answered, 30, "no answer", daemon.dead)
            recorder.repeat("m1-1")
        faults = daemon.finish()
        assert not faults, told(faults)
        assert all(row.state is Sending.SENT for row in daemon.kept().outbox)


def test_what_is_in_doubt_is_listed_until_a_person_has_looked_after_it(tmp_path, backend):
    """The connection is cut in the middle of a post and of an action, and nobody can tell what became of them."""
    forgets = Manners(seed=1, keys=False, finds=False, ship_keys=False, ship_finds=False)
    with Recorder(forgets) as recorder, Daemon(tmp_path, backend, recorder) as daemon:

        def stuck() -> dict:
            return json.loads(daemon.command("turns", "--in-doubt", "--json"))

        recorder.world.manners = replace(forgets, cut_before=1.0)
        daemon.start()
        recorder.say("r1", "m1-1", "ship, says m1-1")
        daemon.drain()
        assert [doubt["step"] for doubt in stuck()["doubts"]] == ["act/1/0"]
        assert [row["state"] for row in stuck()["deliveries"]] == ["in_doubt"]
        daemon.kill()
        daemon.start()
        assert len(stuck()["doubts"]) == len(stuck()["deliveries"]) == 1
        recorder.world.manners = forgets
        recorder.say("r1", "m1-2", "plain, says m1-2")
        daemon.drain()
        assert not daemon.faults()
        daemon.command("turns", "retry", stuck()["deliveries"][0]["key"])
        recorder.wait(lambda world: "m1-1" in world.answered, 30, "it is not sent again", daemon.dead)
        daemon.command("turns", "discard", stuck()["doubts"][0]["key"])
        assert stuck() == {"v": 1, "doubts": [], "deliveries": []}
        daemon.drain()
        daemon.stop()
        assert [row.state for row in daemon.kept().outbox] == [Sending.SENT, Sending.SENT]


def test_a_reply_that_is_sent_again_by_hand_in_the_process_that_gave_it_up_arrives(tmp_path, backend):
    twice = {"limits": "delivery_attempts = 2"}
    with Recorder(Manners(seed=1, busy=1.0)) as recorder, Daemon(tmp_path, backend, recorder, **twice) as daemon:
        daemon.start()
        recorder.say("r1", "m1-1", "long, says m1-1")
        daemon.drain()
        dead = json.loads(daemon.command("turns", "--dead", "--json"))["deliveries"]
        assert [row["state"] for row in dead] == ["dead", "dead"]
        recorder.world.manners = Manners(seed=1)
        daemon.command("turns", "retry", dead[0]["turn"])
        daemon.drain()
        faults = daemon.finish()
        assert not faults, told(faults)
        assert [entry.text for entry in recorder.posts("m1-1")] == ["re m1-1 [1/2]", "re m1-1 [2/2]"]


def test_stopping_in_the_middle_of_work_costs_nothing_either(tmp_path, backend):
    manners = Manners(seed=2, model_delay=0.02, post_delay=0.005, repeats=0.05, window=2)
    with Recorder(manners) as recorder, Daemon(tmp_path, backend, recorder) as daemon:
        kinds = ("plain", "ship", "long", "twice")
        for number in range(1, 13):
            for room in range(20):
                event = f"m{room}-{number}"
                recorder.say(f"r{room}", event, f"{kinds[(room + number) % 4]}, says {event}")
        for count in range(5):
            daemon.start()
            wanted = 40 * (count + 1)
            recorder.wait(
                lambda world, wanted=wanted: len(world.answered) >= wanted, 30, "nothing happens", daemon.dead
            )
            daemon.stop()
        faults = daemon.finish()
        assert not faults, told(faults)
        assert len(recorder.world.answered) == 240


@pytest.mark.anyio
async def test_a_clock_that_jumps_fires_a_reminder_once_and_stops_nothing():
    clock = Clock()
    async with running_host(clock=clock) as running:
        host, desk = running.host, Desk(running.host.store, ("robin",), host=running.host, clock=clock)
        await running.ask("hello")
        await desk.add("every 1h", "the tide", room="main")

        async def turns() -> list[str]:
            await host.agenda.tick()
            await host.rooms.idle()
            return [turn.id for turn in await host.store.journal.turns(limit=100)]

        assert len(await turns()) == 1
        clock.advance(10 * 3600)  # the clock was behind
        assert len(await turns()) == 2
        clock.advance(-9 * 3600)  # it was not
        assert len(await turns()) == 2
        assert await running.ask("are you there?")
        clock.advance(-365 * 86400)
        assert await running.ask("and now?")
        assert len(await turns()) == 4
        clock.advance(366 * 86400)
        assert len(await turns()) == 5
        assert await running.ask("still?")
