"""Reminders and tasks for later: the agent is told something in this room when its time has come."""

from __future__ import annotations

from typing import Annotated

import msgspec

from carrier_actions_standard.arguments import Name, Sentence
from carrier_actions_standard.likeness import best, same
from carrier_actions_standard.times import in_words, when, zone_named
from carrier_actions_standard.words import refused, told, whose
from carrier_core import Action, ActionCall, ActionResult, CarrierError, Effect, NotSent, Schedule, Turn

_TIMES = (
    "“in 10 minutes”, “tomorrow at 9”, “on Monday at 8:30”, “2027-01-31T18:00”, “every day at 9”, “every 2 hours”, "
    "“cron 0 9 * * 1-5”"
)
MOST = 50
"""Reminders and tasks that one person may have in one room: a model in circles makes no more."""

_TOLD = 10  # reminders that are told where it is not clear which one is meant

When = Annotated[
    Name, msgspec.Meta(description=f"When, best in the person's own words: {_TIMES}. A day without a time is at nine.")
]


class Reminder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wants to be reminded of."""

    text: Annotated[Sentence, msgspec.Meta(description="What to be reminded of, best in the person's own words.")]
    when: When


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done later."""

    text: Annotated[
        Sentence, msgspec.Meta(description="What you are to do then, as you would be told: “Tell us the weather.”")
    ]
    when: When
    zone: Annotated[
        str,
        msgspec.Meta(
            max_length=100, description="The IANA time zone of that, such as Europe/Lisbon, if the person names one."
        ),
    ] = ""


class Cancelled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is not to happen any more."""

    what: Annotated[Name, msgspec.Meta(description="The words that tell the reminder from others: “the bank”.")]


class RemindMe(Action):
    """Tells the person something later."""

    name = "remind_me"
    similes = (
        "REMIND_ME",
        "REMIND",
        "SET_REMINDER",
        "REMINDER",
        "WAKE_ME",
        "WAKE",
        "ALERT_ME",
        "ALERT",
        "SET_ALARM",
        "ALARM",
        "TIMER",
        "SET_TIMER",
    )
    description = (
        "Remind the person of something later, in this room. The time is understood in the agent's time zone. To do something "
        "then instead of only saying it, use schedule."
    )
    examples = ("Ana: “Remind me to call the bank tomorrow at 9.” — text “call the bank”, when “tomorrow at 9”",)
    effect = Effect.WRITE
    arguments = Reminder
    idempotent = True  # the same schedule, of the same id

    def __init__(self, zone: str) -> None:
        self._zone = zone

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """It is set up at once and survives a restart; the result says when it is due."""
        given = call.read(Reminder)
        return await _set_up(turn, call, f"Reminder: {given.text.strip()}", given.when, self._zone)


class ScheduleTask(Action):
    """Has the agent do something later, once or again and again."""

    name = "schedule"
    similes = (
        "SCHEDULE",
        "SCHEDULE_TASK",
        "DO_LATER",
        "LATER",
        "PLAN_TASK",
        "REPEAT",
        "EVERY",
        "DAILY",
        "WEEKLY",
        "HOURLY",
        "TOMORROW",
    )
    description = (
        "Do something later or again and again: at that time you are told the text in this room, as if the person said it then, "
        "and you act on it. For a mere reminder, use remind_me."
    )
    examples = (
        "Ana: “Tell us the weather every day at 8.” — text “Tell us the weather.”, when “every day at 8”",
        "Ben: “Ask me on Friday evening how it went.” — text “Ask Ben how it went.”, when “on Friday evening”",
    )
    effect = Effect.WRITE
    arguments = Task
    idempotent = True

    def __init__(self, zone: str) -> None:
        self._zone = zone

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """As for a reminder."""
        given = call.read(Task)
        return await _set_up(turn, call, given.text.strip(), given.when, given.zone.strip() or self._zone)


class CancelReminder(Action):
    """Takes back a reminder or a task that the person has set up in this room."""

    name = "cancel_reminder"
    similes = (
        "CANCEL_REMINDER",
        "CANCEL",
        "UNSCHEDULE",
        "CANCEL_SCHEDULE",
        "DELETE_REMINDER",
        "REMOVE_REMINDER",
        "CLEAR_REMINDER",
        "STOP_REMINDING",
        "CALL_OFF",
    )
    description = (
        "Take back a reminder or a scheduled task that the person you are talking with has set up in this room."
    )
    examples = ("Ana: “You need not remind me of the bank any more.” — what “the bank”",)
    effect = Effect.WRITE
    arguments = Cancelled

    def __init__(self, zone: str) -> None:
        self._zone = zone_named(zone)

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """What was taken back; where it is not clear what is meant, what there is."""
        there, meant = await _meant(turn, call.read(Cancelled).what)
        if len(meant) != 1:
            lines = [f"- {self._described(schedule)}" for schedule in (meant or there)[:_TOLD]]
            problem = "Several fit; ask which is meant" if meant else "Nothing fits"
            return refused(
                call, "\n".join((f"{problem}. {turn.person.name} has set up here:", *(lines or ["nothing"])))
            )
        await turn.agent.host.store.journal.cancel(meant[0].id)
        return told(call, f"Taken back: {self._described(meant[0])}")

    async def find(self, turn: Turn, call: ActionCall) -> ActionResult | NotSent:
        """What is still set up was not taken back; what is not is."""
        what = call.read(Cancelled).what
        _, meant = await _meant(turn, what)
        return NotSent() if meant else told(call, f"Nothing that fits “{what}” is set up any more.")

    def _described(self, schedule: Schedule) -> str:
        return f"{schedule.text} ({in_words(schedule.next_at, self._zone)})"


async def _theirs(turn: Turn) -> list[Schedule]:
    """What the person has set up in this room, the next one first."""
    schedules = await turn.agent.host.store.journal.schedules(agent=turn.agent.name)
    return [each for each in schedules if (each.room.id, each.person.id) == (turn.room.id, turn.person.id)]


async def _meant(turn: Turn, what: str) -> tuple[list[Schedule], list[Schedule]]:
    """What the person has set up in this room, and what of that is meant by these words."""
    there = await _theirs(turn)
    exact = [schedule for schedule in there if same(schedule.text, what)]
    return there, exact or best(what, there, lambda schedule: schedule.text)


async def _set_up(turn: Turn, call: ActionCall, text: str, said: str, zone: str) -> ActionResult:
    """A schedule; what is wrong with its time is told to the model."""
    if len(await _theirs(turn)) >= MOST:
        return refused(call, f"It was not set up: {turn.person.name} has {MOST} here already. Take one back first.")
    try:
        known = zone_named(zone)
        origin = whose(turn, call, "text")
        schedule = await turn.schedule(text, when(said, turn.now, known), zone=str(known), provenance=origin)
    except ValueError as error:
        return refused(call, f"It was not set up: {error}.")
    except CarrierError as error:
        return refused(call, f"It was not set up: {error}")
    again = ", and then again and again" if not schedule.when.startswith("at ") else ""
    return told(call, f"It is set up for {in_words(schedule.next_at, known)}{again}.", data={"schedule": schedule.id})
