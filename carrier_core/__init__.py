"""Carrier: a daemon that hosts AI agents, in which every step of the message loop is a hook.

This is the public interface for plugins; all else is private, but for :mod:`carrier_core.recall`, which stores are built
on, and :mod:`carrier_core.testing`. Names are imported when they are first used, so that a plugin or a command pays only for
what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carrier_core._version import __version__
    from carrier_core.agent import AgentRuntime
    from carrier_core.archive import Embedded, Entry, Handled, Heard, Participant, Place, Queued, Resident, Retention
    from carrier_core.character import Character, CharacterView
    from carrier_core.contract import Verb, impl, method, step
    from carrier_core.eliza import eliza_values, render_view
    from carrier_core.errors import (
        CarrierError,
        ConfigError,
        Fenced,
        InDoubt,
        NotDone,
        PluginError,
        ProviderError,
        Rejected,
        Unavailable,
    )
    from carrier_core.host import Host
    from carrier_core.journal import (
        Appended,
        InboundRow,
        Intent,
        Journal,
        OpenTurn,
        Outgoing,
        Parking,
        Sending,
        StoredPart,
        Work,
    )
    from carrier_core.kept import Kept
    from carrier_core.ledger import parts_in, parts_of
    from carrier_core.memory import MemoryStore, Store
    from carrier_core.messages import (
        Attachment,
        Block,
        Drop,
        Entity,
        Inbound,
        InboundKind,
        Memory,
        MemoryKind,
        Message,
        NotSent,
        Part,
        PartKind,
        Query,
        Recalled,
        Receipt,
        Reply,
        ReplyPart,
        Room,
        RoomKind,
        Sent,
        Unknown,
        World,
        make_id,
        text_of,
    )
    from carrier_core.outcomes import Answer, Connection, Event, Outcome, Ran, Status, Step, StepRecord, TurnRecord
    from carrier_core.packing import deflate, inflate
    from carrier_core.prompts import (
        ActionCall,
        ActionResult,
        Authorization,
        Carry,
        Completion,
        Decision,
        Draft,
        Effect,
        Evaluation,
        Finish,
        Json,
        Prompt,
        PromptMessage,
        Ruling,
        Source,
        State,
        Then,
        Tool,
        Usage,
        Verdict,
    )
    from carrier_core.provenance import (
        AGENT,
        EVERYONE,
        OPERATOR,
        Audience,
        Provenance,
        Readers,
        derive,
        outside,
        person,
    )
    from carrier_core.records import Unrecognised, decode, encode
    from carrier_core.schedules import Missed, Schedule
    from carrier_core.settings import PluginSettings, secret, well_known
    from carrier_core.templates import SYSTEM_TEMPLATE, Rendered, render
    from carrier_core.things import (
        Accepted,
        Action,
        Client,
        ClientHost,
        Command,
        Context,
        Embedder,
        Evaluator,
        Kind,
        Provider,
        Recaller,
        Taken,
        Thing,
    )
    from carrier_core.turn import Turn

_HOME = {
    "_version": "__version__",
    "agent": "AgentRuntime",
    "archive": "Embedded Entry Handled Heard Participant Place Queued Resident Retention",
    "character": "Character CharacterView",
    "contract": "Verb impl method step",
    "eliza": "eliza_values render_view",
    "errors": "CarrierError ConfigError Fenced InDoubt NotDone PluginError ProviderError Rejected Unavailable",
    "host": "Host",
    "journal": "Appended InboundRow Intent Journal OpenTurn Outgoing Parking Sending StoredPart Work",
    "kept": "Kept",
    "ledger": "parts_in parts_of",
    "memory": "MemoryStore Store",
    "messages": "Attachment Block Drop Entity Inbound InboundKind Memory MemoryKind Message NotSent Part PartKind Query Recalled Receipt Reply ReplyPart Room RoomKind Sent Unknown World make_id text_of",
    "outcomes": "Answer Connection Event Outcome Ran Status Step StepRecord TurnRecord",
    "packing": "deflate inflate",
    "prompts": "ActionCall ActionResult Authorization Carry Completion Decision Draft Effect Evaluation Finish Json Prompt PromptMessage Ruling Source State Then Tool Usage Verdict",
    "provenance": "AGENT Audience EVERYONE OPERATOR Provenance Readers derive outside person",
    "records": "Unrecognised decode encode",
    "schedules": "Missed Schedule",
    "settings": "PluginSettings secret well_known",
    "templates": "Rendered SYSTEM_TEMPLATE render",
    "things": "Accepted Action Client ClientHost Command Context Embedder Evaluator Kind Provider Recaller Taken Thing",
    "turn": "Turn",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "AGENT",
    "EVERYONE",
    "OPERATOR",
    "SYSTEM_TEMPLATE",
    "Accepted",
    "Action",
    "ActionCall",
    "ActionResult",
    "AgentRuntime",
    "Answer",
    "Appended",
    "Attachment",
    "Audience",
    "Authorization",
    "Block",
    "CarrierError",
    "Carry",
    "Character",
    "CharacterView",
    "Client",
    "ClientHost",
    "Command",
    "Completion",
    "ConfigError",
    "Connection",
    "Context",
    "Decision",
    "Draft",
    "Drop",
    "Effect",
    "Embedded",
    "Embedder",
    "Entity",
    "Entry",
    "Evaluation",
    "Evaluator",
    "Event",
    "Fenced",
    "Finish",
    "Handled",
    "Heard",
    "Host",
    "InDoubt",
    "Inbound",
    "InboundKind",
    "InboundRow",
    "Intent",
    "Journal",
    "Json",
    "Kept",
    "Kind",
    "Memory",
    "MemoryKind",
    "MemoryStore",
    "Message",
    "Missed",
    "NotDone",
    "NotSent",
    "OpenTurn",
    "Outcome",
    "Outgoing",
    "Parking",
    "Part",
    "PartKind",
    "Participant",
    "Place",
    "PluginError",
    "PluginSettings",
    "Prompt",
    "PromptMessage",
    "Provenance",
    "Provider",
    "ProviderError",
    "Query",
    "Queued",
    "Ran",
    "Readers",
    "Recalled",
    "Recaller",
    "Receipt",
    "Rejected",
    "Rendered",
    "Reply",
    "ReplyPart",
    "Resident",
    "Retention",
    "Room",
    "RoomKind",
    "Ruling",
    "Schedule",
    "Sending",
    "Sent",
    "Source",
    "State",
    "Status",
    "Step",
    "StepRecord",
    "Store",
    "StoredPart",
    "Taken",
    "Then",
    "Thing",
    "Tool",
    "Turn",
    "TurnRecord",
    "Unavailable",
    "Unknown",
    "Unrecognised",
    "Usage",
    "Verb",
    "Verdict",
    "Work",
    "World",
    "__version__",
    "decode",
    "deflate",
    "derive",
    "eliza_values",
    "encode",
    "impl",
    "inflate",
    "make_id",
    "method",
    "outside",
    "parts_in",
    "parts_of",
    "person",
    "render",
    "render_view",
    "secret",
    "step",
    "text_of",
    "well_known",
]


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'carrier_core' has no attribute {name!r}")
    value = getattr(import_module(f"carrier_core.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
