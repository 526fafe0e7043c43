"""Goals: what people say of theirs, found by rules: a new one, a step that is done, one that is reached or given up.

A goal's memory is shared with the actions that set and update goals: its text is the goal, after "Done: ", "Failed: " or
"Dropped: " where it is not open any more; its data are ``status`` (open, done, failed, dropped), which counts, ``steps``, ``person``, ``set``, ``changed``, ``was`` (the earlier states, oldest first) and ``key``,
which its id is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from carrier_core import Json, Memory, MemoryKind, Part, Provenance, derive, make_id
from carrier_evaluator_standard.claims import trimmed
from carrier_evaluator_standard.facts import Teller
from carrier_evaluator_standard.fields import fields_of, items_of
from carrier_evaluator_standard.sentences import clauses

OPEN, DONE, FAILED, DROPPED = "open", "done", "failed", "dropped"

_SHOWN = {DONE: "Done: ", FAILED: "Failed: ", DROPPED: "Dropped: "}
"""What stands before the text of a goal that is not open any more."""

WHOLE, UNCLEAR = -1, -2  # instead of the number of a step

EARLIER = 20
"""Earlier states that a goal keeps."""
LONGEST = 200
"""Characters of a goal."""
ALIKE = 0.6
"""Share of a step's words that have to be said for it to be meant."""


class Said(msgspec.Struct, frozen=True):
    """Something said of a goal: that it is ``set``, that something is ``done``, ``failed`` or ``dropped``. ``steps`` if they were
    listed. ``besides`` is what else was said, by which "my goal" is told from others."""

    what: str
    text: str
    steps: tuple[str, ...] = ()
    besides: str = ""


_SET = re.compile(
    r"(?:my (?:new |main |next |big )?goal(?: for [\w ]{2,30})? is(?: to)?|"
    r"i(?:'ve| have)? set (?:myself )?(?:a|the) (?:new )?goal(?: to| of)?|"
    r"i(?:'d| would) like to set (?:myself )?(?:a|the) goal(?: to| of)?) (?P<text>.+)",
    re.I,
)
_STATE = re.compile(
    r"(?P<text>(?:my|the|that|this) goal(?: (?:to|of) .+?)?)(?:'s| is| was| has| has been) (?:now |finally |already |just |been )*"
    r"(?:(?P<done>reached|achieved|met|done|finished|completed?|accomplished|fulfilled)|(?P<failed>failed|missed|out of reach)|"
    r"(?P<dropped>dropped|abandoned|cancell?ed|given up|off|off the table))(?: now| at last| today)?",
    re.I,
)
_DONE = re.compile(
    r"(?:i(?:'ve| have)?|we(?:'ve| have)?) (?:just |now |finally |already |also )*(?:finished|completed|accomplished|achieved|"
    r"reached|(?:met|hit|made)(?= (?:my|the|that|this) goal\b)|am done with|are done with|got done with|done) (?:with )?(?P<text>.+)"
    r"|i(?:'m| am) (?:all )?(?:done|finished) with (?P<with>.+)"
    r"|(?:i'm |i am |all )?done with (?P<short>.+)"
    r"|(?P<it>.+) is (?:now |finally )?(?:done|finished|completed?|accomplished)",
    re.I,
)
_DROPPED = re.compile(
    r"(?:i(?:'ve| have)?|we(?:'ve| have)?) (?:just |now )*(?:given up|gave up|dropped|abandoned|cancell?ed)(?: on)? (?P<text>.+)"
    r"|i(?:'m| am) (?:giving up|no longer working) on (?P<with>.+)",
    re.I,
)
_STEPS = re.compile(r"(?::|, with (?:the )?steps|; steps:?| steps:)\s*(?P<steps>.+)", re.I)
_LIST = re.compile(r"\s*[,;]\s*(?:and |then |and then )?|\s+(?:and|then|and then)\s+")
_GOAL_ITSELF = re.compile(r"(?:my|the|that|this) goal", re.I)
_GOAL_NAMED = re.compile(r"(?:my|the|that|this) goal(?:,| to| of|:) ?(?:to )?(?P<text>.+)", re.I)
_WORD = re.compile(r"[^\W_]+")
_SMALL = frozenset("a an the to of in on for with and or my our your it is i we at by from that this".split())


