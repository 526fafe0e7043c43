"""What the API is asked: every prompt in a form that it takes, and the same beginning every time."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_core import ActionCall, Attachment, Effort, Part, PartKind, Prompt, PromptMessage, Tool
from carrier_provider_anthropic.conversation import BEFORE, GO_ON, NO_RESULT
from carrier_provider_anthropic.request import Request

pytestmark = pytest.mark.anyio

PING = Tool("ping", "Ping.", {"properties": {"x": {"type": "integer"}}})
EARLY, LATE = "claude-sonnet-5", "claude-sonnet-5-5"  # where system texts may stand: before all, or later too


def line(role: str, text: str, **more) -> PromptMessage:
    return PromptMessage(role, (Part(text),), **more)


def of_turn(*rounds: PromptMessage, tools: tuple[Tool, ...] = ()) -> Prompt:
    """A prompt of the form that the host's have."""
    system = PromptMessage("system", (Part("You are Robin.", stable=True), Part("You live in Porto.", stable=True)))
    moving = PromptMessage("system", (Part("It is noon."), Part("It rains.")))
    history = (line("user", "Hello!"), line("assistant", "Hello, Ana."))
    return Prompt((system, *history, moving, line("user", "And you?"), *rounds), tools)


def call(id: str = "toolu_1", name: str = "ping", **arguments) -> ActionCall:
    return ActionCall(id, name, arguments)


def marks(body: dict) -> list[str]:
    """Where the cache marks are."""
    blocks = [block for message in body["messages"] for block in message["content"]]
    found = [block for block in (*body.get("tools", []), *body.get("system", []), *blocks) if "cache_control" in block]
    assert all(block["cache_control"] == {"type": "ephemeral"} for block in found)
    return [block.get("text") or block.get("name") or block["content"] for block in found]


# --- who says what -----------------------------------------------------------------------------------------------------


async def test_system_texts_come_before_all_and_after_the_persons_words(sent, kit):
    body = await sent(of_turn(), LATE)
    assert [block["text"] for block in body["system"]] == ["You are Robin.\nYou live in Porto."]
    assert kit.said(body) == [
        ("user", "Hello!"),
        ("assistant", "Hello, Ana."),
        ("user", "And you?"),
        ("system", "It is noon.\nIt rains."),
    ]


async def test_where_the_model_takes_none_later_they_stand_before_the_words(sent, kit):
    body = await sent(of_turn(), EARLY)
    assert kit.said(body)[-1] == ("user", "<system>\nIt is noon.\nIt rains.\n</system>", "And you?")


@pytest.mark.parametrize("model", [EARLY, LATE])
async def test_a_round_of_calls(sent, kit, model):
    said = line("assistant", "Let me see.", calls=(call("a", x=1), call("b")))
    results = (line("tool", "pong", call="b"), line("tool", "no pong", call="a", failed=True))
    body = await sent(of_turn(said, *results, tools=(PING,)), model)
    *_, answer, answered = body["messages"]
    assert answer["content"] == [
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "a", "name": "ping", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "ping", "input": {}},
    ]
    assert answered["role"] == "user"
    pong, no_pong = answered["content"]
    assert (pong["tool_use_id"], pong["content"], "is_error" in pong) == ("b", "pong", False)
    assert (no_pong["tool_use_id"], no_pong["content"], no_pong["is_error"]) == ("a", "no pong", True)
    assert body["tools"][0]["input_schema"] == {"type": "object", **PING.parameters}


@pytest.mark.parametrize("model", [EARLY, LATE])
async def test_what_evaluators_want_changed_comes_last(sent, kit, model):
    prompt = of_turn(line("assistant", "A draft."), line("system", "Your last draft was not accepted."))
    assert kit.said(await sent(prompt, model))[-2:] == [
        ("assistant", "A draft."),
        ("user", "<system>\nYour last draft was not accepted.\n</system>"),
    ]


async def test_results_come_first_whatever_stands_before_them(sent, kit):
    rounds = (line("assistant", "", calls=(call(),)), line("system", "Hurry."), line("tool", "pong", call="toolu_1"))
    body = await sent(of_turn(*rounds, line("user", "Well?")), EARLY)
    assert kit.said(body)[-1] == ("user", "tool_result", "<system>\nHurry.\n</system>", "Well?")


async def test_a_call_without_a_result_gets_one_and_a_result_without_a_call_is_told(sent, kit):
    rounds = (line("assistant", "", calls=(call(),)), line("tool", "late pong", call="gone"))
    *_, answer, answered = (await sent(of_turn(*rounds), EARLY))["messages"]
    assert answer["content"][0]["id"] == "toolu_1"
    missing, told = answered["content"]
    assert (missing["tool_use_id"], missing["content"], missing["is_error"]) == ("toolu_1", NO_RESULT, True)
    assert told["text"] == "<result>\nlate pong\n</result>"


