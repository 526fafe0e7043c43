"""The hooks: every step of the loop, in its order. The reference in ``docs/hooks.md`` is generated from here.

Each states its verb (see :mod:`carrier_core.dispatch`), the seconds that one dispatch may take, and in its docstring when
it is called, what to return, what None means and what a failure does. An implementation may leave out arguments that it
does not need.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from carrier_core.contract import Verb, step
from carrier_core.memory import Store
from carrier_core.messages import Block, Drop, Inbound, Memory, Query, Recalled, Receipt, Reply, ReplyPart
from carrier_core.outcomes import Connection, Event, Outcome, Step
from carrier_core.prompts import (
    ActionCall,
    ActionResult,
    Authorization,
    Completion,
    Decision,
    Draft,
    Evaluation,
    Prompt,
    State,
)
from carrier_core.things import Action, Client, Command, Context, Embedder, Evaluator, Kind, Provider, Recaller

if TYPE_CHECKING:
    from carrier_core.agent import AgentRuntime
    from carrier_core.host import Host
    from carrier_core.turn import Turn

Settings = object
"""The plugin's own settings: an instance of the class that it names ``Settings``, or None where it has none."""

# --- registration: sync, once, at start ----------------------------------------------------------------------------------


@step(Verb.GATHER)
def register_clients(settings: Settings) -> Sequence[Client] | Client | None:
    """Called once when the host starts. Return the clients that the plugin brings; None is none of them.

    A failure disables the plugin, and stops the start if the plugin is required.
    """


@step(Verb.GATHER)
def register_providers(settings: Settings) -> Sequence[Provider] | Provider | None:
    """Called once when the host starts. Return the model providers that the plugin brings; None is none of them.

    A provider that lacks its key is registered all the same and says so in ``missing``. A failure disables the plugin.
    """


@step(Verb.GATHER)
def register_embedders(settings: Settings) -> Sequence[Embedder] | Embedder | None:
    """Called once when the host starts. Return the embedders that the plugin brings; None is none of them.

    A failure disables the plugin.
    """


@step(Verb.GATHER)
def register_stores(settings: Settings) -> Sequence[Store] | Store | None:
    """Called once when the host starts. Return the stores (journal and memory) that the plugin brings.

    One of them is opened: the one that ``[memory] store`` names, or the only one. A failure disables the plugin.
    """


@step(Verb.GATHER)
def register_recallers(settings: Settings) -> Sequence[Recaller] | Recaller | None:
    """Called once when the host starts. Return the memory services beside the store; None is none of them.

    A failure disables the plugin.
    """


@step(Verb.GATHER)
def register_actions(settings: Settings) -> Sequence[Action] | Action | None:
    """Called once when the host starts. Return the actions that the plugin brings; None is none of them.

    A failure disables the plugin.
    """


@step(Verb.GATHER)
def register_context(settings: Settings) -> Sequence[Context] | Context | None:
    """Called once when the host starts. Return the context that the plugin brings; None is none of it.

    A failure disables the plugin. For a single contribution, implementing ``provide_state`` is enough.
    """


@step(Verb.GATHER)
def register_evaluators(settings: Settings) -> Sequence[Evaluator] | Evaluator | None:
    """Called once when the host starts. Return the evaluators that the plugin brings; None is none of them.

    A failure disables the plugin. For a single verdict, implementing ``evaluate`` is enough.
    """


@step(Verb.GATHER)
def register_kinds(settings: Settings) -> Sequence[Kind] | Kind | None:
    """Called once when the host starts. Return the kinds of agent that the plugin brings; None is none of them.

    A failure disables the plugin.
    """


@step(Verb.GATHER)
def register_commands(settings: Settings) -> Sequence[Command] | Command | None:
    """Called by the command line when a command is not its own. Return the commands that the plugin brings.

    A failure disables the plugin.
    """


# --- 1 initialisation ------------------------------------------------------------------------------------------------------


@step(Verb.ORDERED, budget=30.0)
async def start_host(host: Host, settings: Settings) -> None:
    """Called when the store is open and before any agent starts, plugin after plugin. Open what the plugin needs.

    A failure leaves the plugin out; if it is required, what was started is stopped in reverse and the start fails.
    """


