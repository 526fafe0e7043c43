"""Where the process can be made to die: before and after each write of the journal and each effect on the world.

``CARRIER_TEST_FAILPOINT=complete:before:3`` lets it die (SIGKILL) before the third ``complete``. Each write that returned is
told to the recorder, as a sign that what it wrote is durable. ``CARRIER_TEST_LAG=0.01`` lets each write return up to so many
seconds after it is durable, so that whatever runs beside it sees what its writer does not know yet. ``CARRIER_TEST_BUDGET=2`` is how many seconds an effect may
take, and is waited for before another process judges it. Nothing of this is in the product: it wraps at start.
"""

import os
import signal
from collections import Counter
from functools import wraps
from random import Random

import anyio

from carrier_core import Client, impl

VARIABLE = "CARRIER_TEST_FAILPOINT"
LAG = "CARRIER_TEST_LAG"
BUDGET = "CARRIER_TEST_BUDGET"

WRITES = (
    "append_inbound",
    "discard",
    "claim_room",
    "heartbeat",
    "open_turn",
    "activate",
    "begin_step",
    "record_steps",
    "park",
    "unpark",
    "complete",
    "finish",
    "deliver",
    "settle_doubt",
    "schedule",
    "cancel",
    "fire",
    "hold",
    "settle",
    "expire_spent",
)
"""The methods of a journal that write."""

EFFECTS = ("send", "perform", "generate")
"""What acts on the world, in the harbour's plugin."""

FAILPOINTS = tuple(f"{name}:{when}" for name in (*WRITES, *EFFECTS) for when in ("before", "after"))

_passed: Counter[str] = Counter()


def passing(name: str, when: str) -> None:
    """Die here, if this is the place and the time."""
    wanted, _, number = os.environ.get(VARIABLE, "").rpartition(":")
    place = f"{name}:{when}"
    if place == wanted:
        _passed[place] += 1
        if _passed[place] == int(number):
            os.kill(os.getpid(), signal.SIGKILL)


async def _linger(name):
    """Let what else goes on overtake whoever wrote: it is durable, and the writer does not know yet."""
    most = float(os.environ.get(LAG, "0"))
    if most:
        _passed[name] += 1
        part = (
            Random(f"{name}/{_passed[name]}").random() if name != "append_inbound" else 0.5
        )  # those stay in their order
        await anyio.sleep(part * most)


def _note(wire, name, args, kwargs):
    """Tell the recorder of a write that returned: of which turn, which steps it recorded."""
    turn = args[0] if args else None
    given = (*args, *kwargs.values())
    steps = [each for group in given if isinstance(group, tuple) for each in group if hasattr(each, "duration_ms")]
    steps += [each for each in given if hasattr(each, "duration_ms") and hasattr(each, "value")]  # unpark's answer
    try:
        wire.tell(op="note", what=name, turn=getattr(turn, "id", ""), steps=[step.name for step in steps])
    except OSError:
        pass  # the recorder is away for a while, in the tests that say so


def _wrap(journal, name, wire):
    inner = getattr(journal, name)

    @wraps(inner)
    async def write(*args, **kwargs):
        passing(name, "before")
        result = await inner(*args, **kwargs)
        passing(name, "after")
        await _linger(name)
        if name != "heartbeat":
            _note(wire, name, args, kwargs)
        return result

    setattr(journal, name, write)


@impl(tryfirst=True)
async def start_host(host):
    wire = next(entry.thing.wire for entry in host.plugins.all(Client) if entry.thing.name == "harbour")
    wire.passing = passing
    for name in ("harbour.send", "ship.perform", "perform") if BUDGET in os.environ else ():
        host.budgets[name] = float(os.environ[BUDGET])
    for name in WRITES:
        _wrap(host.store.journal, name, wire)
