"""Declared tools: what is sent, what comes back, and what a failure means."""

from __future__ import annotations

import json

import pytest

from carrier_actions_web.rules import Rules
from carrier_actions_web.web import Limits
from carrier_core import Effect, InDoubt, NotDone, Rejected, Role
from carrier_core.testing.wire import garbage, hang, nobody, raw, script, serve, slam, status

pytestmark = pytest.mark.anyio

HERE = "http://site.example"
SECRET = "s3cr3t/tok+en="


async def sent(scene, tool, *, answers=None, **arguments):
    """What the server got: the head of the request, and its body."""
    async with serve(answers or status(200, {"ok": True})) as server:
        scene.dialer.serve(server.url)
        scene.result = await scene.perform(tool, **arguments)
        scene.server = server
        (head,) = server.heads[:1]
        return head, server.requests[0]


def first_line(head: str) -> str:
    return head.split("\r\n")[0].removesuffix(" HTTP/1.1")


def headers(head: str) -> dict[str, str]:
    return dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)


# --- what a model is offered ---------------------------------------------------------------------------------------------


async def test_it_is_an_action_as_it_was_declared(scene) -> None:
    tool = scene.tool(
        name="get_weather",
        description="The weather in a city.",
        url=f"{HERE}/{{city}}",
        parameters={
            "city": "The city's name.",
            "days": {"type": "integer", "minimum": 1, "required": False, "as": "n", "in": "query"},
        },
        effect="read",
        role="member",
        similes=["WEATHER"],
        examples=["What is the weather in Porto?"],
        destination=["city"],
        seconds=3,
        limits=Limits(total=3),
    )
    assert (tool.name, tool.description) == ("get_weather", "The weather in a city.")
    assert (tool.effect, tool.role, tool.destination, tool.seconds) == (Effect.READ, Role.MEMBER, ("city",), 8)
    assert (tool.similes, tool.examples) == (("WEATHER",), ("What is the weather in Porto?",))
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The city's name."},
            "days": {"type": "integer", "minimum": 1},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


async def test_without_a_word_it_goes_outside(scene) -> None:
    assert scene.tool().effect is Effect.EXTERNAL
    assert scene.tool().idempotent
    assert not scene.tool(method="POST").idempotent
    assert not scene.tool(idempotent=False).idempotent
    assert scene.tool(method="PUT", idempotent=True).idempotent
    assert scene.tool(method="POST", idempotency_key="Idempotency-Key").idempotent


# --- what is sent -----------------------------------------------------------------------------------------------------------


async def test_arguments_go_where_they_were_said_to_go(scene) -> None:
    tool = scene.tool(
        method="POST",
        url=f"{HERE}/v1/{{city}}/notes?units=metric&lang={{language}}",
        headers={"X-Fixed": "yes"},
        parameters={
            "city": "The city.",
            "language": "The language.",
            "days": {"type": "integer", "in": "query", "as": "n"},
            "tags": {"type": "array", "items": {"type": "string"}, "in": "query", "as": "tag"},
            "trace": {"in": "header", "as": "X-Trace"},
            "title": {"type": "string"},
            "details": {"type": "object", "as": "more", "required": False},
            "loud": {"type": "boolean", "required": False},
        },
    )
    head, body = await sent(
        scene,
        tool,
        city="Vila Nova de Gaia",
        language="pt&x=1",
        days=3,
        tags=["a b", "c"],
        trace="t-1",
        title="Hé",
        details={"a": [1, None]},
    )
    assert first_line(head) == "POST /v1/Vila%20Nova%20de%20Gaia/notes?units=metric&lang=pt%26x%3D1&n=3&tag=a%20b&tag=c"
    assert body == {"title": "Hé", "more": {"a": [1, None]}}
    got = headers(head)
    assert (got["x-fixed"], got["x-trace"], got["content-type"]) == ("yes", "t-1", "application/json")
    assert (got["user-agent"], got["host"]) == ("tester", "site.example")


