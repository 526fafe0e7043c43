"""The history checker: what the world saw and what the journal says, held against what Carrier promises.

A pure function. It knows when processes died, because the recorder wrote that down between what they did, and it knows of
many writes that they were durable, because the process told so, or because it went on to what only comes after them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from carrier_core import (
    ActionResult,
    Intent,
    Outgoing,
    Parking,
    Sending,
    Status,
    TurnRecord,
    decode,
)
from tests.faults.recorder import Entry, Manners, tokens_of

_PART = re.compile(r"\[(\d+)/(\d+)\]")
_SETTLED = (Sending.IN_DOUBT, Sending.DEAD, Sending.DISCARDED)


class Fault(NamedTuple):
    """A broken promise: loss, swap, double, call, action, doubt, lie, acceptance or left."""

    kind: str
    text: str


@dataclass(frozen=True)
class Kept:
    """What the store of the daemon has when everything is over."""

    turns: tuple[TurnRecord, ...] = ()
    outbox: tuple[Outgoing, ...] = ()
    doubts: tuple[Intent, ...] = ()
    parked: tuple[Parking, ...] = ()
    ready: tuple[tuple[str, str], ...] = ()


def check(history: Sequence[Entry], kept: Kept, manners: Manners | None = None) -> list[Fault]:
    """Every promise that was broken; empty if none was."""
    case = _Case(history, kept, manners or Manners())
    return [
        *_acceptances(case),
        *_losses(case),
        *_order(case),
        *_doubles(case),
        *_calls(case),
        *_actions(case),
        *_deliveries(case),
        *_left(case),
    ]


class _Case:
    """A history, looked up in the ways that the checks need."""

    def __init__(self, history: Sequence[Entry], kept: Kept, manners: Manners) -> None:
        self.history = history
        self.kept = kept
        self.manners = manners
        self.turns = {turn.id: turn for turn in kept.turns}
        self.of: dict[str, list[Entry]] = defaultdict(list)
        self.about: dict[str, list[Entry]] = defaultdict(list)  # by turn, in order
        for entry in history:
            self.of[entry.what].append(entry)
            if entry.turn:
                self.about[entry.turn].append(entry)
        self.deaths = [entry.n for entry in self.of["died"]]
        self.kinds = {entry.event: entry.kind for entry in self.of["said"]}
        self.texts = {entry.event: entry.text for entry in self.of["said"]}
        self.seqs: dict[str, int] = {}
        self.turn_of: dict[str, str] = {}
        for entry in self.of["accepted"]:
            if entry.turn:
                self.seqs.setdefault(entry.event, entry.seq)
                self.turn_of.setdefault(entry.event, entry.turn)
        self.shown = [entry for entry in self.of["posted"] if entry.outcome == "shown"]
        self.rows: dict[str, list[Outgoing]] = defaultdict(list)
        for row in kept.outbox:
            self.rows[row.part.turn].append(row)

    def died_between(self, first: int, second: int) -> bool:
        """Whether a process died between two places of the history."""
        return any(first < death < second for death in self.deaths)

    def recorded(self, turn: str, step: str, first: int, last: int) -> Entry | None:
        """The first sign, between two places, that a step of a turn was recorded: a write that returned told of it, or the turn
        went on to something that only comes after it."""
        for entry in self.about[turn]:
            if not first < entry.n < last:
                continue
            if entry.what == "noted" and step in entry.steps:
                return entry
            if entry.what == "posted" or (entry.what in ("asked", "performed") and _later(entry.step, step)):
                return entry
        return None


def _later(step: str, than: str) -> bool:
    """Whether a step only comes once another is recorded: a later round, or an action that this round's model asked for."""
    round_ = int(step.split("/")[1]) if "/" in step else 0
    before = int(than.split("/")[1]) if "/" in than else 0
    return round_ > before or (round_ == before and step.startswith("act/") and than.startswith("generate/"))


# --- the promises ----------------------------------------------------------------------------------------------------------


