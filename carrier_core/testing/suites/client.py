"""What every client keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from carrier_core import (
    Attachment,
    Client,
    Inbound,
    InDoubt,
    NotDone,
    NotSent,
    Part,
    PartKind,
    Receipt,
    Rejected,
    Reply,
    ReplyPart,
    Room,
    Sent,
    Unknown,
    make_id,
)
from carrier_core.testing.host import FakeHost

_FILE = Attachment("image/jpeg", "ola.jpg", "https://example.org/ola.jpg", 12)
REPLIES = (
    Reply((Part("Hello."),)),
    Reply((Part("One."), Part("Two."), Part("Three."))),
    Reply((Part("word " * 5_000),)),
    Reply((Part("unbroken" * 2_000),)),
    Reply((Part("\n".join(f"line {number}" for number in range(1_000))),)),
    Reply((Part("```python\n" + "print('olá 🌊')\n" * 500 + "```\nThat is all."),)),
    Reply((Part("Look:"), Part(kind=PartKind.ATTACHMENT, attachment=_FILE), Part("Nice, is it not?"))),
    Reply((Part(kind=PartKind.ATTACHMENT, attachment=_FILE),)),
    Reply((Part("👩‍🚀" * 3_000),)),
)


class ClientConformance:
    """Subclass it and override ``client`` and ``arrive``.

    ``client`` is one that is not running yet; an interactive one was told whom to talk with. ``arrive`` makes a message of
    somebody come in on its platform. ``broken`` is a client whose platform takes nothing, by default one that nobody runs.
    ``room`` is where replies go.
    """

    agent = "robin"
    patience = 20.0
    """Seconds until what does not come is given up."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The backend that the host runs on."""
        return "asyncio"

    @pytest.fixture
    def client(self) -> Client:
        """The client, not running yet."""
        raise NotImplementedError("Override the fixture `client`.")

    @pytest.fixture
    def broken(self, client: Client) -> Client:
        """A client that cannot deliver."""
        return client

    async def arrive(self, client: Client, text: str) -> None:
        """Make a message come in on the platform of a client that runs."""
        pytest.skip("override `arrive`")

    def room(self, client: Client) -> Room:
        """A room of the client's platform."""
        return Room.of(client.platform, "r1")

    # --- what it says of itself ---

    def test_it_has_a_name_and_a_platform(self, client: Client) -> None:
        """A client has a name, and the name of the platform that ids are made with."""
        assert client.name
        assert client.platform

    # --- splitting ---

    def test_splitting_is_pure(self, client: Client) -> None:
        """The same reply is cut into the same parts however often, so that a part's number is its identity."""
        for reply in REPLIES:
            assert client.split(reply) == client.split(reply)

    def test_splitting_loses_nothing(self, client: Client) -> None:
        """Everything that a reply says, and every file, is in its posts, in order; spaces and signs may be added for a cut.
        No post is empty."""
        for reply in REPLIES:
            posts = client.split(reply)
            assert all(any(part.text.strip() or part.attachment for part in post) for post in posts)
            parts = [part for post in posts for part in post]
            assert [part.attachment for part in parts if part.attachment] == [
                part.attachment for part in reply.parts if part.attachment
            ]
            said = iter("".join(part.text for part in parts))
            missing = [sign for part in reply.parts for sign in part.text if not sign.isspace() and sign not in said]
            assert not missing, f"{len(missing)} characters of {reply.text[:40]!r} are lost or out of order"

    # --- running ---

    @pytest.mark.anyio
    async def test_it_tells_once_that_it_started(self, client: Client) -> None:
        """``run`` calls ``started`` exactly once, when messages can come."""
        async with self._running(client) as (_, started):
            await self._settle()
            assert len(started) == 1

    @pytest.mark.anyio
    async def test_it_ends_when_it_is_cancelled(self, client: Client) -> None:
        """A client that is cancelled ends at once, and with nothing but the cancellation."""
        ended: list[str] = []

        async def run(started: anyio.Event) -> None:
            try:
                await client.run(FakeHost(self.agent), started.set)
                ended.append("it returned")
            except Exception as error:
                ended.append(f"it raised {type(error).__name__}: {error}")

        started = anyio.Event()
        with anyio.fail_after(self.patience):
            async with anyio.create_task_group() as group:
                group.start_soon(run, started)
                await started.wait()
                await self._settle()
                assert not ended, f"it did not go on: {ended}"
                group.cancel_scope.cancel()
        assert not ended, f"cancelled, {ended}"

    # --- what comes in ---

    @pytest.mark.anyio
    async def test_what_comes_in_has_its_platforms_ids(self, client: Client) -> None:
        """Room, sender and message have the client's platform, and the ids that are made of it and their native ids: no
        plugin's or connection's name is in them."""
        [inbound] = await self._heard(client, "Hello.")
        room, sender = inbound.room, inbound.message.sender
        assert (room.platform, sender.platform) == (client.platform, client.platform)
        assert room.id == make_id(room.platform, room.realm, "room", room.native)
        assert sender.id == make_id(sender.platform, sender.realm, "entity", sender.native)
        assert inbound.message.id == make_id(room.platform, room.realm, "message", inbound.event)
        assert room.native
        assert sender.native
        assert inbound.message.at > 0
        assert inbound.agent in ("", self.agent)

    @pytest.mark.anyio
    async def test_a_text_arrives_as_it_was_written(self, client: Client) -> None:
        """What somebody writes is handed over as it is, whatever script it is in, without the host's labels."""
        text = "olá 🌊 שלום 你好 <b> {{name}} \\ * _"
        [inbound] = await self._heard(client, text)
        assert inbound.message.text == text
        assert all(part.provenance is None for part in inbound.message.content)

    @pytest.mark.anyio
    async def test_two_messages_are_two_events(self, client: Client) -> None:
        """Two messages of the same words are two events of one room and one person; each is handed over once, in order."""
        first, second = await self._heard(client, "Hello.", "Hello.")
        assert first.event != second.event
        assert first.dedupe_key != second.dedupe_key
        assert (first.room.id, first.message.sender.id) == (second.room.id, second.message.sender.id)
        assert first.message.at <= second.message.at

    # --- what goes out ---

    @pytest.mark.anyio
    async def test_a_delivery_is_receipted(self, client: Client) -> None:
        """``send`` returns a receipt with the key of the part."""
        async with self._running(client):
            part = self._part(client, "Hello.", "key-1")
            receipt = await client.send(part)
            assert isinstance(receipt, Receipt)
            assert receipt.key == part.key

    @pytest.mark.anyio
    async def test_what_was_delivered_is_not_denied(self, client: Client) -> None:
        """``find`` says Sent, with the part's key, or Unknown of what was delivered, and not Sent of what was not."""
        async with self._running(client):
            sent, never = self._part(client, "Hello.", "key-1"), self._part(client, "Never.", "key-2")
            await client.send(sent)
            found = await client.find(sent)
            assert isinstance(found, (Sent, Unknown))
            assert not isinstance(found, Sent) or found.receipt.key == sent.key
            assert isinstance(await client.find(never), (NotSent, Unknown))

    @pytest.mark.anyio
    async def test_drafts_and_typing_are_harmless(self, client: Client) -> None:
        """Pieces of a draft, in any room and of any attempt, and the sign of typing never fail."""
        async with self._running(client):
            for room in (self.room(client), Room.of(client.platform, "elsewhere")):
                await client.typing(room, True)
                for attempt, piece in ((1, "Hel"), (1, "lo"), (2, "Good"), (1, "late"), (3, "")):
                    await client.draft(room, "turn-1", attempt, piece)
                await client.typing(room, False)

    @pytest.mark.anyio
    async def test_what_cannot_be_delivered_is_told_as_such(self, broken: Client) -> None:
        """A delivery that fails is NotDone, Rejected or InDoubt, and no other exception."""
        part = self._part(broken, "Hello.", "key-1")
        try:
            receipt = await broken.send(part)
        except (NotDone, Rejected, InDoubt) as error:
            told = error.message
        else:
            told = "" if receipt.key != part.key else "it was delivered after all"
        assert told

    # --- how the laws are tried ---

    def _part(self, client: Client, text: str, key: str) -> ReplyPart:
        return ReplyPart(key, "turn-1", self.agent, self.room(client), (Part(text),), client=client.name)

    async def _heard(self, client: Client, *texts: str) -> tuple[Inbound, ...]:
        """Messages that come in one after another, as they are handed over."""
        async with self._running(client) as (host, _):
            for number, text in enumerate(texts, 1):
                await self.arrive(client, text)
                await host.hears(number, within=self.patience)
            await self._settle()
            assert not host.repeated, "an event was handed over twice"
            return tuple(host.heard)

    @asynccontextmanager
    async def _running(self, client: Client) -> AsyncIterator[tuple[FakeHost, list[None]]]:
        host, calls, up = FakeHost(self.agent), list[None](), anyio.Event()

        def started() -> None:
            calls.append(None)
            up.set()

        async with anyio.create_task_group() as group:
            group.start_soon(client.run, host, started)
            with anyio.fail_after(self.patience):
                await up.wait()
            yield host, calls
            group.cancel_scope.cancel()

    async def _settle(self) -> None:
        """Let whatever can run go on for a while, without waiting for time to pass."""
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