async def test_a_form_is_sent_as_one(scene) -> None:
    tool = scene.tool(
        method="POST", url=HERE, body="form", parameters={"a": "One.", "b": {"type": "number"}, "c": {"type": "array"}}
    )
    async with serve(capture := Capture()) as server:
        scene.dialer.serve(server.url)
        await scene.perform(tool, a="x y&z", b=1.5, c=[True, 2])
    assert capture.content == b"a=x+y%26z&b=1.5&c=true&c=2"
    assert headers(capture.head)["content-type"] == "application/x-www-form-urlencoded"


class Capture:
    async def __call__(self, exchange) -> None:
        self.head, self.content = exchange.head, exchange.content
        await status(200, "ok")(exchange)


async def test_a_whole_schema_is_taken_too(scene) -> None:
    schema = {
        "type": "object",
        "properties": {"q": {"type": "string", "maxLength": 3}, "page": {"type": "integer"}},
        "required": ["q"],
    }
    tool = scene.tool(url=f"{HERE}/search", parameters=schema)
    head, _ = await sent(scene, tool, q="x")
    assert first_line(head) == "GET /search?q=x"
    assert tool.parameters == {**schema, "additionalProperties": False}
    assert "too long" in tool.check({"q": "long"})


async def test_a_key_is_sent_where_it_is_asked_for(scene) -> None:
    tool = scene.tool(method="POST", url=HERE, idempotency_key="Idempotency-Key")
    head, _ = await sent(scene, tool)
    assert headers(head)["idempotency-key"] == "key-of-the-call"


@pytest.mark.parametrize(
    "value",
    [
        "..",
        ".",
        "../admin",
        "a/../../admin",
        "..\\admin",
        "a\\..\\..\\admin",
        "%2e%2e",
        "%2e%2e/admin",
        "%252e%252e%252fadmin",
        "%25252e%25252e",
        "..%2fadmin",
        "..;/admin",
        "a/..;x=1/admin",
        "%2525252525252525252e",
        "",
        " .. ",
    ],
)
async def test_no_argument_climbs_out_of_the_path(scene, value) -> None:
    tool = scene.tool(url=f"{HERE}/v1/users/{{user}}/notes", parameters={"user": "Whose."})
    assert tool.check({"user": value})
    with pytest.raises(Rejected):
        await scene.perform(tool, user=value)
    assert scene.dialer.dialled == []


async def test_two_harmless_halves_do_not_climb_either(scene) -> None:
    tool = scene.tool(url=f"{HERE}/v1/{{a}}{{b}}/x", parameters={"a": "One.", "b": "Two."})
    for a, b in ((".", "."), ("%2", "e%2e"), ("", "")):
        with pytest.raises(Rejected):
            await scene.perform(tool, a=a, b=b)
    assert scene.dialer.dialled == []


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("a/b", "a%2Fb"),
        ("http://127.0.0.1/", "http%3A%2F%2F127.0.0.1%2F"),
        ("@127.0.0.1", "%40127.0.0.1"),
        ("x?admin=1#y", "x%3Fadmin%3D1%23y"),
        ("a\r\nHost: inner", "a%0D%0AHost%3A%20inner"),
        ("{user}", "%7Buser%7D"),
        ("{secret:token}", "%7Bsecret%3Atoken%7D"),
        ("...", "..."),
        ("a..b", "a..b"),
        ("é日", "%C3%A9%E6%97%A5"),
        ("\\\\127.0.0.1", "%5C%5C127.0.0.1"),
    ],
)
async def test_an_argument_stays_within_its_place(scene, value, path) -> None:
    tool = scene.tool(url=f"{HERE}/v1/{{user}}?q={{user}}", parameters={"user": "Whose."})
    head, _ = await sent(scene, tool, user=value)
    assert first_line(head) == f"GET /v1/{path}?q={path}"
    assert headers(head)["host"] == "site.example"
    assert scene.dialer.dialled == [("93.184.216.34", 80)]