def _acceptances(case: _Case) -> Iterator[Fault]:
    """An event is new once, keeps its place and its turn, and comes behind what was confirmed before it was handed over."""
    news: dict[str, int] = defaultdict(int)
    for entry in case.of["accepted"]:
        news[entry.event] += entry.new
        if entry.turn and (entry.seq, entry.turn) != (case.seqs[entry.event], case.turn_of[entry.event]):
            yield Fault("acceptance", f"{entry.event} was row {case.seqs[entry.event]} and later row {entry.seq}")
    for event, count in news.items():
        if count > 1:
            yield Fault("acceptance", f"{event} was taken as new {count} times")
    confirmed: dict[str, int] = {}  # by room, the highest place that was confirmed so far
    floor: dict[str, int] = {}
    seen: set[str] = set()
    for entry in case.history:
        if entry.what == "handed" and entry.event not in floor:
            floor[entry.event] = confirmed.get(entry.room, 0)
        elif entry.what == "accepted" and entry.turn and entry.event not in seen:
            seen.add(entry.event)
            if entry.seq <= floor.get(entry.event, 0):
                yield Fault("acceptance", f"{entry.event} is row {entry.seq}, before what was confirmed when it came")
            confirmed[entry.room] = max(confirmed.get(entry.room, 0), entry.seq)


def _losses(case: _Case) -> Iterator[Fault]:
    """Accepted is answered, or visibly failed."""
    parts: dict[str, set[int]] = defaultdict(set)
    whole: dict[str, int] = {}
    notices = set()
    for entry in case.shown:
        if entry.notice:
            notices.add(entry.event)
        elif found := _PART.search(entry.text):
            for event in {entry.event, *tokens_of(entry.text)}:
                parts[event].add(int(found[1]))
                whole[event] = int(found[2])
    for event, turn in case.turn_of.items():
        if event in notices or (event in whole and len(parts[event]) == whole[event]):
            continue
        record = case.turns.get(turn)
        if record is not None and record.outcome.status in (Status.FAILED, Status.STOPPED):
            continue
        if any(row.state in _SETTLED for row in case.rows[turn]) or turn in {each.turn for each in case.kept.parked}:
            continue
        if _elsewhere(case, event, turn):
            continue
        status = record.outcome.status if record is not None else "no record"
        yield Fault(
            "loss", f"{event}, turn {turn[:8]} ({status}), has {len(parts[event])} of {whole.get(event, '?')} parts"
        )


def _elsewhere(case: _Case, event: str, turn: str) -> bool:
    """Whether another turn superseded the event, or took it with its own and failed."""
    seq, room = case.seqs[event], next(entry.room for entry in case.of["accepted"] if entry.event == event)
    rooms = {entry.turn: entry.room for entry in case.of["accepted"]}
    for record in case.kept.turns:
        if record.id != turn and rooms.get(record.id) == room:
            if seq in record.superseded:
                return True
            if seq in record.inbound and record.outcome.status in (Status.FAILED, Status.STOPPED):
                return True
    return False


def _order(case: _Case) -> Iterator[Fault]:
    """In each room the replies come in the order of the messages. A turn that waited for somebody has left the order."""
    latest: dict[str, tuple[int, int, Entry]] = {}
    for entry in case.shown:
        seq = case.seqs.get(entry.event)
        if seq is None or "ask" in case.texts.get(entry.event, ""):
            continue
        found = _PART.search(entry.text)
        place = (seq, int(found[1]) if found else 0)
        before = latest.get(entry.room)
        if before is not None and place < before[:2]:
            yield Fault(
                "swap", f"{entry.room}: {entry.text!r} (row {seq}) came after {before[2].text!r} (row {before[0]})"
            )
        else:
            latest[entry.room] = (*place, entry)


def _doubles(case: _Case) -> Iterator[Fault]:
    """Nobody sees a message answered twice."""
    seen: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    answered: dict[str, set[bool]] = defaultdict(set)
    for entry in case.shown:
        found = _PART.search(entry.text)
        seen[entry.event or entry.room, "notice" if entry.notice else found[0] if found else entry.text].append(entry)
        if entry.event and (entry.notice or found):
            answered[entry.event].add(entry.notice)
    for (event, part), entries in seen.items():
        if len(entries) > 1:
            keys = {entry.key[:8] for entry in entries}
            yield Fault("double", f"{event} {part} was shown {len(entries)} times, under {sorted(keys)}")
    for event, kinds in answered.items():
        if len(kinds) > 1:
            yield Fault("double", f"{event} was answered and reported as failed")


def _calls(case: _Case) -> Iterator[Fault]:
    """A model call is made again only if the process died before the first one was recorded."""
    made: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in case.of["asked"]:
        made[entry.turn or entry.event, entry.step or str(entry.number)].append(entry)
    for (turn, step), entries in made.items():
        for first, second in pairwise(entries):
            if not case.died_between(first.n, second.n):
                yield Fault(
                    "call", f"{first.event} {step} of {turn[:8]}: asked again (#{first.n}, #{second.n}), nobody died"
                )
            elif sign := case.recorded(turn, step, first.n, second.n):
                yield Fault(
                    "call", f"{first.event} {step} of {turn[:8]}: asked again (#{second.n}), recorded at #{sign.n}"
                )


