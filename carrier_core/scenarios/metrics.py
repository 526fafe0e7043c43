"""Metrics: a few figures of how well an agent answers, from scenarios or from stored turns, to be compared between two runs.

A figure is a share or a mean over samples. It is kept as a sum and a count for each conversation, because answers of one
conversation depend on each other; no text is kept. Turns that the agent stayed out of without asking a model count nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from carrier_core.errors import ConfigError
from carrier_core.outcomes import Status
from carrier_core.scenarios.exchange import Exchange, is_asked
from carrier_core.scenarios.runner import Result

Sum: TypeAlias = tuple[float, int]
"""A sum over samples and the number of samples."""


class Figure(NamedTuple):
    """What a figure means; whether more of it is better, worse, or neither."""

    meaning: str
    better: Literal["more", "less", ""] = ""


FIGURES: Mapping[str, Figure] = {
    "passed": Figure("share of scenarios all of whose expectations were met", "more"),
    "met": Figure("share of expectations that were met", "more"),
    "called": Figure("share of the calls that were expected (`calls`) which were made", "more"),
    "score": Figure("mean score that the judge gave a reply, from 1 to 5", "more"),
    "replied": Figure("share of turns that ended with a reply of the agent", "more"),
    "failed": Figure("share of turns that failed", "less"),
    "blocked": Figure("share of turns whose reply a plugin kept back", "less"),
    "empty": Figure("share of turns in which a model was asked and nothing was said", "less"),
    "refused": Figure("share of turns in which a model ended its answer with a refusal", "less"),
    "repeated": Figure("share of replies that say the same as an earlier one of their conversation", "less"),
    "calls_done": Figure("share of the calls that models made which were carried out", "more"),
    "rounds": Figure("mean number of times that the model was asked in a turn"),
    "characters": Figure("mean length of a reply, in characters"),
    "input_tokens": Figure("mean tokens of the prompts of a turn", "less"),
    "output_tokens": Figure("mean tokens of the answers of a turn", "less"),
    "usd": Figure("mean cost of a turn whose models have a known price, in US dollars", "less"),
    "seconds": Figure("mean seconds of a turn", "less"),
}


class Conversation(msgspec.Struct, frozen=True):
    """The sums of one conversation. ``name`` is the scenario, with its file's name, or the id of the room."""

    name: str
    agent: str
    model: str = ""
    run: int = 1
    sums: dict[str, Sum] = {}


class Metrics(msgspec.Struct, frozen=True):
    """The figures of a run. ``judge`` and ``rubric`` say whose scores they have; ``at`` is when, in seconds since the epoch."""

    conversations: tuple[Conversation, ...]
    at: float = 0.0
    judge: str = ""
    rubric: str = ""
    v: Literal[1] = 1

    def total(self, figure: str) -> Sum:
        """The sum and the count of a figure over all conversations."""
        sums = [each.sums.get(figure, (0.0, 0)) for each in self.conversations]
        return sum(total for total, _ in sums), sum(count for _, count in sums)


def mean(given: Sum) -> float | None:
    """The share or mean; None of no samples."""
    return given[0] / given[1] if given[1] else None


# --- how they are made ---------------------------------------------------------------------------------------------------


def of_result(result: Result) -> Conversation:
    """The sums of a scenario that was played."""
    checks = [check for tried in result.tried for check in tried.checks]
    scores = [tried.score for tried in result.tried if tried.score is not None]
    sums = {
        **of_exchanges([tried.exchange for tried in result.tried]),
        "passed": _sum([result.ok]),
        "met": _sum([check.ok for check in checks]),
        "called": _sum([check.ok for check in checks if check.name == "calls"]),
        "score": _sum(scores),
    }
    return Conversation(
        f"{Path(result.file).name}: {result.scenario}", result.agent, result.model, result.run, _some(sums)
    )


def of_room(room: str, agent: str, exchanges: Sequence[Exchange], scores: Iterable[int] = ()) -> Conversation:
    """The sums of an agent's turns in a room, the oldest first."""
    return Conversation(room, agent, sums=_some({**of_exchanges(exchanges), "score": _sum(scores)}))


def of_exchanges(exchanges: Sequence[Exchange]) -> dict[str, Sum]:
    """The sums by rule, of the exchanges of one conversation in their order."""
    turns = [each for each in exchanges if is_asked(each)]
    replies = [each.reply for each in turns if each.status == Status.REPLIED]
    calls = [call for each in turns for call in each.calls]

    def share(of: Callable[[Exchange], bool]) -> Sum:
        return _sum([of(each) for each in turns])

    return {
        "replied": share(lambda each: each.status == Status.REPLIED),
        "failed": share(lambda each: each.status == Status.FAILED),
        "blocked": share(lambda each: each.status == Status.BLOCKED),
        "empty": share(lambda each: each.status == Status.SILENT),
        "refused": share(lambda each: each.refused),
        "repeated": _sum(_repeated(replies)),
        "calls_done": _sum([call.ok is True for call in calls]),
        "rounds": _sum([each.rounds for each in turns]),
        "characters": _sum([len(reply) for reply in replies]),
        "input_tokens": _sum([each.usage.input for each in turns]),
        "output_tokens": _sum([each.usage.output for each in turns]),
        "usd": _sum([each.usd for each in turns if each.priced]),
        "seconds": _sum([each.seconds for each in turns]),
    }


def _repeated(replies: Sequence[str]) -> list[bool]:
    """Of each reply whether it was given before; case and spacing do not count."""
    plain = [" ".join(reply.casefold().split()) for reply in replies]
    return [text in plain[:position] for position, text in enumerate(plain)]


def _sum(values: Iterable[float]) -> Sum:
    found = tuple(values)
    return round(float(sum(found)), 9), len(found)


def _some(sums: Mapping[str, Sum]) -> dict[str, Sum]:
    return {name: sums[name] for name in FIGURES if name in sums and sums[name][1]}


# --- their file ----------------------------------------------------------------------------------------------------------


def write(path: Path, metrics: Metrics) -> None:
    """Write the figures as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(metrics), indent=1) + b"\n")


def read(path: Path) -> Metrics:
    """The figures of a file. ConfigError if it holds none."""
    remedy = "Name a file that --metrics has written."
    try:
        return msgspec.json.decode(path.read_bytes(), type=Metrics)
    except OSError as error:
        raise ConfigError(f"It cannot be read: {error.strerror}.", remedy=remedy, file=str(path)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"These are no metrics: {error}.", remedy=remedy, file=str(path)) from None
