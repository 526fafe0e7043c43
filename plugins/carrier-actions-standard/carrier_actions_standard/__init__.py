"""The actions of every agent: to talk or be silent, to take part in rooms, to remember, to be on time, to reach a goal.

A conversation needs none of them: what a model writes is its reply. They are for what writing alone cannot say. Models and
characters that know them from ElizaOS find its names among the similes.
"""

from __future__ import annotations

from carrier_actions_standard.settings import Settings
from carrier_actions_standard.stance import decide
from carrier_core import Action, impl

__version__ = "0.1.0"
__all__ = ["Settings", "decide", "register_actions"]


@impl
def register_actions(settings: Settings) -> tuple[Action, ...]:
    """All of them, each under its own name."""
    from carrier_actions_standard.choices import ChooseOption
    from carrier_actions_standard.facts import Forget, Remember
    from carrier_actions_standard.goals import SetGoal, UpdateGoal
    from carrier_actions_standard.lookup import LookUp
    from carrier_actions_standard.reminders import CancelReminder, RemindMe, ScheduleTask
    from carrier_actions_standard.roles import UpdateRole
    from carrier_actions_standard.rooms import FollowRoom, MuteRoom, UnfollowRoom, UnmuteRoom
    from carrier_actions_standard.sending import SendMessage
    from carrier_actions_standard.talking import Continue, Ignore, Nothing, Reply
    from carrier_actions_standard.tasks import Finish, Plan

    talking = (Reply(), Ignore(), Nothing(), Continue())
    rooms = (FollowRoom(), UnfollowRoom(), MuteRoom(), UnmuteRoom(), SendMessage())
    facts = (Remember(), Forget())
    times = (RemindMe(settings.time_zone), ScheduleTask(settings.time_zone), CancelReminder(settings.time_zone))
    goals = (SetGoal(), UpdateGoal(), ChooseOption(), UpdateRole(), LookUp(), Plan(), Finish())
    return (*talking, *rooms, *facts, *times, *goals)
