"""The outside world: a platform, a model and an action that write down everything that is done to them.

The recorder lives in the test's process and outlives every daemon. It is a real platform's worst side: it hands an event over
until it is told that it was taken, and sometimes afterwards, refuses posts, and cuts connections before or after it took what
was sent. Whatever it does is decided by its seed and by what is asked, not by the order in which it is asked.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from carrier_core.messages import make_id

_TOKEN = re.compile(r"\b[a-z]+\d+-\d+\b")
_MOST = 1 << 20  # bytes of a line
REMINDED_AFTER = 3.0
"""Seconds after the turn that is asked for a reminder began."""


def tokens_of(text: str) -> tuple[str, ...]:
    """The events that a text names, such as ``m17-3``."""
    return tuple(dict.fromkeys(_TOKEN.findall(text)))


def token_of(text: str) -> str:
    """The event that a text names first; empty if it names none."""
    return next(iter(tokens_of(text)), "")


@dataclass(frozen=True)
class Entry:
    """Something that happened, in the order of ``n``. What a field means depends on ``what``:

    said: the world has a message for the daemon. handed: it was given over. accepted: the daemon confirmed it, as row ``seq``,
    to be answered in ``turn``. refused: it could not take it. asked: a model call, by ``step`` of ``turn``; ``text`` is what the
    results of actions told the model. performed: an action came, ``outcome`` done, repeat or refused; ``native`` what it got.
    posted: a reply part came, ``outcome`` shown, repeat or refused; ``draft`` the turn whose draft it took the place of. drafted: a
    draft of ``turn`` was shown, ``text`` is all of it so far. sought: somebody asked whether ``key`` is there. noted: a
    write of the journal returned, ``key`` which, ``steps`` what it recorded. connected, died: a process came and went.
    """

    n: int
    what: str
    at: float = 0.0
    pid: int = 0
    event: str = ""
    room: str = ""
    turn: str = ""
    step: str = ""
    steps: tuple[str, ...] = ()
    key: str = ""
    number: int = 0
    seq: int = 0
    new: bool = False
    notice: bool = False
    outcome: str = ""
    native: str = ""
    text: str = ""
    kind: str = ""
    draft: str = ""
    cut: bool = False


@dataclass(frozen=True)
class Manners:
    """How the world behaves. Rates are probabilities per request, delays seconds.

    ``keys``: a post with a known key appears once. ``finds``: it can tell whether a post of a key is there. The same for the
    action, with ``ship_``. A model takes
    ``model_least`` and up to ``model_delay`` more. ``window``: messages of a room that are handed over before the first is confirmed. ``overlap``: how many
    of the last confirmed ones are handed over again when somebody connects, as one does who catches up. ``retracts``: drafts are shown.
    """

    seed: int = 0
    keys: bool = True
    finds: bool = True
    retracts: bool = False
    ship_keys: bool = True
    ship_finds: bool = True
    busy: float = 0.0
    cut_before: float = 0.0
    cut_after: float = 0.0
    repeats: float = 0.0
    overlap: int = 0
    window: int = 1
    model_least: float = 0.0
    model_delay: float = 0.0
    post_delay: float = 0.0
    again_after: float = 0.2


@dataclass
class _Sight:
    """What the world has under one key."""

    native: str = ""
    at: float = 0.0
    tries: int = 0


@dataclass
class _Said:
    """A message of the world and how far its handing over is."""

    event: str
    room: str
    text: str
    at: float
    kind: str = "message"
    target: str = ""
    value: str = ""
    agent: str = ""
    handed: int = 0
    accepted: bool = False


class World:
    """What the recorder knows and decides; not thread-safe by itself."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.history: list[Entry] = []
        self.said: dict[str, _Said] = {}
        self.rooms: dict[str, list[_Said]] = defaultdict(list)
        self.queues: dict[str, deque[str]] = defaultdict(deque)  # what has not been confirmed, by room
        self.posts: dict[str, _Sight] = defaultdict(_Sight)
        self.drafts: dict[str, str] = {}  # what is shown of replies to come, by turn
        self.cargoes: dict[str, _Sight] = defaultdict(_Sight)
        self.messages: dict[str, str] = {}  # from a message's id to its event
        self.answered: set[str] = set()
        self.counts: dict[str, int] = defaultdict(int)
        self.listened: set[int] = set()
        self.connections: dict[int, int] = defaultdict(int)  # open ones, by the process that made them
        self.on_answer: Callable[[str, str], None] = lambda room, event: None

    def note(self, what: str, **fields: object) -> Entry:
        """Write something into the history."""
        entry = Entry(len(self.history), what, time.monotonic(), **fields)  # type: ignore[arg-type]
        self.history.append(entry)
        self.counts[what] += 1
        return entry

    def chance(self, rate: float, *names: object) -> bool:
        """Whether something happens, decided by the seed and the names."""
        return rate > 0 and Random(f"{self.manners.seed}/{names}").random() < rate

    def delay(self, most: float, *names: object) -> float:
        """A time up to ``most``, decided by the seed and the names."""
        return Random(f"{self.manners.seed}/{names}").random() * most if most else 0.0

    # --- what comes in ---

    def say(self, room: str, event: str, text: str, **more: str) -> None:
        """A person says something in a room, to one ``agent`` or to whoever is there."""
        self.said[event] = _Said(event, room, text, time.time(), **more)
        self.rooms[room].append(self.said[event])
        self.messages[make_id("harbour", "", "message", event)] = event
        self.queues[room].append(event)
        self.note("said", event=event, room=room, text=text, kind=more.get("kind", "message"))

    def to_hand(self, room: str, again: bool) -> list[dict]:
        """What of a room is to be handed over now; ``again``: also what was handed but not confirmed."""
        found = []
        for event in list(self.queues[room])[: self.manners.window]:
            said = self.said[event]
            if said.handed and not again:
                continue
            found.append(self._hand(said))
        if self.chance(0.5, "order", room, len(found), self.counts["handed"]):
            found.reverse()
        return found

    def catch_up(self) -> list[dict]:
        """What somebody is handed who connects: what was not confirmed, and of each room some of what was."""
        found = []
        for room in self.rooms:
            if self.manners.overlap:
                confirmed = [said for said in self.rooms[room] if said.accepted]
                found += [self._hand(said) for said in confirmed[-self.manners.overlap :]]
            found += self.to_hand(room, again=True)
        return found

    def _hand(self, said: _Said) -> dict:
        said.handed += 1
        self.note("handed", event=said.event, room=said.room, number=said.handed)
        line = {"push": "inbound", "event": said.event, "room": said.room, "person": f"sailor-{said.room}"}
        return line | {
            "text": said.text,
            "at": said.at,
            "kind": said.kind,
            "target": said.target,
            "value": said.value,
            "agent": said.agent,
        }

    def accepted(self, line: dict) -> list[dict]:
        """The daemon confirmed an event; what is to be handed over next."""
        said = self.said[line["event"]]
        for _, seq, turn, new in line["heard"] or [["", 0, "", False]]:
            self.note(
                "accepted",
                event=said.event,
                room=said.room,
                turn=turn,
                seq=seq,
                new=new,
                text=line["reason"],
                kind=said.kind,
            )
        said.accepted = True
        if said.event in self.queues[said.room]:
            self.queues[said.room].remove(said.event)
        repeated = [self._hand(said)] if self.chance(self.manners.repeats, "repeat", said.event, said.handed) else []
        return repeated + self.to_hand(said.room, again=False)

    # --- what goes out ---

    def post(self, line: dict) -> dict:
        """A reply part came."""
        manners, key = self.manners, line["key"]
        sight = self.posts[key]
        sight.tries += 1
        event = self.messages.get(line["reply_to"], "") or token_of(line["text"])
        fields = {
            "key": key,
            "turn": line["turn"],
            "room": line["room"],
            "number": line["number"],
            "text": line["text"],
            "notice": line["notice"],
            "event": event,
            "draft": line.get("draft", ""),
        }
        if self.chance(manners.busy, "busy", key, sight.tries):
            self.note("posted", outcome="refused", **fields)
            return {"rate": 0.05}
        if self.chance(manners.cut_before, "before", key, sight.tries):
            self.note("posted", outcome="refused", cut=True, **fields)
            return {"cut": True}
        outcome = "repeat" if sight.native and manners.keys else "shown"
        if outcome == "shown":
            sight.native, sight.at = f"post-{len(self.history)}", time.time()
            self.drafts.pop(line.get("draft", ""), None)
        cut = self.chance(manners.cut_after, "after", key, sight.tries)
        self.note("posted", outcome=outcome, native=sight.native, cut=cut, **fields)
        if event and event not in self.answered:
            self.answered.add(event)
            self.on_answer(line["room"], event)
        return {"cut": True} if cut else {"native": sight.native, "at": sight.at}

    def draft(self, line: dict) -> None:
        """A draft grew, or began anew: there is one message of it, which is edited."""
        self.drafts[line["turn"]] = line["text"]
        self.note("drafted", turn=line["turn"], room=line["room"], text=line["text"])

    def perform(self, line: dict) -> dict:
        """An action came."""
        manners, key = self.manners, line["key"]
        sight = self.cargoes[key]
        sight.tries += 1
        fields = {
            "key": key,
            "turn": line["turn"],
            "step": line["step"],
            "event": token_of(line["cargo"]),
            "text": line["cargo"],
        }
        if self.chance(manners.cut_before, "ship before", key, sight.tries):
            self.note("performed", outcome="refused", cut=True, **fields)
            return {"cut": True}
        outcome = "repeat" if sight.native and manners.ship_keys else "done"
        if outcome == "done":
            sight.native, sight.at = f"ship-{len(self.history)}", time.time()
        cut = self.chance(manners.cut_after, "ship after", key, sight.tries)
        self.note("performed", outcome=outcome, native=sight.native, cut=cut, **fields)
        return {"cut": True} if cut else {"native": sight.native}

    def seek(self, line: dict) -> dict:
        """Somebody asks whether a post or a cargo is there."""
        manners = self.manners
        known = manners.finds if line["what"] == "post" else manners.ship_finds
        sight = (self.posts if line["what"] == "post" else self.cargoes)[line["key"]]
        found = {"known": known, "native": sight.native if known else "", "at": sight.at}
        self.note("sought", key=line["key"], kind=line["what"], native=str(found["native"]), new=known)
        return found

    # --- the model ---

    def ask(self, line: dict) -> dict:
        """What the model answers; its words name the message."""
        text, results = line["text"], line["results"]
        event = token_of(text)
        self.note(
            "asked", event=event, turn=line["turn"], step=line["step"], number=len(results), text="; ".join(results)
        )
        nothing: dict = {"parts": [], "calls": []}
        if "poison" in text and (results or "late" not in text):
            return {"poison": True}
        if "fail" in text:
            return {"error": f"the pilot refuses {event}"}
        if not results:
            if "twice" in text:
                return nothing | {"calls": [_call("ship", cargo=f"{event}/a"), _call("ship", cargo=f"{event}/b")]}
            if "ship" in text:
                return nothing | {"calls": [_call("ship", cargo=event)]}
            if "ask" in text:
                return nothing | {"calls": [_call("ask", question=f"{event}: which berth?")]}
            if "remind" in text:
                return nothing | {"calls": [_call("remind", text=f"plain, says re{event}", after=REMINDED_AFTER)]}
        told = f" ({'; '.join(results)})" if results else ""
        named = " ".join(tokens_of(text))
        if "long" in text:
            return nothing | {"parts": [f"re {named} [1/2]{told}", f"re {named} [2/2]"]}
        return nothing | {"parts": [f"re {named} [1/1]{told}"]}


