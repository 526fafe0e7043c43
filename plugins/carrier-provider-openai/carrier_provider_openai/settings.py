"""What the operator sets: OpenAI or a server in its place, and further servers that speak the same protocol."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from carrier_core import PluginSettings, secret, well_known

DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
"""Numbers in a vector of OpenAI's own models."""

_ADDRESS = r"^https?://[^\s/]"

Seconds = Annotated[float, Field(gt=0)]
ServerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class _Common(PluginSettings):
    """What is set for each server alike."""

    api: Literal["auto", "chat", "responses"] = Field(
        "auto",
        description='Chat Completions, Responses, or "auto": Responses for OpenAI, else Chat Completions.',
    )
    models: dict[Literal["large", "small", "reasoning", "vision"], str] = Field(
        {}, description="The model for each class, where an agent names none."
    )
    embedding: str | None = Field(
        None, min_length=1, description="The model that embeds memories; none does without it."
    )
    dimensions: int | None = Field(
        None, gt=0, description="Numbers in its vectors. To be told of models that are not OpenAI's."
    )
    images: bool = Field(True, description="Whether pictures are shown to the models, or only told of by name.")
    free: bool = Field(False, description="Whether asking it costs nothing, as on a machine of your own.")
    connect_timeout: Seconds = Field(10.0, description="Seconds until a connection must stand.")
    first_timeout: Seconds = Field(60.0, description="Seconds until the first sign of an answer.")
    pause_timeout: Seconds = Field(90.0, description="Seconds that it may be silent in the middle of an answer.")
    timeout: Seconds = Field(240.0, description="Seconds that a whole answer may take.")

    @model_validator(mode="after")
    def _measured(self) -> _Common:
        if self.embedding is not None and self.dimensions is None and self.embedding not in DIMENSIONS:
            raise ValueError(f"`embedding` is {self.embedding}, so `dimensions` must say how long its vectors are")
        return self


class ServerSettings(_Common):
    """``[plugin.carrier-provider-openai.servers.NAME]``: one more server, whose models are called ``NAME/model``."""

    base_url: str = Field(pattern=_ADDRESS, description="Where the server is, up to `/v1`.")
    api_key: SecretStr | None = Field(None, description="The key, if it needs one.")


class Settings(_Common):
    """``[plugin.carrier-provider-openai]``: the provider ``openai``."""

    api_key: SecretStr | None = secret("OPENAI_API_KEY", description="The key. A server of your own may need none.")
    base_url: Annotated[
        str | None,
        well_known("OPENAI_BASE_URL"),
        Field(pattern=_ADDRESS, description="Where the server is, up to `/v1`; without it, OpenAI."),
    ] = None
    servers: dict[ServerName, ServerSettings] = Field(
        {},
        description="Further servers, each a provider of its own, by name: `base_url`, `api_key` and the other keys of "
        "this section.",
    )

    @model_validator(mode="after")
    def _distinct(self) -> Settings:
        if "openai" in self.servers:
            raise ValueError("a server cannot be called openai, which is the provider of the section itself")
        return self
