"""The actions in a real host, with nothing replaced: real configuration, real policy, real connections to this machine."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

import carrier_actions_web
from carrier_core import ActionCall, Completion, Finish
from carrier_core.testing import running_host
from carrier_core.testing.wire import raw, serve, status

pytestmark = pytest.mark.anyio

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>Hours</title><p>Open until six.</p>"


def calls(name: str, **arguments: object) -> Completion:
    return Completion((), (ActionCall("call", name, arguments),), Finish.CALLS)


def config(url: str, more: str = "") -> str:
    """A configuration in which the server at ``url`` is open to fetch_page, and nothing has to be asked first."""
    return f"""
[policy]
allow = ["fetch_page"]

[plugin.carrier-actions-web]
private = ["{urlsplit(url).netloc}"]
{more}
"""


async def test_a_page_is_read_and_what_it_says_comes_from_outside() -> None:
    async with serve(raw(PAGE)) as server, running_host([carrier_actions_web], config=config(server.url)) as running:
        running.provider.then(calls("fetch_page", url=f"{server.url}/hours"), "They are open until six.")
        assert await running.ask(f"When does {server.url}/hours close?") == "They are open until six."
        told = running.provider.prompts[1].messages[-1]

    assert "Title: Hours\n\nOpen until six." in told.text
    (part,) = told.parts
    assert f"outside:{server.url}/hours" in part.provenance.origins
    assert "operator" not in part.provenance.origins


async def test_a_simile_in_capitals_finds_it() -> None:
    async with serve(raw(PAGE)) as server, running_host([carrier_actions_web], config=config(server.url)) as running:
        running.provider.then(calls("BROWSE", url=server.url), "Done.")
        await running.ask(f"Read {server.url}")
        assert "Open until six." in running.provider.prompts[1].messages[-1].text


async def test_a_refused_page_is_told_to_the_model_and_the_turn_goes_on() -> None:
    async with serve(raw(PAGE)) as server, running_host([carrier_actions_web], config=config(server.url)) as running:
        running.provider.then(calls("fetch_page", url="http://127.0.0.1:1/"), "I may not read that.")
        assert await running.ask("Read http://127.0.0.1:1/") == "I may not read that."
        told = running.provider.prompts[1].messages[-1]
        assert server.requests == []

    assert told.failed
    assert "127.0.0.1 cannot be reached" in told.text


async def test_wrong_arguments_are_told_before_anything_is_done() -> None:
    async with serve(raw(PAGE)) as server, running_host([carrier_actions_web], config=config(server.url)) as running:
        running.provider.then(calls("fetch_page", link=server.url), "Hm.")
        await running.ask("Read it.")
        told = running.provider.prompts[1].messages[-1]
        assert server.requests == []
    assert told.failed
    assert "url" in told.text or "link" in told.text


TOOLS = """
[[plugin.carrier-actions-web.tools]]
name = "create_ticket"
description = "Creates a ticket in a queue."
url = "{url}/queues/{{queue}}"
method = "POST"
private = true
effect = "write"
headers.Authorization = "Bearer {{secret:desk}}"
idempotency_key = "Idempotency-Key"
parameters.queue = "The queue."
parameters.title = "What it is about, in the person's words."
"""


async def test_a_declared_tool_is_called_with_its_secret_from_the_environment() -> None:
    environ = {"CARRIER_PLUGIN__CARRIER_ACTIONS_WEB__SECRETS__DESK": "s3cr3t-token"}
    async with serve(status(201, {"ticket": 7, "token": "s3cr3t-token"})) as server:
        tools = TOOLS.format(url=server.url)
        settings = '[policy]\nallow = ["create_ticket"]\n' + tools
        async with running_host([carrier_actions_web], config=settings, environ=environ) as running:
            running.provider.then(calls("create_ticket", queue="roof", title="It rains in."), "I wrote it down.")
            assert await running.ask("It rains in.") == "I wrote it down."
            told = running.provider.prompts[1].messages[-1].text
            record = await running.last()

        assert told == '{"ticket": 7, "token": "********"}'
        assert server.requests == [{"title": "It rains in."}]
        head = server.heads[0].lower()
        assert head.startswith("post /queues/roof http/1.1")
        assert "authorization: bearer s3cr3t-token" in head
        assert "idempotency-key: " in head
    assert b"s3cr3t" not in b"".join(bytes(step.value) for step in record.steps)


async def test_what_a_service_says_about_a_refusal_reaches_the_model() -> None:
    environ = {"CARRIER_PLUGIN__CARRIER_ACTIONS_WEB__SECRETS__DESK": "s3cr3t-token"}
    async with serve(status(422, {"error": "There is no such queue."})) as server:
        settings = '[policy]\nallow = ["create_ticket"]\n' + TOOLS.format(url=server.url)
        async with running_host([carrier_actions_web], config=settings, environ=environ) as running:
            running.provider.then(calls("create_ticket", queue="x", title="It rains in."), "There is none.")
            await running.ask("It rains in.")
            told = running.provider.prompts[1].messages[-1]
    assert told.failed
    assert "There is no such queue." in told.text
