"""Records: what one release wrote, every later one reads as the same value.

``tests/golden/vN`` holds records of version N as they were written, each beside its value in ``GOLDEN``. They are never
changed. A type whose version goes up, or a new one, gets a new value here; ``python tests/test_records.py`` writes the
files that are missing.
"""

import json
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from carrier_core import archive, journal, messages, outcomes, prompts, schedules
from carrier_core.archive import Embedded, Handled, Heard, Participant, Place, Queued, Resident
from carrier_core.journal import Charge, Hold, Intent, Outgoing, Parking, Sending, Spent, StoredPart
from carrier_core.messages import (
    Attachment,
    Entity,
    Inbound,
    InboundKind,
    Memory,
    MemoryKind,
    Message,
    Part,
    PartKind,
    Question,
    Receipt,
    Reply,
    ReplyPart,
    Room,
    RoomKind,
    World,
)
from carrier_core.outcomes import (
    Answer,
    Approval,
    Composition,
    Connection,
    Event,
    Line,
    Outcome,
    Outline,
    Passage,
    Ran,
    Status,
    StepRecord,
    TurnRecord,
)
from carrier_core.prompts import (
    ActionCall,
    ActionResult,
    Attempt,
    Carry,
    Completion,
    Decision,
    Draft,
    Effort,
    Evaluation,
    Finish,
    Judged,
    Prompt,
    PromptMessage,
    Source,
    State,
    Then,
    Tool,
    Usage,
    Verdict,
)
from carrier_core.provenance import OPERATOR, Audience, Provenance, outside, person
from carrier_core.records import UPCASTERS, VERSIONS, Unrecognised, decode, encode
from carrier_core.schedules import Missed, Schedule

FOLDER = Path(__file__).parent / "golden"

# --- one value of every type, with every field set ---------------------------------------------------------------------

WORLD = World("a1", "discord", "17", name="Harbour", realm="eu")
ROOM = Room("b2", "discord", "18", RoomKind.THREAD, "kitchen", WORLD.id, "eu")
ANA = Entity("c3", "discord", "19", "Ana", "ana.p", "eu", bot=True)
PROVENANCE = Provenance(
    (OPERATOR, person(ANA.id)), Audience((ROOM.id,), (ANA.id,)), "carrier-context-x", "provide_state"
)
FILE = Attachment("image/png", "kitten.png", "https://example.org/k.png", 2048, "00ff")
PART = Part("Zoë’s cat 🐈", "weather", PROVENANCE, "user", "Ana", "m1", -3, stable=True, at=12.5, kind=PartKind.QUOTE)
PICTURE = Part("", kind=PartKind.ATTACHMENT, attachment=FILE)
CALL = ActionCall(
    "call-1",
    "remember",
    {"text": "tea", "times": 2, "deep": [{"x": None, "y": [True, 1.5]}]},
    PROVENANCE,
    (Source("text", ("m1", "weather"), Provenance((outside("https://example.org"),))),),
)
CARRY = Carry("openai", {"id": "resp_1", "items": [1, "two"]})
RESULT = ActionResult(
    "done",
    False,
    {"n": [1, 2.5, None]},
    (PART,),
    Then.END,
    silent=True,
    call="call-1",
    name="remember",
    provenance=PROVENANCE,
)
USAGE = Usage(100, 20, 30, 2)
REPLY = Reply((PART, PICTURE), "m0", notice=True)
OUTCOME = Outcome(Status.BLOCKED, REPLY, "rude", USAGE)
QUESTION = Question("a1b2c3", ("approve", "refuse"), 1763690400.0, "a1b2")
PROMPT = Prompt(
    (
        PromptMessage("system", (PART,)),
        PromptMessage("assistant", (PART,), (CALL,), carry=CARRY),
        PromptMessage("tool", (PART,), call="call-1"),
    ),
    (Tool("remember", "Remember it.", {"type": "object", "properties": {"text": {"type": "string"}}}),),
    "small",
    512,
    0.25,
)

