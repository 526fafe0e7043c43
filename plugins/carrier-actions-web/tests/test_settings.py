"""What the operator declares: taken as it is meant, or refused before anything starts, with the place and the remedy."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from pydantic import ValidationError

import carrier_actions_web
from carrier_actions_web import Settings, register_actions
from carrier_actions_web.settings import environment_name
from carrier_core import ConfigError
from carrier_core.testing import running_host

TOOL = {"name": "service", "description": "Asks the service.", "url": "https://api.example/v1"}


def settings(**given) -> Settings:
    return Settings.model_validate_json(msgspec.json.encode(given), strict=True)


def refusal(**given) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(**given)
    return str(caught.value)


# --- what is taken --------------------------------------------------------------------------------------------------------


def test_pages_can_be_read_without_a_word() -> None:
    (action,) = register_actions(settings())
    assert action.name == "fetch_page"


def test_only_what_is_declared_is_there_otherwise() -> None:
    actions = register_actions(settings(fetch=False, tools=[TOOL, {**TOOL, "name": "other"}]))
    assert [action.name for action in actions] == ["service", "other"]


def test_an_own_fetch_page_can_take_its_place() -> None:
    (action,) = register_actions(settings(fetch=False, tools=[{**TOOL, "name": "fetch_page"}]))
    assert action.description == TOOL["description"]


def test_bounds_are_passed_on() -> None:
    given = settings(connect_timeout=1, read_timeout=2, timeout=3, bytes=4, redirects=0, ports=[443, 80, 443])
    limits = given.limits
    assert (limits.connect, limits.read, limits.total, limits.bytes, limits.redirects) == (1, 2, 3, 4, 0)
    assert given.rules.ports == (80, 443)


def test_private_hosts_are_read_as_they_are_reached() -> None:
    given = settings(private=["Intranet.Example:8080", "[::1]:80", "10.0.0.1:9000", "bücher.example:80"])
    assert given.rules.private == {
        ("intranet.example", 8080),
        ("::1", 80),
        ("10.0.0.1", 9000),
        ("xn--bcher-kva.example", 80),
    }


def test_refused_networks_are_read() -> None:
    assert [str(each) for each in settings(refused=["203.0.113.7", "2a00:1::/32"]).rules.refused] == [
        "203.0.113.7/32",
        "2a00:1::/32",
    ]


def test_the_client_is_not_imported_before_it_is_used() -> None:
    code = (
        "import sys; import carrier_actions_web as w; w.register_actions(w.Settings()); "
        "print([m for m in ('httpx2', 'httpcore2', 'justhtml', 'jsonschema', 'idna', 'ssl') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "httpx2" not in run.stdout
    assert "httpcore2" not in run.stdout
    assert "justhtml" not in run.stdout
    assert "jsonschema" not in run.stdout


# --- what is not --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"private": ["intranet.example"]}, "is written with its port"),
        ({"private": ["intranet.example:99999"]}, "is written with its port"),
        ({"private": ["http://intranet.example:80"]}, "is written with its port"),
        ({"private": ["0x7f.1:80"]}, "0x7f.1 is no host"),
        ({"refused": ["everything"]}, "a network is written as"),
        ({"ports": []}, "at least 1"),
        ({"ports": [0]}, "greater than 0"),
        ({"timeout": 0}, "greater than 0"),
        ({"bytes": -1}, "greater than 0"),
        ({"user_agent": "a\nb"}, "pattern"),
        ({"secrets": {"Key": "x"}}, "pattern"),
        ({"depth": 1}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused(given, reason) -> None:
    assert reason in refusal(**given)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"name": "get weather"}, "pattern"),
        ({"name": "x" * 65}, "pattern"),
        ({"description": "x"}, "at least 10"),
        ({"method": "get"}, "'GET', 'POST'"),
        ({"method": "CONNECT"}, "'GET', 'POST'"),
        ({"effect": "none"}, "'read', 'write'"),
        ({"role": "king"}, "'owner', 'admin'"),
        ({"seconds": 0}, "greater than 0"),
        ({"nonsense": 1}, "Extra inputs"),
        # URLs
        ({"url": "api.example/v1"}, "the tool service: it is no URL"),
        ({"url": "ftp://api.example/v1"}, "only http and https are read"),
        ({"url": "https://user:pw@api.example/v1"}, "a name or a password before its host"),
        ({"url": "https://{host}/v1"}, "the tool service: a {place} may only be in its path and in its query"),
        ({"url": "{scheme}://api.example/v1"}, "may only be in its path"),
        ({"url": "https://api.example:{port}/v1"}, "may only be in its path"),
        ({"url": "https://api.example/v1#part"}, "what follows # is not sent"),
        ({"url": "https://api.example/v1/{}"}, "{} names no argument"),
        ({"url": "https://api.example/v1/{a b}"}, "{a b} names no argument"),
        ({"url": "https://api.example/v1/{city"}, "a brace is not closed"),
        ({"url": "https://api.example/v1/../x"}, "has a . or .."),
        ({"url": "https://api.example/%2e%2e/x"}, "has a . or .."),
        ({"url": "https://0177.0.0.1/"}, "not an address in its usual form"),
        (
            {"url": "http://127.0.0.1:8080/"},
            "the tool service: `url` leads to a loopback address; say `private = true`",
        ),
        ({"url": "http://[::1]/"}, "say `private = true`"),
        ({"url": "http://169.254.169.254/latest"}, "a cloud's metadata service"),
        # Parameters
        ({"url": "https://api.example/{city}"}, "`url` has a place for city, which is not among them"),
        (
            {"url": "https://api.example/{city}", "parameters": {"city": {"required": False}}},
            "city has a place in `url`, so it must be required",
        ),
        (
            {"url": "https://api.example/{city}", "parameters": {"city": {"in": "query"}}},
            "city has a place in `url`, so it cannot go elsewhere",
        ),
        ({"parameters": {"city": {"in": "path"}}}, "`url` has no {city}"),
        ({"parameters": {"city": {"in": "cookie"}}}, "`in` of city must be one of path, query, header, body"),
        ({"parameters": {"city": {"in": "body"}}}, "city cannot go into the body, which GET does not have"),
        ({"parameters": {"city": {"in": "header", "as": "Host"}}}, "city cannot be the header Host"),
        ({"parameters": {"city": {"in": "header", "as": "a b"}}}, "city cannot be the header a b"),
        ({"parameters": {"city": {"as": 7}}}, "`as` of city must be what it is called there"),
        ({"parameters": {"city": {"type": "object"}}}, "city must be a string"),
        ({"parameters": {"city": {"type": "array", "items": {"type": "object"}}}}, "city must be a string"),
        ({"parameters": {"city": {"type": "town"}}}, "city must be a string"),
        ({"method": "POST", "parameters": {"city": {"type": "town"}}}, "is no JSON schema"),
        ({"parameters": {"city": {"minimum": "x"}}}, "city.minimum is no JSON schema"),
        ({"parameters": {"city": {"required": "yes"}}}, "`required` of city must be true or false"),
        ({"parameters": {"city": 7}}, "city must be a description, or a table"),
        ({"parameters": {"a city": "x"}}, "a city is no name of an argument"),
        ({"parameters": {"a": {"as": "q"}, "b": {"as": "Q"}}}, "two of them go to the same place"),
        ({"method": "POST", "parameters": {"a": {"$ref": "https://evil.example/"}}}, "refer elsewhere"),
        ({"parameters": {"type": "object", "properties": {"a": "b"}}}, "a must be a table"),
        ({"destination": ["to"]}, "the tool service: there is no argument to"),
        # Headers and secrets
        ({"headers": {"Host": "inner"}}, "Host is no header that can be set"),
        ({"headers": {"Content-Length": "0"}}, "Content-Length is no header that can be set"),
        ({"headers": {"A b": "x"}}, "A b is no header that can be set"),
        ({"headers": {"X": "a\r\nHost: inner"}}, "the header X has characters that no header has"),
        ({"headers": {"X": "{city}"}}, "the header X has a place for an argument"),
        (
            {"headers": {"X-A": "1"}, "parameters": {"a": {"in": "header", "as": "x-a"}}},
            "a is the header x-a, which is set",
        ),
        ({"idempotency_key": "Content-Length"}, "no header that can be set"),
        (
            {"headers": {"X": "{secret:token}"}},
            f"uses the secret token, which is not set: set ${environment_name('token')}",
        ),
        ({"url": "https://api.example/?key={secret:token}"}, "uses the secret token, which is not set"),
        ({"url": "http://api.example/?key={secret:token}"}, "would send a secret without encryption"),
    ],
)
def test_a_wrong_declaration_names_the_tool_and_the_fault(given, reason) -> None:
    assert reason in refusal(tools=[{**TOOL, **given}])


def test_two_tools_cannot_have_one_name() -> None:
    assert "two actions are called service" in refusal(tools=[TOOL, TOOL])
    assert "two actions are called Fetch_Page" in refusal(tools=[{**TOOL, "name": "Fetch_Page"}])


@pytest.mark.anyio
async def test_a_fault_is_told_with_its_line() -> None:
    config = """
[plugin.carrier-actions-web]
timeout = 10

[[plugin.carrier-actions-web.tools]]
name = "get_weather"
description = "The weather in a city."
url = "https://api.example/{city}"
parameters.town = "The city."
"""
    with pytest.raises(ConfigError) as caught:
        async with running_host([carrier_actions_web], config=config):
            pass
    assert "the tool get_weather: `url` has a place for city, which is not among them" in str(caught.value)
    assert caught.value.file is not None
    assert caught.value.line == 9


@pytest.mark.anyio
async def test_a_secret_is_in_no_fault() -> None:
    config = """
[plugin.carrier-actions-web]
secrets = { token = ["hunter2-hunter2"] }
"""
    with pytest.raises(ConfigError) as caught:
        async with running_host([carrier_actions_web], config=config):
            pass
    assert "hunter2" not in str(caught.value)
