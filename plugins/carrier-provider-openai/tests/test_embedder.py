"""Embeddings: in the order of the texts, in few calls, and each failure a ProviderError."""

from __future__ import annotations

import base64
import struct

import pytest

from carrier_core import ProviderError, Usage
from carrier_core.providing import Meter
from carrier_core.testing.wire import hang, nobody, script, serve, status
from carrier_provider_openai.embedder import OpenAIEmbedder
from carrier_provider_openai.server import Server

pytestmark = pytest.mark.anyio


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def answer(*vectors: object, **more: object) -> dict:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return {"object": "list", "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}, "data": data, **more}


@pytest.fixture
async def embedder(anyio_backend, key):
    """``embedder(url)``: an embedder of three dimensions, closed after the test. Other keywords are the server's."""
    made = []

    def embedder(url, *, shorten=False, **server):
        there = Server(base_url=f"{url}/v1", key=key, **server)
        made.append(OpenAIEmbedder(there, "embedder", 3, shorten=shorten))
        return made[-1]

    yield embedder
    for each in made:
        await each.close()


async def test_a_server_that_is_not_ours_embeds(aimock, embedder):
    assert await embedder(aimock.url).embed(("hello", "there")) == ((0.25, -0.5, 1.0),) * 2


async def test_vectors_come_in_the_order_of_the_texts(embedder):
    told = answer(packed(1, 2, 3), packed(4, 5, 6.5))
    told["data"].reverse()
    async with serve(status(200, told)) as server:
        assert await embedder(server.url).embed(("one", "two")) == ((1, 2, 3), (4, 5, 6.5))
    assert server.requests == [{"input": ["one", "two"], "model": "embedder", "encoding_format": "base64"}]
    assert server.heads[0].startswith("POST /v1/embeddings")


async def test_what_the_server_read_is_told(embedder):
    made = answer(packed(1, 2, 3))
    quiet = {key: value for key, value in made.items() if key != "usage"}
    for told, usage in ((made, Usage(3, calls=1)), (quiet, Usage(0, calls=1))):
        async with serve(status(200, told)) as server:
            with Meter() as meter:
                await embedder(server.url).embed(("one",))
        assert meter.usage == usage


async def test_a_batch_that_was_read_may_be_billed_if_the_next_one_fails(embedder):
    first, second = answer(*[packed(1, 2, 3)] * 2048), status(429, {"error": {"message": "Slow down."}})
    async with serve(script(status(200, first), second)) as server:
        with Meter() as meter, pytest.raises(ProviderError):
            await embedder(server.url).embed(tuple(map(str, range(2049))))
    assert meter.usage == Usage()


async def test_lists_of_numbers_are_understood_too(embedder):
    async with serve(status(200, answer([1, 2.5, 3]))) as server:
        assert await embedder(server.url).embed(("one",)) == ((1, 2.5, 3),)


async def test_shorter_vectors_are_asked_for(embedder):
    async with serve(status(200, answer(packed(1, 2, 3)))) as server:
        await embedder(server.url, shorten=True).embed(("one",))
    assert server.requests[0]["dimensions"] == 3


async def test_no_texts_are_no_call(embedder):
    async with serve(hang()) as server:
        assert await embedder(server.url).embed(()) == ()
    assert server.requests == []


@pytest.mark.parametrize(
    ("texts", "sizes"),
    [
        (["a"] * 2_048, [2_048]),
        (["a"] * 2_049, [2_048, 1]),
        (["é" * 3_000] * 64, [50, 14]),
        (["a" * 400_000, "b"], [1, 1]),
    ],
    ids=["as many as go", "one more", "more tokens than go", "one that is too long is the server's to refuse"],
)
async def test_there_are_as_few_calls_as_the_api_allows(embedder, texts, sizes):
    async def respond(exchange):
        await status(200, answer(*[packed(1, 2, 3)] * len(exchange.body["input"])))(exchange)

    async with serve(respond) as server:
        vectors = await embedder(server.url).embed(tuple(texts))
    assert len(vectors) == len(texts)
    assert [len(request["input"]) for request in server.requests] == sizes


@pytest.mark.parametrize(
    ("told", "reason", "word"),
    [
        (status(401, {"error": {"message": "Wrong key."}}), "auth", "OPENAI_API_KEY"),
        (status(429, {"error": {"message": "Wait."}}, retry_after="3"), "rate_limit", "Wait"),
        (status(500), "server", "500"),
        (status(200, answer()), "unreadable", "0 vectors of 1 texts"),
        (status(200, answer(packed(1, 2))), "unreadable", "`dimensions = 2`"),
        (status(200, answer("§")), "unreadable", "protocol"),
        (status(200, answer(None)), "unreadable", "protocol"),
        (status(200, answer(["many"])), "unreadable", "protocol"),
        (status(200, {}), "unreadable", "protocol"),
        (status(200, "<html>"), "unreadable", "protocol"),
        (hang(), "timeout", "0.2 s"),
    ],
)
async def test_each_failure_is_told(embedder, told, reason, word):
    async with serve(told) as server:
        with pytest.raises(ProviderError) as caught:
            await embedder(server.url, first=0.2).embed(("one",))
    assert caught.value.reason == reason
    assert word in str(caught.value)
    assert "model embedder" in caught.value.message


async def test_a_server_that_is_not_there(embedder):
    with nobody() as url, pytest.raises(ProviderError) as caught:
        await embedder(url).embed(("one",))
    assert caught.value.reason == "connection"


async def test_without_a_key_it_is_not_asked():
    with pytest.raises(ProviderError, match="OPENAI_API_KEY"):
        await OpenAIEmbedder(Server(), "text-embedding-3-small", 1536).embed(("one",))
