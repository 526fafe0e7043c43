"""What the operator sets: bounds, private hosts, and tools that are HTTP requests."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, SecretStr, ValidationInfo, field_validator, model_validator

from carrier_actions_web.addresses import read_address, unreachable
from carrier_actions_web.parameters import HEADER_NAME, OURS, names_in, read_parameters
from carrier_actions_web.rules import Rules
from carrier_actions_web.template import SECRET, Template, holes, read_template
from carrier_actions_web.urls import read_host
from carrier_actions_web.web import Limits
from carrier_core import PluginSettings, Rejected

SECTION = "plugin.carrier-actions-web"

_HOST = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]+):(?P<port>[0-9]{1,5})")
_PRINTABLE = re.compile(r"[\x20-\x7e\t]*")

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(gt=0, lt=65_536)]
Word = Annotated[str, Field(min_length=1)]


def read_private(text: str) -> tuple[str, int]:
    """Host and port of an entry of `private`. ValueError where it is none."""
    found = _HOST.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"]) < 65_536:
        raise ValueError('a private host is written with its port, such as "intranet.example:8080"')
    try:
        return read_host(found["host"]), int(found["port"])
    except Rejected:
        raise ValueError(f"{found['host']} is no host") from None


def _private(text: str) -> str:
    read_private(text)
    return text


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValueError('a network is written as "203.0.113.0/24", or as one address') from None
    return text


class ToolSettings(PluginSettings):
    """``[[plugin.carrier-actions-web.tools]]``: one request to a service, offered as an action."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", description="What the action is called.")
    description: str = Field(min_length=10, description="What it does and when to use it, for the model.")
    url: str = Field(
        description="The URL, with {argument} and {secret:NAME} in its path and its query where a value goes."
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("GET", description="The HTTP method.")
    private: bool = Field(
        False, description="Whether the service may be in the own network. No other host is reached then."
    )
    headers: dict[str, str] = Field({}, description="Headers of every request; {secret:NAME} is a secret.")
    parameters: dict[str, JsonValue] = Field(
        {},
        validate_default=True,  # `url` may have places for arguments that nobody declared
        description="What it takes: a description for each name, or a table with `type`, `description`, `required`, `in` (path, "
        "query, header, body) and `as` (its name there); or a JSON schema of type object.",
    )
    body: Literal["json", "form"] = Field("json", description="How arguments in the body are written.")
    effect: Literal["read", "write", "external", "spend"] = Field(
        "external", description="What it does to the world, which policy judges by."
    )
    destination: tuple[Word, ...] | None = Field(
        None,
        description="The arguments that say where something goes (an address, a recipient); guessed from their names without it.",
    )
    role: Literal["owner", "admin", "member", "guest"] = Field("guest", description="Who may have it done, at least.")
    seconds: Seconds | None = Field(None, description="Seconds that it may take; those of `timeout` without it.")
    idempotent: bool | None = Field(
        None,
        description="Whether nothing is done twice if it is asked twice. Without it, GET alone is taken to be so.",
    )
    idempotency_key: str | None = Field(
        None,
        description="The header that carries a key, the same at every attempt, by which the service knows a repetition.",
    )
    similes: tuple[Word, ...] = Field((), description="Other names by which a model may know it.")
    examples: tuple[Word, ...] = Field((), description="Sentences that show when it is called.")

    @property
    def template(self) -> Template:
        """The URL as it was read."""
        return read_template(self.url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that are used."""
        inside = (name for value in self.headers.values() for name in holes(value))
        return tuple(dict.fromkeys((*self.template.secrets, *(name.removeprefix(SECRET) for name in inside))))

    @field_validator("url", mode="after")
    @classmethod
    def _readable(cls, url: str, info: ValidationInfo) -> str:
        try:
            read_template(url)
        except ValueError as error:
            raise ValueError(f"{_tool(info)}: {error}") from None
        return url

    @field_validator("headers", mode="after")
    @classmethod
    def _sendable(cls, headers: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        for name, value in headers.items():
            if not HEADER_NAME.fullmatch(name) or name.lower() in OURS:
                raise ValueError(f"{_tool(info)}: {name} is no header that can be set")
            if not _PRINTABLE.fullmatch(value):
                raise ValueError(f"{_tool(info)}: the header {name} has characters that no header has")
            if any(not hole.startswith(SECRET) for hole in holes(value)):
                raise ValueError(
                    f'{_tool(info)}: the header {name} has a place for an argument; give that argument `in = "header"`'
                )
        return headers

    @field_validator("parameters", mode="after")
    @classmethod
    def _fitting(cls, parameters: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        known = info.data
        if "url" in known and "method" in known:  # otherwise that is the fault which is told
            try:
                read = read_parameters(_plain(parameters), read_template(known["url"]), known["method"])
            except ValueError as error:
                raise ValueError(f"{_tool(info)}: {error}") from None
            fixed = {name.lower() for name in known.get("headers", {})}
            for argument in read.arguments:
                if argument.place == "header" and argument.sent_as.lower() in fixed:
                    raise ValueError(
                        f"{_tool(info)}: {argument.name} is the header {argument.sent_as}, which is set already"
                    )
        return parameters

    @field_validator("destination", mode="after")
    @classmethod
    def _named(cls, destination: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if destination and "parameters" in info.data and "url" in info.data and "method" in info.data:
            read = read_parameters(
                _plain(info.data["parameters"]), read_template(info.data["url"]), info.data["method"]
            )
            for name in destination:
                if name not in names_in(read.schema):
                    raise ValueError(f"{_tool(info)}: there is no argument {name}")
        return destination

    @field_validator("idempotency_key", mode="after")
    @classmethod
    def _header(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None and (not HEADER_NAME.fullmatch(name) or name.lower() in OURS):
            raise ValueError(f"{_tool(info)}: {name} is no header that can be set")
        return name

    @model_validator(mode="after")
    def _safe(self) -> ToolSettings:
        target = self.template.target
        address = read_address(target.host)
        why = unreachable(address) if address is not None and not self.private else ""
        if why:
            raise ValueError(f"the tool {self.name}: `url` leads to {why}; say `private = true` if it is meant to")
        if self.secrets and target.scheme == "http" and not self.private:
            raise ValueError(f"the tool {self.name}: `url` would send a secret without encryption; write https")
        return self


class Settings(PluginSettings):
    """``[plugin.carrier-actions-web]``."""

    fetch: bool = Field(True, description="Whether the action fetch_page is offered.")
    private: tuple[Annotated[str, AfterValidator(_private)], ...] = Field(
        (), description="Hosts of the own network that fetch_page may read, each with its port."
    )
    refused: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        (), description="Networks that are not reached although they are public, such as the own public addresses."
    )
    ports: tuple[Port, ...] = Field((80, 443), min_length=1, description="Ports that are used on public addresses.")
    user_agent: str = Field(
        "Mozilla/5.0 (compatible; Carrier)",
        pattern=r"^[\x20-\x7e]+$",
        description="What servers are told who is asking.",
    )
    redirects: int = Field(5, ge=0, le=20, description="Redirects that are followed.")
    elsewhere: bool = Field(
        False, description="Whether fetch_page follows redirects to other hosts, which policy was not asked about."
    )
    connect_timeout: Seconds = Field(10.0, description="Seconds until a connection must stand.")
    read_timeout: Seconds = Field(15.0, description="Seconds that a server may be silent.")
    timeout: Seconds = Field(30.0, description="Seconds that a whole request may take, its redirects included.")
    bytes: Count = Field(2_000_000, description="Bytes of an answer that are read, unpacked; the rest is cut.")
    characters: Count = Field(20_000, description="Characters of an answer that the model is given at once.")
    secrets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], SecretStr] = Field(
        {}, description="Secrets of the tools, by name; better in the environment than in the file."
    )
    tools: tuple[ToolSettings, ...] = Field((), description="Requests to services, offered as actions.")

    @field_validator("tools", mode="after")
    @classmethod
    def _complete(cls, tools: tuple[ToolSettings, ...], info: ValidationInfo) -> tuple[ToolSettings, ...]:
        names = [tool.name.lower() for tool in tools]
        for tool in tools:
            if names.count(tool.name.lower()) > 1 or (
                tool.name.lower() == "fetch_page" and info.data.get("fetch", True)
            ):
                raise ValueError(f"two actions are called {tool.name}")
            for name in tool.secrets if "secrets" in info.data else ():
                if name not in info.data["secrets"]:
                    variable = f"${environment_name(name)}"
                    raise ValueError(f"the tool {tool.name} uses the secret {name}, which is not set: set {variable}")
        return tools

    @property
    def rules(self) -> Rules:
        """What fetch_page may reach."""
        return Rules(
            tuple(sorted({*self.ports})),
            frozenset(read_private(each) for each in self.private),
            tuple(ip_network(each, strict=False) for each in self.refused),
        )

    @property
    def limits(self) -> Limits:
        """The bounds of a request."""
        return Limits(self.connect_timeout, self.read_timeout, self.timeout, self.bytes, self.redirects)


def environment_name(secret: str) -> str:
    """The variable that sets a secret."""
    return f"CARRIER_{SECTION.replace('.', '__').replace('-', '_').upper()}__SECRETS__{secret.upper()}"


def _tool(info: ValidationInfo) -> str:
    return f"the tool {info.data['name']}" if "name" in info.data else "this tool"


def _plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """A copy that reading may take apart."""
    return {name: dict(each) if isinstance(each, dict) else each for name, each in parameters.items()}