def _actions(case: _Case) -> Iterator[Fault]:
    """An action happens once; it is sent again only in doubt; and what the journal says of it is true."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    cargoes: dict[str, set[str]] = defaultdict(set)
    for entry in case.of["performed"]:
        groups[entry.key].append(entry)
        cargoes[entry.text].add(entry.key)
    for cargo, keys in cargoes.items():
        if len(keys) > 1:
            yield Fault("action", f"the cargo {cargo} was sent under {len(keys)} keys")
    for key, entries in groups.items():
        done = [entry for entry in entries if entry.outcome == "done"]
        if len(done) > 1:
            yield Fault("action", f"{entries[0].text} was performed {len(done)} times under {key[:8]}")
        for first, second in pairwise(entries):
            if sign := case.recorded(first.turn, first.step, first.n, second.n):
                yield Fault("action", f"{first.text} was sent again at #{second.n}, recorded at #{sign.n}")
            elif not (first.cut or case.died_between(first.n, second.n)):
                yield Fault("action", f"{first.text} was sent again at #{second.n}, without any doubt")
        yield from _told(case, entries[0], done)


def _told(case: _Case, entry: Entry, done: list[Entry]) -> Iterator[Fault]:
    """What the journal says of an action is true, or in doubt and listed."""
    record = case.turns.get(entry.turn)
    step = next((each for each in record.steps if each.name == entry.step), None) if record is not None else None
    listed = any(doubt.key == entry.key for doubt in case.kept.doubts)
    if step is not None and step.in_doubt and not listed:
        yield Fault("doubt", f"{entry.text} is in doubt and not listed")
    if listed or (step is not None and step.in_doubt):
        ended = record is not None and record.outcome.status in (
            Status.FAILED,
            Status.STOPPED,
        )  # before it was asked for
        if (case.manners.ship_keys or case.manners.ship_finds) and not ended:
            yield Fault("doubt", f"{entry.text} is in doubt, though the harbour could have told")
        return
    if step is None:
        if done:
            yield Fault("doubt", f"{entry.text} was performed, and neither recorded nor listed as in doubt")
        return
    text = decode(step.value, ActionResult).text
    if bool(done) != (bool(done) and done[0].native in text):
        yield Fault("lie", f"{entry.text} was performed as {done[0].native}, the journal says {text!r}")
    if not done and "shipped" in text:
        yield Fault("lie", f"{entry.text} was not performed, the journal says {text!r}")


def _deliveries(case: _Case) -> Iterator[Fault]:
    """What the outbox says of a part is true, or in doubt; and a part that was taken is not sent again."""
    rows = {row.part.key: row for row in case.kept.outbox}
    shown = {entry.key for entry in case.shown}
    names = {entry.key: f"{entry.event} {entry.text!r}" for entry in case.of["posted"]}
    for key, row in rows.items():
        name = names.get(key, row.part.text)
        if row.state is Sending.SENT and key not in shown:
            yield Fault("lie", f"{name} is said to be sent and was not")
        elif row.state not in (Sending.SENT, Sending.IN_DOUBT) and key in shown:
            yield Fault("doubt", f"{name} was shown, the outbox says {row.state}")
        elif row.state is Sending.IN_DOUBT and (case.manners.keys or case.manners.finds):
            yield Fault("doubt", f"{name} is in doubt, though the harbour could have told")
    for key in shown - rows.keys():
        yield Fault("lie", f"{names[key]} was shown and is not in the outbox")
    tries: dict[str, list[Entry]] = defaultdict(list)
    for entry in case.of["posted"]:
        tries[entry.key].append(entry)
    for entries in tries.values():
        for first, second in pairwise(entries):
            if first.outcome != "refused" and not (first.cut or case.died_between(first.n, second.n)):
                yield Fault("double", f"{first.event} {first.text!r} was sent again at #{second.n}, without any doubt")


def _left(case: _Case) -> Iterator[Fault]:
    """Nothing is left to do."""
    for agent, room in case.kept.ready:
        yield Fault("left", f"there is work left in the room {room[:8]} of {agent}")
    waiting = {parking.turn for parking in case.kept.parked}
    for turn in case.kept.turns:
        if turn.outcome.status is Status.RUNNING or (turn.outcome.status is Status.PARKED and turn.id not in waiting):
            yield Fault("left", f"the turn {turn.id[:8]} is still {turn.outcome.status}")
