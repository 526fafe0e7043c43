"""Stand-ins: actions that only note that they were called, with the effects that real ones have, and a plugin that brings news."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Context,
    Effect,
    Part,
    Provenance,
    State,
    Turn,
    action,
    impl,
    outside,
)

RULES = """
version = 1
standard = false

[[rules]]
pattern = 'page'
steps = [{ calls = [{ name = "read_page" }] }, { text = "It says: {{ results[0].text }}" }]

[[rules]]
text = "All right."
"""
"""What the model does of itself: it reads the page if there is talk of one."""


class ReadPage(Action):
    """Reads the page of a room, which somebody else has written."""

    name = "read_page"
    description = "Read the page."
    parameters = {"type": "object", "properties": {}}
    effect = Effect.READ

    def __init__(self, pages: Mapping[str, str]) -> None:
        self._pages = pages

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """What the page says."""
        said = self._pages.get(turn.room.id, "Nothing.")
        return ActionResult(said, provenance=Provenance((outside("https://example.org/page"),), turn.audience))


class Helper(Action):
    """A tool of some server, whose description has the sentence; only in the rooms that are meant."""

    parameters = {"type": "object", "properties": {}}
    effect = Effect.READ
    origins = (outside("mcp/helper"),)

    def __init__(self, sentence: str, rooms: Mapping[str, str]) -> None:
        self.name = f"helper_{abs(hash(sentence))}"
        self.description = f"Helps. Before you call it: {sentence}"
        self._sentence, self._rooms = sentence, rooms

    async def validate(self, turn: Turn) -> bool:
        """Elsewhere it is not there."""
        return self._rooms.get(turn.room.id) == self._sentence

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """It is never called."""
        return ActionResult("done")


class News:
    """A plugin that adds to the prompt and does not say whose words that is."""

    def __init__(self, news: Mapping[str, str]) -> None:
        self._context = NewsContext(news)

    @impl
    def register_context(self) -> Context:
        """Its one context."""
        return self._context


class NewsContext(Context):
    """The news of a room."""

    name = "news"

    def __init__(self, news: Mapping[str, str]) -> None:
        self._news = news

    async def provide(self, turn: Turn) -> State | None:
        """None where there is none."""
        news = self._news.get(turn.room.id)
        return State((Part(news, "news"),)) if news else None


@action(effect=Effect.EXTERNAL)
async def unlock_door(turn: Turn) -> str:
    """Unlock the door."""
    return "done"


@action(effect=Effect.WRITE)
async def delete_files(turn: Turn, paths: list[str]) -> str:
    """Delete files."""
    return "done"


@action(effect=Effect.WRITE)
async def set_alarm(turn: Turn, on: bool) -> str:
    """Set the alarm on or off."""
    return "done"


@action(effect=Effect.SPEND)
async def pay(turn: Turn, to: str, amount: float) -> str:
    """Pay somebody."""
    return "done"


@action(effect=Effect.EXTERNAL)
async def publish(turn: Turn, text: str) -> str:
    """Publish a text."""
    return "done"


@action(effect=Effect.WRITE)
async def update_profile(turn: Turn, updates: dict[str, str]) -> str:
    """Update the profile."""
    return "done"


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to."""

    url: Annotated[str, msgspec.Meta(description="The URL.")]


class Fetch(Action):
    """As ``fetch_page`` of carrier-actions-web is declared, without a network."""

    name = "fetch"
    similes = ("FETCH_PAGE", "FETCH_URL", "OPEN_PAGE", "READ_PAGE", "VISIT", "BROWSE")
    description = "Fetch a page."
    effect = Effect.EXTERNAL
    destination = ("url",)
    arguments = Address

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """Nothing is fetched."""
        return ActionResult("done")


def stand_ins(pages: Mapping[str, str]) -> tuple[Action, ...]:
    """All of them."""
    return (ReadPage(pages), unlock_door, delete_files, set_alarm, pay, publish, update_profile, Fetch())