V1 = (
    Inbound(
        "event-1",
        ROOM,
        Message("m1", ANA, (PART, PICTURE), 1763686800.25, "m0", ("tifa", "c4")),
        InboundKind.EDIT,
        WORLD,
        "discord",
        "tifa",
        3,
        "m0",
        "yes",
        ("cleaned", "cut at 65536 bytes"),
    ),
    Memory("m1", "tifa", ROOM.id, MemoryKind.FACT, (PART,), 1763686800.25, PROVENANCE, ANA.id, "Ana", True, "t1", "m0"),
    PART,
    REPLY,
    ReplyPart("k1", "t1", "tifa", ROOM, (PART, PICTURE), "discord", 2, "m0", notice=True),
    Receipt("k1", "native-9", 1763686801.5),
    State((PART, PICTURE)),
    PROMPT,
    Completion((PART,), (CALL,), Finish.CALLS, USAGE, "openai", "gpt-large", CARRY),
    RESULT,
    Evaluation(Verdict.REVISE, "Shorter.", "length"),
    Decision(True, "mentioned"),
    Draft((PART,), (CALL,), (RESULT,), 2),
    Connection(ANA, ROOM, WORLD),
    OUTCOME,
    TurnRecord(
        "t1",
        "tifa",
        ROOM.id,
        ANA.id,
        "discord",
        (7, 8),
        1763686800.25,
        OUTCOME,
        12.5,
        (StepRecord("decide", 1763686800.5, 0.25, msgspec.Raw(encode(Decision(True, "mentioned")))),),
        (Ran("decide", "decide", "carrier", 0.125, "answered", "Decision"),),
        ("m1", "m2"),
        ("00ff", "11ee"),
        42,
        3,
    ),
    Event("turn_completed", 1763686802.0, "tifa", ROOM.id, "t1", "carrier", {"duration_ms": 12.5, "tags": ["a", None]}),
    Composition(
        ("00ff", "11ee"),
        (
            Line("system", ("00ff",)),
            Line("assistant", ("11ee",), (CALL,), carry=CARRY),
            Line("tool", ("22dd",), call="call-1", failed=True),
        ),
        PROMPT.tools,
        "small",
        512,
        0.25,
        ("m1", "m2"),
    ),
    Outline(
        "s2-a-t",
        5,
        (0, 2, 1, 3),
        {
            1: Passage("assistant", (1,), (CALL,), carry=CARRY),
            3: Passage("assistant", said=1),
            5: Passage("tool", (3,), call="call-1", failed=True),
        },
        4,
        "small",
        512,
        0.25,
        Effort.LOW,
        {"type": "object", "properties": {}},
    ),
    Answer("Yes, do.", "approve", ANA.id, 1763686900.0, expired=True),
    Approval(
        "a1b2c3",
        "a1b2",
        "ship",
        "d4e5",
        ANA.id,
        "admin",
        1763690400.0,
        'ship(what="books")',
        "it has an effect outside",
    ),
    Judged((Evaluation(Verdict.REVISE, "Shorter.", "length"), Evaluation(Verdict.PASS))),
    Intent("k2", "t1", "tifa", ROOM.id, "act/1/0", 1763686800.5, 1763686830.5, "remember, asked by Ana", in_doubt=True),
    Parking("t1", "tifa", ROOM.id, "ask/1/0", 1763690400.0, "remember: wants a yes"),
    Outgoing(
        ReplyPart("k1", "t1", "tifa", ROOM, (PART,), "discord", 2, "m0", notice=True),
        Sending.DEAD,
        3,
        1763686810.0,
        1763686840.0,
        1763686805.5,
        "native-9",
        "The room is gone.",
    ),
    StoredPart("00ff", PART),
    Schedule(
        "s1",
        "tifa",
        ROOM,
        ANA,
        "Water the plants.",
        "cron 0 8 * * 1",
        1763971200.0,
        "discord",
        "Europe/Lisbon",
        Missed.SKIP,
        1763686800.0,
    ),
    WORLD,
    ROOM,
    ANA,
    Place("tifa", ROOM.id, 8, 3),
    Heard("tifa", "event-1", 7),
    Queued("tifa", ROOM.id, 7, msgspec.Raw(encode(Receipt("k1"))), "t1", "superseded"),
    Handled(
        TurnRecord("t2", "tifa", ROOM.id, ANA.id, "discord", (9,), 1763686800.25, Outcome(Status.PARKED)),
        "parked",
        2,
        Parking("t2", "tifa", ROOM.id, "ask/1/0", 1763690400.0),
    ),
    Participant(ROOM.id, ANA.id),
    Resident("tifa", ROOM.id),
    Embedded("test/3", "m1", (0.5, -1.0, 0.25)),
    Spent(("person", "tifa", ANA.id), "2027-01", Usage(100, 20, 30, 2, 50, 1_250_000), USAGE, 1769904000.0),
    Hold(
        "c1",
        (Charge(("person", "tifa", ANA.id), "2027-01", 50_000, 2_000_000_000, 1769904000.0),),
        Usage(900, 512, cost=7_000_000),
        1763686800.25,
    ),
)
GOLDEN = {1: {type(value): value for value in V1}}
"""By version: the values that the files of that version hold. An older one is as it reads today, after its upcasters."""


