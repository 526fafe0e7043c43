"""OpenAI, and every server that speaks its protocol, as a model provider.

OpenAI itself is asked through Responses, which keeps nothing there; a server that ``base_url`` names through Chat
Completions, which all of them have. The SDK is imported with the first call, because that takes more than a second.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from carrier_core import PluginSettings, Provider, impl, secret, well_known
from carrier_provider_openai.provider import OpenAIProvider

__version__ = "0.1.0"
__all__ = ["Settings", "register_providers", "stop_host"]


class Settings(PluginSettings):
    """``[plugin.carrier-provider-openai]``."""

    api_key: SecretStr | None = secret("OPENAI_API_KEY", description="The key. A server of your own may need none.")
    base_url: Annotated[
        str | None,
        well_known("OPENAI_BASE_URL"),
        Field(pattern=r"^https?://[^\s/]", description="Where the server is, up to `/v1`; without it, OpenAI."),
    ] = None
    api: Literal["auto", "chat", "responses"] = Field(
        "auto",
        description='Chat Completions, Responses, or "auto": Responses for OpenAI, else Chat Completions.',
    )
    models: dict[Literal["large", "small", "reasoning", "vision"], str] = Field(
        {}, description="The model for each class that is to differ from the default."
    )
    connect_timeout: float = Field(10.0, gt=0, description="Seconds until a connection must stand.")
    timeout: float = Field(240.0, gt=0, description="Seconds that a whole answer may take.")


@impl
def register_providers(settings: Settings) -> Provider:
    """The one provider, ``openai``. Without a key and a server it is registered all the same, and says what is missing."""
    return OpenAIProvider(
        api_key=settings.api_key.get_secret_value() if settings.api_key else "",
        base_url=settings.base_url or "",
        api=settings.api,
        models={str(kind): model for kind, model in settings.models.items()},
        connect_timeout=settings.connect_timeout,
        timeout=settings.timeout,
    )


@impl
async def stop_host() -> None:
    """Close the connections. A provider that is used after that opens new ones."""
    await OpenAIProvider.close_all()