async def test_a_conversation_begins_and_ends_with_the_user(sent, kit):
    prompt = Prompt((line("assistant", "Hello?"), line("assistant", "Anybody?")))
    assert kit.said(await sent(prompt)) == [("user", BEFORE), ("assistant", "Hello?", "Anybody?"), ("user", GO_ON)]


async def test_system_texts_alone_are_a_question_too(sent, kit):
    body = await sent(Prompt((line("system", "Say a word."),)))
    assert (body["system"], kit.said(body)) == ([{"type": "text", "text": "Say a word."}], [("user", GO_ON)])


async def test_blank_texts_are_left_out(sent, kit):
    messages = (
        line("system", " "),
        line("user", "hi"),
        line("assistant", "\n"),
        PromptMessage("user", (Part(""), Part("so?"))),
    )
    body = await sent(Prompt((*messages, line("assistant", " ", calls=(call(),)), line("tool", "", call="toolu_1"))))
    assert "system" not in body
    assert kit.said(body) == [("user", "hi", "\nso?"), ("assistant", "tool_use"), ("user", "tool_result")]
    assert "content" not in body["messages"][-1]["content"][0]


# --- names ---------------------------------------------------------------------------------------------------------------


async def test_names_that_the_api_refuses_are_changed_and_changed_back(make, kit):
    from carrier_core.testing import wire

    tools = tuple(
        Tool(name, "A tool.", {"type": "object"}) for name in ("get weather", "get.weather", "ø" * 70, "ping")
    )
    said = [kit.begun(), *kit.call("{}", name="get_weather_2"), *kit.call("{}", name="gone", id="b", index=1)]
    async with wire.serve(kit.events(said, kit.ended("tool_use"))) as server:
        completion = await make(server.url).generate(Prompt(kit.hello.messages, tools), "m", lambda piece: None)
    assert kit.objections(server.requests[0]) == []
    names = [tool["name"] for tool in server.requests[0]["tools"]]
    assert names == ["get_weather", "get_weather_2", "_" * 64, "ping"]
    assert [found.name for found in completion.calls] == ["get.weather", "gone"]


async def test_ids_of_other_providers_are_made_fit_and_used_once(sent):
    rounds = [
        message
        for id in ("functions.ping:0", "call-1", "call-1")
        for message in (line("assistant", "", calls=(call(id),)), line("tool", "pong", call=id))
    ]
    body = await sent(of_turn(*rounds, tools=(PING,)))
    blocks = [block for message in body["messages"] for block in message["content"]]
    assert [block["id"] for block in blocks if "id" in block] == ["functions_ping_0", "call-1", "call-1_2"]


# --- the cache -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [EARLY, LATE])
async def test_marks_are_where_prompts_begin_to_differ(sent, model):
    body = await sent(of_turn(tools=(Tool("wait", "Wait.", {}), PING)), model)
    assert marks(body) == ["ping", "You are Robin.\nYou live in Porto.", "Hello, Ana."]


async def test_in_a_loop_of_calls_all_of_it_is_marked(sent):
    rounds = (line("assistant", "", calls=(call(),)), line("tool", "pong", call="toolu_1"))
    assert marks(await sent(of_turn(*rounds, tools=(PING,)))) == [
        "ping",
        "You are Robin.\nYou live in Porto.",
        "Hello, Ana.",
        "pong",
    ]


async def test_a_system_text_that_changes_is_not_marked(sent):
    parts = (Part("You are Robin.", stable=True), Part("It is noon."))
    body = await sent(Prompt((PromptMessage("system", parts), line("user", "hi"))))
    assert [block["text"] for block in body["system"]] == ["You are Robin.", "It is noon."]
    assert marks(body) == ["You are Robin."]
    assert marks(await sent(Prompt((line("system", "It is noon."), line("user", "hi"))))) == []


@pytest.mark.parametrize("model", [EARLY, LATE])
async def test_the_next_turn_and_the_next_round_begin_like_this_one(sent, model):
    def unmarked(body: dict) -> tuple[object, ...]:
        blocks = [block for message in body["messages"] for block in message["content"]]
        for block in (*body["tools"], *body["system"], *blocks):
            block.pop("cache_control", None)
        return body["tools"], body["system"], *body["messages"]

    rounds = (line("assistant", "", calls=(call(),)), line("tool", "pong", call="toolu_1"))
    first = unmarked(await sent(of_turn(tools=(PING,)), model))
    second = unmarked(await sent(of_turn(*rounds, tools=(PING,)), model))
    assert second[: len(first)] == first