LATER = (
    replace(V1[1], data={"status": "open"}),
    replace(V1[0], schedule="s1"),
    replace(V1[4], draft="t1"),
    replace(V1[-1], most=Usage(4_000, 512, cost=22_000_000)),
    replace(V1[-1], charges=(Charge(("action", "tifa", "send", ANA.id), "2027-01", until=1769904000.0, most_calls=5),)),
    Reply((PART,), question=QUESTION),
    replace(V1[4], question=QUESTION),
    Prompt((), (Tool("search", "Find it.", {"type": "object"}, (outside("mcp/library"),)),)),
    Composition(("00ff",), (), (Tool("search", "Find it.", {"type": "object"}, (outside("mcp/library"),)),)),
    replace(V1[26], provenance=PROVENANCE),
    replace(RESULT, begun=True),
    Evaluation(Verdict.REVISE, "Shorter.", "length", "manners"),
    Completion(
        (PART,),
        (replace(CALL, key="k2"),),
        usage=Usage(100, 20, 30, 2, 50, 1_250_000),
        attempts=(Attempt("openai", "gpt-large", "rate_limit", "Slow down.", 0.5),),
        notes=("2 messages of history were left out",),
    ),
    Prompt(
        (PromptMessage("tool", (PART,), call="call-1", failed=True),),
        effort=Effort.LOW,
        schema={"type": "object", "properties": {}},
    ),
    Composition(("00ff",), (), effort=Effort.LOW, schema={"type": "object", "properties": {}}),
    TurnRecord(
        "t1",
        "tifa",
        ROOM.id,
        ANA.id,
        "discord",
        (8,),
        1763686800.25,
        OUTCOME,
        steps=(StepRecord("act/1/0", 1763686800.5, 0.25, in_doubt=True),),
        superseded=(7,),
    ),
)
"""Values of the fields that types of a golden file have got since that was written."""


def name_of(kind):
    return kind.__name__.lower()


def path_of(kind, version):
    return FOLDER / f"v{version}" / f"{name_of(kind)}.json"


def comparable(value):
    """The value without the layout of raw JSON inside it, which is kept as it was written."""
    return msgspec.json.decode(msgspec.json.encode(value))


every_type = pytest.mark.parametrize("kind", VERSIONS, ids=name_of)
every_golden = pytest.mark.parametrize(
    ("version", "kind"), [(version, kind) for version in GOLDEN for kind in GOLDEN[version]], ids=str
)


# --- golden files --------------------------------------------------------------------------------------------------------