def said_of_goals(text: str) -> tuple[Said, ...]:
    """All that the text says of goals, in order."""
    pieces = [clause.text for clause in clauses(text)]
    found = []
    for piece in pieces:
        said = _said(piece)
        if said is not None and _GOAL_ITSELF.fullmatch(said.text):
            said = msgspec.structs.replace(said, besides=" ".join(each for each in pieces if each is not piece))
        if said is not None:
            found.append(said)
    return tuple(found)


def _said(clause: str) -> Said | None:
    state = _STATE.fullmatch(clause)
    if state is not None:  # before what sets one: "my goal is reached" is no goal called "reached"
        what = next(what for what in (DONE, FAILED, DROPPED) if state[what])
        return Said(what, _goal(state["text"]))
    for what, pattern in (("set", _SET), (DONE, _DONE), (DROPPED, _DROPPED)):
        match = pattern.fullmatch(clause)
        if match is not None:
            words = next(value for value in match.groupdict().values() if value is not None)
            return _set(words) if what == "set" else Said(what, _goal(words))
    return None


def _goal(words: str) -> str:
    """What is said of which: "my goal to run a marathon" is "run a marathon"."""
    named = _GOAL_NAMED.fullmatch(trimmed(words))
    return trimmed(named["text"] if named is not None else words)


def _set(words: str) -> Said:
    listed = _STEPS.search(words)
    steps = tuple(trimmed(step) for step in _LIST.split(listed["steps"])) if listed is not None else ()
    text = trimmed(words[: listed.start()] if listed is not None else words)[:LONGEST]
    return Said("set", text, tuple(step for step in steps if step))


def followed(teller: Teller, said: Iterable[Said], known: Iterable[Memory]) -> tuple[Memory, ...]:
    """The goals that are new or have changed. ``known`` are those that the teller may know; what an action of this turn wrote is
    left as it is."""
    goals = {memory.id: memory for memory in known if memory.kind is MemoryKind.GOAL and _is_theirs(memory, teller)}
    acted = any(memory.turn == teller.turn for memory in goals.values())
    changed: dict[str, Memory] = {}
    for each in () if acted else said:
        memory = _new(teller, each, goals) if each.what == "set" else _changed(teller, each, goals)
        if memory is not None:
            goals[memory.id] = changed[memory.id] = memory
    return tuple(changed.values())


def _is_theirs(memory: Memory, teller: Teller) -> bool:
    return memory.room == teller.room and fields_of(memory).get("person", memory.entity) == teller.person.id


def _new(teller: Teller, said: Said, goals: dict[str, Memory]) -> Memory | None:
    for goal in goals.values():
        if fields_of(goal).get("status") == OPEN and _likeness(said.text, text_of(goal)) >= ALIKE:
            return None
    key = make_id("goal", teller.person.id, *teller.spoken.audience.rooms, "/", said.text.casefold())
    data: dict[str, Json] = {
        "status": OPEN,
        "steps": [{"text": step, "done": False} for step in said.steps],
        "person": teller.person.id,
        "set": teller.at,
        "changed": teller.at,
        "was": [],
        "key": key,
    }
    text = said.text[:1].upper() + said.text[1:]
    return Memory(
        make_id("memory", teller.agent, str(MemoryKind.GOAL), key),  # as if it had been remembered under that key
        teller.agent,
        teller.room,
        MemoryKind.GOAL,
        (Part(f"{text}.", key="goal", provenance=teller.spoken),),
        teller.at,
        teller.spoken,
        entity=teller.person.id,
        name=teller.person.name,
        turn=teller.turn,
        data=data,
    )


