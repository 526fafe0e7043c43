"""Answers from what was said before: which of it answers a question, and how it is said back to whoever said it.

No model is involved: words are counted and pronouns turned, so that `I live in Porto` comes back as `you live in Porto`.
English only, as the built-in rules are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from carrier_provider_scripted.noted import first_person, holding
from carrier_provider_scripted.pronouns import second_person
from carrier_provider_scripted.scene import Line, Scene

MOST_SAID = 3  # statements in an answer
MOST_TOLD = 8  # statements in an answer to "what do you know about me"
MOST_READ = 1_000  # characters of one memory
_KEPT = 4_096  # lines and words of which it is remembered what they say: those of some 130 rooms

_QUESTION = re.compile(
    r"\W*(?:(?:and|so|but|then|now|please|hey|hi|hello|ok|okay)\b\W*)*"
    r"(?:who|whom|whose|what|whats|where|wheres|when|why|which|how|do|does|did|is|are|am|was|were|can|could|will|would|"
    r"should|shall|may|have|has|tell me|remind me|guess)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours)\b", re.IGNORECASE)
_ALL = re.compile(
    r"\b(?:know|remember|recall|learn|learned|learnt)\b.{0,80}\b(?:about|of|from) (?:me|us)\b"
    r"|\bwhat (?:did|have|had) i (?:tell|told|say|said|mention)\w*\b(?! .{0,80}\babout\b)|\bwho am i\b",
    re.IGNORECASE,
)
_I_OR_MY = re.compile(r"\b(?:i|my)\b")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_SENTENCES = re.compile(r"(?<=[.!?…])\s+|\n+")
_LEAD = re.compile(
    r"\W*(?:(?:hi|hello|hey|well|so|oh|ok|okay|yes|no|please|by the way|btw|fyi|actually|also)\b[\s,!.:-]*)*"
    r"(?:(?:please )?(?:remember|note|don['’]t forget|do not forget|keep in mind|you should know|just so you know)\b[\s,:]*"
    r"(?:that\b\s*)?)?",
    re.IGNORECASE,
)
_CLAUSES = re.compile(r"(?:,\s*(?:and |but )?|\s+(?:and|but) )(?=(?:I|we|my)\b)", re.IGNORECASE)
_EMPTY_WORDS = frozenset(
    "a about again all an and any anything are as at be been being but by can could did do does doing for from get got had "
    "has have he her hers him his how i if in into is it its just know let me mean my mine myself of on or our ours please "
    "recall remember remind said say she should so some something tell than that the their them then there these they this "
    "those to told too up us was we were what when where which who whom whose why will with would you your yours am im ive "
    "id ill dont youre whats wheres".split()
)
_SYNONYMS = [
    "live home house flat address reside move town city country based from",
    "name call known",
    "work job profession occupation living employ",
    "old age born year birthday",
    "like love enjoy favorite prefer hobby adore fond",
    "dislike hate allergic avoid",
    "husband wife spouse partner married",
    "child kid son daughter children",
    "pet dog cat",
    "meeting appointment date",
    "drink tea coffee",
    "eat food dish meal",
]


class _Statement(msgspec.Struct, frozen=True):
    text: str
    line: Line
    rank: int
    own: bool
    score: int


def is_question(text: str) -> bool:
    """Whether a message asks something: it ends with a question mark, or begins as questions do."""
    return text.rstrip(" )\"'”’!").endswith("?") or _QUESTION.match(text) is not None


def recollect(scene: Scene) -> str:
    """What was said before that answers the message, in the second person; empty when nothing does.

    What is known of the person who asks comes first, because it was corrected where they corrected it; what they said themselves
    is taken for it where it says nothing that does not hold any more. A question about them is answered with the best memory even
    when they share no word.
    """
    question = scene.message
    personal = _FIRST_PERSON.search(question) is not None
    asked = words(question[:MOST_READ])
    statements = list(_statements(scene, asked, question))
    known = _known(scene, asked, question) if personal else []
    if _ALL.search(question):
        own = [statement for statement in statements if statement.own]
        return _say(_in_own_words(known, own, scene, besides=True)[:MOST_TOLD])
    if personal:
        statements = [statement for statement in statements if statement.own or _names(question, statement)]
    facts = _answering(known, statements, asked)
    if facts:
        return _say(_in_own_words(facts, statements, scene, held=known))
    statements = [_still(statement, known) for statement in statements]
    found = _best(statements, least=1 if personal else max(3, 3 * len(asked) // 2))
    recalled = [statement for statement in statements if statement.rank >= 0]
    if found and personal:
        found += [
            statement for statement in recalled[:1] if statement not in found
        ]  # recall may know better than words
    if found:
        return _say(found)
    if personal and recalled and not re.search(r"\b(?:can|may|could|should|shall) (?:i|we)\b", question, re.I):
        return _say(recalled[: MOST_SAID - 1], "I am not sure, but ")
    return ""


# --- what is known of the person ----------------------------------------------------------------------------------------


def _known(scene: Scene, asked: frozenset[str], question: str) -> list[_Statement]:
    """The facts that hold, newest first, as the person would say them."""
    lines = {first_person(line.text.strip(), scene.person): line for line in reversed(scene.facts)}
    persons = _persons(question[:MOST_READ])
    known = []
    for text in holding(reversed(lines)):
        score = _score(asked, text)
        score += bool(score and persons & _persons(text))
        known.append(_Statement(text, lines[text], -1, True, score))
    return known


def _answering(known: list[_Statement], statements: list[_Statement], asked: frozenset[str]) -> list[_Statement]:
    """The facts that answer best; none where something that was said has more of what is asked."""
    top = max((fact.score for fact in known), default=0)
    best = [fact for fact in known if fact.score == top > 0]
    if not best:
        return []
    had = max(_share(asked, statement.text) for statement in statements) if statements else 0
    return best[:MOST_SAID] if max(_share(asked, fact.text) for fact in best) >= had else []


def _share(asked: frozenset[str], text: str) -> int:
    """How many words of the question a text has, or related ones."""
    given = words(text)
    return sum(word in given or bool(_related(word) & given) for word in asked)


def _in_own_words(
    facts: list[_Statement],
    statements: list[_Statement],
    scene: Scene,
    *,
    held: list[_Statement] | None = None,
    besides: bool = False,
) -> list[_Statement]:
    """Each fact as the person told it, where all that they said with it still holds, else as it was noted. ``held`` are all
    facts, if these are not; ``besides`` adds what was said of something else."""
    little = words(f"name {scene.person}")
    everything = frozenset(little).union(*(words(fact.text) for fact in held or facts))
    own = [statement for statement in statements if statement.own and _holds(statement, everything)]
    told: dict[str, _Statement] = {}
    for fact in facts:
        telling = words(fact.text) - little or words(fact.text)
        said = next((each for each in own if all(_has(words(each.text), word) for word in telling)), fact)
        told.setdefault(said.text, said)
    if besides:
        noted = frozenset[str]().union(*(words(fact.text) for fact in facts))
        rest = [each for each in statements if each.text not in told]
        told |= {each.text: each for each in rest if not any(_has(noted, word) for word in words(each.text))}
    return list(told.values())


def _holds(statement: _Statement, everything: frozenset[str]) -> bool:
    return all(_has(everything, word) for word in words(statement.text))


def _still(statement: _Statement, known: list[_Statement]) -> _Statement:
    """What was said without those of its clauses that say of something noted something else than was noted."""
    noted = frozenset[str]().union(*(words(fact.text) for fact in known))
    clauses = _CLAUSES.split(statement.text) if known and statement.own else []
    kept = [clause for clause in clauses if (given := words(clause)) <= noted or not any(_has(noted, w) for w in given)]
    if not kept or len(kept) == len(clauses):
        return statement
    return msgspec.structs.replace(statement, text=" and ".join(kept))


def _has(given: frozenset[str], word: str) -> bool:
    return word in given or bool(_related(word) & given)


# --- what was said -----------------------------------------------------------------------------------------------------


def _best(statements: list[_Statement], least: int) -> list[_Statement]:
    """Those that share most words with the question: the first recalled of them, then the latest ones."""
    top = max((statement.score for statement in statements), default=0)
    if top < least:
        return []
    equal = [statement for statement in statements if statement.score == top]
    latest = sorted(equal[1:], key=lambda statement: -statement.line.at)
    return sorted([equal[0], *latest[: MOST_SAID - 1]], key=lambda statement: -statement.line.at)


def _statements(scene: Scene, asked: frozenset[str], question: str) -> Iterable[_Statement]:
    """What people stated before: first what was recalled, best first, then this conversation, latest first."""
    seen: set[str] = set()
    recalled = [line for line in scene.memories if not _by_agent(line, scene)]
    spoken = [line for line in reversed(scene.history) if line.role == "user"]
    persons = _persons(question[:MOST_READ])
    for rank, line in enumerate((*recalled, *spoken)):
        text, folded = _stated(line.text)
        if not text or folded in seen:
            continue
        seen.add(folded)
        own = not line.name or not scene.person or line.name.casefold() == scene.person.casefold()
        score = _score(asked, text)
        if score and not own and _mentions(question, line.name):
            score += 3
        score += bool(score and persons & _persons(text))
        yield _Statement(text, line, rank if rank < len(recalled) else -1, own, score)


def _by_agent(line: Line, scene: Scene) -> bool:
    return line.role == "assistant" or (bool(line.name) and line.name == scene.agent)


def _score(asked: frozenset[str], text: str) -> int:
    """3 for each word of the question, 1 for a related one."""
    given = words(text)
    if not given:
        return 0
    return sum(3 if word in given else 1 if _related(word) & given else 0 for word in asked)


@lru_cache(maxsize=_KEPT)
def _persons(text: str) -> frozenset[str]:
    """Whether a text is about I, or about my: that tells `I live` from `my friend lives`."""
    return frozenset(_I_OR_MY.findall(text.casefold()))


def _names(question: str, statement: _Statement) -> bool:
    return _mentions(question, statement.line.name)


def _mentions(question: str, name: str) -> bool:
    return bool(name) and re.search(rf"\b{re.escape(name)}\b", question, re.IGNORECASE) is not None


@lru_cache(maxsize=_KEPT)
def _stated(text: str) -> tuple[str, str]:
    """What a message states, and the same to compare it with others."""
    found = stated(text[:MOST_READ])
    return found, found.casefold()


def stated(text: str) -> str:
    """What a message states: its sentences without questions, greetings and `remember that`."""
    sentences = []
    for sentence in _SENTENCES.split(text):
        lead = _LEAD.match(sentence)
        rest = sentence[lead.end() if lead else 0 :].strip()
        if rest and not rest.endswith("?") and (len(rest) > 20 or words(rest)) and not _only_question(rest):
            sentences.append(rest)
    return " ".join(sentences)


def _only_question(sentence: str) -> bool:
    return _QUESTION.match(sentence) is not None and not sentence.endswith(".")


@lru_cache(maxsize=_KEPT)
def words(text: str) -> frozenset[str]:
    """The stems of a text's words, without those that say little."""
    found = (word.casefold().replace("’", "'").removesuffix("'s") for word in _WORD.findall(text))
    return frozenset(_stem(word) for word in found if word.replace("'", "") not in _EMPTY_WORDS)


