"""A client for tests: it says what it is told, keeps what it is sent, and misbehaves on demand."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
import anyio.lowlevel
import msgspec

from carrier_core import (
    Accepted,
    Attachment,
    CarrierError,
    Client,
    ClientHost,
    Entity,
    Inbound,
    InboundKind,
    NotSent,
    Part,
    Receipt,
    Reply,
    ReplyPart,
    Room,
    RoomKind,
    Sent,
    Unknown,
    World,
    make_id,
)
from carrier_core.testing.clock import Clock


class Drafted(NamedTuple):
    """A piece of a draft that was shown."""

    room: Room
    turn: str
    attempt: int
    text: str


class _Fault(NamedTuple):
    error: Exception | None  # None: it hangs
    delivered: bool


class FakeClient(Client):
    """A platform in memory.

    ``sends`` are the posts that were delivered and ``drafts`` the pieces shown, in order; ``attempts`` all calls of ``send``.
    ``most`` is the length of a post in characters (0: any), ``retracts`` whether drafts are shown, ``duplicates`` how many
    times more each event is handed over. What ``send`` does next is told by ``fail`` and ``hang``. ``forgetful`` makes
    ``find`` answer that nobody can tell.
    """

    def __init__(
        self,
        name: str = "fake",
        platform: str = "fake",
        *,
        realm: str = "",
        retracts: bool = False,
        most: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.platform = platform
        self.realm = realm
        self.retracts = retracts
        self.most = most
        self.clock = clock or Clock()
        self.duplicates = 0
        self.forgetful = False
        self.sends: list[ReplyPart] = []
        self.attempts: list[ReplyPart] = []
        self.drafts: list[Drafted] = []
        self.typings: list[tuple[Room, bool]] = []
        self.said: list[Inbound] = []
        self.up = anyio.Event()
        self._host: ClientHost | None = None
        self._receipts: dict[str, Receipt] = {}
        self._faults: deque[_Fault] = deque()
        self._kept: list[Inbound] | None = None
        self._changed = anyio.Event()
        self._events = 0

    # --- who and where ---

    def person(self, name: str, *, bot: bool = False) -> Entity:
        """Somebody on this platform, by name."""
        return Entity.of(self.platform, name.lower(), realm=self.realm, name=name, bot=bot)

    def dm(self, person: str | Entity) -> Room:
        """The room where a person talks with the agent alone."""
        native = person.native if isinstance(person, Entity) else person.lower()
        return Room.of(self.platform, f"dm/{native}", realm=self.realm, kind=RoomKind.DM)

    def group(self, name: str, *, world: World | None = None) -> Room:
        """A room of many; an agent answers there when it is mentioned."""
        return Room.of(self.platform, name, realm=self.realm, kind=RoomKind.GROUP, world=world)

    # --- what people do ---

    def message(
        self,
        room: str | Room,
        person: str | Entity,
        text: str,
        *,
        mentions: Sequence[str] = (),
        agent: str = "",
        event: str = "",
        reply_to: str = "",
        attachments: Sequence[Attachment] = (),
    ) -> Inbound:
        """A message, a second after the one before, that is not handed over yet.

        A room that is given as a text is a DM room of that name. ``event`` is the platform's id, counted where it is empty.
        """
        self._events += 1
        self.clock.advance(1.0)
        return Inbound.say(
            Room.of(self.platform, room, realm=self.realm) if isinstance(room, str) else room,
            self.person(person) if isinstance(person, str) else person,
            text,
            event=event or f"event/{self._events}",
            at=self.clock(),
            client=self.name,
            agent=agent,
            reply_to=reply_to,
            mentions=tuple(mentions),
            attachments=tuple(attachments),
        )

    async def say(
        self,
        room: str | Room,
        person: str | Entity,
        text: str,
        *,
        mentions: Sequence[str] = (),
        agent: str = "",
        event: str = "",
        reply_to: str = "",
        attachments: Sequence[Attachment] = (),
    ) -> Accepted:
        """Say something; returns what the host said to that. Within ``reordered`` it is handed over later."""
        said = self.message(
            room,
            person,
            text,
            mentions=mentions,
            agent=agent,
            event=event,
            reply_to=reply_to,
            attachments=attachments,
        )
        if self._kept is not None:
            self._kept.append(said)
            return Accepted(reason="kept back to be reordered")
        return (await self.hand_over(said))[0]

    async def ask(self, room: str | Room, person: str | Entity, text: str, *, agent: str = "") -> str:
        """Say something and wait until its turns have ended; what came back, a line for each post."""
        accepted = await self.say(room, person, text, agent=agent)
        if not accepted.heard:
            raise CarrierError(f"Nobody heard it: {accepted.reason}.")
        turns = [taken.turn for taken in accepted.heard]
        for turn in turns:
            await self.host.wait(turn)
        return "\n".join(part.text for part in self.sends if part.turn in turns)

    async def edit(self, said: Inbound, text: str) -> Accepted:
        """Change what was said."""
        content = (Part(text),) if text else ()
        changed = msgspec.structs.replace(
            said,
            kind=InboundKind.EDIT,
            revision=said.revision + 1,
            target=said.event,
            message=msgspec.structs.replace(said.message, content=content, at=self.clock.advance(1.0)),
        )
        return (await self.hand_over(changed))[0]

    async def delete(self, said: Inbound) -> Accepted:
        """Take back what was said."""
        gone = msgspec.structs.replace(
            said,
            kind=InboundKind.DELETE,
            target=said.event,
            message=msgspec.structs.replace(said.message, content=(), at=self.clock.advance(1.0)),
        )
        return (await self.hand_over(gone))[0]

    async def stop(self, room: str | Room, person: str | Entity, *, turn: str = "", agent: str = "") -> Accepted:
        """Stop the turn that runs in a room."""
        blank = self.message(room, person, "", agent=agent)
        return (await self.hand_over(msgspec.structs.replace(blank, kind=InboundKind.STOP, target=turn)))[0]

    async def answer(
        self,
        room: str | Room,
        person: str | Entity,
        target: str,
        value: str,
        *,
        kind: InboundKind = InboundKind.APPROVAL,
    ) -> Accepted:
        """Answer what a turn asked: ``target`` is the id or the code of its question, or the turn's."""
        blank = self.message(room, person, "")
        return (await self.hand_over(msgspec.structs.replace(blank, kind=kind, target=target, value=value)))[0]

    async def react(self, room: str | Room, person: str | Entity, target: str, value: str) -> Accepted:
        """React to a post, by its id on this platform; a blank reaction takes it back."""
        return await self.answer(room, person, target, value, kind=InboundKind.REACTION)

    async def hand_over(self, *inbounds: Inbound) -> tuple[Accepted, ...]:
        """Hand events over at once, in this order, each as often as ``duplicates`` says; the first answer to each."""
        host = self.host
        answers: dict[int, Accepted] = {}

        async def one(position: int, inbound: Inbound) -> None:
            answer = await host.accept(inbound)
            answers.setdefault(position, answer)

        self.said += inbounds
        async with anyio.create_task_group() as group:
            for position, inbound in enumerate(inbounds):
                for _ in range(1 + self.duplicates):
                    group.start_soon(one, position, inbound)
        return tuple(answers[position] for position in range(len(inbounds)))

    @asynccontextmanager
    async def reordered(self) -> AsyncIterator[None]:
        """What is said within is handed over at its end, the last first."""
        self._kept = []
        try:
            yield
        finally:
            kept, self._kept = self._kept, None
        await self.hand_over(*reversed(kept))

    # --- what comes back ---

    async def replies(
        self, count: int = 1, *, room: str | Room | None = None, within: float = 20.0
    ) -> tuple[ReplyPart, ...]:
        """Wait until that many posts were delivered (in a room); all of them. TimeoutError after ``within`` seconds."""
        wanted = Room.of(self.platform, room, realm=self.realm) if isinstance(room, str) else room

        def there() -> tuple[ReplyPart, ...]:
            return tuple(part for part in self.sends if wanted is None or part.room.id == wanted.id)

        try:
            with anyio.fail_after(within):
                while len(there()) < count:
                    await self._changed.wait()
        except TimeoutError:
            texts = [part.text for part in there()]
            raise TimeoutError(f"{len(texts)} of {count} posts came within {within:g} s: {texts}") from None
        return there()

    async def attempted(self, count: int = 1, *, within: float = 20.0) -> tuple[ReplyPart, ...]:
        """Wait until ``send`` was called that often; all parts that it was called with."""
        with anyio.fail_after(within):
            while len(self.attempts) < count:
                await self._changed.wait()
        return tuple(self.attempts)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of all posts, in order."""
        return tuple(part.text for part in self.sends)

    # --- how it misbehaves ---

    def fail(self, *errors: Exception, delivered: bool = False) -> None:
        """The next calls of ``send`` raise these: NotDone, Rejected, InDoubt or anything. ``delivered``: after the post."""
        self._faults.extend(_Fault(error, delivered) for error in errors)

    def hang(self, *, delivered: bool = False) -> None:
        """The next call of ``send`` never returns."""
        self._faults.append(_Fault(None, delivered))

    # --- the client ---

    @property
    def host(self) -> ClientHost:
        """The host that runs it. RuntimeError while none does."""
        if self._host is None:
            raise RuntimeError(f"The client {self.name} is not running: `await client.up.wait()` in a running host.")
        return self._host

    async def run(self, host: ClientHost, started: Callable[[], None]) -> None:
        """Nothing has to be connected."""
        self._host = host
        started()
        self.up.set()
        try:
            await anyio.sleep_forever()
        finally:
            self._host = None
            self.up = anyio.Event()

    async def send(self, part: ReplyPart) -> Receipt:
        """Keep the part, unless it is to fail. One that was delivered already is not delivered again."""
        await anyio.lowlevel.checkpoint()
        self.attempts.append(part)
        fault = self._faults.popleft() if self._faults else None
        if fault is None or fault.delivered:
            self._deliver(part)
        self._notify()
        if fault is not None:
            if fault.error is not None:
                raise fault.error
            await anyio.sleep_forever()
        return self._receipts[part.key]

    async def find(self, part: ReplyPart) -> Sent | NotSent | Unknown:
        """Whether a part was delivered."""
        if self.forgetful:
            return Unknown()
        receipt = self._receipts.get(part.key)
        return NotSent() if receipt is None else Sent(receipt)

    def split(self, reply: Reply) -> tuple[tuple[Part, ...], ...]:
        """A post for each piece of ``most`` characters, or one of all parts."""
        if not self.most:
            return (reply.parts,)
        return tuple(
            (msgspec.structs.replace(part, text=part.text[start : start + self.most]),)
            for part in reply.parts
            for start in range(0, max(1, len(part.text)), self.most)
        )

    async def draft(self, room: Room, turn: str, attempt: int, text: str) -> None:
        """Keep the piece."""
        self.drafts.append(Drafted(room, turn, attempt, text))
        self._notify()

    async def typing(self, room: Room, on: bool) -> None:
        """Keep it."""
        self.typings.append((room, on))

    def _deliver(self, part: ReplyPart) -> None:
        if part.key not in self._receipts:
            native = make_id(self.platform, "post", part.key)
            self._receipts[part.key] = Receipt(part.key, native, self.clock())
            self.sends.append(part)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
