"""Claims: what a speaker says of themselves, found by rules, in English and without a model."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from carrier_evaluator_standard.sentences import clauses, plain

LONGEST = 80
"""Characters of a value; what is longer is a story, not a fact."""
WORDS = 10
"""Words of a value."""


class Claim(msgspec.Struct, frozen=True):
    """Something said of the speaker. What is ``many`` stands beside others of its attribute; what is not takes their place.

    ``ended`` says that it is no longer so, of any value where ``value`` is empty. ``corrects`` when it takes something back.
    """

    attribute: str
    value: str
    many: bool = False
    ended: bool = False
    corrects: bool = False


class Rule(msgspec.Struct, frozen=True):
    """A way of saying something; the pattern has to fit a whole clause."""

    attribute: str
    pattern: re.Pattern[str]
    many: bool = False
    listed: bool = False  # "tea, coffee and cake" are three


_ADVERBS = (
    r"(?:(?:now|currently|actually|really|still|also|just|absolutely|always|mostly|mainly|only|totally|recently|"
    r"finally) )*"
)
_AM = rf"i(?:'m| am) {_ADVERBS}"
_PETS = "cat|dog|parrot|rabbit|hamster|horse|goldfish|turtle|tortoise|guinea pig|kitten|puppy|bird|snake"
PETS = frozenset(_PETS.split("|"))
"""Attributes of which somebody may have several, each with its own name."""
_OWN = (
    "email|e-mail|email address|phone|phone number|address|hometown|home town|nationality|time zone|timezone|hobby|"
    "profession|occupation|job|age|birthday|native language|mother tongue|star sign|blood type|shoe size|pronouns"
)
_SAME = {
    "e-mail": "email",
    "email address": "email",
    "phone number": "phone",
    "home town": "hometown",
    "timezone": "time zone",
    "profession": "job",
    "occupation": "job",
    "mother tongue": "native language",
    "kitten": "cat",
    "puppy": "dog",
}


def _rule(attribute: str, pattern: str, *, many: bool = False, listed: bool = False) -> Rule:
    return Rule(attribute, re.compile(pattern, re.I), many, listed)


_VALUE = r"(?P<value>.+)"
_RULES = (
    _rule("name", rf"my (?:full |first |real |last )?name(?:'s| is) {_ADVERBS}{_VALUE}"),
    _rule("name", rf"{_AM}(?:called|named) {_VALUE}"),
    _rule(
        "nickname",
        rf"(?:(?:you can|you may|please|just|everyone|everybody|people|my friends|friends) )*calls? me {_VALUE}",
    ),
    _rule("home", rf"(?:i|we) {_ADVERBS}live in {_VALUE}"),
    _rule("home", rf"{_AM}(?:living|based) in {_VALUE}"),
    _rule("home", rf"(?:i|we)(?:'ve| have)? {_ADVERBS}(?:moved|relocated) (?:back |house )?to {_VALUE}"),
    _rule("origin", rf"{_AM}(?:originally )?from {_VALUE}"),
    _rule("origin", rf"i {_ADVERBS}(?:originally )?come from {_VALUE}"),
    _rule("job", rf"i {_ADVERBS}work as {_VALUE}"),
    _rule("job", rf"{_AM}(?:working as )?(?P<value>an? .+?) by (?:profession|trade)"),
    _rule("job", rf"{_AM}working as {_VALUE}"),
    _rule("employer", rf"i {_ADVERBS}work (?:at|for) {_VALUE}"),
    _rule("employer", rf"{_AM}working (?:at|for) {_VALUE}"),
    _rule("field of work", rf"i {_ADVERBS}work in {_VALUE}"),
    _rule("studies", rf"i {_ADVERBS}study {_VALUE}"),
    _rule("studies", rf"{_AM}studying {_VALUE}"),
    _rule("birthday", rf"my (?:birthday|birth date|date of birth) is (?:on |the )?{_VALUE}"),
    _rule("birthday", rf"i was born on {_VALUE}"),
    _rule("birth year", r"i was born in (?P<value>\d{4})"),
    _rule("birthplace", rf"i was born in {_VALUE}"),
    _rule("age", r"i(?:'m| am) (?P<value>\d{1,3})(?: years? old| now)?"),
    _rule("diet", rf"{_AM}(?:an? )?(?P<value>vegan|vegetarian|pescatarian|lactose[ -]intolerant|gluten[ -]free)"),
    _rule("allergies", rf"{_AM}allergic to {_VALUE}", many=True, listed=True),
    _rule("languages", rf"i {_ADVERBS}speak {_VALUE}", many=True, listed=True),
    _rule("favourite", rf"my favou?rite (?P<of>[\w' -]{{2,30}}?)(?:'s| is|s are| are) {_ADVERBS}{_VALUE}"),
    _rule(
        "pet", rf"i(?:'ve| have)(?: got)? (?:an?|another|a second) (?P<of>{_PETS}) (?:called|named) {_VALUE}", many=True
    ),
    _rule("pet", rf"my (?P<of>{_PETS}) is (?:called|named) {_VALUE}", many=True),
    _rule("pet", rf"my (?P<of>{_PETS})'s name is {_VALUE}", many=True),
    _rule("own", rf"my (?P<of>{_OWN}) is {_ADVERBS}{_VALUE}"),
    _rule("prefers", rf"i {_ADVERBS}prefer {_VALUE}", many=True),
    _rule("likes", rf"i {_ADVERBS}(?:like|love|enjoy|adore) {_VALUE}", many=True, listed=True),
    _rule(
        "likes", rf"{_AM}(?:a (?:big |huge |great )?fan of|fond of|into|in love with) {_VALUE}", many=True, listed=True
    ),
    _rule(
        "dislikes",
        rf"i {_ADVERBS}(?:hate|dislike|detest|despise|can't stand|cannot stand) {_VALUE}",
        many=True,
        listed=True,
    ),
    _rule("dislikes", rf"i (?:don't|do not) {_ADVERBS}(?:like|love|enjoy) {_VALUE}", many=True, listed=True),
)
MANY = frozenset(rule.attribute for rule in _RULES if rule.many) - {"pet"} | PETS
"""Attributes of which somebody may have several values."""
KNOWN = (frozenset(rule.attribute for rule in _RULES) | PETS | frozenset(_OWN.split("|"))) - {
    "pet",
    "own",
    "favourite",
    *_SAME,
}
"""Attributes that the rules know by name."""
_TASTES = {"likes": "dislikes", "dislikes": "likes"}

# How a claim is taken back: the clause without the negation is one that fits a rule above.
_NO_LONGER = re.compile(
    r"(?P<who>i|we) (?:no longer|(?:don't|do not)(?= .+ (?:any ?more|any longer)$)|stopped) (?P<rest>.+?)"
    r"(?: (?:any ?more|any longer))?",
    re.I,
)
_NO_LONGER_AM = re.compile(
    r"i(?:'m| am) (?:no longer|not(?= .+ (?:any ?more|any longer)$)) (?P<rest>.+?)(?: (?:any ?more|any longer))?", re.I
)
_NOT = re.compile(r"(?P<who>i|we) (?:don't|do not) (?P<rest>(?:live|work|study|speak|come) .+)", re.I)
_NOT_AM = re.compile(
    r"i(?:'m| am) not (?P<rest>(?:from|allergic|called|named|based|living|working|vegan|vegetarian) ?.*)", re.I
)
_LEFT_JOB = re.compile(
    r"i(?:'ve| have)? (?:just )?(?:quit|left|lost) my job|i(?:'m| am) (?:unemployed|retired|between jobs)(?: now)?",
    re.I,
)
_GERUNDS = {"living": "live", "working": "work", "studying": "study", "liking": "like", "speaking": "speak"}

_TAIL = re.compile(
    r"[ ,]+(?:now|these days|nowadays|at the moment|right now|currently|too|as well|though|again|any ?more|actually|a lot|"
    r"very much|so much|instead|for now|by the way|btw|you know|please|thanks|thank you|:\)|lol)$",
    re.I,
)
_CUT = re.compile(
    r"(?:\s+[-–—]+\s+|\s+\(|,?\s+(?:because|since|when|but|which|where|who|if|although|though|while|as|and then|until)\b|"
    r",\s+(?![A-Z][\w'-]+(?:\s[A-Z][\w'-]+)?$)).*",
    re.S,
)
_CUT_LISTED = re.compile(
    r"(?:\s+[-–—]+\s+|\s+\(|,?\s+(?:because|since|when|but|which|where|who|if|although|though|while|as|and then)\b).*",
    re.S,
)
_CUT_JOB = re.compile(r"\s+(?:at|for|in|with)\b.*", re.S)
_CUT_PLACE = re.compile(r"\s+(?:with|for|and)\b.*", re.S)
_POINTING = re.compile(
    r"(?:it|its|this|that|these|those|them|him|her|he|she|you|your|yours|how|what|when|where|why|who|there|here|everything|"
    r"nothing|something|anything|fear|hope|peace|denial|dread|the way|"
    r"the idea|the fact|one|both|neither|none|myself|me|not|some|one of)\b",
    re.I,
)
_NO_NAME = re.compile(
    r"(?:a|an|the|not|on|in|at|back|later|when|if|maybe|tomorrow|today|tonight|as|by|what|whatever|anything|hard|difficult|"
    r"easy|important|secret|none|unusual|crazy|stupid|old|out|up|names|any ?time|again|please|and|or|to|for|asap)\b",
    re.I,
)
_LIST = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+and\s+|\s+or\s+|\s*&\s*")
_WORD = re.compile(r"[\w']+")
_LINKING = frozenset(
    "and but so please remember that note know actually also well oh hi hello hey by the way now i we my am".split()
)
"""Words between two claims, or before one, that say nothing."""
_LINK = re.compile(r"https?://|www\.", re.I)


def claims(text: str) -> tuple[Claim, ...]:
    """All that the text says of its speaker, in order."""
    found: list[Claim] = []
    for clause in clauses(text):
        found += [msgspec.structs.replace(claim, corrects=clause.corrects) for claim in _claims(clause.text)]
    return tuple(dict.fromkeys(found))


def wholly(text: str) -> tuple[Claim, ...]:
    """What the text says of its speaker, where it says nothing besides; else nothing."""
    pieces = clauses(text)
    left = set(_WORD.findall(plain(text).casefold())).difference(
        *(_WORD.findall(piece.text.casefold()) for piece in pieces), _LINKING
    )
    found: list[Claim] = []
    for piece in pieces:
        rule = next((rule for rule in _RULES if rule.pattern.fullmatch(piece.text)), None)
        match = rule.pattern.fullmatch(piece.text) if rule is not None else None
        if rule is None or match is None:
            return ()
        values = _values(rule, match["value"])
        said = trimmed(match["value"])
        if not values or (_LIST.split(said) if len(values) > 1 else [said]) != list(values):
            return ()
        attribute = _attribute(rule, match.groupdict().get("of") or "")
        found += [Claim(attribute, value, many=rule.many) for value in values]
    return () if left else tuple(found)


def _claims(clause: str) -> Iterator[Claim]:
    if _LEFT_JOB.fullmatch(clause):
        yield Claim("job", "", ended=True)
        yield Claim("employer", "", ended=True)
        return
    denied = _denied(clause)
    if denied:
        yield from (msgspec.structs.replace(claim, ended=True) for claim in _said(denied) if not claim.ended)
        return
    yield from _said(clause)


def _denied(clause: str) -> str:
    """The clause that is denied, as it would be said; empty where none is."""
    for pattern, said in ((_NO_LONGER, ""), (_NOT, ""), (_NO_LONGER_AM, "i'm "), (_NOT_AM, "i'm ")):
        found = pattern.fullmatch(clause)
        if found is not None:
            first, _, more = found["rest"].partition(" ")
            rest = " ".join((_GERUNDS.get(first.lower(), first), more)).strip()
            return f"{said or found['who'] + ' '}{rest}"
    return ""


def _said(clause: str) -> Iterator[Claim]:
    for rule in _RULES:
        found = rule.pattern.fullmatch(clause)
        if found is None:
            continue
        attribute = _attribute(rule, found.groupdict().get("of") or "")
        values = _values(rule, found["value"])
        for value in values:
            yield Claim(attribute, value, many=rule.many)
            if attribute in _TASTES:
                yield Claim(_TASTES[attribute], value, many=True, ended=True)
        if values:
            return


def _attribute(rule: Rule, of: str) -> str:
    named = _SAME.get(of.lower(), of.lower())
    if rule.attribute == "favourite":
        return f"favourite {named}"
    return named if rule.attribute in ("pet", "own") else rule.attribute


def _values(rule: Rule, text: str) -> tuple[str, ...]:
    cut = (_CUT_LISTED if rule.listed else _CUT).sub("", text)
    if rule.attribute in ("home", "origin", "employer", "birthplace"):
        cut = _CUT_PLACE.sub("", cut)
    if rule.attribute == "job":
        cut = _CUT_JOB.sub("", cut)
    values = _LIST.split(cut) if rule.listed and _is_list(cut) else [cut]
    cleaned = [trimmed(value) for value in values]
    named = rule.attribute in ("name", "nickname", "pet")
    return tuple(value for value in cleaned if _is_value(value) and (not named or _is_name(value)))


def _is_list(text: str) -> bool:
    """Whether every item is short: "tea, coffee and cake" is a list, "walking home and seeing the sea" is not."""
    return all(0 < len(item.split()) <= 2 for item in _LIST.split(text))


def trimmed(text: str) -> str:
    """A value without what only rounds the sentence off."""
    value = plain(text).strip(" .!,;:\"'…")
    while (shorter := _TAIL.sub("", value)) != value:
        value = shorter.strip(" .!,;:\"'…")
    return value


def _is_value(value: str) -> bool:
    if not value or len(value) > LONGEST or len(value.split()) > WORDS:
        return False
    return not _POINTING.match(value) and not _LINK.search(value)


def _is_name(value: str) -> bool:
    return len(value.split()) <= 3 and not any(sign.isdigit() for sign in value) and not _NO_NAME.match(value)


def same(one: str, other: str) -> bool:
    """Whether two values are the same but for case, article, spaces and signs at the ends."""
    return alike(one) == alike(other)


def alike(value: str) -> str:
    """The value as it is compared, and as ids are made of it."""
    return re.sub(r"^(?:the|an?|my)\s+", "", trimmed(value).casefold())
