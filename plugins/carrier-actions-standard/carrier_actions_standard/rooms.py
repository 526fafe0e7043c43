"""Taking part: to follow a room or not, to be muted in it or not."""

from __future__ import annotations

from carrier_actions_standard.arguments import NoArguments
from carrier_actions_standard.stance import FOLLOWED, MUTED, USUAL, changed, standing
from carrier_actions_standard.words import claimed, refused, told
from carrier_core import EVERYONE, Action, ActionCall, ActionResult, Effect, Json, MemoryKind, Provenance, Turn


class Standing(Action):
    """An action that changes the stance in the room where it is called.

    ``stance`` is what it makes of it, ``only`` the one that it ends (empty: any), ``done`` and ``already`` what the model is told.
    """

    effect = Effect.WRITE
    arguments = NoArguments
    idempotent = True  # the same memory is written again
    stance: str
    only: str = ""
    done: str
    already: str

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The stance is remembered; it counts from the next message on."""
        now = await standing(turn)
        if now == self.stance or (self.only and now != self.only):
            return told(call, self.already)
        # It says nothing but how the agent takes part here, which everyone in the room sees: so everyone there may know it.
        origins = claimed(call.provenance)
        provenance = None if origins is None else Provenance(origins.origins, EVERYONE)
        data: Json = {"stance": self.stance}
        kept = await turn.remember(
            self.stance, kind=MemoryKind.STANCE, data=data, key=turn.room.id, provenance=provenance
        )
        changed(turn)
        if kept is None:
            return refused(call, "Nothing was changed: a plugin of this agent keeps it from being remembered.")
        return told(call, self.done)


class FollowRoom(Standing):
    """The agent answers whatever is said in the room."""

    name = "follow_room"
    similes = (
        "FOLLOW_ROOM",
        "FOLLOW",
        "FOLLOW_CHAT",
        "FOLLOW_CHANNEL",
        "FOLLOW_CONVERSATION",
        "FOLLOW_THREAD",
        "JOIN_IN",
    )
    description = (
        "Take part in this room from now on: you are then asked to answer whatever is said here, not only what is said to you. "
        "Only when somebody in the room asks you to join in, to follow or to listen along."
    )
    examples = ("Ana: “Robin, please follow this channel.”", "Ben: “Join in whenever you like.”")
    stance = FOLLOWED
    done = "From now on you take part in this room."
    already = "You take part in this room already."


class UnfollowRoom(Standing):
    """The agent answers in the room only who addresses it, as usual."""

    name = "unfollow_room"
    similes = (
        "UNFOLLOW_ROOM",
        "UNFOLLOW",
        "UNFOLLOW_CHAT",
        "UNFOLLOW_CHANNEL",
        "UNFOLLOW_CONVERSATION",
        "UNFOLLOW_THREAD",
        "STOP_FOLLOWING",
    )
    description = (
        "Stop taking part in everything that is said in this room: you then answer only who speaks to you. When somebody asks "
        "you to stop following, or to speak only when you are spoken to."
    )
    examples = ("Ana: “Robin, stop following this channel.”", "Ben: “Only answer when you are asked.”")
    stance = USUAL
    only = FOLLOWED
    done = "From now on you answer here only who speaks to you."
    already = "You did not follow this room: you answer here only who speaks to you, or calls you if it is muted."


class MuteRoom(Standing):
    """The agent answers nobody in the room but who calls it."""

    name = "mute_room"
    similes = (
        "MUTE_ROOM",
        "MUTE",
        "MUTE_CHAT",
        "MUTE_CHANNEL",
        "MUTE_CONVERSATION",
        "MUTE_THREAD",
        "BE_QUIET",
        "SHUT_UP",
    )
    description = (
        "Be silent in this room from now on, until somebody calls you by a mention, or begins a message with your name, and asks you "
        "to unmute. When somebody asks you to be quiet here, or where you only disturb."
    )
    examples = ("Ana: “Robin, mute this channel.”", "Ben: “Be quiet, please, we are working.”")
    stance = MUTED
    done = "From now on you are silent in this room, until somebody calls you."
    already = "This room is muted already."


class UnmuteRoom(Standing):
    """The agent is no longer muted in the room."""

    name = "unmute_room"
    similes = ("UNMUTE_ROOM", "UNMUTE", "UNMUTE_CHAT", "UNMUTE_CHANNEL", "UNMUTE_CONVERSATION", "UNMUTE_THREAD")
    description = "Speak again in a room that is muted, as before. Only when somebody there asks you to."
    examples = ("Ana: “Robin, you can talk again.”", "Ben: “@Robin unmute”")
    stance = USUAL
    only = MUTED
    done = "The room is no longer muted: you answer again who speaks to you."
    already = "This room is not muted."
