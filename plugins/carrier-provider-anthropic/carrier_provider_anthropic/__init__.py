"""Anthropic's models, and servers that speak its Messages API, as a model provider.

The SDK is imported with the first call, because that takes most of a second.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from carrier_core import Host, PluginSettings, Provider, impl, secret, well_known
from carrier_provider_anthropic.provider import AnthropicProvider

__version__ = "0.1.0"
__all__ = ["Settings", "register_providers", "stop_host"]


class Settings(PluginSettings):
    """``[plugin.carrier-provider-anthropic]``."""

    api_key: SecretStr | None = secret("ANTHROPIC_API_KEY", description="The key. A server of your own may need none.")
    base_url: Annotated[
        str | None,
        well_known("ANTHROPIC_BASE_URL"),
        Field(pattern=r"^https?://[^\s/]", description="Where the server is, without `/v1`; without it, Anthropic."),
    ] = None
    models: dict[Literal["large", "small", "reasoning", "vision"], str] = Field(
        {}, description="The model for each class that is to differ from the default."
    )
    max_tokens: int = Field(
        16_000,
        gt=0,
        description="Tokens that an answer may have where nothing else says so, with what the model thinks before it.",
    )
    connect_timeout: float = Field(10.0, gt=0, description="Seconds until a connection must stand.")
    first_timeout: float = Field(60.0, gt=0, description="Seconds until an answer must begin.")
    pause_timeout: float = Field(60.0, gt=0, description="Seconds that an answer may pause.")
    timeout: float = Field(240.0, gt=0, description="Seconds that a whole answer may take.")


@impl
def register_providers(settings: Settings) -> Provider:
    """The one provider, ``anthropic``. Without a key and a server it is registered all the same, and says what is missing."""
    return AnthropicProvider(
        api_key=settings.api_key.get_secret_value() if settings.api_key else "",
        base_url=settings.base_url or "",
        models={str(kind): model for kind, model in settings.models.items()},
        max_tokens=settings.max_tokens,
        connect_timeout=settings.connect_timeout,
        first_timeout=settings.first_timeout,
        pause_timeout=settings.pause_timeout,
        timeout=settings.timeout,
    )


@impl
async def stop_host(host: Host) -> None:
    """Close the connections. A provider that is used after that opens new ones."""
    for entry in host.plugins.all(Provider):
        if isinstance(entry.thing, AnthropicProvider):
            await entry.thing.close()