def _stem(word: str) -> str:
    word = word.replace("our", "or")  # favourite, favorite
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


@lru_cache(maxsize=_KEPT)
def _related(stem: str) -> frozenset[str]:
    return frozenset(other for group in _synonyms() if stem in group for other in group)


@lru_cache(maxsize=1)
def _synonyms() -> list[frozenset[str]]:
    return [frozenset(_stem(word) for word in group.split()) for group in _SYNONYMS]


# --- saying it back -----------------------------------------------------------------------------------------------------


def _say(statements: list[_Statement], opening: str = "") -> str:
    said = [_said(statement, again=position > 0) for position, statement in enumerate(statements)]
    text = " ".join(said)
    return opening + text[:1].lower() + text[1:] if opening and text and not text.startswith("I ") else opening + text


def _said(statement: _Statement, *, again: bool) -> str:
    line = statement.line
    if not statement.own:
        return f"{line.name} said: “{statement.text}”"
    if not line.name and line.role != "user" and not _FIRST_PERSON.search(statement.text):
        return f"I have noted: “{statement.text}”"  # a fact, which may speak of the person by name
    told = "You also told me that" if again else "You told me that"
    return f"{told} {_clause(second_person(statement.text))}."


def _clause(text: str) -> str:
    """As the continuation of a sentence: without its capital, unless that belongs to a name, and without its full stop."""
    first = text.split(" ", 1)[0]
    if first.casefold().strip(",") in _EMPTY_WORDS or first.casefold().startswith("you"):
        text = text[:1].lower() + text[1:]
    return text.rstrip(" .!…")
