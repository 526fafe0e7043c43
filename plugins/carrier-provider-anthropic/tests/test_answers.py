"""What is made of the API's answers."""

from __future__ import annotations

import pytest

from carrier_core import Finish, Prompt, Usage
from carrier_core.testing import wire

pytestmark = pytest.mark.anyio


@pytest.fixture
def answered(make, kit):
    """``await answered(*events)``: the completion that these events make, and the pieces that were emitted."""

    async def answered(*events, prompt: Prompt = kit.hello, **more):
        pieces: list[str] = []
        async with wire.serve(kit.events(*events, **more)) as server:
            completion = await make(server.url).generate(prompt, "claude-test", pieces.append)
        return completion, pieces

    return answered


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("refusal", Finish.REFUSED),
        ("something_new", Finish.UNKNOWN),
    ],
)
async def test_each_reason_to_finish(answered, kit, reason, finish):
    completion, pieces = await answered(kit.answer("He", "llo", reason=reason))
    assert (completion.text, completion.finish, pieces) == ("Hello", finish, ["He", "llo"])
    assert (completion.provider, completion.model) == ("anthropic", "claude-test")


async def test_the_input_is_all_of_it_and_the_last_count_is_true(answered, kit):
    first = kit.begun(input_tokens=5, cache_read_input_tokens=100, cache_creation_input_tokens=20)
    completion, _ = await answered(first, kit.text("Hi"), kit.ended(output_tokens=7))
    assert completion.usage == Usage(input=125, output=7, cached=100, calls=1, stored=20)
    completion, _ = await answered(first, kit.text("Hi"), kit.ended(input_tokens=6, cache_read_input_tokens=0))
    assert completion.usage == Usage(input=26, output=3, cached=0, calls=1, stored=20)


async def test_calls_at_one_time_that_come_in_pieces(answered, kit):
    one = kit.call('{"city"', ': "Por', 'to"}', index=1, id="toolu_a")
    two = kit.call(index=2, id="toolu_b", name="wait")
    completion, pieces = await answered(kit.begun(), kit.text("Let me see."), one, two, kit.ended("tool_use"))
    assert completion.finish is Finish.CALLS
    assert [(call.id, call.name, call.arguments) for call in completion.calls] == [
        ("toolu_a", "get_weather", {"city": "Porto"}),
        ("toolu_b", "wait", {}),
    ]
    assert pieces == ["Let me see."]


async def test_arguments_that_come_all_at_once_are_not_lost(answered, kit):
    """As some servers send them that speak the protocol: with the block, and without a piece."""
    start = {"type": "tool_use", "id": "toolu_a", "name": "get_weather", "input": {"city": "Porto"}}
    completion, _ = await answered(kit.begun(), kit.block(0, start), kit.ended("tool_use"))
    assert [call.arguments for call in completion.calls] == [{"city": "Porto"}]
    pieces = {"type": "input_json_delta", "partial_json": '{"city": "Faro"}'}
    completion, _ = await answered(kit.begun(), kit.block(0, start, pieces), kit.ended("tool_use"))
    assert [call.arguments for call in completion.calls] == [{"city": "Faro"}]


async def test_an_empty_answer(answered, kit):
    completion, pieces = await answered(kit.begun(), kit.ended())
    assert (completion.parts, completion.calls, completion.finish, pieces) == ((), (), Finish.STOP, [])


async def test_an_answer_of_a_megabyte_in_many_pieces(answered, kit):
    words = [f"word {number:05} {'-' * 40} " for number in range(20_000)]
    completion, pieces = await answered(kit.answer(*words))
    assert pieces == words
    assert completion.text == "".join(words)
    assert len(completion.text) > 1_000_000


async def test_a_character_that_is_cut_in_two_is_whole_again(answered, kit):
    completion, pieces = await answered(kit.answer("Hi ", "\ud83d", "\ude00", "!"))
    assert (completion.text, "".join(pieces)) == ("Hi 😀!", "Hi 😀!")


async def test_events_that_are_new_and_fields_that_are_empty_are_passed_over(answered, kit):
    completion, _ = await answered(
        kit.begun(cache_read_input_tokens=None),
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "citation", "text": None}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"start": 1}}},
        {"type": "weather_report", "index": "?", "rain": True} | {"index": 3},
        kit.text("Hi", index=1),
        kit.ended(),
    )
    assert completion.text == "Hi"


async def test_events_without_names_are_read_too(make, kit):
    async with wire.serve(wire.events(*kit.answer("Hi"))) as server:
        completion = await make(server.url).generate(kit.hello, "claude-test", lambda piece: None)
    assert completion.text == "Hi"


async def test_a_refusal_in_the_middle_of_a_call_calls_nothing(answered, kit):
    completion, _ = await answered(kit.begun(), kit.call('{"city": "Por'), kit.ended("refusal"))
    assert (completion.finish, completion.calls) == (Finish.REFUSED, ())


@pytest.mark.parametrize("end", ["cut", "hang"])
async def test_what_comes_after_the_end_is_not_waited_for(answered, kit, end):
    completion, _ = await answered(kit.answer("Hi"), end=end)
    assert completion.text == "Hi"


async def test_connections_are_used_again(make, kit):
    """Because every stream is read to its end."""
    import anyio

    bodies = wire.streamed(*kit.answer("Hi"), named="type").replace(b"Connection: close\r\n", b"")
    connections = 0

    async def serve(stream) -> None:
        nonlocal connections
        connections += 1
        async with stream:
            try:
                while True:
                    got = b""
                    while not got.endswith(b"}"):
                        got += await stream.receive()
                    await stream.send(bodies)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        provider = make(f"http://127.0.0.1:{port}")
        for _ in range(3):
            assert (await provider.generate(kit.hello, "claude-test", lambda piece: None)).text == "Hi"
        await provider.close()
        group.cancel_scope.cancel()
    assert connections == 1
