"""What plugins register: clients, providers, stores' companions, actions, context, evaluators, kinds, commands.

A thing is an object with a name. The host calls its methods through dispatch, under the name of the plugin that
registered it, with the budget that stands beside each method here. Subclass and override; what has a body is optional.
"""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from carrier_core.contract import method
from carrier_core.messages import (
    Inbound,
    NotSent,
    Part,
    Query,
    Recalled,
    Receipt,
    Reply,
    ReplyPart,
    Role,
    Room,
    Sent,
    Unknown,
)
from carrier_core.parameters import misfit, schema_of, violation
from carrier_core.prompts import ActionCall, ActionResult, Completion, Draft, Effect, Evaluation, Json, Prompt, State
from carrier_core.provenance import Readers

if TYPE_CHECKING:
    from carrier_core.turn import Turn


class Thing:
    """``name`` is unique among things of its sort. ``clients`` limits it to turns that came in through these clients, ``kinds`` to
    agents of these kinds."""

    name: str
    clients: frozenset[str] | None = None
    kinds: frozenset[str] | None = None


# --- clients ---------------------------------------------------------------------------------------------------------


class Taken(msgspec.Struct, frozen=True):
    """That one agent heard an inbound: its place in the room, the turn that will answer it, whether it was new."""

    agent: str
    seq: int
    turn: str
    is_new: bool


class Accepted(msgspec.Struct, frozen=True):
    """The host's word that an inbound is safe: who heard it, or why nobody did. ``resumed`` is the turn that waited for it and goes
    on now."""

    heard: tuple[Taken, ...] = ()
    reason: str = ""
    resumed: str = ""


class ClientHost(Protocol):
    """The host as a client sees it. It may be in another process: a client must not reach around it."""

    @property
    def agents(self) -> tuple[str, ...]:
        """The names of the agents that this client speaks for, the default one first."""

    async def accept(self, inbound: Inbound) -> Accepted:
        """Hand over what came in; returns once that is durable, so that the platform may be told."""

    async def wait(self, turn: str) -> dict[str, Json]:
        """Wait until a turn has ended or parked; what ``carrierd chat --json`` prints. Its reply was delivered then, unless the
        client could not take it yet: it waits in the outbox."""

    async def why(self, turn: str) -> dict[str, Json]:
        """What ``carrierd why TURN --json`` prints. A CarrierError if there is no such turn."""

    async def status(self) -> dict[str, Json]:
        """What the daemon is doing: agents, clients, plugins, turns that run."""

    async def reset(self, agent: str, room: str) -> int:
        """Forget the conversation of a room; returns how many memories that were."""


class Client(Thing, ABC):
    """A way in and out: a platform, an API, a terminal.

    ``platform`` is what ids are made with. ``interactive`` clients talk with the person at this terminal: ``carrierd chat``
    runs them, the daemon does not. ``retracts`` says that a draft shown can be replaced, so replies may be streamed.
    ``idempotent`` says that the platform takes ``part.key`` for what it is: the same part sent twice appears once.
    """

    platform: str
    interactive: bool = False
    retracts: bool = False
    idempotent: bool = False

    def configure(self, *, agent: str, room: str, person: str) -> None:
        """Called before ``run``, on an interactive client only: whom to talk with, in which room, and as whom."""

    @abstractmethod
    async def run(self, host: ClientHost, started: Callable[[], None]) -> None:
        """Connect, call ``started`` once when messages can come, and go on until cancelled.

        An interactive client returns when the person leaves. A failure is restarted by the host, with backoff.
        """

    @abstractmethod
    @method(budget=60.0, effects=True)
    async def send(self, part: ReplyPart) -> Receipt:
        """Deliver one part; ``part.key`` is to be passed on where the platform takes an idempotency key.

        NotDone: try again. Rejected: never. InDoubt: nobody can tell.
        """

    @method(budget=30.0)
    async def find(self, part: ReplyPart) -> Sent | NotSent | Unknown:
        """Whether the platform has a part whose delivery is in doubt."""
        return Unknown()

    @method(budget=60.0)
    async def backlog(self, room: Room, since: float) -> tuple[Inbound, ...]:
        """What was said in a room since a time, for catching up; with overlap: the dedupe key decides."""
        return ()

    def split(self, reply: Reply) -> tuple[tuple[Part, ...], ...]:
        """Cut a reply into what the platform takes in one post. Pure: the same reply gives the same parts."""
        return (reply.parts,)

    @method(budget=5.0)
    async def draft(self, room: Room, turn: str, attempt: int, text: str) -> None:
        """Show a piece of the draft of a reply. A higher attempt replaces what was shown, and so does the first piece that comes
        after a restart; ``send`` brings the reply."""

    @method(budget=5.0)
    async def typing(self, room: Room, on: bool) -> None:
        """Show that the agent is composing an answer, or that it stopped."""