@pytest.mark.parametrize("value", ["a\r\nX-Admin: 1", "a\nb", "a\0b", "é"])
async def test_no_argument_makes_a_second_header(scene, value) -> None:
    tool = scene.tool(url=HERE, parameters={"trace": {"in": "header", "as": "X-Trace"}})
    with pytest.raises(Rejected, match="X-Trace has characters that a header cannot have"):
        await scene.perform(tool, trace=value)
    assert scene.dialer.dialled == []


@pytest.mark.parametrize("arguments", [{}, {"n": "x"}, {"n": 1, "m": 2}, {"n": None}])
async def test_wrong_arguments_are_told(scene, arguments) -> None:
    with pytest.raises(Rejected):
        await scene.perform(scene.tool(url=HERE, parameters={"n": {"type": "integer"}}), **arguments)
    assert scene.dialer.dialled == []


# --- secrets ----------------------------------------------------------------------------------------------------------------

PRIVATE = {"private": True, "rules": Rules(ports=(), private=frozenset({("site.example", 80)}))}
"""Without encryption a secret is only sent within the own network."""


def guarded(scene, **settings):
    given = {"headers": {"Authorization": "Bearer {secret:token}"}, **settings}
    return scene.tool(url=f"{HERE}/x", secrets={"token": SECRET, "other": "not for this tool"}, **PRIVATE, **given)


async def test_a_secret_is_sent_and_comes_back_hidden(scene) -> None:
    head, _ = await sent(scene, guarded(scene), answers=status(200, {"you": f"sent {SECRET}"}))
    assert f"\r\nAuthorization: Bearer {SECRET}" in head
    assert scene.result.text == '{"you": "sent ********"}'


async def test_a_secret_in_the_url_is_encoded_and_hidden(scene) -> None:
    tool = scene.tool(url=f"{HERE}/bot{{secret:token}}/send?key={{secret:token}}", secrets={"token": SECRET}, **PRIVATE)
    echo = status(200, "/bots3cr3t%2Ftok%2Ben%3D/send s3cr3t%2Ftok%2Ben%3D")
    head, _ = await sent(scene, tool, answers=echo)
    assert first_line(head) == "GET /bots3cr3t%2Ftok%2Ben%3D/send?key=s3cr3t%2Ftok%2Ben%3D"
    assert scene.result.text == "/bot********/send ********"
    assert scene.result.provenance.origins == ("outside:http://site.example/bot********/send",)


@pytest.mark.parametrize("code", [401, 500, 429])
async def test_no_error_repeats_a_secret(scene, code) -> None:
    async with serve(status(code, f"wrong token {SECRET}")) as server:
        scene.dialer.serve(server.url)
        with pytest.raises((Rejected, NotDone)) as caught:
            await scene.perform(guarded(scene))
    assert SECRET not in str(caught.value)
    assert "wrong token ********" in str(caught.value)


async def test_a_secret_stays_with_its_origin(scene) -> None:
    """Another origin that a redirect leads to gets neither the secret nor any other header of the tool."""
    tool = scene.tool(
        url=f"{HERE}/x",
        headers={"Authorization": "Bearer {secret:token}", "X-Account": "7"},
        secrets={"token": SECRET},
        private=True,
        rules=Rules(private=frozenset({("site.example", 80)})),
    )
    async with serve(script(status(302, b"", location="http://other.example/y"), status(200, "done"))) as server:
        scene.dialer.serve(server.url)
        scene.dialer.serve(server.url, "8.8.4.4")
        await scene.perform(tool)
        first, second = server.heads
    assert SECRET in first
    assert headers(second)["host"] == "other.example"
    assert SECRET not in second
    assert "x-account" not in headers(second)
    assert "authorization" not in headers(second)


async def test_another_origin_cannot_have_it_used(scene) -> None:
    """Once a redirect has led elsewhere, somebody else says what is asked: not with the tool's own rights."""
    tool = scene.tool(
        url=f"{HERE}/x",
        headers={"Authorization": "Bearer {secret:token}"},
        secrets={"token": SECRET},
        private=True,
        rules=Rules(),
    )
    answers = script(
        status(302, b"", location="http://other.example/y"),
        status(302, b"", location=f"{HERE}/delete-everything"),
        status(200, "done"),
    )
    async with serve(answers) as server:
        scene.dialer.serve(server.url)
        scene.dialer.serve(server.url, "8.8.4.4")
        await scene.perform(tool)
    assert [SECRET in head for head in server.heads] == [True, False, False]


