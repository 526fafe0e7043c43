"""Approving: a person is asked about one call, with its very arguments, and the turn waits for the answer.

What is asked is recorded before the turn parks; the answer is recorded under it. So an approval counts for that call of that turn,
once, and for nothing that came of it since.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from carrier_core.choosing import asked_in
from carrier_core.contract import CORE
from carrier_core.errors import Parked
from carrier_core.journal import Parking
from carrier_core.messages import Entity, Part, Question, Reply, Role, make_id
from carrier_core.outcomes import Answer, Approval
from carrier_core.policy.roles import role_of
from carrier_core.prompts import ActionCall, Authorization
from carrier_core.provenance import OPERATOR
from carrier_core.reaching import kept_back

if TYPE_CHECKING:
    from carrier_core.turn import Turn

APPROVE, REFUSE = "approve", "refuse"
"""What may be answered."""

OPERATING = Entity(OPERATOR, OPERATOR, OPERATOR)
"""Whoever answers at the operator's own terminal."""

CODE = 6
"""Characters of an id that a person writes."""

_LONGEST = 6_000  # characters of a call that a person can be expected to read
_RANKS = {"admin": Role.ADMIN.rank, "owner": Role.OWNER.rank}


async def approved(turn: Turn, call: ActionCall, authorization: Authorization, words: str) -> str:
    """Why a call is not approved; empty if it is. The turn parks until somebody has answered."""
    if len(words) > _LONGEST:
        return f"{authorization.reason}, and it is too long ({len(words)} characters) for anybody to look over"
    name = f"{turn.progress.step}/approval"
    asked = await turn.progress.recorded(name)
    if asked is None:
        asked = _asked(turn, call, authorization, words)
        turn.progress.note(name, asked)
    if not isinstance(asked, Approval) or asked.digest != digest_of(call, turn.person.id, asked.until):
        return "the call is not the one that was asked about"
    answer = await turn.progress.recorded(step_of(name, asked))
    if answer is None:
        if not turn.can_park:
            return f"{authorization.reason}, and nobody can be asked now"
        say = _question(turn, asked)
        blocked = await kept_back(turn, Part(say, "question", turn.stamp.completion_of(turn.prompt, CORE, "park")))
        if blocked:
            return f"{authorization.reason}, and it cannot be asked about: {blocked}"
        raise Parked(
            step_of(name, asked),
            asked.until,
            f"an approval of {call.name}: {asked.reason}",
            say,
            Question(asked.id, (APPROVE, REFUSE), asked.until, asked.code),
        )
    if not isinstance(answer, Answer) or answer.expired or answer.at > asked.until:
        return "nobody approved it in time"
    if answer.value != APPROVE:
        why = answer.text.strip(" .") if answer.person == OPERATOR else ""  # nobody else's words pass for the host's
        return f"it was refused: {why}" if why else "it was refused"
    known = [each for each in await turn.participants() if each.id == answer.person]
    who = known[0] if known else Entity(answer.person, "", "")
    may = msgspec.structs.replace(asked, approver=authorization.approver)  # as the policy has it now
    return "" if await may_approve(turn, who, may) else "whoever approved it may not"


async def refused_before(turn: Turn) -> str:
    """Why a call that is allowed now may not be carried out all the same: somebody was asked about it, and did not approve."""
    name = f"{turn.progress.step}/approval"
    asked = await turn.progress.recorded(name)
    answer = await turn.progress.recorded(step_of(name, asked)) if isinstance(asked, Approval) else None
    if not isinstance(answer, Answer) or answer.value == APPROVE:
        return ""
    return "nobody approved it in time" if answer.expired else "it was refused"


async def may_approve(turn: Turn, who: Entity, asked: Approval) -> bool:
    """Whether somebody may approve what is asked: the operator always, the person themselves where that is enough, and else who
    is at least what it takes; an admin for everybody below."""
    if who.id == OPERATOR:
        return True
    if asked.approver == "person" and who.id == asked.person:
        return True
    if asked.approver == "operator":
        return False
    return (await role_of(turn, who)).rank >= _RANKS.get(asked.approver, Role.ADMIN.rank)


async def refusal(turn: Turn, parking: Parking, answer: Answer, who: Entity) -> str:
    """Why somebody's answer to a parked turn does not count; empty if it does."""
    resumed = turn.progress.resumed
    value = asked_in(resumed, parking.step) if resumed is not None else None
    if isinstance(value, Approval):
        if answer.value not in (APPROVE, REFUSE):
            return f"{answer.value or answer.text} is neither {APPROVE} nor {REFUSE}"
        if answer.at > value.until:
            return "it came too late"
        return "" if await may_approve(turn, who, value) else f"{who.name} may not answer it"
    if isinstance(value, Reply) and value.question is not None and answer.value not in value.question.options:
        return f"{answer.value} is none of: {', '.join(value.question.options)}"
    return ""


def is_meant(parking: Parking, target: str) -> bool:
    """Whether an answer is to what a parked turn asks. An approval is for one call, so it has to name what was asked, or the
    beginning of that."""
    step, _, asked = parking.step.rpartition("/")
    if len(target) >= CODE and asked.startswith(target):
        return True
    return target in ("", parking.turn) and not step.endswith("/approval")


def answer_in(text: str) -> tuple[str, str]:
    """The answer and the code in what a person wrote, ``approve 3fa9c1``; two empty texts where it is none."""
    found = _ANSWER.fullmatch(text.strip().casefold())
    return (found[1], found[2]) if found else ("", "")


_ANSWER = re.compile(rf"(?:<?@[\w!.-]+>?[,:]?\s+)?({APPROVE}|{REFUSE})[\s:]+([0-9a-f]{{{CODE},32}})[.!]?")


def digest_of(call: ActionCall, person: str, until: float) -> str:
    """What an approval is bound to: the action, its arguments in canonical form, the person, and until when it counts."""
    arguments = msgspec.json.encode(call.arguments, order="sorted").decode()
    return make_id("approval", call.name, arguments, person, repr(until))


def step_of(name: str, asked: Approval) -> str:
    """The name under which the answer is recorded: that of what was asked, with its id."""
    return f"{name}/{asked.id}"


def _asked(turn: Turn, call: ActionCall, authorization: Authorization, words: str) -> Approval:
    host = turn.agent.host
    until = host.clock() + host.config.settings.policy.approval_seconds
    digest = digest_of(call, turn.person.id, until)
    key = make_id("question", turn.id, turn.progress.step, digest)
    reason, approver = authorization.reason, authorization.approver
    return Approval(key, key[:CODE], call.name, digest, turn.person.id, approver, until, words, reason)


def _question(turn: Turn, asked: Approval) -> str:
    """The question in the operator's words, in which nothing of the call is taken for a place to fill in."""
    text = turn.agent.settings.approval
    whose = _WHOSE.get(asked.approver, "")
    reason = "; ".join(each for each in (asked.reason, whose) if each)
    filled = {"call": asked.what, "reason": f"({reason})" if reason else "", "code": asked.code}
    return _PLACE.sub(lambda found: filled[found[1]], text)


_WHOSE = {
    "admin": "an admin has to answer",
    "owner": "an owner has to answer",
    "operator": "the operator has to answer",
}
_PLACE = re.compile(r"\{(call|reason|code)\}")
