"""OpenAI, and every server that speaks its protocol, as model providers.

OpenAI itself is asked through Responses, which keeps nothing there; other servers through Chat Completions, which all of them
have. The SDK is imported with the first call, because that takes more than a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from carrier_core import Embedder, Provider, impl
from carrier_provider_openai.embedder import OpenAIEmbedder
from carrier_provider_openai.provider import OpenAIProvider
from carrier_provider_openai.server import NAME, Server
from carrier_provider_openai.settings import DIMENSIONS, ServerSettings, Settings

if TYPE_CHECKING:
    from carrier_core import Host

__version__ = "0.1.0"
__all__ = ["Settings", "register_embedders", "register_providers", "stop_host"]


@impl
def register_providers(settings: Settings) -> list[Provider]:
    """The provider ``openai``, and one for each further server. Without a key it is registered all the same, and says what
    is missing."""
    return [
        OpenAIProvider(
            _server(name, each),
            api=each.api,
            models={str(kind): model for kind, model in each.models.items()},
            images=each.images,
            free=each.free,
        )
        for name, each in _servers(settings)
    ]


@impl
def register_embedders(settings: Settings) -> list[Embedder]:
    """One for each server that has the setting ``embedding``."""
    return [
        OpenAIEmbedder(
            _server(name, each),
            each.embedding,
            each.dimensions or DIMENSIONS[each.embedding],
            shorten=each.dimensions is not None and each.embedding.startswith("text-embedding-3"),
        )
        for name, each in _servers(settings)
        if each.embedding is not None
    ]


@impl
async def stop_host(host: Host) -> None:
    """Close the connections. What is used after that opens new ones."""
    for entry in (*host.plugins.all(Provider), *host.plugins.all(Embedder)):
        if isinstance(entry.thing, (OpenAIProvider, OpenAIEmbedder)):
            await entry.thing.close()


def _servers(settings: Settings) -> Iterator[tuple[str, Settings | ServerSettings]]:
    yield NAME, settings
    yield from settings.servers.items()


def _server(name: str, settings: Settings | ServerSettings) -> Server:
    return Server(
        name,
        base_url=settings.base_url or "",
        key=settings.api_key.get_secret_value() if settings.api_key else "",
        connect=settings.connect_timeout,
        first=settings.first_timeout,
        pause=settings.pause_timeout,
        total=settings.timeout,
    )