def _changed(teller: Teller, said: Said, goals: dict[str, Memory]) -> Memory | None:
    """The goal with the step, or all of it, as it is now; None where it is not clear what is meant."""
    running = [goal for goal in goals.values() if fields_of(goal).get("status") == OPEN]
    if _GOAL_ITSELF.fullmatch(said.text):
        named = [goal for goal in running if _likeness(text_of(goal), said.besides) >= ALIKE]
        meant = running if len(running) == 1 else named
        return _closed(teller, meant[0], said.what) if len(meant) == 1 else None
    best: tuple[float, Memory, int] | None = None
    for goal in running:
        for number, text in [(WHOLE, text_of(goal)), *enumerate(step["text"] for step in _open_steps(goal))]:
            score = _likeness(text, said.text)
            if score >= ALIKE and (best is None or score >= best[0]):
                is_clear = best is None or score > best[0]
                best = (score, goal, number if is_clear else UNCLEAR)
    if best is None or best[2] == UNCLEAR:
        return None
    _, goal, number = best
    if number == WHOLE:
        return _closed(teller, goal, said.what)
    return _stepped(teller, goal, _open_steps(goal)[number]["text"]) if said.what == DONE else None


def _open_steps(goal: Memory) -> list[dict[str, str]]:
    steps = items_of(fields_of(goal).get("steps"))
    return [{"text": str(step.get("text", ""))} for step in steps if isinstance(step, dict) and not step.get("done")]


def _stepped(teller: Teller, goal: Memory, text: str) -> Memory:
    """With this step done; with the last one, the goal is."""
    steps: list[Json] = [
        {**step, "done": True} if isinstance(step, dict) and step.get("text") == text else step
        for step in items_of(fields_of(goal).get("steps"))
    ]
    finished = all(isinstance(step, dict) and step.get("done") for step in steps)
    return _with(teller, goal, {"steps": steps, "status": DONE if finished else OPEN})


def _closed(teller: Teller, goal: Memory, status: str) -> Memory:
    return _with(teller, goal, {"status": status})


def _with(teller: Teller, goal: Memory, changes: dict[str, Json]) -> Memory:
    data = fields_of(goal)
    before: dict[str, Json] = {
        "status": data.get("status"),
        "steps": data.get("steps"),
        "at": data.get("changed"),
        "turn": goal.turn,
    }
    was = [*items_of(data.get("was")), before][-EARLIER:]
    changed: dict[str, Json] = {**data, **changes, "changed": teller.at, "was": was}
    made = derive((goal.provenance, teller.spoken))
    provenance = Provenance(made.origins, made.audience)
    shown = f"{_SHOWN.get(str(changed['status']), '')}{text_of(goal)}"
    parts = (Part(shown, key=goal.content[0].key if goal.content else "goal", provenance=provenance),)
    return msgspec.structs.replace(
        goal, content=parts, at=teller.at, provenance=provenance, turn=teller.turn, data=changed
    )


def text_of(goal: Memory) -> str:
    """The text of a goal without what tells that it is over."""
    return goal.text.removeprefix(_SHOWN.get(str(fields_of(goal).get("status")), ""))


def _likeness(text: str, said: str) -> float:
    """How much a goal or step is what was said, 0 to 1: the share of its words that were said, or, where all that was said is in
    it, a little more than enough. Small words are left out."""
    wanted, given = _words(text), _words(said)
    if not wanted or not given:
        return 0.0
    share = len(wanted & given) / len(wanted)
    return max(share, ALIKE + share / 10) if given <= wanted else share


def _words(text: str) -> set[str]:
    return {_stem(word) for word in _WORD.findall(text.casefold()) if word not in _SMALL}


def _stem(word: str) -> str:
    """A word without its ending: "buying", "buys" and "buy" are one."""
    bare = re.sub(r"(?:ing|ed|es|s)$", "", word) if len(word) > 4 else word.rstrip("s") or word
    bare = bare[:-1] if len(bare) > 3 and bare[-1] == bare[-2] else bare
    return bare.rstrip("e") or word