async def test_it_is_sent_again_to_the_same_origin(scene) -> None:
    await sent(scene, guarded(scene), answers=script(status(302, b"", location="/y"), status(200, "done")))
    assert [SECRET in head for head in scene.server.heads] == [True, True]


@pytest.mark.parametrize("form", [SECRET, "s3cr3t%2Ftok%2Ben%3D"])
async def test_a_redirect_cannot_carry_a_secret_away(scene, form) -> None:
    tool = scene.tool(
        url=f"{HERE}/x?key={{secret:token}}",
        secrets={"token": SECRET},
        private=True,
        rules=Rules(private=frozenset({("site.example", 80)})),
    )
    async with serve(status(302, b"", location=f"http://other.example/?key={form}")) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(Rejected) as caught:
            await scene.perform(tool)
    assert "with a secret in the URL" in caught.value.message
    assert form not in caught.value.message
    assert scene.dialer.dialled == [("93.184.216.34", 80)]


async def test_a_private_tool_reaches_its_own_host_alone(scene) -> None:
    async with serve(status(302, b"", location="http://other.example/")) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(Rejected, match=r"only site\.example:80 is open here"):
            await scene.perform(guarded(scene))
    assert scene.dialer.dialled == [("93.184.216.34", 80)]


async def test_the_guard_stands_before_a_tool_too(scene) -> None:
    scene.names.table["site.example"] = [["10.0.0.5"]]
    with pytest.raises(Rejected, match=r"it resolves to 10\.0\.0\.5, which is a private address"):
        await scene.perform(scene.tool(url=HERE))
    assert scene.dialer.dialled == []


async def test_a_private_tool_may_be_inside(scene) -> None:
    scene.names.table["site.example"] = [["10.0.0.5"]]
    async with serve(status(200, "Hello")) as server:
        scene.dialer.serve(server.url, "10.0.0.5")
        assert (await scene.perform(guarded(scene))).text == "Hello"


# --- what came of it --------------------------------------------------------------------------------------------------------


async def test_a_result_is_what_was_answered(scene) -> None:
    await sent(scene, scene.tool(url=f"{HERE}/a?b=c"), answers=status(200, {"a": [1]}))
    assert scene.result.text == json.dumps({"a": [1]})
    assert scene.result.provenance.origins == ("outside:http://site.example/a",)
    assert scene.result.provenance.audience == scene.turn.audience


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (raw(b"HTTP/1.1 204 No Content\r\n\r\n"), "Done: 204 No Content."),
        (status(201, b"", location="/7"), "Done: 201 Created."),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 17\r\n\r\n<h1>It is done</h1>"[:-2]),
            "# It is done",
        ),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\nPNG"),
            "(image/png, 3 bytes: no text)",
        ),
    ],
)
async def test_other_answers_are_told_in_words(scene, answers, text) -> None:
    await sent(scene, scene.tool(url=HERE), answers=answers)
    assert scene.result.text == text


async def test_a_long_answer_is_cut_and_said_to_be(scene) -> None:
    await sent(scene, scene.tool(url=HERE, limits=Limits(bytes=100)), answers=status(200, "x" * 500))
    assert scene.result.text == "x" * 100 + "\n\n(Cut after 100 bytes.)"
    await sent(scene, scene.tool(url=HERE), answers=status(200, "x" * 50_000))
    assert scene.result.text == "x" * 20_000 + "\n\n(Cut after 20,000 characters.)"


READ, WRITE = {"method": "GET", "url": HERE}, {"method": "POST", "url": HERE}