# --- models ------------------------------------------------------------------------------------------------------------


class Provider(Thing, ABC):
    """An LLM service. ``models`` maps classes (``large``, ``small``...) to its default model names.

    ``last_resort`` providers are chosen only where no other is ready. ``billed_as`` is the name under which tables of prices
    know the service; without one, what its models cost is only known where the configuration says it. ``free`` says that
    asking it costs nothing.
    """

    models: Mapping[str, str]
    last_resort: bool = False
    billed_as: str = ""
    free: bool = False

    def missing(self) -> str:
        """What keeps it from working, as a sentence with the remedy (no key is set...); empty when it is ready."""
        return ""

    @abstractmethod
    @method(budget=600.0, effects=True)
    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        """Ask the model. Call ``emit`` with each piece of text as it arrives; return the whole completion.

        The completion names provider and model and has the usage. Anything that keeps it from being complete is a
        ProviderError: a stream that ends without a reason to finish is not an answer.
        """


class Embedder(Thing, ABC):
    """A service that turns texts into vectors of ``dimension`` numbers.

    Its name is that of a provider and of a model, ``provider/model``, where what it does counts as theirs: in rate limits,
    budgets and prices. ``billed_as`` and ``free`` are as with a provider.
    """

    dimension: int
    billed_as: str = ""
    free: bool = False

    @abstractmethod
    @method(budget=60.0, effects=True)
    async def embed(self, texts: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
        """A vector for each text, in order."""


# --- the loop ------------------------------------------------------------------------------------------------------------


class Action(Thing, ABC):
    """Something that an agent can do, offered to the model as a tool.

    ``arguments`` is a struct of what it takes, from which the JSON schema in ``parameters`` is made; an action that has none
    writes ``parameters``, a schema of type object, itself. Arguments that do not fit never get to ``perform``. ``examples`` are
    sentences that show when it is called, ``similes`` other names by which a model or a person may know it.

    ``effect`` says what it does to the world and is what policy judges by. ``destination`` names the arguments that say where it
    goes (an address, a URL); where that is None, those of anything but a read are known by their names. A read that declares some
    tells that place something, as a URL does. ``role`` is what the person has to be at least.
    ``origins`` are those of its name, description and schema where they come from elsewhere than the plugin: from a server, say.

    Before anything but a read its intent is written down, with ``call.key``. Where the record of how it ended is missing
    (the process died), ``find`` is asked; where that cannot tell, it is performed again if it is ``idempotent``: it does
    nothing twice under one key. Otherwise it is reported as in doubt, to the model and to the operator. ``seconds`` is how
    long it may take, 60 where that is None.
    """

    description: str
    parameters: Mapping[str, Json]
    effect: Effect
    arguments: type[msgspec.Struct] | None = None
    similes: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    destination: tuple[str, ...] | None = None
    role: Role = Role.GUEST
    seconds: float | None = None
    idempotent: bool = False
    origins: tuple[str, ...] = ()

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        declared = cls.__dict__.get("arguments")
        if isinstance(declared, type) and "parameters" not in cls.__dict__:
            cls.parameters = cls.schema(declared)

    @staticmethod
    def schema(arguments: type[msgspec.Struct]) -> dict[str, Json]:
        """The JSON schema of such arguments."""
        return schema_of(arguments)

    @method(budget=1.0)
    async def validate(self, turn: Turn) -> bool | None:
        """Whether it can be used in this turn. A no means that it is not offered, and cannot run even if it is named."""
        return True

    def check(self, arguments: dict[str, Json]) -> str:
        """What is wrong with the arguments of a call, for the model; empty if nothing is. Pure."""
        if self.arguments is not None:
            return misfit(arguments, self.arguments)
        return violation(arguments, self.parameters)

    @method(budget=2.0)
    async def readers(self, turn: Turn, call: ActionCall) -> Readers | None:
        """Who would read what the call says, where it says something in a room of this host; None where it does not."""
        return None

    @abstractmethod
    @method(budget=60.0, effects=True)
    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """Do it. NotDone, Rejected or InDoubt say how it failed; any other exception is reported to the model as such."""

    @method(budget=30.0)
    async def find(self, turn: Turn, call: ActionCall) -> ActionResult | NotSent | Unknown:
        """Whether a call that is in doubt was carried out: its result, or that it was not, or that nobody can tell."""
        return Unknown()


class Context(Thing, ABC):
    """Something that adds to the state of a turn: the time, the last messages, what is remembered.

    What is ``dynamic`` is not in the prompt by itself: the model is told its name and ``description``, and asks for it when it
    needs it. ``size`` bounds what it brings, in characters: parts beyond it are left out, and said to be.
    """

    dynamic: bool = False
    description: str = ""
    size: int | None = None

    @abstractmethod
    @method(budget=2.0)
    async def provide(self, turn: Turn) -> State | None:
        """The parts to add, or None. Parts are sorted by their ``order`` and shown under their ``key``."""


class Evaluator(Thing, ABC):
    """A judge of drafts."""

    @abstractmethod
    @method(budget=10.0)
    async def evaluate(self, turn: Turn, draft: Draft) -> Evaluation | None:
        """A verdict, or None for nothing to say. Pure: it changes nothing."""


class Recaller(Thing, ABC):
    """A memory service beside the store, fed from events. What it finds is fused with what the store recalls."""

    @abstractmethod
    @method(budget=2.0)
    async def recall(self, query: Query) -> tuple[Recalled, ...] | None:
        """The memories that answer the query, best first. Those that the readers may not know are taken out by the host."""


class Kind(Thing, ABC):
    """A kind of agent: it says when the rounds of a turn are over, and what is told of one that could not end by itself.

    ``rounds``, ``calls`` and ``seconds`` bound a turn where the operator sets nothing else. ``brief`` is what the model is told
    of its work in every turn. ``thinks`` says that what a model writes between its calls is thought: kept for the rounds that
    follow and for ``why``, and said only where a turn ends without anything else to say. ``urges`` is how often in a row such
    a model is asked again although it called nothing.
    """

    rounds: int = 8
    calls: int = 64
    seconds: float = 300.0
    brief: str = ""
    thinks: bool = False
    urges: int = 0

    @abstractmethod
    def goes_on(self, draft: Draft) -> bool:
        """Whether the model is asked again after this round, within the agent's limits. Pure."""

    def urge(self, draft: Draft, left: int) -> str:
        """What the model is told when it is asked again after this draft, beside the results of its calls; ``left`` is how many
        rounds the turn has. Empty for nothing. Pure."""
        return ""

    def ending(self, draft: Draft) -> str:
        """How a turn ended with this draft, in words, which the record keeps as its reason. Empty for nothing. Pure."""
        return ""

    def report(self, limit: str, calls: tuple[ActionCall, ...], results: tuple[ActionResult, ...]) -> str:
        """What the room is told of a turn that was ended by a ``limit`` (in words; empty for a failure) after these calls. Empty for
        what an agent says of any turn that fails. Pure."""
        return ""


class Command(Thing, ABC):
    """A command of ``carrierd``. ``help`` is its line in ``carrierd --help``."""

    help: str

    @abstractmethod
    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Declare its arguments."""

    @abstractmethod
    def run(self, args: argparse.Namespace) -> int:
        """Run it; returns the exit code (sysexits)."""