@step(Verb.ORDERED, budget=10.0)
async def stop_host(host: Host) -> None:
    """Called when the host stops, in reverse order, for each plugin whose start succeeded. Close what was opened.

    A failure is logged and the stop goes on.
    """


@step(Verb.ORDERED, budget=30.0)
async def start_agent(agent: AgentRuntime) -> None:
    """Called for each agent before it hears anything, plugin after plugin.

    A failure is reported and the agent runs without the plugin's preparation; if the plugin is required, the start fails.
    """


@step(Verb.ORDERED, budget=10.0)
async def stop_agent(agent: AgentRuntime) -> None:
    """Called for each agent when it stops, in reverse order. A failure is logged and the stop goes on."""


# --- 2 reception -------------------------------------------------------------------------------------------------------------


@step(Verb.TRANSFORM, budget=2.0)
async def receive(inbound: Inbound) -> Inbound | Drop | None:
    """Called with whatever a client hands over, once, before it is stored and whoever it is for.

    Return a rewritten inbound, or ``Drop(reason)`` to let it go no further; None keeps it. A failure keeps it as it was;
    a failing guard drops it.
    """


# --- 3 connection and storage --------------------------------------------------------------------------------------------------


@step(Verb.FIRST, budget=2.0)
async def ensure_connection(turn: Turn) -> Connection | None:
    """Called first in a turn: who spoke, in which room of which world. What is returned is stored.

    None leaves it to the next; the default reads it off the inbound. A failure falls through.
    """


@step(Verb.TRANSFORM, budget=2.0)
async def transform_memory(turn: Turn, memory: Memory) -> Memory | Drop | None:
    """Called before anything is stored: the message, the reply, a fact. Return what to store instead, or ``Drop(reason)``.

    None keeps it. Its id, agent and room, and who brought it, stay as they were. A failure keeps it as it was.
    """


# --- 4a whether to answer --------------------------------------------------------------------------------------------------------


@step(Verb.FIRST, budget=30.0)
async def decide(turn: Turn) -> Decision | None:
    """Called before any state is composed; an implementation that needs it may await ``turn.compose()``.

    None leaves it to the next; the default answers in a DM, and elsewhere when the agent is addressed. A failure falls
    through.
    """


# --- 3c state, 3d prompt ---------------------------------------------------------------------------------------------------------


@step(Verb.COLLECT, budget=5.0)
async def provide_state(turn: Turn) -> State | None:
    """Called in each round. Return parts to add to the state, ``State.of(weather="It rains.")``; None adds nothing.

    Parts without provenance count as coming from outside. A failure costs only its own parts. The default asks all
    registered context.
    """


@step(Verb.FIRST, budget=3.0)
async def recall(turn: Turn, query: Query) -> tuple[Recalled, ...] | None:
    """Called when context asks what is remembered about something. Return the memories, best first.

    None leaves it to the next; the default fuses the store and the registered recallers. What the readers may not know is
    taken out of any answer by the host. A failure falls through.
    """


@step(Verb.TRANSFORM, budget=2.0)
async def transform_state(turn: Turn, state: State) -> State | None:
    """Called with all that was collected, in order. Return another state; None keeps it. A failure keeps it."""


@step(Verb.FIRST, budget=5.0)
async def assemble_prompt(turn: Turn, state: State) -> Prompt | None:
    """Called to make the prompt of a round. None leaves it to the next; the default renders the character's template,
    the conversation and what context brought. A failure falls through."""


@step(Verb.TRANSFORM, budget=2.0)
async def transform_prompt(turn: Turn, prompt: Prompt) -> Prompt | None:
    """Called with the prompt before it goes to the model. Return another prompt; None keeps it. A failure keeps it."""


# --- 4b response -----------------------------------------------------------------------------------------------------------------


@step(Verb.FIRST, budget=600.0, effects=True)
async def generate(turn: Turn, prompt: Prompt) -> Completion | None:
    """Called to get the completion of a round. None, before any effect, leaves it to the next; the default asks the
    provider that the agent's model class maps to. A failure ends the step: the turn fails visibly."""


@step(Verb.TRANSFORM, budget=2.0)
async def transform_completion(turn: Turn, completion: Completion) -> Completion | None:
    """Called with what the model answered. Return another completion; None keeps it. A failure keeps it."""


# --- 5 actions --------------------------------------------------------------------------------------------------------------------


