"""Judgement: the ruling on a case, by the operator's rules or, where none fits, by what is done by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carrier_core.policy.case import Case
from carrier_core.policy.rules import fits, is_listed
from carrier_core.policy.words import Words, shown
from carrier_core.prompts import Authorization, Effect, Ruling

if TYPE_CHECKING:
    from carrier_core.sections import PolicyRule, PolicySettings

_ALLOWED = Authorization(Ruling.ALLOW)


def judge(case: Case, settings: PolicySettings) -> Authorization:
    """The policy's ruling on a call, with its reason."""
    name = case.call.name
    if case.effect is Effect.UNKNOWN:
        return Authorization(Ruling.DENY, f"nobody knows what {shown(name)} does")
    if case.role.rank < case.required.rank:
        return Authorization(Ruling.DENY, f"{shown(name)} is for {case.required}s, and {_name(case)} is a {case.role}")
    for rule in settings.rules:
        if fits(rule, case):
            return _by(rule, case, settings)
    if name in settings.allow and not case.gives_away:
        return _ALLOWED
    reason = _doubt(case, settings)
    return Authorization(Ruling.ASK, reason, settings.approver) if reason else _ALLOWED


def _by(rule: PolicyRule, case: Case, settings: PolicySettings) -> Authorization:
    reason = rule.reason or f"a rule of the operator's says so of {shown(case.call.name)}"
    if rule.ruling == "allow" and case.gives_away:  # what others may not know is not the operator's to tell
        return Authorization(Ruling.ASK, _PRIVATE, rule.approver or settings.approver)
    return Authorization(Ruling(rule.ruling), reason, rule.approver or settings.approver)


def _doubt(case: Case, settings: PolicySettings) -> str:
    """Why a person should look at a call; empty where there is no reason to."""
    if case.effect is Effect.READ:
        return _elsewhere(case, settings) if case.destination else ""
    if case.gives_away:
        return _PRIVATE
    if case.foreign:
        if case.effect is not Effect.SPEND and case.is_own:
            return ""
        spends = "it spends money, and " if case.effect is Effect.SPEND else ""
        return f"{spends}it may have been brought about by what came from {_told(case.foreign)}"
    if case.effect is Effect.WRITE or (case.is_own and case.effect is Effect.EXTERNAL):
        return ""
    if case.effect is Effect.SPEND:
        return "it spends money"
    if _leads(case, settings, case.known):
        return ""
    return _NOWHERE if case.goes() else "it has an effect outside"


def _elsewhere(case: Case, settings: PolicySettings) -> str:
    """Why a read should not tell the place where it goes what it tells; empty where there is no reason."""
    if not _leads(case, settings, case.said if case.foreign else case.known):
        return _NOWHERE
    if case.foreign and not all(case.said.have(each) for each in case.tells()):
        return "it would tell that place something that came from elsewhere"
    return ""


def _leads(case: Case, settings: PolicySettings, words: Words) -> bool:
    """Whether it goes where somebody, or the operator beforehand, has said."""
    goes = case.goes()
    return bool(goes) and all(words.have(place) or is_listed(place, settings.destinations) for place in goes)


_NOWHERE = "nobody has said that it should go there"
_PRIVATE = "not everyone who would read it may know it"
_TOLD = 3  # origins that are named


def _told(origins: tuple[str, ...]) -> str:
    named = [
        shown(origin.removeprefix("outside:")) if origin.startswith("outside:") else "somebody else"
        for origin in origins
    ]
    named = list(dict.fromkeys(named))
    return ", ".join(named[:_TOLD]) + (f" and {len(named) - _TOLD} more" if len(named) > _TOLD else "")


def _name(case: Case) -> str:
    return shown(case.person.name) or "whoever asks"
