"""What `/why` and `/status` print."""

from __future__ import annotations

from carrier_client_terminal.questions import Asked
from carrier_client_terminal.report import describe, explain
from carrier_core import Question, Room


def test_why_names_plugins_times_memories_and_where_text_came_from():
    told = explain(
        {
            "turn": "t1",
            "agent": "tifa",
            "outcome": {"status": "replied", "usage": {"calls": 2, "input": 812, "output": 40}},
            "duration_ms": 231.25,
            "ran": [
                {
                    "step": "compose/1",
                    "hook": "provide_state",
                    "plugin": "weather",
                    "duration_ms": 3.2,
                    "result": "answered",
                    "contributed": "It rains.",
                },
                {
                    "step": "compose/1",
                    "hook": "provide_state",
                    "plugin": "slow",
                    "duration_ms": 5000.0,
                    "result": "timed_out",
                    "contributed": "",
                },
            ],
            "memories": [{"id": "m1", "text": "I live in Porto."}, "m2"],
            "parts": [
                {
                    "key": "page",
                    "text": "Buy\nnow\x1b[31m",
                    "provenance": {"origins": ["outside:http://x"], "plugin": "web"},
                },
            ],
        }
    )
    assert told.splitlines() == [
        "t1 · tifa · replied · 231.2 ms",
        "cost: 2 model calls, 812 tokens in, 40 tokens out",
        "",
        "what ran",
        "  compose/1",
        "    provide_state  weather     3.2 ms  It rains.",
        "    provide_state  slow     5000.0 ms  timed_out",
        "",
        "memories used",
        "  I live in Porto.",
        "  m2",
        "",
        "in the prompt",
        "  page                 Buy now␛[31m",
        "                         from outside:http://x by web",
    ]


def test_why_of_a_turn_that_failed_says_why():
    told = explain({"turn": "t1", "status": "failed", "reason": "no key is set", "reply": None, "ran": []})
    assert told == "t1 · failed\nreason: no key is set"


def test_status_is_readable_whatever_is_in_it():
    told = describe(
        {
            "agents": [{"name": "tifa", "rooms": 3}],
            "clients": ["terminal"],
            "plugins": {"a": "running", "bcd": None},
            "turns": [],
            "ready": True,
        }
    )
    assert told.splitlines() == [
        "agents",
        "  - name tifa, rooms 3",
        "clients  terminal",
        "plugins",
        "  a    running",
        "  bcd  –",
        "turns    –",
        "ready    yes",
    ]
    assert describe({}) == "(nothing)"


def test_why_of_a_turn_that_waits_tells_what_is_recorded_and_who_answered():
    answer = {"value": "approve", "by": "operator", "at": 0.0, "expired": False}
    told = explain(
        {
            "turn": "t1",
            "agent": "tifa",
            "status": "parked",
            "asked": [
                {"code": "0abcde", "kind": "approval", "what": "buy(tea)", "waits": False, "answer": answer},
                {"code": "1abcde", "kind": "approval", "what": "buy(jam)", "answer": {"expired": True}},
                {"code": "2abcde", "kind": "choice", "what": "Tea?", "waits": True, "until": 0.0, "answer": None},
            ],
            "ran": [],
            "steps": [{"name": "decide", "told": ""}, {"name": "generate/1", "told": "+buy()"}],
        }
    )
    lines = told.splitlines()
    assert lines[:4] == ["t1 · tifa · parked", "", "asked", "  0abcde  approval of buy(tea)"]
    assert lines[4].startswith("    approve, by operator, 19")
    assert lines[5:7] == ["  1abcde  approval of buy(jam)", "    nobody answered in time"]
    assert lines[8].startswith("    waits until 19")
    assert lines[-3:] == ["recorded so far", "  decide", "  generate/1              +buy()"]


def test_an_option_may_be_written_as_it_is_shown():
    question = Question("0abcdef", ("tea", "plum jam"), 0.0)
    asked = Asked(question, "t1", "tifa", Room.of("local", "r"), "What?")
    assert [asked.option(text) for text in ('"plum jam"', "plum jam", "'tea'", '"x"')] == [
        "plum jam", "plum jam", "tea", '"x"',
    ]  # fmt: skip
