"""Embeddings, in as few calls as the API allows."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Iterator
from typing import TYPE_CHECKING

from carrier_core import Embedder, Usage
from carrier_core.providing import Faults, Patience, may_be_billed, tell_usage
from carrier_provider_openai.server import Server

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import CreateEmbeddingResponse

# Of one call, https://developers.openai.com/api/reference/resources/embeddings/methods/create: 2,048 texts with 300,000
# tokens in all. No token is shorter than a byte.
_TEXTS, _BYTES = 2_048, 300_000

Vector = tuple[float, ...]


class OpenAIEmbedder(Embedder):
    """A model of a server that turns texts into vectors of ``dimension`` numbers. With ``shorten`` it is told to make them
    so long, which only some models can.

    Its name has that of the model, so that vectors of two models are never compared.
    """

    def __init__(self, server: Server, model: str, dimension: int, *, shorten: bool = False) -> None:
        self.name = f"{server.name}/{model}"
        self.dimension = dimension
        self.billed_as = server.billed_as
        self._server = server
        self._server.prepare = _prepare
        self._model = model
        self.shorten = shorten

    async def embed(self, texts: tuple[str, ...]) -> tuple[Vector, ...]:
        """A vector for each text, in order. Anything that keeps one from being had is a ProviderError."""
        faults = self._server.faults(self._model)
        vectors: list[Vector] = []
        read = 0
        for batch in _batches(texts):
            made, tokens = await self._embed(batch, faults)
            vectors += made
            read += tokens
            may_be_billed()  # the next batch may fail
        tell_usage(Usage(read, calls=1))
        return tuple(vectors)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._server.close()

    async def _embed(self, texts: list[str], faults: Faults) -> tuple[list[Vector], int]:
        """Vectors, and how many tokens the server says that it read; 0 if it does not."""

        async def ask(client: AsyncOpenAI, patience: Patience) -> tuple[list[Vector], int]:
            from openai import omit

            answer = await client.embeddings.create(
                model=self._model,
                input=texts,
                dimensions=self.dimension if self.shorten else omit,
                encoding_format="base64",  # the SDK takes 2.5 ms to look at the numbers of one vector, and 0.1 ms for this
            )
            told: object = answer.usage  # some servers leave it out
            return _vectors(answer), getattr(told, "prompt_tokens", 0) or 0

        vectors, tokens = await self._server.call(faults, ask)
        if len(vectors) != len(texts):
            raise faults.error("unreadable", f"made {len(vectors)} vectors of {len(texts)} texts")
        wrong = next((len(vector) for vector in vectors if len(vector) != self.dimension), None)
        if wrong is not None:
            what = f"made vectors of {wrong} numbers, and not of {self.dimension}"
            raise faults.error("unreadable", what, remedy=f"Set `dimensions = {wrong}`.")
        return vectors, tokens


def _prepare(client: AsyncOpenAI) -> None:
    """Have the SDK import what it needs. This is called in a thread."""
    _ = client.embeddings


def _batches(texts: tuple[str, ...]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode())
        if batch and (len(batch) == _TEXTS or size + length > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def _vectors(answer: CreateEmbeddingResponse) -> list[Vector]:
    ordered = sorted(answer.data, key=lambda each: each.index)
    return [_vector(each.embedding) for each in ordered]


def _vector(embedding: object) -> Vector:
    """A vector from little-endian numbers of 4 bytes in base64, or from a list: some servers know nothing else."""
    if isinstance(embedding, str):
        packed = b64decode(embedding)
        return struct.unpack(f"<{len(packed) // 4}f", packed)
    if not isinstance(embedding, list):
        raise TypeError(f"a vector is {type(embedding).__name__}")
    return tuple(map(float, embedding))