@step(Verb.STRICTEST, budget=5.0)
async def authorize(turn: Turn, call: ActionCall) -> Authorization | None:
    """Called innermost, on the exact arguments that ``perform`` will get. Deny counts over ask, ask over allow.

    None has no opinion; a failure denies. The default is the policy, which also judges where nobody else does.
    """


@step(Verb.FIRST, budget=120.0, effects=True)
async def perform(turn: Turn, call: ActionCall) -> ActionResult | None:
    """Called for an authorized call. None, before any effect, leaves it to the next; the default performs the registered
    action of that name. A failure ends the step and is reported to the model."""


# --- 6 evaluation -------------------------------------------------------------------------------------------------------------------


@step(Verb.COLLECT, budget=15.0)
async def evaluate(turn: Turn, draft: Draft) -> Evaluation | None:
    """Called with the draft of a round: pass, revise (with feedback, for another round), block, or follow up.

    None has nothing to say. Pure. A failure costs only its own verdict; a failing guard blocks the draft. The default asks
    all registered evaluators.
    """


# --- 7 reply and memory ---------------------------------------------------------------------------------------------------------------


@step(Verb.TRANSFORM, budget=2.0)
async def transform_reply(turn: Turn, reply: Reply) -> Reply | Block | None:
    """Called with the reply before it is stored and delivered. Return another, or ``Block(reason)``: nothing is sent.

    None keeps it. A failure keeps it; a failing guard stops it.
    """


@step(Verb.FIRST, budget=120.0, effects=True)
async def deliver(turn: Turn, part: ReplyPart) -> Receipt | None:
    """Called with each part that the client's ``split`` made. None, before any effect, leaves it to the next; the default
    hands it to the client. A failure ends the step and is recorded."""


@step(Verb.COLLECT, budget=60.0)
async def reflect(turn: Turn, outcome: Outcome) -> tuple[Memory, ...] | None:
    """Called after the reply was handed to its client (one that it cannot take yet is sent later): what is to be
    remembered of the turn. Return memories to store; None is none.

    A failure costs only its own.
    """


# --- any step -----------------------------------------------------------------------------------------------------------------------


@step(Verb.AROUND, budget=10.0)
async def around_turn(turn: Turn, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Wraps a whole turn. Await ``call()`` at most once and return an outcome. A failure fails the turn, visibly.

    The budget counts the time outside ``call``.
    """
    return await call()


@step(Verb.AROUND, budget=5.0)
async def around_step(turn: Turn, step: Step, call: Callable[[], Awaitable[object]]) -> object:
    """Wraps each step. Await ``call()`` at most once and return the step's value, or another of its type.

    ``step.replayed`` says that the value was recorded earlier, which a wrapper cannot change. A failure fails the turn,
    visibly. The budget counts the time outside ``call``.
    """
    return await call()


# --- events: at most once, off the path --------------------------------------------------------------------------------------------------


@step(Verb.OBSERVE)
async def message_received(event: Event) -> None:
    """An inbound was stored. ``data``: kind, seq. Failures change nothing; slow watchers miss events."""


@step(Verb.OBSERVE)
async def message_dropped(event: Event) -> None:
    """An inbound went no further. ``data``: reason."""


@step(Verb.OBSERVE)
async def room_joined(event: Event) -> None:
    """Somebody was seen in a room for the first time. ``data``: entity, name."""


@step(Verb.OBSERVE)
async def step_completed(event: Event) -> None:
    """A step of a turn was recorded. ``data``: step, duration_ms."""


@step(Verb.OBSERVE)
async def model_called(event: Event) -> None:
    """A model answered. ``data``: provider, model, input, output (tokens)."""


@step(Verb.OBSERVE)
async def action_performed(event: Event) -> None:
    """An action was performed, or refused. ``data``: name, ok."""


@step(Verb.OBSERVE)
async def turn_completed(event: Event) -> None:
    """A turn ended as it should. ``data``: status, duration_ms."""


@step(Verb.OBSERVE)
async def turn_failed(event: Event) -> None:
    """A turn failed, visibly. ``data``: reason."""


@step(Verb.OBSERVE)
async def plugin_failed(event: Event) -> None:
    """An implementation raised, hung, lied or was quarantined. ``data``: hook, how, message."""