def _call(name: str, **arguments: object) -> dict:
    return {"name": name, "arguments": arguments}


class Recorder:
    """The world behind a port of this machine, in a thread of its own. Use it as a context."""

    def __init__(self, manners: Manners | None = None) -> None:
        self.world = World(manners or Manners())
        self.world.on_answer = self._on_answer
        self.port = 0
        self.after_answer: Callable[[Recorder, str, str], None] | None = None
        self.changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._listeners: dict[int, asyncio.StreamWriter] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task] = set()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._up = threading.Event()
        self._server: asyncio.Server

    def __enter__(self) -> Recorder:
        self._thread.start()
        assert self._up.wait(10), "the recorder does not start"
        return self

    def __exit__(self, *raised: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # --- for the test ---

    def say(self, room: str, event: str, text: str, **more: str) -> None:
        """A person says something; it is handed over as soon as somebody listens."""
        with self.changed:
            self.world.say(room, event, text, **more)
        self._loop.call_soon_threadsafe(self._hand, room)

    def repeat(self, event: str) -> None:
        """Hand an event over again that was confirmed already, as somebody does who catches up with overlap."""
        said = self.world.said[event]
        self._loop.call_soon_threadsafe(self._repeat, said)

    def note(self, what: str, **fields: object) -> None:
        """Write something into the history from outside."""
        with self.changed:
            self.world.note(what, **fields)
            self.changed.notify_all()

    def wait(self, until: Callable[[World], bool], seconds: float, what: str, alive: Callable[[], str] = str) -> None:
        """Wait until the world is so. AssertionError after ``seconds``, or as soon as ``alive`` says why it never will."""
        end = time.monotonic() + seconds
        with self.changed:
            while not until(self.world):
                dead = alive()
                assert not dead, f"{what}: {dead}"
                left = end - time.monotonic()
                assert left > 0, f"{what}: not within {seconds:g} s; {self.summary()}"
                self.changed.wait(min(left, 0.05))

    def posts(self, event: str = "") -> list[Entry]:
        """What was shown, in order; about one event if it is given."""
        with self.changed:
            return [entry for entry in self.world.history if entry.outcome == "shown" and event in ("", entry.event)]

    def summary(self) -> str:
        """How far everything is, for a message."""
        world = self.world
        waiting = [event for queue in world.queues.values() for event in queue]
        open_ = [each.event for each in world.said.values() if each.accepted and each.event not in world.answered]
        last = [f"{entry.what} {entry.event or entry.key} {entry.turn[:8]}" for entry in world.history[-5:]]
        return f"{dict(world.counts)}; not taken {waiting[:5]}, not answered {open_[:5]}; last {last}"

    # --- the server ---

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)

        async def start() -> None:
            self._server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, limit=_MOST)
            self.port = self._server.sockets[0].getsockname()[1]
            self._up.set()

        self._loop.run_until_complete(start())
        self._loop.run_forever()

    async def _close(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(0)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task, world = asyncio.current_task(), self.world
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        pid = 0
        try:
            while line := await reader.readline():
                if not line.endswith(b"\n"):
                    break  # half a line of a process that died
                said = json.loads(line)
                if said["op"] == "hello":
                    pid = said["pid"]
                self._one(pid, said, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            if self._listeners.get(pid) is writer:
                del self._listeners[pid]
            with self.changed:
                world.connections[pid] -= 1
                world.note("gone", pid=pid)
                self.changed.notify_all()
            writer.close()

    def _one(self, pid: int, said: dict, writer: asyncio.StreamWriter) -> None:
        world = self.world
        with self.changed:
            match said["op"]:
                case "hello":
                    world.connections[pid] += 1
                    world.note("connected", pid=pid)
                case "listen":
                    self._listeners[pid] = writer
                    world.listened.add(pid)
                    world.note("listening", pid=pid)
                    self._push(writer, world.catch_up())
                case "accepted":
                    self._push(writer, world.accepted(said))
                case "refused":
                    world.note("refused", event=said["event"], text=said["error"])
                    self._loop.call_later(world.manners.again_after, self._hand, world.said[said["event"]].room, True)
                case "note":
                    world.note("noted", key=said["what"], turn=said["turn"], steps=tuple(said["steps"]), pid=pid)
                case "ask":
                    tries = world.counts["asked"]
                    answer, manners = world.ask(said), world.manners
                    delay = manners.model_least + world.delay(manners.model_delay, "ask", tries)
                    self._answer(writer, said, answer, 0 if "poison" in answer else delay)
                case "post":
                    tries = world.posts[said["key"]].tries
                    delay = world.delay(world.manners.post_delay, "post", said["key"], tries)
                    self._answer(writer, said, world.post(said), delay)
                case "draft":
                    world.draft(said)
                case "perform":
                    tries = world.cargoes[said["key"]].tries
                    delay = world.delay(world.manners.post_delay, "ship", said["key"], tries)
                    self._answer(writer, said, world.perform(said), delay)
                case "seek":
                    self._answer(writer, said, world.seek(said), 0)
            self.changed.notify_all()

    def _answer(self, writer: asyncio.StreamWriter, said: dict, answer: dict, delay: float) -> None:
        line = json.dumps({"id": said["id"], **answer}).encode() + b"\n"
        if delay:
            self._loop.call_later(delay, self._write, writer, line)
        else:
            self._write(writer, line)

    def _write(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        if not writer.is_closing():
            writer.write(line)

    def _push(self, writer: asyncio.StreamWriter, lines: list[dict]) -> None:
        for line in lines:
            self._write(writer, json.dumps(line).encode() + b"\n")

    def _hand(self, room: str, again: bool = False) -> None:
        with self.changed:
            for writer in list(self._listeners.values())[-1:]:
                self._push(writer, self.world.to_hand(room, again))
            self.changed.notify_all()

    def _repeat(self, said: _Said) -> None:
        with self.changed:
            for writer in list(self._listeners.values())[-1:]:
                self._push(writer, [self.world._hand(said)])
            self.changed.notify_all()

    def _on_answer(self, room: str, event: str) -> None:
        if self.after_answer is not None:
            self._loop.call_soon(self.after_answer, self, room, event)