# --- files -------------------------------------------------------------------------------------------------------------------


def file(media_type: str, url: str, text: str = "") -> Part:
    return Part(text, kind=PartKind.ATTACHMENT, attachment=Attachment(media_type, "a file", url))


async def test_images_and_documents_are_shown(sent):
    parts = (
        Part("Look:"),
        file("image/png", "https://example.org/a.png", "a cat"),
        file("image/jpeg; q=1", "data:image/jpeg;base64,AAAA"),
        file("application/pdf", "https://example.org/a.pdf"),
    )
    body = await sent(Prompt((PromptMessage("user", parts),)))
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "Look:"},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "text", "text": "a cat"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
    ]


@pytest.mark.parametrize(
    ("media_type", "url"),
    [
        ("image/tiff", "https://example.org/a.tiff"),
        ("video/mp4", "https://example.org/a.mp4"),
        ("image/png", "http://example.org/a.png"),
        ("image/png", "file:///etc/passwd"),
        ("image/png", "data:image/png,abc"),
        ("image/png", ""),
    ],
)
async def test_other_files_are_named(sent, media_type, url):
    body = await sent(Prompt((PromptMessage("user", (file(media_type, url),)),)))
    assert body["messages"][0]["content"] == [{"type": "text", "text": f"[a file: {media_type}]"}]


async def test_files_of_earlier_messages_are_named(sent, kit):
    old = PromptMessage("user", (file("image/png", "https://example.org/expired.png"),))
    body = await sent(Prompt((old, line("assistant", "Nice."), line("user", "Is it?"))))
    assert kit.said(body)[0] == ("user", "[a file: image/png]")


# --- settings --------------------------------------------------------------------------------------------------------------


async def test_the_limit_is_the_prompts_or_else_the_plugins(sent, kit):
    assert (await sent(kit.hello, max_tokens=300))["max_tokens"] == 300
    assert (await sent(Prompt(kit.hello.messages, max_tokens=5), max_tokens=300))["max_tokens"] == 5


async def test_a_schema_is_asked_for_in_the_form_that_the_api_takes(sent, kit):
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
    before = deepcopy(schema)
    body = await sent(Prompt(kit.hello.messages, schema=schema, effort=Effort.LOW))
    told = body["output_config"]["format"]["schema"]
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert body["output_config"]["effort"] == "low"
    assert (told["additionalProperties"], told["required"], told["properties"]["age"]["type"]) == (
        False,
        ["age"],
        "integer",
    )
    assert "minimum" not in told["properties"]["age"]
    assert schema == before


async def test_only_servers_of_ones_own_have_a_temperature(sent, kit):
    prompt = Prompt(kit.hello.messages, temperature=0.5)
    assert (await sent(prompt))["temperature"] == 0.5
    assert "temperature" not in (await sent(Prompt(kit.hello.messages, temperature=0.5, effort=Effort.LOW)))
    real = Request(prompt, "claude-sonnet-5-5", max_tokens=100, sampled=False).parameters
    assert not {"temperature", "extra_body"} & {*real}


# --- any prompt at all -------------------------------------------------------------------------------------------------------

texts = st.sampled_from(["", " ", "hello", "\n\n", "ø"])
ids = st.sampled_from(["a", "b", "c.d", ""])
calls = st.builds(ActionCall, ids, st.sampled_from(["ping", "get weather", "?"]), st.just({}))
parts = st.lists(st.builds(Part, texts, stable=st.booleans()), max_size=2).map(tuple)
messages = st.one_of(
    st.builds(PromptMessage, st.sampled_from(["system", "user", "assistant"]), parts),
    st.builds(PromptMessage, st.just("assistant"), parts, st.lists(calls, max_size=3).map(tuple)),
    st.builds(PromptMessage, st.just("tool"), parts, call=ids, failed=st.booleans()),
)
tools = st.lists(
    st.builds(Tool, st.sampled_from(["ping", "p ng", "p.ng", ""]), texts, st.just({})),
    max_size=4,
    unique_by=lambda tool: tool.name,
)


def test_whatever_a_prompt_is_the_api_has_no_objection(kit):
    @settings(deadline=None, max_examples=300)
    @given(st.lists(messages, max_size=12).map(tuple), tools.map(tuple), st.sampled_from([EARLY, LATE, "llama"]))
    def law(messages, tools, model):
        request = Request(Prompt(messages, tools), model, max_tokens=100, sampled=True)
        assert kit.objections(request.parameters) == []

    law()
