"""Kinds of agent: when the rounds of a turn are over, what counts as said in them, and what a turn that cannot end by itself tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from carrier_core.errors import CarrierError
from carrier_core.failures import said as told
from carrier_core.messages import Part
from carrier_core.prompts import ActionCall, ActionResult, Completion, Draft, Evaluation, Then, Verdict
from carrier_core.recording import Done, completions_of
from carrier_core.things import Kind

if TYPE_CHECKING:
    from carrier_core.turn import Turn

_SHOWN = 20  # calls that a report lists, the latest
_LONGEST = 120  # characters of one of them


class Conversational(Kind):
    """The kind that converses: after calls whose results are for the model, it is asked again; then the turn ends."""

    name = "conversational"

    def goes_on(self, draft: Draft) -> bool:
        """As long as actions leave it to the model what comes next. One that ends the turn ends it for those beside it too, unless one
        of them failed, which the model does not know yet."""
        left = [result for result in draft.results if result.then is not Then.END]
        return bool(left) and (len(left) == len(draft.results) or not all(result.ok for result in left))


class Task(Kind):
    """The kind that works on a goal: it is asked again until an action ends the turn, or its limits do.

    Such an action says in its result's ``data`` how: ``{"outcome": "done"}``, ``"failed"`` or ``"needs_person"``.
    """

    name = "task"
    rounds = 50
    calls = 200
    seconds = 3600.0
    thinks = True
    urges = 2
    brief = (
        "You work on a task: the message below is your goal, or goes on with it. Work by yourself, step by step, with your tools. If "
        "you have the tool plan, make a plan first, and revise it when something turns out otherwise. What you write beside your calls "
        "is for yourself; the person reads your report. End with the tool finish: when it is done, when it cannot be done, or when you "
        "need something that only a person can give. Say nothing is done that you have not seen done."
    )

    def goes_on(self, draft: Draft) -> bool:
        """Until an action ends the turn with something to say; one that reports success beside a call that failed does not know of
        that yet."""
        ended = _ended(draft)
        if ended is None or not any(part.text.strip() or part.attachment for part in draft.parts):
            return True
        return _outcome(ended) == "done" and any(not result.ok for result in draft.results)

    def urge(self, draft: Draft, left: int) -> str:
        """How to go on, where no result says it; and that the rounds run out."""
        texts = []
        if _ended(draft) is not None:
            texts.append(
                "The task has not ended: a call that you made in the same step failed, or you reported nothing. Look at the results."
            )
        elif not draft.calls:
            texts.append(
                "Nobody reads what you write beside your calls. Go on with the next step of the task, or end it with the tool finish: "
                "done, failed, or needs_person with your question."
            )
        if left <= 2:
            texts.append(
                f"You have {_rounds(left)} left. End the task now, with a report of what is done and what is left."
            )
        return " ".join(texts)

    def ending(self, draft: Draft) -> str:
        """By what the action said that ended the turn. Where none did, it is a person's turn to say something."""
        ended = _ended(draft)
        return _ENDINGS.get(_outcome(ended) if ended is not None else "", _ENDINGS["needs_person"])

    def report(self, limit: str, calls: tuple[ActionCall, ...], results: tuple[ActionResult, ...]) -> str:
        """What was done and what failed, and that a person has to look at it."""
        if not calls and not limit:
            return ""
        why = f": {limit}" if limit else ", because something went wrong on my side"
        done = [call for call, result in zip(calls, results, strict=False) if result.ok]
        failed = [call for call, result in zip(calls, results, strict=False) if not result.ok]
        lines = [f"I had to stop before the task was done{why}."]
        lines += _listed("Done:", done) if done else ["Nothing was done."]
        lines += _listed("Failed, or not known to be done:", failed)
        return "\n".join((*lines, "A person has to look at it. Write to me and I go on."))


_ENDINGS = {"done": "the task is done", "failed": "the task failed", "needs_person": "the task needs a person"}


def _ended(draft: Draft) -> ActionResult | None:
    """The result that ends the turn, if there is one: the last of them."""
    return next((result for result in reversed(draft.results) if result.then is Then.END), None)


def _outcome(result: ActionResult) -> str:
    outcome = result.data.get("outcome") if isinstance(result.data, dict) else None
    return outcome if isinstance(outcome, str) else ""


def _rounds(left: int) -> str:
    return "one round" if left == 1 else f"{left} rounds"


def _listed(head: str, calls: list[ActionCall]) -> list[str]:
    """Calls as a list for a person: what was called with what, the same call once."""
    lines = [f"- {_in_words(call)}" for call in calls]
    counted = [f"{line} ({count} times)" if (count := lines.count(line)) > 1 else line for line in dict.fromkeys(lines)]
    more = len(counted) - _SHOWN
    return [] if not counted else [head, *([f"- {more} more"] if more > 0 else []), *counted[-_SHOWN:]]