@pytest.mark.parametrize(
    ("settings", "code", "kind"),
    [
        (READ, 400, Rejected),
        (WRITE, 400, Rejected),
        (WRITE, 401, Rejected),
        (WRITE, 404, Rejected),
        (WRITE, 409, Rejected),
        (WRITE, 422, Rejected),
        (READ, 429, NotDone),
        (WRITE, 429, NotDone),
        (READ, 503, NotDone),
        (WRITE, 503, NotDone),
        (WRITE, 408, NotDone),
        (READ, 500, NotDone),
        (READ, 502, NotDone),
        (WRITE, 500, InDoubt),
        (WRITE, 502, InDoubt),
        (WRITE, 504, InDoubt),
        (WRITE, 501, Rejected),
        (WRITE, 301, InDoubt),
        (WRITE, 302, InDoubt),
        (WRITE, 307, Rejected),
        (WRITE, 308, Rejected),
    ],
)
async def test_each_status_means_one_thing(scene, settings, code, kind) -> None:
    async with serve(status(code, "Because of this.", location="/elsewhere", retry_after="9")) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(kind) as caught:
            await scene.perform(scene.tool(**settings))
        assert len(server.requests) == 1  # nothing is sent twice
    assert str(caught.value.message).startswith(f"site.example answered {code}")
    if code >= 400:
        assert "Because of this." in caught.value.message
    if kind is NotDone:
        assert caught.value.retry_after == 9


async def test_what_is_seen_elsewhere_was_done(scene) -> None:
    await sent(scene, scene.tool(**WRITE), answers=status(303, b"", location="/7"))
    assert scene.result.text == "Done: 303 See Other."
    assert len(scene.server.requests) == 1


async def test_only_the_beginning_of_a_refusal_is_told(scene) -> None:
    async with serve(status(400, "x" * 5_000)) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(Rejected) as caught:
            await scene.perform(scene.tool(**WRITE))
    assert caught.value.message.count("x") == 501  # and the one of example


@pytest.mark.parametrize("settings", [READ, WRITE])
async def test_what_never_left_was_not_done(scene, settings) -> None:
    with nobody() as url:
        scene.dialer.serve(url)
        with pytest.raises(NotDone, match="Nobody answers at site"):
            await scene.perform(scene.tool(**settings))
    scene.names.table.clear()
    with pytest.raises(NotDone, match="There is no host site"):
        await scene.perform(scene.tool(**settings))


@pytest.mark.parametrize("respond", [slam(), garbage(), hang()], ids=["slam", "garbage", "hang"])
@pytest.mark.parametrize(("settings", "kind"), [(READ, NotDone), (WRITE, InDoubt)])
@pytest.mark.parametrize("limits", [Limits(read=0.05), Limits(total=0.1)])
async def test_a_lost_answer_leaves_a_write_in_doubt(scene, respond, settings, kind, limits) -> None:
    async with serve(respond) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(kind) as caught:
            await scene.perform(scene.tool(limits=limits, **settings))
        assert len(server.requests) == 1
    assert ("may have been done" in caught.value.message) is (kind is InDoubt)


async def test_a_get_that_does_something_can_be_in_doubt_too(scene) -> None:
    async with serve(slam()) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(InDoubt):
            await scene.perform(scene.tool(idempotent=False, **READ))


@pytest.mark.parametrize("limits", [Limits(read=0.05), Limits(total=0.1)])
async def test_a_write_that_was_confirmed_was_done_whatever_became_of_the_rest(scene, limits) -> None:
    half = raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nNumber 7", end="hang")
    await sent(scene, scene.tool(limits=limits, **WRITE), answers=half)
    assert scene.result.ok
    assert scene.result.text.startswith("Number 7\n\n(The answer is not whole: it ")


async def test_a_secret_that_cannot_be_sent_was_not_sent(scene) -> None:
    tool = scene.tool(method="POST", url=HERE, headers={"X-Key": "{secret:key}"}, secrets={"key": "a\nb"}, **PRIVATE)
    async with serve(status(200, "x")) as server:
        scene.dialer.serve(server.url)
        with pytest.raises(NotDone, match="cannot be sent as it is") as caught:
            await scene.perform(tool)
        assert server.requests == []
    assert "a\nb" not in str(caught.value)
