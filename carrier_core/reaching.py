"""Reaching people beside the reply: what is said while a turn goes on, and what is posted in other rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from carrier_core import specs
from carrier_core.contract import CORE
from carrier_core.dispatch import running
from carrier_core.errors import CarrierError, NotDone, PluginError, Rejected
from carrier_core.journal import Outgoing
from carrier_core.messages import Block, Memory, MemoryKind, Part, Receipt, Reply, ReplyPart, Room, make_id
from carrier_core.provenance import Audience, Provenance, derive

if TYPE_CHECKING:
    from carrier_core.turn import Turn


async def say(turn: Turn, text: str, provenance: Provenance | None = None) -> None:
    """See :meth:`~carrier_core.turn.Turn.say`."""
    name = turn.progress.numbered(f"{turn.progress.step}/say")
    if await turn.progress.recorded(name) is not None:
        return
    part = voiced(turn, Part(text, "progress", provenance), "say")
    if part.provenance is None or not await turn.admits(part.provenance.audience):
        raise CarrierError("Not everyone in this room may know what was to be said there.")
    said: object = await turn.hooks.transform(
        turn.table.caller(specs.transform_reply), turn, Reply((part,), turn.message.id)
    )
    if isinstance(said, Block) or not isinstance(said, Reply):
        return
    key = make_id("reply", turn.id, name)
    rows = tuple(
        Outgoing(_post(turn, turn.room, turn.client, content, make_id(key, str(number)), number, said.reply_to))
        for number, content in enumerate(turn.agent.split(turn.client, said))
    )
    kept = await _kept(turn, turn.room, said.parts, make_id("memory", turn.id, name))
    if kept is not None:
        turn.progress.learned.append(kept)
    await turn.progress.post(name, said, rows)


async def deliver(turn: Turn, room: Room, text: str, provenance: Provenance | None = None) -> Receipt:
    """See :meth:`~carrier_core.turn.Turn.deliver`."""
    name = turn.progress.numbered(f"{turn.progress.step}/deliver")
    client = turn.client if room.id == turn.room.id else turn.agent.host.clients.serving(room)
    if not client:
        raise NotDone(f"No client that runs here leads to {room.name}, on {room.platform}.")
    if not turn.agent.hears(client):
        raise Rejected(f"This agent is not reached by the client {client}, so it does not speak there.")
    part = voiced(turn, Part(text, "message", provenance), "deliver")
    # Before it is delivered: what a guard does not let be remembered is not said, and what was said has not failed.
    kept = await _kept(turn, room, (part,), make_id("memory", turn.id, name))
    post = _post(turn, room, client, (part,), make_id("reply", turn.id, name), 0, "")
    answer = await turn.hooks.first(turn.table.caller(specs.deliver), turn, post)
    if answer is None:
        raise NotDone("No hook delivered it.")
    if kept is not None:
        turn.progress.learned.append(kept)
    return answer.value


async def kept_back(turn: Turn, part: Part) -> str:
    """Why a question may not be asked, empty if it may: a guard of replies keeps it back, or cannot tell. What a hook makes of its
    words does not count, because they are what is answered."""
    reply = Reply((part,), turn.message.id)
    try:
        judged: object = await turn.hooks.transform(turn.table.caller(specs.transform_reply), turn, reply)
    except PluginError as error:
        return error.message.rstrip(".")
    return (judged.reason or "a guard keeps it back") if isinstance(judged, Block) else ""


def voiced(turn: Turn, part: Part, hook: str) -> Part:
    """What a hook has the agent say: of all that led to it, and of whoever it says that the words are of. Words that it does not
    label come from outside."""
    impl = running.get()
    plugin, where = (impl.plugin, impl.hook) if impl is not None else (CORE, hook)
    stamped = turn.stamp.part(part, plugin, where)
    own = stamped.provenance or turn.stamp.unlabelled(plugin, where)
    whole = derive((turn.stamp.completion_of(turn.prompt, CORE, hook), own), plugin=CORE, hook=hook)
    return turn.stamp.part(msgspec.structs.replace(stamped, provenance=whole), CORE, hook)


def _post(
    turn: Turn, room: Room, client: str, content: tuple[Part, ...], key: str, number: int, reply_to: str
) -> ReplyPart:
    return ReplyPart(key, turn.id, turn.agent.name, room, content, client=client, number=number, reply_to=reply_to)


async def _kept(turn: Turn, room: Room, parts: tuple[Part, ...], key: str) -> Memory | None:
    """The memory of what is said, as the agent's own words in that room; None if a hook drops it. Who reads it there may know it."""
    origins = tuple(sorted({origin for part in parts if part.provenance for origin in part.provenance.origins}))
    memory = Memory(
        key,
        turn.agent.name,
        room.id,
        MemoryKind.MESSAGE,
        parts,
        max(turn.now, turn.agent.host.clock()),
        Provenance(origins, Audience((room.id,)), CORE, "say"),
        entity=turn.agent.entity(room.platform).id,
        name=turn.agent.character.name,
        by_agent=True,
        turn=turn.id,
        reply_to=turn.memory_id if room.id == turn.room.id else "",
    )
    return await turn.keep(memory)
