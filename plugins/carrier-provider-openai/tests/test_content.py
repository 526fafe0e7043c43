"""Pictures and other files in what is said, in both protocols."""

from __future__ import annotations

import pytest

from carrier_core import Attachment, Part, PartKind, Prompt, PromptMessage
from carrier_core.testing.wire import events, serve

pytestmark = pytest.mark.anyio

DATA = "data:image/png;base64,iVBORw0KGgo="
URL = "https://cdn.example/cat.jpg"


def file(url: str, media_type: str = "image/png", *, text: str = "", name: str = "cat.png") -> Part:
    return Part(text, kind=PartKind.ATTACHMENT, attachment=Attachment(media_type, name, url))


@pytest.fixture
def said(connect, ask, protocol):
    """``await said(*parts)``: the content of the user's message as it is sent; texts, and (address,) of pictures."""

    async def said(*parts: Part, role: str = "user", **provider):
        async with serve(events(*protocol.end())) as server:
            message = PromptMessage(role, parts, call="a" if role == "tool" else "")
            await ask(connect(server.url, api=protocol.api, **provider), Prompt((message,)))
        (sent,) = server.requests[0].get("messages") or server.requests[0]["input"]
        content = sent.get("content", sent.get("output"))
        return content if isinstance(content, str) else [shown(piece) for piece in content]

    return said


def shown(piece: dict) -> str | tuple[str]:
    match piece:
        case {"type": "text" | "input_text", "text": text}:
            return text
        case {"type": "image_url", "image_url": {"url": url}}:
            return (url,)
        case {"type": "input_image", "image_url": url, "detail": "auto"}:
            return (url,)
    raise AssertionError(f"{piece} is of neither protocol")


async def test_pictures_stand_where_they_stood(said):
    parts = (Part("Look:"), Part("two."), file(URL, "image/jpeg"), Part("and"), file(DATA), Part("Which is it?"))
    assert await said(*parts) == ["Look:\ntwo.", (URL,), "and", (DATA,), "Which is it?"]


async def test_a_picture_alone(said):
    assert await said(file(DATA)) == [(DATA,)]


async def test_the_words_of_a_picture_stay_with_it(said):
    assert await said(file(URL, text="My cat")) == ["My cat", (URL,)]


@pytest.mark.parametrize(
    "part",
    [
        file("https://cdn.example/song.mp3", "audio/mpeg", name="song.mp3"),
        file("https://cdn.example/plan.svg", "image/svg+xml", name="plan.svg"),
        file("http://169.254.169.254/latest.png", name="latest.png"),
        file("data:text/html,hi", name="page.png"),
        file("", name="lost.png"),
    ],
    ids=["no picture", "no picture that models know", "plain http", "other data", "no address"],
)
async def test_what_cannot_be_shown_is_told_by_name(said, part):
    told = await said(Part("Look:"), part)
    assert told == f"Look:\n[{part.attachment.name}: {part.attachment.media_type}]"


async def test_where_pictures_are_off_they_are_told_by_name(said):
    assert await said(Part("Look:"), file(DATA), images=False) == "Look:\n[cat.png: image/png]"


@pytest.mark.parametrize("role", ["system", "assistant", "tool"])
async def test_only_what_a_person_says_has_pictures(said, role):
    assert (await said(file(DATA), role=role)) == "[cat.png: image/png]"


async def test_text_alone_is_sent_as_it_is(said):
    assert await said(Part("one"), Part("two")) == "one\ntwo"