@every_type
def test_every_recorded_type_has_a_golden_file_of_its_version(kind):
    assert kind in GOLDEN.get(VERSIONS[kind], {}), f"Add a {kind.__name__} to GOLDEN and run this file."
    assert path_of(kind, VERSIONS[kind]).is_file(), f"python {Path(__file__).name} writes the golden file."


@every_golden
def test_a_golden_file_loads_to_an_equal_value(version, kind):
    value = decode(path_of(kind, version).read_bytes(), kind)
    assert type(value) is kind
    assert comparable(value) == comparable(GOLDEN[version][kind])
    if kind not in (TurnRecord, Queued):  # raw JSON is equal only where it is the same bytes
        assert value == GOLDEN[version][kind]


@every_golden
def test_what_is_written_today_is_what_the_golden_file_of_this_version_says(version, kind):
    if version == VERSIONS[kind]:
        assert json.loads(encode(GOLDEN[version][kind])) == json.loads(path_of(kind, version).read_bytes())


def test_no_golden_file_is_forgotten():
    there = {path.relative_to(FOLDER) for path in FOLDER.rglob("*") if path.is_file()}
    assert there == {path_of(kind, version).relative_to(FOLDER) for version in GOLDEN for kind in GOLDEN[version]}


@every_type
def test_a_value_survives_being_recorded(kind):
    value = GOLDEN[VERSIONS[kind]][kind]
    again = decode(encode(value), kind)
    assert comparable(again) == comparable(value)
    assert encode(again) == encode(value)


def test_every_version_below_todays_has_its_upcaster():
    missing = [
        (name_of(kind), version)
        for kind, latest in VERSIONS.items()
        for version in range(1, latest)
        if (name_of(kind), version) not in UPCASTERS
    ]
    assert missing == []


def test_everything_that_a_client_or_a_step_hands_on_is_recorded():
    names = {kind.__name__ for kind in VERSIONS}
    assert {"Inbound", "Memory", "ReplyPart", "Receipt", "Completion", "ActionResult", "TurnRecord"} <= names
    assert all(issubclass(kind, msgspec.Struct) for kind in VERSIONS)
    homes = (messages, prompts, outcomes, journal, schedules, archive)
    assert {kind.__module__ for kind in VERSIONS} <= {home.__name__ for home in homes}


def test_every_row_of_an_archive_is_recorded():
    assert {*archive.ORDER} <= {*VERSIONS}


# --- fields that came later ------------------------------------------------------------------------------------------------


def structs(value):
    """A value and all values inside of it that have fields."""
    if isinstance(value, msgspec.Struct):
        yield value
        for name in value.__struct_fields__:
            yield from structs(getattr(value, name))
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from structs(each)


@pytest.mark.parametrize("value", LATER, ids=lambda value: name_of(type(value)))
def test_a_field_that_came_later_is_recorded_too(value):
    again = decode(encode(value), type(value))
    assert comparable(again) == comparable(value)
    assert encode(again) == encode(value)


def test_no_field_is_left_at_its_default_in_all_values():
    """So that every field is in a golden file or among those that came later."""
    left = {}
    for value in structs((*V1, *LATER)):
        unset = {field.name for field in msgspec.structs.fields(value) if is_default(getattr(value, field.name), field)}
        left[type(value)] = left.get(type(value), unset) & unset
    assert {kind.__name__: unset for kind, unset in left.items() if unset} == {}


def is_default(value, field):
    if field.default_factory is not msgspec.NODEFAULT:
        return value == field.default_factory()
    return field.default is not msgspec.NODEFAULT and value == field.default


# --- what other releases write ---------------------------------------------------------------------------------------------


def record(kind, data, version=1):
    return msgspec.json.encode({"type": kind, "v": version, "data": data})


