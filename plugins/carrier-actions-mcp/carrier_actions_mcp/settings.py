"""What the operator says about each MCP server: how it is reached, how far it is trusted, what its tools do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from carrier_core import PluginSettings

Seconds = Annotated[float, Field(gt=0)]
ServerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
EffectName = Literal["read", "write", "external", "spend"]


class ServerSettings(PluginSettings):
    """``[plugin.carrier-actions-mcp.servers.NAME]``: one MCP server."""

    command: str | None = Field(None, min_length=1, description="The program to start, for a server on this machine.")
    args: tuple[str, ...] = Field((), description="Its arguments.")
    env: dict[str, SecretStr] = Field(
        {}, description="Variables that it gets besides the few that every program needs; keys and tokens among them."
    )
    inherit: tuple[str, ...] = Field((), description="Variables of the daemon that it gets as they are.")
    cwd: str | None = Field(
        None, pattern="^/", description="The folder that it runs in; without it, one of its own in the state folder."
    )
    url: str | None = Field(
        None, pattern=r"^https?://[^\s/]", description="Where the server is, for one that is reached over HTTP."
    )
    headers: dict[str, SecretStr] = Field(
        {}, description="Headers that it is sent with every request; keys among them."
    )
    trusted: bool = Field(
        False,
        description="Whether you vouch for what the server says of its tools: for their descriptions, for what it says that "
        "they do, and for every later change of these.",
    )
    effects: dict[str, EffectName] = Field(
        {}, description='What tools do, by their name there, "*" for all others: read, write, external or spend.'
    )
    only: tuple[str, ...] = Field((), description="The tools that are offered, by their name there; without it, all.")
    except_: tuple[str, ...] = Field((), alias="except", description="Tools that are not offered.")
    role: Literal["owner", "admin", "member", "guest"] = Field(
        "guest", description="What somebody has to be to have these tools used."
    )
    prefix: str | None = Field(
        None,
        pattern="^[A-Za-z0-9_-]{0,40}$",
        description="What the tools' names begin with here; without it, the server's name and an underscore.",
    )
    seconds: Seconds = Field(60.0, description="Seconds that one call may take.")
    start_seconds: Seconds = Field(30.0, description="Seconds that the server may take to start and list its tools.")

    @model_validator(mode="after")
    def _one_way(self) -> ServerSettings:
        if (self.command is None) == (self.url is None):
            raise ValueError("a server has either `command` or `url`")
        if self.url is not None and (self.args or self.env or self.inherit or self.cwd):
            raise ValueError("`args`, `env`, `inherit` and `cwd` are for a server with `command`, not with `url`")
        if self.command is not None and self.headers:
            raise ValueError("`headers` are for a server with `url`; one with `command` gets its keys in `env`")
        return self


class Settings(PluginSettings):
    """``[plugin.carrier-actions-mcp]``."""

    servers: dict[ServerName, ServerSettings] = Field(
        {}, description="The MCP servers, by name: `command` and `args`, or `url`, and the other keys."
    )
