"""What an operator can say of servers, and what is said of mistakes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

import carrier_actions_mcp
from carrier_actions_mcp.settings import ServerSettings
from carrier_core import ConfigError
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio

SECTION = "[plugin.carrier-actions-mcp.servers.files]\n"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "either `command` or `url`"),
        ({"command": "a", "url": "https://example.org"}, "either `command` or `url`"),
        ({"url": "https://example.org", "args": ["a"]}, "are for a server with `command`"),
        ({"command": "a", "headers": {"A": "b"}}, "gets its keys in `env`"),
        ({"command": "a", "cwd": "here"}, "cwd"),
        ({"url": "example.org"}, "url"),
        ({"command": "a", "prefix": "my tools"}, "prefix"),
        ({"command": "a", "effects": {"look": "harmless"}}, "effects"),
        ({"command": "a", "seconds": 0}, "seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ServerSettings.model_validate(fields)


async def test_a_mistake_is_told_with_its_line() -> None:
    with pytest.raises(ConfigError) as refused:
        async with running_host([carrier_actions_mcp], config=f'{SECTION}command = "a"\ncomand = "b"\n'):
            pass

    assert refused.value.line == 3


async def test_keys_come_from_the_environment_and_are_not_shown() -> None:
    prefix = "CARRIER_PLUGIN__CARRIER_ACTIONS_MCP__SERVERS__FILES__ENV"
    config = f'{SECTION}command = "no-such-program"\nenv = {{ API_KEY = "" }}\n'
    async with running_host([carrier_actions_mcp], config=config, environ={f"{prefix}__API_KEY": "sk-secret"}) as host:
        settings = host.host.plugins.found["carrier-actions-mcp"].settings

        assert settings.servers["files"].env["API_KEY"].get_secret_value() == "sk-secret"
        assert "sk-secret" not in repr(settings)


async def test_without_servers_it_does_nothing() -> None:
    async with running_host([carrier_actions_mcp]) as host:
        assert await host.ask("Hello") == "You said: Hello"