def _in_words(call: ActionCall) -> str:
    values = [" ".join(str(value).split()) for value in call.arguments.values() if isinstance(value, str | int | float)]
    text = f"{call.name} {', '.join(values)}".strip()
    text = "".join(each for each in text if each.isprintable())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class Exhausted(CarrierError):
    """A limit of the turn was reached before it came to its end. ``limit`` says which one, for a person."""

    def __init__(self, limit: str, rounds: int) -> None:
        self.limit = limit
        super().__init__(
            f"The limits of the turn were reached after {rounds} rounds without an answer: {limit}.",
            remedy="Raise the agent's limits.",
        )


def reached(turn: Turn, before: int) -> str:
    """The limit that a turn has reached, in words; empty where it has not. Of calls, the model was told that there were too many
    ``before`` this round, and made more."""
    agent, most = turn.agent, turn.agent.settings.limits.tokens
    if turn.round >= agent.rounds:
        return f"it has taken {agent.rounds} rounds of thinking and acting"
    if most is not None and turn.usage.input + turn.usage.output >= most:
        return f"it has used {most} tokens"
    return f"it has made {agent.calls} calls" if agent.calls < before < len(turn.calls) else ""


def acts_of(steps: Iterable[Done]) -> tuple[tuple[ActionCall, ...], tuple[ActionResult, ...]]:
    """The calls of a turn by its steps, and what came of each; of one that was cut off, that it is not known to have happened."""
    done = {each.name: each.value for each in steps}
    acts: list[tuple[ActionCall, ActionResult]] = []
    for round_, completion in completions_of(done.items()).items():
        for number, call in enumerate(completion.calls):
            result = done.get(f"act/{round_}/{number}")
            acts.append((call, result if isinstance(result, ActionResult) else ActionResult(ok=False)))
    return tuple([call for call, _ in acts]), tuple([result for _, result in acts])


class Rounds:
    """What the rounds of a turn came to. ``feedback`` is what evaluators want changed, ``urge`` what the next round is told by the
    kind of agent; ``said`` is what is kept of the rounds so far."""

    def __init__(self, kind: Kind, revisions: int) -> None:
        self._kind = kind
        self._revisions = revisions
        self._idle = 0
        self.said: tuple[Part, ...] = ()
        self.feedback: tuple[Evaluation, ...] = ()
        self.urge = ""

    def draft(self, number: int, completion: Completion, results: tuple[ActionResult, ...]) -> Draft:
        """What would be said if the turn ended with this round."""
        say = tuple([part for result in results for part in result.say])
        written = completion.parts
        if self._kind.thinks:
            ends = not completion.calls or any(result.then is Then.END for result in results)
            written = written if ends and not (self.said or say) else ()
        return Draft((*self.said, *written, *say), completion.calls, results, number)

    def go_on(self, draft: Draft, verdict: Evaluation | None, left: int) -> bool:
        """Whether another round follows this draft, and with what. CarrierError if the kind of agent fails."""
        self._idle = 0 if draft.calls else self._idle + 1
        wanted = verdict.verdict if verdict is not None and len(self.feedback) < self._revisions else Verdict.PASS
        again = wanted in (Verdict.REVISE, Verdict.FOLLOW_UP)
        try:
            goes_on = again or (self._kind.goes_on(draft) and (not self._kind.thinks or self._idle <= self._kind.urges))
            self.urge = self._kind.urge(draft, left) if goes_on and not again else ""
        except (Exception, SystemExit) as error:
            raise _broken(self._kind, error) from error
        if again and verdict is not None:
            self.feedback += (verdict,)
        if wanted is Verdict.REVISE:
            self.said = ()
        elif goes_on and not again:
            self.said = self._kept(draft)
        else:
            self.said = draft.parts
        return goes_on

    def _kept(self, draft: Draft) -> tuple[Part, ...]:
        """What stays said where the rounds go on: not what ends a turn that did not end, nor what was only thought."""
        say = [part for result in draft.results if result.then is not Then.END for part in result.say]
        if self._kind.thinks:
            return (*self.said, *say)
        ends = [id(part) for result in draft.results if result.then is Then.END for part in result.say]
        return tuple([part for part in draft.parts if id(part) not in ends])

    def ending(self, draft: Draft) -> str:
        """How the turn ended, in the kind's words."""
        try:
            return self._kind.ending(draft)
        except (Exception, SystemExit) as error:
            raise _broken(self._kind, error) from error


def _broken(kind: Kind, error: BaseException) -> CarrierError:
    return CarrierError(f"The kind of agent {kind.name} failed: {told(error)}.")