def test_older_records_are_brought_up_to_date_step_by_step(monkeypatch):
    """With the raw JSON that is kept inside of one."""
    monkeypatch.setitem(VERSIONS, TurnRecord, 3)
    monkeypatch.setitem(UPCASTERS, ("turnrecord", 1), lambda data: {**data, "who": data.pop("speaker")})
    monkeypatch.setitem(UPCASTERS, ("turnrecord", 2), lambda data: {**data, "person": data.pop("who")})
    data = json.loads(encode(GOLDEN[1][TurnRecord]))["data"]
    person_then = data.pop("person")
    first, second = {**data, "speaker": person_then}, {**data, "who": person_then}
    for version, older in ((1, first), (2, second)):
        value = decode(record("turnrecord", older, version), TurnRecord)
        assert comparable(value) == comparable(GOLDEN[1][TurnRecord])
        assert decode(value.steps[0].value, Decision) == Decision(True, "mentioned")
    assert json.loads(encode(GOLDEN[1][TurnRecord]))["v"] == 3


@pytest.mark.parametrize(
    ("kind", "version"),
    [("receipt", 2), ("receipt", 99), ("receipt", 0), ("receipt", -1), ("dream", 1), ("Receipt", 1)],
)
def test_what_is_not_known_is_kept_as_it_is(kind, version):
    written = record(kind, {"key": "k", "colour": [1, 2.50, "é"]}, version)
    value = decode(written, object)
    assert isinstance(value, Unrecognised)
    assert (value.type, value.v) == (kind, version)
    assert json.loads(encode(value)) == json.loads(written)
    with pytest.raises(TypeError, match="Unrecognised, expected Receipt"):
        decode(written, Receipt)


def test_a_version_that_nobody_can_bring_up_to_date_is_kept_as_it_is(monkeypatch):
    monkeypatch.setitem(VERSIONS, Receipt, 3)
    monkeypatch.setitem(UPCASTERS, ("receipt", 2), lambda data: data)
    assert isinstance(decode(record("receipt", {"key": "k"}, 1), object), Unrecognised)
    assert decode(record("receipt", {"key": "k"}, 2), Receipt) == Receipt("k")


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (Evaluation, {"verdict": "applaud"}, Evaluation(Verdict.UNKNOWN)),
        (Part, {"text": "x", "kind": "hologram"}, Part("x", kind=PartKind.UNKNOWN)),
        (Completion, {"finish": "bored"}, Completion(finish=Finish.UNKNOWN)),
        (ActionResult, {"then": "wait"}, ActionResult(then=Then.UNKNOWN)),
        (Outcome, {"status": "dreaming"}, Outcome(Status.UNKNOWN)),
    ],
)
def test_a_word_of_a_newer_release_reads_as_unknown(kind, data, expected):
    assert decode(record(name_of(kind), data), kind) == expected


@every_type
def test_fields_of_a_newer_release_are_ignored(kind):
    value = GOLDEN[VERSIONS[kind]][kind]
    written = json.loads(encode(value))
    written["data"]["mood"] = {"of": ["the", "day"]}
    written["signature"] = "new"
    assert comparable(decode(msgspec.json.encode(written), kind)) == comparable(value)


def test_a_record_of_another_type_is_not_taken_for_the_one_expected():
    with pytest.raises(TypeError, match="Receipt, expected Decision"):
        decode(encode(Receipt("k")), Decision)
    assert decode(encode(Receipt("k")), object) == Receipt("k")


def test_a_value_that_is_not_recorded_says_what_to_do():
    with pytest.raises(TypeError, match="golden file"):
        encode(Usage(1))


@pytest.mark.parametrize("broken", [b"", b"{}", b"[]", b'{"type": "receipt", "v": 1, "data": {}}', b'{"type": "rec'])
def test_a_damaged_record_is_an_error_of_msgspec(broken):
    with pytest.raises(msgspec.DecodeError):
        decode(broken, object)


if __name__ == "__main__":
    for version, values in GOLDEN.items():
        for kind, value in values.items():
            path = path_of(kind, version)
            if not path.exists() and version == VERSIONS[kind]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(json.loads(encode(value)), indent=2, ensure_ascii=False) + "\n", "utf-8")
                print("wrote", path.relative_to(FOLDER))
